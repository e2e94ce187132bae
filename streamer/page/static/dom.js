// Builds elements, and brings what is shown up to date. Text only ever becomes text: names are hostile input.

// What turns the order of letters around: a name shall not read as another one.
const TURNS = /[\u202a-\u202e\u2066-\u2069]/g;
const shown = (child) => (typeof child === "string" ? child.replace(TURNS, "\ufffd") : child);

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false).map(shown));
  return node;
}

export const h = (name, attributes, ...children) => fill(document.createElement(name), attributes, children);
export const svg = (name, attributes, ...children) => fill(document.createElementNS(SVG, name), attributes, children);

// What of an element is the reader's own, and stays as they have left it.
const OWN = { DETAILS: ["open"], INPUT: ["value"], DIALOG: ["open"] };

function attributes(from, to) {
  const own = OWN[from.nodeName] ?? [];
  for (const { name } of [...from.attributes]) {
    if (!to.hasAttribute(name) && !own.includes(name)) from.removeAttribute(name);
  }
  for (const { name, value } of to.attributes) {
    if (from.getAttribute(name) !== value && !own.includes(name)) from.setAttribute(name, value);
  }
}

const keyOf = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.getAttribute("data-key") : null);
const alike = (one, other) => one.nodeName === other.nodeName && keyOf(one) === keyOf(other);

function children(from, to) {
  const keyed = new Map([...from.childNodes].map((node) => [keyOf(node), node]).filter(([key]) => key !== null));
  let place = from.firstChild;
  for (const wanted of [...to.childNodes]) {
    const known = keyOf(wanted) !== null ? keyed.get(keyOf(wanted)) : place;
    keyed.delete(keyOf(wanted));
    if (known && alike(known, wanted)) {
      if (known === place) place = place.nextSibling;
      else from.insertBefore(known, place);
      morph(known, wanted);
    } else {
      from.insertBefore(wanted, place);
    }
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

// Make `from` look like `to` and leave alone what is the same already, so that nobody loses focus or selection.
export function morph(from, to) {
  if (from.nodeType === Node.TEXT_NODE) {
    if (from.data !== to.data) from.data = to.data;
    return;
  }
  attributes(from, to);
  if (!from.hasAttribute("data-keep")) children(from, to);
}

export function show(place, ...nodes) {
  const next = place.cloneNode(false);
  next.append(...nodes);
  morph(place, next);
}
