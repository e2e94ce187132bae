// The parts that the pages are put together from.

import { me } from "/static/api.js";
import { h, svg } from "/static/dom.js";
import { action, ago, clock, date, entityOf, KINDS, lately, level, LEVELS, moment, money, numbers, percent, plural, span, spelled, time } from "/static/text.js";

export const tenantPath = (name, series) =>
  `/tenants/${encodeURIComponent(name)}${series ? `?series=${encodeURIComponent(series)}` : ""}`;
export const incidentPath = (id) => `/incidents/${encodeURIComponent(id)}`;

export const panel = (title, key, ...children) =>
  h("section", { class: "panel", "data-key": key, "aria-labelledby": `${key}-title` }, h("h2", { id: `${key}-title` }, title), children);

export const figure = (label, value, note, tone) =>
  h("div", { class: `figure ${tone ?? ""}`, "data-key": label }, h("dt", {}, label), h("dd", {}, value, note && h("small", {}, note)));

export function spark(values, label) {
  const top = Math.max(...values, 1e-12);
  const step = 100 / Math.max(values.length - 1, 1);
  const points = values.map((value, at) => `${(at * step).toFixed(1)},${(22 - (value / top) * 20).toFixed(1)}`);
  return svg("svg", { class: "spark", viewBox: "0 0 100 24", preserveAspectRatio: "none", role: "img", "aria-label": label },
    svg("polygon", { points: `0,24 ${points.join(" ")} 100,24` }),
    svg("polyline", { points: points.join(" ") }));
}

export function kinds(totals) {
  const found = Object.entries(totals.kinds).sort((one, other) => other[1] - one[1]);
  const all = found.reduce((sum, [, value]) => sum + Number(value), 0);
  if (!all) return h("p", { class: "quiet", "data-key": "kinds" }, `Nothing with a price came in ${lately(totals.seconds)}.`);
  let at = 0;
  const bars = found.map(([kind, value]) => {
    const width = (Number(value) / all) * 100;
    const bar = svg("rect", { class: `kind-${kind}`, x: at.toFixed(2), y: 0, width: Math.max(width - 0.25, 0.05).toFixed(2), height: 4 });
    at += width;
    return bar;
  });
  return h("div", { class: "kinds", "data-key": "kinds" },
    svg("svg", { viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": "true" }, bars),
    h("ul", {}, found.map(([kind, value]) =>
      h("li", { "data-key": kind }, h("span", { class: `swatch kind-${kind}` }), KINDS[kind] ?? kind,
        h("b", {}, money(value)), h("small", {}, percent(value / all))))));
}

const ACTIONS = {
  acknowledge: "Acknowledge",
  expected: "Expected",
  planned: "Planned until …",
  mute: "Mute until …",
  throttle: "Throttle",
  release: "Release",
  false_alarm: "False alarm",
};
const SAID = {
  acknowledge: "has acknowledged it",
  expected: "says it is expected",
  planned: "says it is planned",
  mute: "muted it",
  throttle: "asked to throttle",
  release: "asked to release",
  false_alarm: "says it is a false alarm",
};

const button = (verdict, one, primary) =>
  h("button", { type: "button", class: primary ? "primary" : null, "data-act": verdict, "data-incident": one.id,
    "data-key": verdict, "aria-label": `${ACTIONS[verdict]}: ${one.title}` }, ACTIONS[verdict]);

const holds = (one) => one.commands.some((command) => command.live && command.mode === "enforce");

function first(one) {
  const acknowledged = one.answers.some((answer) => answer.verdict === "acknowledge");
  return [
    ...(acknowledged ? [] : ["acknowledge"]),
    holds(one) ? "release" : "throttle",
  ];
}

export function actions(one, all) {
  if (!me.operator) return null;
  // What is over may hold somebody for a while yet.
  if (one.state !== "open") return holds(one) && h("div", { class: "actions", "data-key": "actions" }, button("release", one, true));
  const shown = all ? Object.keys(ACTIONS) : first(one);
  const more = Object.keys(ACTIONS).filter((verdict) => !shown.includes(verdict));
  return h("div", { class: "actions", "data-key": "actions" },
    shown.map((verdict) => button(verdict, one, verdict === shown[0])),
    more.length > 0 && h("details", { class: "more", "data-key": "more" },
      h("summary", { "aria-label": `More actions: ${one.title}` }, "More"),
      h("div", {}, more.map((verdict) => button(verdict, one)))));
}

export const answers = (one) =>
  one.answers.length > 0 && h("ul", { class: "answers", "data-key": "answers" }, one.answers.slice(-4).map((said) =>
    h("li", {}, h("b", {}, said.by || "somebody"), ` ${SAID[said.verdict]}`, said.until ? ` until ${moment(said.until)}` : "",
      h("small", {}, ago(said.at)))));

const causes = (found) =>
  found.length > 0 && h("ul", { class: "causes", "data-key": "causes", "aria-label": "Causes" }, found.map((cause) =>
    h("li", {}, h("span", {}, level(cause.level)), cause.name, h("b", {}, percent(cause.share)))));

export function incident(one) {
  const open = one.state === "open";
  return h("article", { class: `incident ${open ? one.severity : "over"}`, "data-key": one.id },
    h("div", { class: "what" },
      h("h3", {}, h("a", { href: incidentPath(one.id) }, one.title)),
      h("p", { class: "why" }, one.reason),
      causes(one.causes),
      throttled(one),
      answers(one)),
    h("div", { class: "cost" },
      h("b", {}, money(one.usd_excess)),
      h("span", {}, open ? "above normal so far" : "above normal in all"),
      open && h("span", { class: "pace" }, `${money(one.usd_per_hour)} an hour if nobody acts`),
      one.usd_saved > 0 && h("span", { class: "saved" }, `about ${money(one.usd_saved)} saved`),
      h("span", { class: "since" }, open ? `${one.severity} · for ${span(clock() - one.opened_at)}`
        : `${moment(one.opened_at)} to ${moment(one.resolved_at)}`)),
    actions(one));
}

const obeyed = (found) =>
  found.acks.length === 0 ? "no gateway has said anything yet"
    : found.acks.map((ack) => `${ack.gateway} ${ack.state} it at ${time(ack.at)}${ack.detail ? ` (${ack.detail})` : ""}`).join(", ");

const throttled = (one) =>
  one.commands.length > 0 && h("ul", { class: "throttled", "data-key": "throttled" }, one.commands.map((found) =>
    h("li", {}, h("b", {}, `${found.mode === "enforce" ? "" : "suggested: "}${action(found.action)}`), ` ${whom(found)} · ${obeyed(found)}`)));

const whom = (found) => Object.entries(found.scope).filter(([, name]) => name).map(([, name]) => name).join(" · ");

function stands(found) {
  if (found.action === "release") return `since ${moment(found.issued_at)}`;
  if (!found.live) return `ran out at ${moment(found.expires_at)}`;
  return `${found.mode === "enforce" ? "in force" : "suggested"} until ${time(found.expires_at)}`;
}

export function command(found) {
  const params = Object.entries(found.params).map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`).join(", ");
  return h("li", { class: found.live ? found.mode : "past", "data-key": found.id },
    h("p", {}, h("b", {}, action(found.action)), " ", whom(found), params && h("small", {}, params)),
    h("p", { class: "quiet" }, stands(found), ` · ${obeyed(found)}`),
    h("p", { class: "quiet" }, found.incident ? h("a", { href: incidentPath(found.incident) }, found.reason || "its incident") : found.reason));
}

export const commands = (found) =>
  panel("Told to gateways", "commands", found.length === 0
    ? h("p", { class: "quiet" }, "No command is in force.")
    : h("ul", { class: "commands" }, found.map(command)));

export const gauge = (share, mark, gone) =>
  svg("svg", { class: "gauge", viewBox: "0 0 100 3", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { class: "whole", width: 100, height: 3 }),
    svg("rect", { class: "used", width: Math.min(share * 100, 100).toFixed(1), height: 3 }),
    mark && svg("rect", { class: "soft", x: (mark * 100).toFixed(1), width: 0.6, height: 3 }),
    gone !== undefined && svg("rect", { class: "gone", x: (gone * 100).toFixed(1), width: 0.6, height: 3 }));

function budget(one) {
  const name = one.use_case ? `${one.tenant} · ${one.use_case}` : one.tenant;
  const spelt = (amount) => (one.metric === "usd" ? money(amount) : numbers(Math.round(amount)));
  const unit = one.metric === "usd" ? "" : ` ${one.metric.replace("_", " ")}`;
  return h("li", { class: one.line || "under", "data-key": `${name}-${one.metric}-${one.period}` },
    h("p", {}, h("b", {}, name), ` ${spelt(one.limit)}${unit} a ${one.period}`, h("span", { class: "share" }, percent(one.share))),
    gauge(one.share, one.soft, one.gone),
    h("p", { class: "quiet" }, `${spelt(one.used)} used, ${percent(one.gone)} of ${one.name} is over`, one.at ? ` · ${pace(one)}` : ""),
    one.at && h("p", { class: "projected" }, projected(one), clock() - one.at > 900 && h("small", {}, `last booked ${ago(one.at)}`)));
}

const pace = (one) => (one.burn > 0 ? `the last hour at ${one.burn < 9.95 ? one.burn.toFixed(1) : Math.round(one.burn)} times the even pace` : "nothing in the last hour");

function projected(one) {
  if (one.share >= 1) return "Used up.";
  const by = one.pace_seconds && `at the pace of the last ${span(one.pace_seconds)}`;
  if (one.exhausted_at) return `Used up on ${date(one.exhausted_at)}, ${by}.`;
  return by ? `Lasts to the end of ${one.name}, ${by}.` : "Nothing was spent for a day.";
}

export const budgets = (found) =>
  found.length > 0 && panel("Budgets", "budgets", h("ul", { class: "budgets" }, found.map(budget)));

// What is drawn of a chart beside its line, in words.
export const legend = (chart) =>
  h("p", { class: "legend", "data-key": "legend" },
    chart.usual.length > 0 ? [h("span", { class: "band" }), `usual in ${span(chart.window)}`, h("span", { class: "ceiling" }), "abnormal above"]
      : chart.key.split("/").at(-1).startsWith("model=") ? "Models are judged with whom they work for: no band of their own."
        : "What is usual here is still being learned.",
    [...new Set(chart.bands.map((band) => band.seconds))].map((seconds) => [h("span", { class: "over" }), `abnormal over ${span(seconds)}`]));

const REASONS = (name) => name.replaceAll("_", " ");

export function quality(found) {
  const rejected = Object.entries(found.rejected ?? {});
  const share = (n) => (found.events ? `${((100 * n) / found.events).toFixed(n && n * 100 < found.events ? 2 : 0)}% of ${plural(found.events, "event")}` : "");
  const rows = [
    ["Late", found.late, share(found.late)],
    ["Repeated", found.repeats, found.repeats ? "sent again, counted once" : ""],
    ["Unpriced", found.unpriced, share(found.unpriced)],
    ["Failed calls", found.errors, share(found.errors)],
    ...(found.rejected === null ? [] : [["Rejected", rejected.reduce((sum, [, n]) => sum + n, 0), rejected.map(([why, n]) => `${REASONS(why)} ${numbers(n)}`).join(", ")]]),
  ];
  return panel(`Data quality, ${lately(found.seconds)}`, "quality",
    h("dl", { class: "facts" }, rows.map(([name, n, note]) => h("div", { class: n ? "some" : "", "data-key": name }, h("dt", {}, name), h("dd", {}, numbers(n), h("small", {}, note))))),
    found.silent.length > 0 && h("p", { class: "silent" }, `${plural(found.silent.length, "silent source")}: `,
      found.silent.map((one, at) => [at > 0 && ", ", h("a", { href: tenantPath(one.tenant) }, spelled(entityOf(one.series))), ` since ${moment(one.since)}`])),
    found.rejected !== null && found.by_tenant.length > 0 && h("p", { class: "quiet" }, "Late, repeated or unpriced: ", found.by_tenant.map((one, at) => [at > 0 && ", ", h("a", { href: tenantPath(one.tenant) }, one.tenant)])),
    found.unreadable > 0 && h("p", { class: "quiet" }, `${plural(found.unreadable, "record")} could not be read by this page.`),
    found.forgotten > 0 && h("p", { class: "quiet" }, `${plural(found.forgotten, "series", "series")} forgotten: raise page.max_series.`));
}

export const pager = (found) =>
  found.pages > 1 && h("nav", { class: "pager", "aria-label": "Pages of the list", "data-key": "pager" },
    h("button", { type: "button", "data-page": found.page - 1, disabled: found.page <= 1 }, "Before"),
    h("span", {}, `${numbers(found.page)} of ${numbers(found.pages)}`),
    h("button", { type: "button", "data-page": found.page + 1, disabled: found.page >= found.pages }, "Next"));

export const tabs = (name, known, chosen, label) =>
  h("div", { class: "tabs", role: "group", "aria-label": label, "data-key": `tabs-${name}` }, Object.entries(known).map(([value, text]) =>
    h("button", { type: "button", "data-choose": name, "data-value": value, "data-key": value, "aria-pressed": String(value === chosen) }, text)));

export const search = (value, label) =>
  h("input", { type: "search", "data-search": true, "data-key": "search", placeholder: label, "aria-label": label, value, autocomplete: "off", spellcheck: "false" });

export function table(found, ask, seconds, levels = LEVELS) {
  const head = (name, text, number) => h("th", { scope: "col", class: number ? "number" : null, "aria-sort": ask.sort === name ? (name === "name" ? "ascending" : "descending") : null },
    h("button", { type: "button", "data-choose": "sort", "data-value": name }, text));
  const link = (row) => (ask.level === "tenant" ? tenantPath(row.tenant) : tenantPath(row.tenant, row.key));
  const most = Math.max(...found.rows.map((row) => Number(row.rate)), 1e-12);
  return h("section", { class: "panel spenders", "data-key": "spenders", "aria-labelledby": "spenders-title" },
    h("div", { class: "bar" }, h("h2", { id: "spenders-title" }, "Who spends"), tabs("level", levels, ask.level, "By"), search(ask.q, "Search by name")),
    h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Who spends, as a table" }, h("table", {},
      h("thead", {}, h("tr", {}, head("name", "Name"), h("th", { scope: "col", class: "line" }, "Lately"), head("rate", "An hour, now", true), head("spent", `In ${lately(seconds)}`, true))),
      h("tbody", {}, found.rows.map((row) =>
        h("tr", { "data-key": row.key },
          h("th", { scope: "row" }, h("a", { href: link(row) }, row.name), ask.level !== "tenant" && h("small", {}, [row.tenant, ask.level === "agent" ? row.use_case : ""].filter(Boolean).join(" · "))),
          h("td", { class: "line" }, spark(row.spark, `${row.name}: dollars lately`)),
          h("td", { class: "number" }, money(row.rate), svg("svg", { class: "weight", viewBox: "0 0 100 2", preserveAspectRatio: "none", "aria-hidden": "true" }, svg("rect", { x: (100 - (100 * row.rate) / most).toFixed(1), width: ((100 * row.rate) / most).toFixed(1), height: 2 }))),
          h("td", { class: "number" }, money(row.spent))))))),
    found.rows.length === 0 && h("p", { class: "quiet" }, ask.q ? `No name holds “${ask.q}”.` : "Nothing came lately."),
    h("div", { class: "foot" }, h("p", { class: "quiet" }, `${numbers(found.total)} in all`), pager(found)));
}
