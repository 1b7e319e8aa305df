// Small drawings: a history, parts of a whole, and the graph of processes.

import { h } from "/dom.js";

export function spark(points, label) {
  const width = 100;
  const step = width / Math.max(1, points.length - 1);
  const at = points.map((value, n) => `${(n * step).toFixed(1)} ${(29 - value * 28).toFixed(1)}`);
  const drawn = points.length > 1;
  return h("svg", { class: "spark", viewBox: "0 0 100 30", preserveAspectRatio: "none", role: "img", "aria-label": label },
    drawn && h("path", { class: "area", d: `M0 30 L${at.join(" L")} L100 30 Z` }),
    drawn && h("path", { d: `M${at.join(" L")}` }));
}

// How much of `limit` is used; `more` is what is used beside that. What may well be all used is calm about it.
export function meter(used, limit, { more = 0, label = "", thin = false, calm = false } = {}) {
  const part = (value) => `${limit > 0 ? Math.min(100, (100 * value) / limit).toFixed(1) : 0}%`;
  const high = !calm && limit > 0 && used + more >= limit * 0.9;
  return h("div", {
    class: `meter${high ? " high" : ""}${thin ? " thin" : ""}`,
    role: "meter", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": limit, "aria-valuenow": used + more,
  }, h("i", { style: { "--part": part(used) } }), more > 0 && h("i", { class: "more", style: { "--part": part(more) } }));
}

const NODE = { width: 132, height: 42, gap: 20, rise: 74 };

// Who stands above whom: who calls stands above who serves. Where they call each other, one of the calls goes upwards.
function layers(nodes, edges) {
  const depth = new Map(nodes.map((node) => [node.id, 0]));
  for (let round = 0; round < nodes.length; round += 1) {
    let moved = false;
    for (const { from, to } of edges) {
      if (from === to || depth.get(from) + 1 <= depth.get(to) || depth.get(from) + 1 >= nodes.length) continue;
      depth.set(to, depth.get(from) + 1);
      moved = true;
    }
    if (!moved) break;
  }
  // Without gaps, which only circles make.
  const used = [...new Set(depth.values())].sort((a, b) => a - b);
  const found = used.map((level) => nodes.filter((node) => depth.get(node.id) === level));
  return found.length ? found : [[]];
}

// Neighbours next to each other: each goes where those are that it is tied to, a few times up and down.
function order(levels, edges) {
  const place = new Map();
  const number = () => levels.forEach((level) => level.forEach((node, n) => place.set(node.id, (n + 0.5) / level.length)));
  number();
  for (let round = 0; round < 6; round += 1) {
    for (const level of levels) {
      const middle = (node) => {
        const ties = edges.filter(({ from, to }) => from === node.id || to === node.id);
        const others = ties.map(({ from, to }) => place.get(from === node.id ? to : from));
        return others.length ? others.reduce((sum, x) => sum + x, 0) / others.length : place.get(node.id);
      };
      const wanted = new Map(level.map((node) => [node.id, middle(node)]));
      level.sort((a, b) => wanted.get(a.id) - wanted.get(b.id) || a.id - b.id);
      number();
    }
  }
}

// `nodes`: { id, name, sub }; `edges`: { from, to, count, rule, text }.
export function graph(nodes, edges, chosen) {
  const levels = layers(nodes, edges);
  order(levels, edges);
  const most = Math.max(...levels.map((level) => level.length), 1);
  const width = most * (NODE.width + NODE.gap) + NODE.gap;
  const height = levels.length * (NODE.height + NODE.rise) - NODE.rise + 24;
  const at = new Map();
  levels.forEach((level, row) => {
    const room = width / level.length;
    level.forEach((node, n) => at.set(node.id, { x: room * (n + 0.5), y: 12 + row * (NODE.height + NODE.rise) }));
  });
  const near = new Set([chosen]);
  for (const { from, to } of edges) {
    if (from === chosen) near.add(to);
    if (to === chosen) near.add(from);
  }
  const any = chosen !== null && at.has(chosen);
  const state = (lit) => (any ? (lit ? " lit" : " dim") : "");
  const lines = edges.map((edge) => {
    const [a, b] = [at.get(edge.from), at.get(edge.to)];
    const down = b.y > a.y;
    const [y1, y2] = down ? [a.y + NODE.height, b.y] : a.y === b.y ? [a.y, b.y] : [a.y, b.y + NODE.height];
    const bend = a.y === b.y ? -46 : (y2 - y1) / 2;
    const lit = edge.from === chosen || edge.to === chosen;
    return h("path", {
      "data-key": `${edge.from}-${edge.to}-${edge.rule}`,
      class: `edge${edge.rule ? " rule" : ""}${state(lit)}`,
      "stroke-width": Math.min(4, 1 + Math.log2(edge.count) / 2).toFixed(1),
      d: `M${a.x} ${y1} C${a.x} ${y1 + bend} ${b.x} ${y2 - (a.y === b.y ? -bend : bend)} ${b.x} ${y2}`,
    }, h("title", null, edge.text));
  });
  const boxes = nodes.map((node) => {
    const { x, y } = at.get(node.id);
    const mine = node.id === chosen;
    return h("g", {
      "data-key": `n${node.id}`, class: `node${mine ? " chosen" : state(near.has(node.id))}`, tabindex: 0, role: "button",
      "aria-pressed": String(mine), "aria-label": `${node.name}, ${node.sub}`, "data-choose": node.id,
      transform: `translate(${(x - NODE.width / 2).toFixed(1)} ${y})`,
    },
    h("rect", { width: NODE.width, height: NODE.height, rx: 9 }),
    h("text", { x: NODE.width / 2, y: 18, "text-anchor": "middle" }, node.name),
    h("text", { x: NODE.width / 2, y: 33, "text-anchor": "middle", class: "sub" }, node.sub));
  });
  return h("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": "Processes and who calls whom" }, lines, boxes);
}
