// Elements, and how a page becomes another without those that stay being made anew: focus, scrolling and what is typed stay with them.

const SVG = new Set(["svg", "path", "rect", "g", "text", "title", "circle"]);

// h("td", { class: "num", style: { "--part": "3%" } }, "text", more)
export function h(tag, props, ...children) {
  const svg = SVG.has(tag);
  const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "style") for (const [key, part] of Object.entries(value)) element.style.setProperty(key, part);
    else element.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
  return element;
}

const key = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.getAttribute("data-key") : null);

// Makes what is in `place` like what is in `wanted`.
export function morph(place, wanted) {
  const focus = document.activeElement;
  children(place, wanted);
  if (focus && focus !== document.activeElement && focus.isConnected) focus.focus({ preventScroll: true });
}

function children(from, to) {
  const keyed = new Map();
  for (const child of from.children) if (key(child)) keyed.set(key(child), child);
  let at = from.firstChild;
  for (const want of [...to.childNodes]) {
    const name = key(want);
    const have = name ? keyed.get(name) : at && !key(at) ? at : null;
    if (!have || have.nodeName !== want.nodeName) {
      from.insertBefore(want, at);
    } else {
      if (have === at) at = at.nextSibling;
      else from.insertBefore(have, at);
      become(have, want);
    }
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function become(from, to) {
  if (from.nodeType !== Node.ELEMENT_NODE) {
    if (from.data !== to.data) from.data = to.data;
    return;
  }
  for (const { name } of [...from.attributes]) if (name !== "style" && !to.hasAttribute(name)) from.removeAttribute(name);
  for (const { name, value } of to.attributes) if (name !== "style" && from.getAttribute(name) !== value) from.setAttribute(name, value);
  if (from.style.cssText !== to.style.cssText) from.style.cssText = to.style.cssText;
  children(from, to);
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

export function bytes(count) {
  let unit = 0;
  while (count >= 1024 && unit < UNITS.length - 1) {
    count /= 1024;
    unit += 1;
  }
  return `${count >= 100 || unit === 0 ? Math.round(count) : Number(count.toFixed(1))} ${UNITS[unit]}`;
}

export const pages = (count) => bytes(count * 4096);
export const number = (count) => count.toLocaleString("en-US");
export const percent = (part) => `${part >= 10 ? Math.round(part) : part.toFixed(1)} %`;
export const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;

export function span(ns) {
  const s = ns / 1e9;
  if (s < 1e-3) return `${Math.round(ns / 1e3)} µs`;
  if (s < 1) return `${Math.round(ns / 1e6)} ms`;
  if (s < 60) return `${s.toFixed(1)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${Math.floor(s % 60)} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s / 60) % 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s / 3600) % 24)} h`;
}
