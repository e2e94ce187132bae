// Lines over time, by uPlot; they live beside the page's tree, which keeps its hands off them.

import uPlot from "/static/uPlot.esm.js";
import { h } from "/static/dom.js";
import { coarse, compact, money, time } from "/static/text.js";

const charts = new Map();
const HEIGHT = 180;
const dark = matchMedia("(prefers-color-scheme: dark)");

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const spell = (metric, value) => (metric === "usd" ? money(value) : compact(value));

// What anomalies that are judged over longer than a window say of the time they were open: the usual, and the ceiling.
function bands(chart, found) {
  const { ctx } = chart;
  const { left, top, width, height } = chart.bbox;
  const within = (at) => Math.min(Math.max(chart.valToPos(at, "x", true), left), left + width);
  const level = (value) => Math.min(Math.max(chart.valToPos(value, "y", true), top), top + height);
  for (const band of found) {
    const from = within(band.from);
    const to = within(band.to ?? chart.scales.x.max);
    if (to <= from) continue;
    const usual = level(band.expected);
    const ceiling = level(band.ceiling);
    ctx.save();
    ctx.fillStyle = colour("band");
    ctx.fillRect(from, ceiling, to - from, Math.max(usual - ceiling, 1));
    ctx.lineWidth = 1.5 * devicePixelRatio;
    for (const [at, dash, name] of [[usual, [2, 3], "usual"], [ceiling, [2, 3], "ceiling"]]) {
      ctx.strokeStyle = colour(name);
      ctx.setLineDash(dash.map((part) => part * devicePixelRatio));
      ctx.beginPath();
      ctx.moveTo(from, at);
      ctx.lineTo(to, at);
      ctx.stroke();
    }
    ctx.restore();
  }
}

// What is usual holds until it is told anew: low, high, expected and ceiling at each time, none before the first.
function held({ times, usual }) {
  let next = 0;
  const at = times.map((time) => {
    while (next < usual.length && usual[next][0] <= time) next += 1;
    return usual[next - 1];
  });
  return [1, 3, 2, 4].map((place) => at.map((one) => one?.[place] ?? null));
}

const columns = (data) => [data.times, data.values, ...held(data)];

function options(entry) {
  const steps = uPlot.paths.stepped({ align: 1 });
  const quiet = { points: { show: false }, paths: steps, width: 0 };
  const axis = { stroke: colour("muted"), grid: { stroke: colour("line"), width: 1 }, ticks: { show: false } };
  return {
    width: entry.place.clientWidth || 600,
    height: HEIGHT,
    legend: { show: false },
    padding: [8, 22, 0, 0],
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
    scales: { y: { range: (_, __, max) => [0, (Math.max(max, highest(entry.data)) || 1) * 1.08] } },
    axes: [
      { ...axis, grid: { show: false }, size: 26, space: 90, values: (_, at, __, ___, step) => at.map((one) => time(one).slice(0, step < 60 ? 8 : 5)) },
      { ...axis, size: 58, space: 34, values: (_, at) => at.map((value) => (entry.data.metric === "usd" ? coarse(value) : compact(value))) },
    ],
    series: [
      {},
      { stroke: colour("tide"), width: 2, fill: colour("tide-soft"), points: { show: false } },
      quiet,
      quiet,
      { ...quiet, stroke: colour("usual"), width: 1.2, dash: [2, 3] },
      { ...quiet, stroke: colour("ceiling"), width: 1.5, dash: [7, 4] },
    ],
    bands: [{ series: [3, 2], fill: colour("usual-soft") }],
    hooks: {
      draw: [(chart) => bands(chart, entry.data.bands)],
      setCursor: [(chart) => point(entry, chart.cursor.idx)],
    },
  };
}

const highest = ({ bands: found, usual }) => Math.max(0, ...found.map((band) => band.ceiling), ...usual.map((one) => one[4]));

function point(entry, index) {
  const { times, values, metric } = entry.data;
  const at = index ?? times.length - 1;
  const told = times.length ? `${time(times[at])}  ${spell(metric, values[at])} an hour` : "";
  entry.reading.textContent = `${told}${usually(entry.data, times[at])}`;
}

function usually({ metric, usual }, at) {
  const found = usual.findLast((one) => one[0] <= at);
  return found ? `, usually ${spell(metric, found[1])} to ${spell(metric, found[3])}, abnormal above ${spell(metric, found[4])}` : "";
}

function described(data) {
  if (!data.values.length) return "Nothing came lately.";
  const top = Math.max(...data.values);
  const when = data.times[data.values.indexOf(top)];
  const now = data.values.at(-1);
  const what = { usd: "Dollars", tokens: "Tokens", requests: "Requests" }[data.metric];
  return `${what} an hour, now ${spell(data.metric, now)}, highest ${spell(data.metric, top)} at ${time(when)}${usually(data, data.times.at(-1))}`;
}

// A place for a chart, to be put into the page's tree; `draw` fills it.
export const place = (id) => h("div", { class: "chart", "data-key": `chart-${id}`, "data-chart": id, "data-keep": true });

export function draw(id, data) {
  const found = document.querySelector(`[data-chart="${CSS.escape(id)}"]`);
  if (!found) return;
  let entry = charts.get(id);
  if (!entry || entry.place !== found) {
    entry?.chart?.destroy();
    entry = { place: found, reading: h("p", { class: "reading", "aria-hidden": "true" }), canvas: h("div", { role: "img" }) };
    found.replaceChildren(entry.reading, entry.canvas);
    charts.set(id, entry);
  }
  const another = entry.data?.metric !== data.metric;
  entry.data = { metric: "usd", bands: [], usual: [], ...data };
  entry.canvas.setAttribute("aria-label", described(entry.data));
  if (!entry.chart || another) {
    entry.chart?.destroy();
    entry.chart = new uPlot(options(entry), columns(entry.data), entry.canvas);
  } else {
    entry.chart.setData(columns(entry.data));
  }
  point(entry, entry.chart.cursor.idx);
}

function again() {
  for (const [id, entry] of charts) {
    if (!entry.place.isConnected) {
      entry.chart.destroy();
      charts.delete(id);
      continue;
    }
    entry.chart.destroy();
    entry.chart = new uPlot(options(entry), columns(entry.data), entry.canvas);
  }
}

dark.addEventListener("change", again);
let width = innerWidth;
addEventListener("resize", () => {
  if (innerWidth !== width) requestAnimationFrame(again);
  width = innerWidth;
});
