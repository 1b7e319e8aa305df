// Tables, and pieces of them.

import { h, pages, plural } from "/dom.js";
import { meter } from "/draw.js";
import { store } from "/data.js";

export const ui = { sort: {}, chosen: null, calls: true, rules: false, level: "", words: "", token: null, busy: null };

// A column: { key, name, value (what it is sorted by), cell (what is shown; the value if missing), num, wide, wrap, sort: false }.
export function table(name, caption, columns, all, { by = null, down = true, none = "Nothing." } = {}) {
  if (!all.length) return h("p", { class: "empty" }, none);
  const sort = ui.sort[name] ?? (by && { by, down });
  const column = sort && columns.find(({ key }) => key === sort.by);
  const list = column
    ? [...all].sort((a, b) => compare(column.value(a), column.value(b)) * (sort.down ? -1 : 1))
    : all;
  const shape = ({ num, wide, wrap }) => [num && "num", wide && "wide", wrap && "wrap"].filter(Boolean).join(" ") || null;
  const head = columns.map((column) => {
    const sorted = sort && column.key === sort.by ? (sort.down ? "descending" : "ascending") : null;
    const label = column.sort === false ? column.name : h("button", { type: "button", "data-sort": `${name} ${column.key}` }, column.name);
    return h("th", { scope: "col", class: shape(column), "aria-sort": sorted }, label);
  });
  const body = list.map((row, n) => h("tr", { "data-key": columns[0].id?.(row) ?? `${name}${n}` },
    columns.map((column) => h("td", { class: shape(column) }, column.cell ? column.cell(row) : String(column.value(row) ?? "")))));
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    h("table", null, h("caption", null, caption), h("thead", null, h("tr", null, head)), h("tbody", null, body)));
}

function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a ?? "").localeCompare(String(b ?? ""), "en", { numeric: true });
}

export const card = (title, note, ...content) =>
  h("section", { class: "card", "aria-label": title }, h("h2", null, title, note && h("small", null, note)), ...content);

export function sized(shape, section) {
  section.classList.add(shape);
  return section;
}

export const chip = (kind, text) => h("span", { class: `chip ${kind}` }, text);

// Why a report is not there, or that it is still to come; nothing when it is there.
export function missing(report) {
  const why = store.errors[report];
  if (why) return h("p", { class: "error" }, why);
  if (!store.asked[report]) return h("p", { class: "empty" }, "Asking the machine.");
  return null;
}

export const cut = (report) =>
  store.left[report] ? h("p", { class: "note" }, `And ${plural(store.left[report], "row")} more that the machine left out.`) : null;

// Used of a limit, in numbers with a bar.
export const usage = (used, limit, shown = String, label = "") =>
  h("div", { class: "usage" }, h("span", { class: "mono" }, `${shown(used)} `, h("span", { class: "soft" }, `/ ${shown(limit)}`)),
    meter(used, limit, { thin: true, label, calm: true }));

export const memory = (process) =>
  h("div", { class: "usage" },
    h("span", { class: "mono" }, pages(process.memory), " ",
      h("span", { class: "soft" }, process.lent ? `+ ${pages(process.lent)} / ${pages(process.limit)}` : `/ ${pages(process.limit)}`)),
    meter(process.memory, process.limit, { more: process.lent, thin: true, label: `Memory of ${process.name}` }));

export function serviceChip({ state, health }) {
  if (state === "running" && health === "late") return chip("fair", "late");
  if (state === "running" && health.startsWith("waits")) return chip("", "waits for a device");
  if (state === "running") return chip("good", health === "well" ? "well" : "running");
  if (state === "failed") return chip("bad", "given up");
  return chip(state === "starting" ? "fair" : "", state);
}
