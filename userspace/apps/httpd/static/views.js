// One function for each section: what the machine told, as elements.

import { bytes, h, number, pages, percent, plural, span } from "/dom.js";
import { graph, meter, spark } from "/draw.js";
import { one, rows, store } from "/data.js";
import { card, chip, cut, memory, missing, serviceChip, sized, table, ui, usage } from "/tables.js";

const title = (text, note) => h("h1", null, text, note && h("small", null, note));
const busy = (process) => (store.used.get(process.id) ?? 0) * 100;
const isUp = (service) => service.state === "running" || service.state === "starting";

// What somebody should look at, worst first.
function troubles() {
  const found = [];
  const bad = (text) => found.unshift({ kind: "bad", text });
  const fair = (text) => found.push({ kind: "fair", text });
  for (const service of rows("service")) {
    if (service.state === "failed") bad(`${service.name} was given up: ${service.last_end}`);
    else if (service.health === "late") fair(`${service.name} has not answered in time`);
    else if (service.restarts > 0) fair(`${service.name} was started again ${service.restarts === 1 ? "once" : `${number(service.restarts)} times`}`);
  }
  const audit = one("audit");
  if (audit?.disorder) bad("the kernel's books of processes are not in order");
  if (audit?.device_disorder) bad("the ledger of devices is not in order");
  const faults = rows("iommu").reduce((sum, unit) => sum + unit.faults, 0);
  if (faults) fair(`devices were kept from memory ${plural(faults, "time")}`);
  const status = one("status");
  if (status && status.free_pages < status.total_pages / 20) fair("memory is nearly full");
  const volume = one("volume");
  if (volume && volume.free < volume.size / 20) fair("the volume is nearly full");
  return found;
}

function verdict() {
  const found = troubles();
  const up = rows("service").filter(isUp).length;
  const calm = up ? `${plural(up, "service")} up, none was started again.` : "No service tells of itself.";
  if (!found.length) return h("div", { class: "banner" }, h("b", null, "All is well."), h("span", null, calm));
  return h("div", { class: `banner ${found[0].kind}` }, h("b", null, found[0].kind === "bad" ? "Something is wrong." : "Worth a look."),
    found.slice(0, 4).map(({ text }) => h("span", null, text)), found.length > 4 && h("span", null, `and ${found.length - 4} more`));
}

const tile = (name, big, small, ...rest) =>
  h("section", { class: "card tile", "aria-label": name }, h("h2", null, name), h("div", { class: "big" }, big, " ", small && h("small", null, small)), ...rest);

function tiles() {
  const status = one("status");
  const cpu = store.history.cpu.at(-1);
  const used = status.total_pages - status.free_pages;
  const services = rows("service");
  const up = services.filter(isUp).length;
  const restarts = services.reduce((sum, service) => sum + service.restarts, 0);
  const devices = rows("device").filter((device) => device.bus === "pci");
  const driven = devices.filter((device) => device.state.startsWith("driven"));
  const units = rows("iommu").filter((unit) => unit.type !== "none");
  const on = units.length > 0 && units.every((unit) => unit.state === "on");
  const volume = one("volume");
  const size = volume ? bytes(volume.free) : rows("disk").length ? plural(rows("disk").length, "disk") : "None";
  return [
    tile("Processors", cpu === undefined ? "…" : percent(cpu * 100), `of ${plural(rows("cpu").length, "CPU")}`,
      store.cpu.length > 1 && h("div", { class: "cpus", role: "img", "aria-label": `Busy: ${store.cpu.map((part) => percent(part * 100)).join(", ")}` },
        store.cpu.map((part) => h("span", null, h("i", { style: { "--part": `${(part * 100).toFixed(1)}%` } })))),
      spark(store.history.cpu, "Processors, the last minutes")),
    tile("Memory", pages(used), `of ${pages(status.total_pages)}`, meter(used, status.total_pages, { label: "Memory" }),
      h("div", { class: "note" }, `${pages(status.kernel_pages)} the kernel's`), spark(store.history.memory, "Memory, the last minutes")),
    tile("Services", `${up}`, `of ${services.length} up`, h("div", { class: "row" }, restarts ? chip("fair", plural(restarts, "restart")) : chip("good", "no restarts")),
      h("div", { class: "note" }, `${plural(status.processes, "process", "processes")}, ${plural(status.threads, "thread")}`)),
    tile("Devices", `${driven.length}`, `of ${devices.length} driven`,
      h("div", { class: "row" }, on ? chip("good", "IOMMU on") : chip("", units.length ? "IOMMU not used" : "no IOMMU")),
      h("div", { class: "note" }, volume ? `${size} free on the volume` : `Storage: ${size.toLowerCase()}`)),
  ];
}

const processColumns = [
  { key: "id", name: "PID", num: true, wide: true, value: (p) => p.id, id: (p) => `p${p.id}` },
  { key: "name", name: "Process", value: (p) => p.name, cell: (p) => h("span", { class: "name" }, p.name) },
  { key: "state", name: "State", wide: true, value: (p) => p.state, cell: (p) => h("span", { class: "soft" }, p.state) },
  { key: "cpu", name: "CPU", num: true, value: busy, cell: (p) => h("div", null, h("span", { class: "mono" }, percent(busy(p))), meter(busy(p), 100, { thin: true, calm: true, label: `CPU of ${p.name}` })) },
  { key: "memory", name: "Memory", value: (p) => p.memory, cell: memory },
];

function top() {
  return sized("half", card("Busiest processes", "one processor is 100 %", missing("processes") ??
    table("busiest", "Busiest processes", processColumns.map((column) => ({ ...column, sort: false })),
      [...rows("process")].sort((a, b) => busy(b) - busy(a) || b.cpu - a.cpu).slice(0, 7))));
}

const logItem = (entry) => h("li", { class: entry.level },
  h("time", null, (entry.time / 1e9).toFixed(3)),
  h("span", { class: "who" }, entry.level === "info" ? "" : `${entry.level} `, who(entry.process)), h("p", null, entry.text));

const who = (id) => (id === 0 ? "kernel" : rows("process").find((process) => process.id === id)?.name ?? `process ${id}`);

export const overview = {
  reports: ["status", "cpu", "processes", "services", "devices", "iommu", "storage", "logs"],
  every: 2000,
  draw() {
    const status = one("status");
    if (!status) return [title("Overview"), missing("status")];
    return [
      title("Overview", `${status.time} UTC, up ${span(status.uptime)}`), verdict(), tiles(), top(),
      sized("half", card("Services", null, missing("services") ?? table("brief", "Services", [
        { key: "name", name: "Service", value: (s) => s.name, cell: (s) => h("span", { class: "name" }, s.name), id: (s) => `b${s.name}`, sort: false },
        { key: "state", name: "State", value: (s) => s.state, cell: serviceChip, sort: false },
        { key: "uptime", name: "Up", num: true, value: (s) => s.uptime ?? 0, cell: (s) => (s.uptime === null ? "" : span(s.uptime)), sort: false },
        { key: "restarts", name: "Restarts", num: true, value: (s) => s.restarts, sort: false },
      ], rows("service")))),
      card("Latest in the log", null, missing("logs") ?? h("ol", { class: "log" }, rows("log").slice(-6).reverse().map(logItem))),
    ];
  },
};

const action = (service) => {
  const verb = isUp(service) ? "kill" : "start";
  const words = verb === "kill" ? "End" : "Start";
  return h("button", {
    class: "small", type: "button", "data-act": `${verb} ${service.name}`, disabled: ui.busy === service.name,
    "aria-label": `${words} ${service.name}`, title: verb === "kill" ? "The manifest says whether it is started again" : null,
  }, words);
};

export const processes = {
  reports: ["status", "cpu", "processes", "services"],
  every: 2000,
  draw() {
    const budget = new Map(rows("budget").map((row) => [row.id, row]));
    const of = (name, shown, label) => ({
      key: name, name: label, value: (p) => budget.get(p.id)?.[name] ?? 0,
      cell: (p) => {
        const row = budget.get(p.id);
        return row && row[`${name}_limit`] ? usage(row[name], row[`${name}_limit`], shown, `${label} of ${p.name}`) : h("span", { class: "soft" }, "none");
      },
    });
    const services = [
      { key: "name", name: "Service", value: (s) => s.name, cell: (s) => h("span", { class: "name" }, s.name), id: (s) => `s${s.name}` },
      { key: "state", name: "State", value: (s) => s.state + s.health, cell: serviceChip },
      ...(ui.token ? [{ key: "act", name: "Operator", value: () => 0, cell: action, sort: false }] : []),
      { key: "restarts", name: "Restarts", num: true, value: (s) => s.restarts },
      { key: "uptime", name: "Up", num: true, value: (s) => s.uptime ?? 0, cell: (s) => (s.uptime === null ? "" : span(s.uptime)) },
      { key: "process", name: "PID", num: true, wide: true, value: (s) => s.process ?? "" },
      { key: "epoch", name: "Instance", num: true, wide: true, value: (s) => s.epoch ?? "" },
      { key: "last_end", name: "How the last one ended", wrap: true, value: (s) => s.last_end, cell: (s) => h("span", { class: "soft" }, s.last_end || "It has not.") },
    ];
    return [
      title("Processes", `${plural(rows("process").length, "process", "processes")} on ${plural(rows("cpu").length, "CPU")}`),
      card("Services", "what the manifest says, and what became of it", missing("services") ?? table("services", "Services", services, rows("service")), cut("services")),
      card("Processes and budgets", "used of what each was given; memory is its own + lent to children", missing("processes") ?? table("processes", "Processes and budgets", [
        ...processColumns,
        of("slots", number, "Capabilities"), of("threads", number, "Threads"), of("calls", number, "Calls in flight"), of("entries", number, "Queue entries"), of("dma", pages, "For devices"), of("vectors", number, "Vectors"),
        { key: "priority", name: "Priority", num: true, value: (p) => p.priority },
        { key: "total", name: "CPU time", num: true, value: (p) => p.cpu, cell: (p) => span(p.cpu) },
      ], rows("process"), { by: "cpu" }), cut("processes")),
    ];
  },
};

// Capabilities by which one rules a process rather than asks it something.
const RULES = new Set(["Control", "ProcessHandle", "ProcessWatch", "ProcessDebug"]);

function tied() {
  const nodes = new Map(rows("process").map(({ id, name }) => [id, { id, name, held: 0 }]));
  const edges = new Map();
  for (const row of rows("holding")) {
    const holder = nodes.get(row.process);
    if (!holder) continue;
    holder.held += row.count;
    const rule = RULES.has(row.interface);
    if (row.target === null || row.target === row.process || !nodes.has(row.target) || !(rule ? ui.rules : ui.calls)) continue;
    const key = `${row.process} ${row.target} ${rule}`;
    const edge = edges.get(key) ?? { from: row.process, to: row.target, count: 0, rule, names: new Set() };
    edge.count += row.count;
    edge.names.add(row.interface);
    edges.set(key, edge);
  }
  const named = [...edges.values()].map((edge) => ({ ...edge, text: `${nodes.get(edge.from).name} holds ${[...edge.names].join(", ")} of ${nodes.get(edge.to).name}` }));
  return [[...nodes.values()].map((node) => ({ ...node, sub: `${plural(node.held, "capability", "capabilities")}` })), named];
}

function chosenCards() {
  const process = rows("process").find(({ id }) => id === ui.chosen);
  if (!process) return card("Nobody is chosen", null, h("p", { class: "empty" }, "Choose a process to see what it holds, and what others hold of it."));
  const name = (id) => (id === null ? "" : id === process.id ? "itself" : rows("process").find((other) => other.id === id)?.name ?? `process ${id}, ended`);
  const common = [
    { key: "interface", name: "Capability", value: (c) => c.interface, cell: (c) => h("span", { class: "name" }, c.interface) },
    { key: "count", name: "How many", num: true, value: (c) => c.count },
  ];
  return [
    sized("half", card(`${process.name} holds`, null, table("holds", `What ${process.name} holds`, [
      ...common, { key: "what", name: "What it is", wrap: true, value: (c) => c.what },
      { key: "giver", name: "From", value: (c) => name(c.giver), cell: (c) => name(c.giver) || h("span", { class: "soft" }, "the kernel") },
    ], rows("holding").filter((row) => row.process === process.id), { none: "Nothing." }))),
    sized("half", card(`Others hold of ${process.name}`, null, table("held", `What others hold of ${process.name}`, [
      { key: "holder", name: "Holder", value: (c) => c.name, cell: (c) => h("span", { class: "name" }, c.name) }, ...common,
      { key: "way", name: "Why", value: (c) => (c.target === process.id ? "leads to it" : "was given by it") },
    ], rows("holding").filter((row) => row.process !== process.id && (row.target === process.id || row.giver === process.id)), { none: "Nothing." }))),
  ];
}

export const capabilities = {
  reports: ["holdings", "processes"],
  every: 4000,
  draw() {
    const gone = missing("holdings");
    if (gone) return [title("Capabilities"), card("Who calls whom", null, gone)];
    const [nodes, edges] = tied();
    const count = rows("holding").reduce((sum, row) => sum + row.count, 0);
    return [
      title("Capabilities", `${plural(count, "capability", "capabilities")} in ${plural(nodes.length, "process", "processes")}, beside what each has of its own`),
      card("Who calls whom", "callers stand above who serves them",
        h("div", { class: "row" },
          h("label", { class: "check" }, h("input", { type: "checkbox", "data-toggle": "calls", checked: ui.calls }), "Calls"),
          h("label", { class: "check" }, h("input", { type: "checkbox", "data-toggle": "rules", checked: ui.rules }), "Rule over processes (dashed)"),
          ui.chosen !== null && h("button", { class: "small", type: "button", "data-choose": "none" }, "Choose nobody")),
        h("div", { class: "canvas", tabindex: 0, role: "region", "aria-label": "Graph" }, graph(nodes, edges, ui.chosen)), cut("holdings")),
      chosenCards(),
    ];
  },
};

const way = ({ dma }) => (dma === "" ? h("span", { class: "soft" }, "none") : chip(dma === "direct" || dma === "bounce behind IOMMU" ? "good" : dma === "unproven" ? "fair" : "", dma));

export const devices = {
  reports: ["devices", "iommu", "irq", "audit", "hardware"],
  every: 5000,
  draw() {
    const ledger = [...rows("audit_device")];
    const log = one("hardware_log");
    const driven = rows("device").filter((device) => device.state.startsWith("driven")).length;
    return [
      title("Devices", `${plural(driven, "device")} driven by processes`),
      card("Devices and lines", null, missing("devices") ?? table("devices", "Devices and lines", [
        { key: "address", name: "Address", value: (d) => d.address, cell: (d) => h("span", { class: "mono" }, d.bus === "line" ? `line ${d.address}` : d.address), id: (d) => `d${d.bus}${d.address}` },
        { key: "what", name: "What", value: (d) => d.what, cell: (d) => h("span", { class: "name" }, d.what) },
        { key: "id", name: "Vendor:device", wide: true, value: (d) => d.id, cell: (d) => h("span", { class: "mono soft" }, d.id) },
        { key: "state", name: "State", value: (d) => d.state, cell: (d) => (d.state.startsWith("driven") ? chip("good", d.state) : h("span", { class: "soft" }, d.state)) },
        { key: "dma", name: "Reaches memory", value: (d) => d.dma, cell: way },
        { key: "interrupts", name: "Interrupts", num: true, value: (d) => d.interrupts, cell: (d) => number(d.interrupts) },
      ], rows("device")), cut("devices")),
      sized("half", card("IOMMUs", "whether devices are kept to what they were given", missing("iommu") ?? table("iommu", "IOMMUs", [
        { key: "unit", name: "Unit", num: true, value: (u) => u.unit }, { key: "type", name: "Type", value: (u) => u.type },
        { key: "state", name: "State", wrap: true, value: (u) => u.state, cell: (u) => (u.state === "on" ? chip("good", "on") : h("span", { class: "soft" }, u.state)) },
        { key: "interrupts", name: "Interrupts", value: (u) => u.interrupts },
        { key: "faults", name: "Faults", num: true, value: (u) => u.faults, cell: (u) => number(u.faults) },
        { key: "last", name: "Last of", value: (u) => u.last },
      ], rows("iommu")))),
      sized("half", card("Ledger", "what each driven function has, in the kernel's books", missing("audit") ?? table("ledger", "Ledger of devices", [
        { key: "address", name: "Function", value: (d) => d.address, cell: (d) => h("span", { class: "mono" }, d.address) },
        { key: "mapped", name: "Mapped", num: true, value: (d) => d.mapped, cell: (d) => pages(d.mapped) },
        { key: "vectors", name: "Vectors", num: true, value: (d) => d.vectors }, { key: "buffers", name: "Buffers", num: true, value: (d) => d.buffers },
        { key: "queues", name: "Queues", num: true, value: (d) => d.queues }, { key: "kept", name: "Kept", num: true, value: (d) => d.kept, cell: (d) => pages(d.kept) },
        { key: "books", name: "Books", value: (d) => d.books, cell: (d) => chip(d.books === "in order" ? "good" : "bad", d.books) },
      ], ledger, { none: "No function is claimed." }))),
      sized("half", card("What happened to devices", log && `${number(log.events)} events, ${number(log.lost)} lost`, missing("hardware") ?? table("hardware", "Hardware log", [
        { key: "time", name: "Since boot", num: true, value: (e) => e.time, cell: (e) => span(e.time), id: (e) => `e${e.cursor}` },
        { key: "function", name: "Function", value: (e) => e.function, cell: (e) => h("span", { class: "mono" }, e.function) },
        { key: "event", name: "Event", value: (e) => e.event, cell: (e) => h("span", { class: "name" }, e.event) },
        { key: "detail", name: "Detail", value: (e) => e.detail, cell: (e) => h("span", { class: "mono soft" }, e.detail) },
      ], [...rows("hardware")].reverse().slice(0, 40), { none: "Nothing yet." }))),
      sized("half", card("Interrupts", null, missing("irq") ?? table("irq", "Interrupts", [
        { key: "source", name: "Source", value: (i) => i.source, cell: (i) => h("span", { class: "mono" }, i.source), id: (i) => `i${i.source}` },
        { key: "owner", name: "Goes to", value: (i) => i.owner }, { key: "cpu", name: "CPU", num: true, value: (i) => i.cpu },
        { key: "count", name: "Count", num: true, value: (i) => i.count, cell: (i) => number(i.count) },
        { key: "masked", name: "Masked", value: (i) => i.masked, cell: (i) => (i.masked ? chip("", "masked") : "") },
      ], rows("irq"), { none: "Nobody listens to one." }))),
    ];
  },
};

function stack() {
  const gone = missing("network");
  const state = one("network");
  if (gone || !state) return card("Stack", null, gone ?? h("p", { class: "empty" }, "It has told nothing."));
  const fact = (name, ...value) => [h("dt", null, name), h("dd", null, ...value)];
  const traffic = (frames, count) => `${plural(frames, "frame")}, ${bytes(count)}`;
  return [
    sized("half", card("Stack", null, h("dl", null,
      fact("Link", state.up ? chip("good", "up") : chip("fair", "down")), fact("Adapter", h("span", { class: "mono" }, state.mac || "none")),
      fact("Largest packet", `${number(state.mtu)} B`), fact("Configured", state.dhcp ? "by DHCP" : "by the manifest, or itself"),
      fact("Received", traffic(state.received, state.received_bytes)), fact("Sent", traffic(state.sent, state.sent_bytes)),
      fact("Dropped", plural(state.dropped, "frame")), fact("Sockets", number(state.sockets)), fact("Sessions with drivers", number(state.sessions))))),
    sized("half", card("Addresses", null, table("addresses", "Addresses", [
      { key: "role", name: "What", value: (a) => a.role },
      { key: "address", name: "Address", value: (a) => a.address, cell: (a) => h("span", { class: "mono" }, a.address) },
    ], rows("network_address"), { none: "It has no address." }))),
  ];
}

export const network = {
  reports: ["network", "devices"],
  every: 3000,
  draw() {
    const adapters = rows("device").filter((device) => device.what.toLowerCase().includes("network") || device.what.toLowerCase().includes("ethernet"));
    const known = store.reports.includes("network");
    return [
      title("Network"),
      known ? stack() : card("Stack", null, h("p", { class: "empty" }, "No network service tells of itself on this system.")),
      card("Adapters", null, missing("devices") ?? table("adapters", "Network adapters", [
        { key: "address", name: "Address", value: (d) => d.address, cell: (d) => h("span", { class: "mono" }, d.address) },
        { key: "what", name: "What", value: (d) => d.what, cell: (d) => h("span", { class: "name" }, d.what) },
        { key: "state", name: "State", value: (d) => d.state, cell: (d) => (d.state.startsWith("driven") ? chip("good", d.state) : d.state) },
        { key: "dma", name: "Reaches memory", value: (d) => d.dma, cell: way },
        { key: "interrupts", name: "Interrupts", num: true, value: (d) => d.interrupts, cell: (d) => number(d.interrupts) },
      ], adapters, { none: "This machine has no network adapter." })),
    ];
  },
};

export const storage = {
  reports: ["storage"],
  every: 5000,
  draw() {
    const volume = one("volume");
    const gone = missing("storage");
    if (gone) return [title("Storage"), card("Disks", null, gone)];
    const used = volume ? volume.size - volume.free : 0;
    return [
      title("Storage", plural(rows("disk").length, "disk")),
      volume ? card("Volume", `${bytes(used)} of ${bytes(volume.size)} used`, meter(used - volume.held, volume.size, { more: volume.held, label: "The volume" }),
        h("p", { class: "note" }, `${bytes(volume.free)} free, ${bytes(volume.held)} held by snapshots alone, ${plural(volume.objects, "object")}, ${plural(volume.commits, "commit")}`))
        : card("Volume", null, h("p", { class: "empty" }, "No disk has the machine's volume.")),
      sized("half", card("Disks", null, table("disks", "Disks", [
        { key: "disk", name: "Disk", value: (d) => d.disk, cell: (d) => h("span", { class: "name" }, d.disk), id: (d) => `k${d.disk}` },
        { key: "model", name: "Model", value: (d) => d.model }, { key: "serial", name: "Serial", wide: true, value: (d) => d.serial, cell: (d) => h("span", { class: "mono soft" }, d.serial) },
        { key: "address", name: "Function", value: (d) => d.address, cell: (d) => h("span", { class: "mono" }, d.address) },
        { key: "size", name: "Size", num: true, value: (d) => d.size, cell: (d) => bytes(d.size) },
      ], rows("disk"), { none: "There is no disk." }))),
      sized("half", card("What is on them", null, table("parts", "Partitions", [
        { key: "part", name: "Where", value: (p) => p.part, id: (p) => `q${p.part}` },
        { key: "content", name: "Content", value: (p) => p.content, cell: (p) => h("span", { class: "name" }, p.content) },
        { key: "name", name: "Name", value: (p) => p.name }, { key: "size", name: "Size", num: true, value: (p) => p.size, cell: (p) => bytes(p.size) },
        { key: "taken", name: "In use", value: (p) => p.taken, cell: (p) => (p.taken ? chip("good", "in use") : "") },
      ], rows("partition"), { none: "Nothing." }))),
    ];
  },
};

export const log = {
  reports: ["logs", "processes"],
  every: 2000,
  draw() {
    const words = ui.words.toLowerCase();
    const rank = ["error", "warn", "info", "debug"];
    const fits = (entry) => (!ui.level || rank.indexOf(entry.level) <= rank.indexOf(ui.level))
      && (!words || `${entry.text} ${who(entry.process)}`.toLowerCase().includes(words));
    const found = rows("log").filter(fits).reverse();
    return [
      title("Log", `the last ${plural(rows("log").length, "record")}, newest first`),
      card("Records", `${number(found.length)} shown`,
        h("div", { class: "row" },
          h("label", null, "Level ", h("select", { id: "level", "data-set": "level" },
            [["", "all"], ["info", "info and worse"], ["warn", "warnings and errors"], ["error", "errors"]].map(([value, text]) => h("option", { value, selected: value === ui.level }, text)))),
          h("label", null, "Search ", h("input", { id: "words", type: "search", "data-set": "words", autocomplete: "off" }))),
        missing("logs") ?? (found.length ? h("ol", { class: "log" }, found.map(logItem)) : h("p", { class: "empty" }, "No record is like that."))),
    ];
  },
};
