// Numbers and times as people read them.

const cents = new Intl.NumberFormat("en", { style: "currency", currency: "USD" });
const whole = new Intl.NumberFormat("en", { style: "currency", currency: "USD", maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat("en", { style: "currency", currency: "USD", maximumSignificantDigits: 2 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const count = new Intl.NumberFormat("en");
const hours = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const dated = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long" });

export function money(amount) {
  const value = Number(amount);
  const size = Math.abs(value);
  if (size > 0 && size < 0.01) return fine.format(value);
  return (size >= 10000 ? whole : cents).format(value);
}

export const coarse = (value) => (value >= 10000 ? `$${short.format(value)}` : value >= 10 || value === 0 ? whole.format(value) : money(value));
export const numbers = (value) => count.format(value);
export const compact = (value) => short.format(value);
export const percent = (share) => `${Math.round(share * 100)}%`;

// The page's own clock tells how long ago a thing was: that of the reader's machine may be wrong.
let ahead = 0;
export const clock = () => Date.now() / 1000 + ahead;
export const setClock = (now) => {
  ahead = now - Date.now() / 1000;
};

export const time = (at) => hours.format(at * 1000);
export const moment = (at) => (Math.abs(clock() - at) < 43200 ? time(at) : day.format(at * 1000));
export const date = (at) => dated.format(at * 1000);
export const plural = (n, one, many = `${one}s`) => `${numbers(n)} ${n === 1 ? one : many}`;

export function span(seconds) {
  if (seconds < 90) return `${Math.max(0, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

export const lately = (seconds) => (seconds === 3600 ? "the last hour" : `the last ${span(seconds)}`);
export const ago = (at) => `${span(clock() - at)} ago`;

export const KINDS = {
  llm: "Model tokens",
  tool: "Tool calls",
  vector: "Vector queries",
  evaluation: "Evaluation",
  human_review: "Human review",
  saas: "External SaaS",
};

export const LEVELS = { tenant: "Tenants", use_case: "Use cases", agent: "Agents", model: "Models" };
export const level = (name) => name.replace("_", " ");
export const action = (name) => name.replace("_", " ");

// Whose series it is, without what of them: of tenant=acme/agent=c#-dev#usd the key before the last mark, for names have some.
export const entityOf = (series) => series.slice(0, series.lastIndexOf("#"));

// A series' key in words: tenant=acme/agent=triage is acme · triage.
export const spelled = (key) => key.split("/").map((part) => decodeURIComponent(part.split("=")[1] ?? part)).join(" · ");
