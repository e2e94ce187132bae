// All incidents, and one of them.

import { get } from "/static/api.js";
import { draw, place } from "/static/chart.js";
import { h } from "/static/dom.js";
import { actions, command, figure, gauge, incident, legend, pager, panel, search, tabs, tenantPath } from "/static/parts.js";
import { ago, entityOf, level, moment, money, numbers, percent, plural, span } from "/static/text.js";

const STATES = { open: "Open", resolved: "Over", "": "All" };

export const list = {
  news: ["incidents", "commands"],
  title: "Incidents",
  asks: { state: "open", q: "", page: "1" },
  load: (_, ask) => get("incidents", ask),
  render: (data, ask) => [
    h("div", { class: "bar heading", "data-key": "bar" }, h("h1", {}, "Incidents"), tabs("state", STATES, ask.state, "Which"), search(ask.q, "Search by name")),
    h("section", { class: "panel", "data-key": "list", "aria-label": "Incidents" },
      data.rows.length === 0 ? h("p", { class: "calm" }, ask.q ? `None holds “${ask.q}”.` : ask.state === "open" ? "Nothing runs away." : "None is known.") : data.rows.map(incident),
      h("div", { class: "foot" }, h("p", { class: "quiet" }, plural(data.total, "incident")), pager(data))),
  ],
  drawn: () => {},
};

export const one = {
  news: ["incidents", "commands", "spend"],
  title: "Incident",
  asks: {},
  load: async ({ id }) => {
    const found = await get(`incidents/${encodeURIComponent(id)}`);
    const series = found.alerts.find((alert) => alert.series)?.series ?? "";
    const key = entityOf(series);
    const metric = series.slice(key.length + 1);
    const shown = ["usd", "tokens", "requests"].includes(metric) ? metric : "usd";
    const chart = key ? await get("chart", { key: shownKey(key, metric), metric: shown }) : null;
    return { ...found, chart: chart?.times.length > 0 ? chart : null };
  },
  render: (data) => [
    h("div", { class: `heading ${data.state === "open" ? data.severity : "over"}`, "data-key": "heading" },
      h("p", { class: "crumbs" }, h("a", { href: "/incidents" }, "Incidents"), data.tenants.map((name) => [" / ", h("a", { href: tenantPath(name) }, name)])),
      h("h1", {}, data.title),
      h("p", {}, data.state === "open" ? `${data.severity}, open since ${moment(data.opened_at)}, ${ago(data.opened_at)}` : `from ${moment(data.opened_at)} to ${moment(data.resolved_at)}, ${span(data.resolved_at - data.opened_at)}`),
      actions(data, true)),
    h("dl", { class: "figures wide", "data-key": "figures" },
      figure("Above normal", money(data.usd_excess), data.state === "open" ? "so far" : "in all", data.state === "open" ? "alert" : ""),
      data.state === "open" && figure("Going on at", money(data.usd_per_hour), "an hour above normal"),
      data.usd_saved > 0 && figure("Saved", `about ${money(data.usd_saved)}`, "by commands, an estimate", "good"),
      figure("Told by", plural(data.anomalies, "anomaly", "anomalies"), data.kind)),
    data.chart && panel("Over time", "lines", place("incident"), legend(data.chart)),
    h("div", { class: "columns", "data-key": "columns" },
      h("div", { class: "side", "data-key": "whys" },
        panel(data.anomalies > data.alerts.length ? `Why: the ${numbers(data.alerts.length)} dearest` : "Why", "why", h("ul", { class: "whys" }, data.alerts.map((alert) =>
          h("li", { class: alert.state === "closed" ? "past" : "", "data-key": alert.series || alert.who }, h("b", {}, alert.who), h("p", {}, alert.reason), h("small", {}, `${money(alert.usd_excess)} above normal · ${alert.state === "closed" ? `over since ${moment(alert.closed_at)}` : `since ${moment(alert.opened_at)}`}`))))),
        data.causes.length > 0 && panel("Who is behind it", "behind", h("ul", { class: "bars" }, data.causes.map((cause) =>
          h("li", {}, h("span", {}, `${level(cause.level)} `, h("b", {}, cause.name)), gauge(cause.share), h("b", {}, percent(cause.share))))))),
      h("div", { class: "side", "data-key": "done" },
        panel("Told to gateways", "commands", data.commands.length === 0 ? h("p", { class: "quiet" }, "Nothing was told to gateways.") : h("ul", { class: "commands" }, data.commands.map(command))),
        panel("What was said", "said", data.answers.length === 0 ? h("p", { class: "quiet" }, "Nobody has said anything yet.") : h("ul", { class: "answers" }, data.answers.map((said) =>
          h("li", {}, h("b", {}, said.by || "somebody"), ` ${said.verdict.replace("_", " ")}`, said.until ? ` until ${moment(said.until)}` : "", h("small", {}, moment(said.at)))))),
        data.notes.length > 0 && panel("History", "history", h("ol", { class: "history" }, data.notes.map((note) => h("li", {}, note)))))),
  ],
  drawn: (data) => data.chart && draw("incident", data.chart),
};

// Sessions have no lines of their own: what holds them has.
const shownKey = (key, metric) => (metric === "loop" ? key.split("/")[0] : key);
