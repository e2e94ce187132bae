// One tenant: its spend, its parts, its incidents.

import { get } from "/static/api.js";
import { draw, place } from "/static/chart.js";
import { h } from "/static/dom.js";
import { hero } from "/static/now.js";
import { budgets, commands, incident, legend, panel, quality, table, tabs } from "/static/parts.js";
import { LEVELS, spelled } from "/static/text.js";

export const news = ["spend", "incidents", "commands", "quality"];
export const title = "Tenant";
export const asks = { level: "use_case", sort: "rate", q: "", page: "1", series: "", metric: "usd" };
const METRICS = { usd: "Dollars", tokens: "Tokens", requests: "Requests" };
const PARTS = Object.fromEntries(Object.entries(LEVELS).filter(([name]) => name !== "tenant"));

export async function load({ name }, ask) {
  const { level, sort, q, page, series, metric } = ask;
  const [tenant, parts, chart] = await Promise.all([
    get(`tenants/${encodeURIComponent(name)}`),
    get("series", { level, sort, q, page, tenant: name }),
    get("chart", { key: series || keyOf(name), metric }),
  ]);
  return { ...tenant, parts, chart };
}

const keyOf = (name) => `tenant=${name.replaceAll("%", "%25").replaceAll("/", "%2F").replaceAll("=", "%3D")}`;

export const render = (data, ask) => [
  hero(data.totals, data.name),
  panel("Over time", "lines",
    h("div", { class: "bar", "data-key": "bar" },
      h("p", { class: "quiet" }, ask.series ? [spelled(ask.series), " ", h("button", { type: "button", class: "link", "data-choose": "series", "data-value": "" }, "show all of the tenant")] : "All of the tenant"),
      tabs("metric", METRICS, ask.metric, "What is drawn")),
    data.chart.times.length > 0 ? place("series") : h("p", { class: "quiet", "data-key": "none" }, "Nothing came of it lately."),
    data.chart.times.length > 0 && legend(data.chart)),
  panel("Incidents", "wrong",
    data.incidents.total === 0 ? h("p", { class: "calm" }, "None is known.") : data.incidents.rows.map(incident)),
  h("div", { class: "columns", "data-key": "columns" },
    h("div", { class: "side", "data-key": "wide" }, table(data.parts, ask, data.totals.seconds, PARTS), quality(data.quality)),
    h("div", { class: "side", "data-key": "side" }, commands(data.commands), budgets(data.budgets))),
];

export const drawn = (data) => data.chart.times.length > 0 && draw("series", data.chart);
