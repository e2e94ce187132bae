// The page that hangs on the wall: what is spent now, what is wrong, who spends.

import { get } from "/static/api.js";
import { draw, place } from "/static/chart.js";
import { h } from "/static/dom.js";
import { budgets, commands, figure, incident, kinds, panel, quality, table } from "/static/parts.js";
import { lately, money, numbers, plural } from "/static/text.js";

export const news = ["spend", "incidents", "commands", "quality"];
export const title = "Now";
export const asks = { level: "tenant", sort: "rate", q: "", page: "1" };

export async function load(_, ask) {
  const [overview, series] = await Promise.all([get("overview"), get("series", ask)]);
  return { ...overview, series };
}

export const hero = (totals, heading, chart) =>
  h("section", { class: "hero panel", "data-key": "hero", "aria-labelledby": "hero-title" },
    h("div", { class: "headline" },
      h("h1", { id: "hero-title" }, heading),
      h("p", { class: "rate" }, money(totals.rate), h("small", {}, "an hour")),
      h("p", { class: "quiet" }, `${money(totals.spent)} in ${lately(totals.seconds)}`, totals.tenants > 1 && ` · ${plural(totals.tenants, "tenant")}`)),
    chart && place(chart),
    kinds(totals));

export function render(data, ask) {
  const open = data.incidents.total;
  const nothing = data.totals.tenants === 0;
  const enforced = data.commands.filter((one) => one.mode === "enforce").length;
  return [
    h("div", { class: "top-row", "data-key": "top-row" },
      hero(data.totals, "Spending now", "total"),
      h("dl", { class: "figures", "data-key": "figures" },
        figure("Open incidents", numbers(open), open ? "the gravest first" : nothing ? "nothing to judge yet" : "all is calm", open ? "alert" : nothing ? "" : "good"),
        figure("Above normal", money(data.excess), "in open incidents, so far", Number(data.excess) > 0 ? "alert" : ""),
        figure("Going on at", money(data.burning), "an hour above normal", Number(data.burning) > 0 ? "alert" : ""),
        figure("Commands in force", numbers(enforced), Number(data.saved) > 0 ? `about ${money(data.saved)} saved lately` : enforced ? "gateways hold back" : "gateways run free"))),
    panel("What is wrong", "wrong",
      open === 0 && nothing ? h("p", { class: "quiet" }, `No usage came in ${lately(data.totals.seconds)}. What is sent to the front door (POST /v1/events), or to Kafka, shows here some seconds after its window ends.`)
        : open === 0 ? h("p", { class: "calm" }, "Nothing runs away.") : data.incidents.rows.map(incident),
      open > data.incidents.rows.length && h("p", {}, h("a", { href: "/incidents" }, `All ${numbers(open)}`))),
    h("div", { class: "columns", "data-key": "columns" },
      h("div", { class: "side", "data-key": "wide" }, table(data.series, ask, data.totals.seconds), quality(data.quality)),
      h("div", { class: "side", "data-key": "side" }, commands(data.commands), budgets(data.budgets))),
  ];
}

export const drawn = (data) => draw("total", { ...data.totals.chart, metric: "usd" });
