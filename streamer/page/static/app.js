// Which page is shown, what keeps it up to date, and what people do on it.

import { act, me, meet, signIn, signOut } from "/static/api.js";
import { h, show } from "/static/dom.js";
import * as incidents from "/static/incidents.js";
import * as now from "/static/now.js";
import * as tenant from "/static/tenant.js";
import { clock, setClock, span, time } from "/static/text.js";

const main = document.getElementById("main");
// Rates fall without news: what came lately slips into the past.
const REFRESH = 5000;
// Windows are told some twenty seconds after their end; who hears nothing for so long is told that, in seconds.
const QUIET = 120;

const ROUTES = [
  [/^\/$/, () => ({ page: now, nav: "now", about: {} })],
  [/^\/incidents$/, () => ({ page: incidents.list, nav: "incidents", about: {} })],
  [/^\/incidents\/([^/]+)$/, (id) => ({ page: incidents.one, nav: "incidents", about: { id } })],
  [/^\/tenants\/([^/]+)$/, (name) => ({ page: tenant, nav: "", about: { name } })],
];

let shown = null;
let loading = false;
let stale = false;

function routed() {
  for (const [pattern, found] of ROUTES) {
    const match = pattern.exec(location.pathname);
    if (match) return { ...found(...match.slice(1).map(decoded)), path: location.pathname };
  }
  return null;
}

// An address that was cut off or mistyped names nobody, and is said to as any other unknown name.
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

// What the reader has chosen is in the address, so that it can be passed on.
function asked(page) {
  const query = new URLSearchParams(location.search);
  return Object.fromEntries(Object.entries(page.asks).map(([name, usual]) => [name, query.get(name) ?? usual]));
}

function choose(changes) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === shown.page.asks[name]) query.delete(name);
    else query.set(name, value);
  }
  history.replaceState(null, "", `${location.pathname}${query.size ? `?${query}` : ""}`);
  refresh();
}

async function refresh() {
  if (loading) {
    stale = true;
    return;
  }
  loading = true;
  stale = false;
  const about = shown;
  try {
    const ask = asked(about.page);
    const data = await about.page.load(about.about, ask);
    if (about === shown) {
      setClock(data.fresh.now);
      notice(outdated(data.fresh));
      show(main, ...about.page.render(data, ask).filter(Boolean));
      about.page.drawn(data);
      announce(data);
    }
  } catch (error) {
    if (about === shown) failed(error);
  } finally {
    loading = false;
    if (stale || about !== shown) refresh();
  }
}

function failed(error) {
  if (error.status === 401) return void location.reload();
  if (error.status === 404) return show(main, h("section", { class: "panel", "data-key": "none" }, h("h1", {}, "Not here"), h("p", {}, error.message), h("p", {}, h("a", { href: "/" }, "What is spent now"))));
  status(false);
}

// Why what is shown is not of now, if it is not.
function outdated({ now, until, reading, away_since: away, workers }) {
  if (away) return `Kafka has not answered since ${time(away)}. What is shown is of then.`;
  if (reading) return "Still reading what is already there: the figures are not whole yet.";
  if (workers === 0) return `No worker runs: nothing new is counted${until ? `, and the figures are of ${time(until)}` : ""}.`;
  return until && now - until > QUIET ? `No usage has been counted since ${time(until)}, for ${span(now - until)}.` : "";
}

function notice(text) {
  const place = document.getElementById("notice");
  place.hidden = !text;
  if (place.textContent !== text) place.textContent = text;
}

const heard = new Set();
function announce(data) {
  const rows = data.incidents?.rows ?? [];
  for (const one of rows.filter((row) => row.state === "open" && !heard.has(row.id))) {
    if (announce.began) toast(`New incident: ${one.title}`, "alert");
    heard.add(one.id);
  }
  announce.began = true;
}

function go(path) {
  history.pushState(null, "", path);
  open();
  main.focus({ preventScroll: true });
  scrollTo(0, 0);
}

function open() {
  shown = routed();
  if (!shown) {
    history.replaceState(null, "", "/");
    shown = routed();
  }
  document.title = `${shown.about.name ?? shown.page.title} · Tidegate`;
  for (const link of document.querySelectorAll("[data-nav]")) {
    if (link.dataset.nav === shown.nav) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  refresh();
}

function status(good) {
  const place = document.getElementById("status");
  if (place.classList.contains("live") === good && place.dataset.known) return;
  place.dataset.known = "yes";
  place.classList.toggle("live", good);
  const since = time(clock());
  place.lastElementChild.textContent = good ? "live" : `not connected since ${since}`;
  if (!good && me.name) notice(`The page's server cannot be reached since ${since}. What is shown is of then.`);
}

function toast(text, tone) {
  const place = document.getElementById("toasts");
  const one = h("p", { class: tone ?? "" }, text);
  place.append(one);
  while (place.childElementCount > 3) place.firstElementChild.remove();
  setTimeout(() => one.remove(), 7000);
}

function listen() {
  const source = new EventSource("/api/live");
  source.addEventListener("hello", () => {
    status(true);
    refresh();
  });
  source.addEventListener("news", (event) => {
    status(true);
    if (JSON.parse(event.data).some((what) => shown.page.news.includes(what))) refresh();
  });
  source.addEventListener("error", () => status(false));
  setInterval(refresh, REFRESH);
}

const SAID = {
  acknowledge: "Acknowledged",
  expected: "Said to be expected",
  planned: "Said to be planned",
  mute: "Muted",
  throttle: "Asked to throttle",
  release: "Asked to release",
  false_alarm: "Said to be a false alarm",
};
const NEED_AN_END = { planned: "Until then no anomaly of this is told.", mute: "Until then nobody is told of it." };

async function perform(verdict, incident, button) {
  const until = verdict in NEED_AN_END ? await end(NEED_AN_END[verdict]) : undefined;
  if (until === null) return;
  button.disabled = true;
  try {
    await act(verdict, incident, until);
    toast(`${SAID[verdict]}, as ${me.name}.`);
  } catch (error) {
    toast(`Not done: ${error.message}.`, "alert");
  } finally {
    button.disabled = false;
    button.closest("details")?.removeAttribute("open");
  }
}

// Ask until when; null if the reader leaves it.
function end(text) {
  const dialog = document.getElementById("until");
  const at = document.getElementById("until-at");
  const local = (date) => new Date(date - date.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
  const preset = (hours) => (at.value = local(new Date((clock() + hours * 3600) * 1000)));
  document.getElementById("until-text").textContent = text;
  preset(1);
  dialog.showModal();
  return new Promise((resolve) => {
    const done = (value) => {
      controller.abort();
      dialog.close();
      resolve(value);
    };
    const controller = new AbortController();
    const { signal } = controller;
    dialog.addEventListener("click", (event) => event.target.dataset.hours && preset(Number(event.target.dataset.hours)), { signal });
    dialog.addEventListener("cancel", () => done(null), { signal });
    document.getElementById("until-cancel").addEventListener("click", () => done(null), { signal });
    document.getElementById("until-form").addEventListener("submit", (event) => {
      event.preventDefault();
      done(new Date(at.value).toISOString());
    }, { signal });
  });
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.act) return void perform(button.dataset.act, button.dataset.incident, button);
  if (button?.dataset.page) return choose({ page: button.dataset.page });
  if (button?.dataset.choose) return choose({ [button.dataset.choose]: button.dataset.value, ...("page" in shown.page.asks ? { page: "1" } : {}) });
  const link = event.target.closest("a[href^='/']");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey && event.button === 0) {
    event.preventDefault();
    go(link.getAttribute("href"));
  }
  for (const menu of document.querySelectorAll("details.more[open]")) {
    if (!menu.contains(event.target)) menu.removeAttribute("open");
  }
});

let typing = 0;
document.addEventListener("input", (event) => {
  if (!event.target.matches("[data-search]")) return;
  clearTimeout(typing);
  typing = setTimeout(() => choose({ q: event.target.value, page: "1" }), 200);
});

addEventListener("keydown", (event) => {
  if (event.key === "Escape") document.querySelector("details.more[open]")?.removeAttribute("open");
  if (event.key === "/" && !event.target.matches("input")) {
    const found = document.querySelector("[data-search]");
    if (found) {
      event.preventDefault();
      found.focus();
    }
  }
});
addEventListener("popstate", open);

function strangers() {
  show(main, h("form", { class: "panel sign-in", "data-key": "sign-in" },
    h("h1", {}, "Sign in"),
    h("p", {}, "With the token that you were given."),
    h("label", {}, "Token ", h("input", { type: "password", id: "token", autocomplete: "current-password", required: true })),
    h("p", { class: "mistake", role: "alert" }),
    h("button", { class: "primary" }, "Sign in")));
  main.querySelector("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await signIn(document.getElementById("token").value);
      location.reload();
    } catch (error) {
      main.querySelector(".mistake").textContent = `Not signed in: ${error.message}.`;
    }
  });
  status(false);
}

function introduce() {
  const place = document.getElementById("person");
  show(place, h("span", {}, me.name), !me.operator ? h("small", {}, "looks only") : "", me.session ? h("button", { type: "button", class: "link" }, "Sign out") : "");
  place.querySelector("button")?.addEventListener("click", async () => {
    await signOut();
    location.reload();
  });
}

await meet();
if (me.name) {
  introduce();
  open();
  listen();
} else {
  strangers();
}
