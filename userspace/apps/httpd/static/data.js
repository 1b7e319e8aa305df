// What the machine told last, and what followed from the time before.

// The reports that there are, and the kinds of rows in each.
const KINDS = {
  status: ["status"],
  cpu: ["cpu", "cpu_feature"],
  processes: ["process", "budget"],
  services: ["service"],
  holdings: ["holding"],
  devices: ["device"],
  iommu: ["iommu"],
  irq: ["irq"],
  audit: ["audit", "audit_process", "audit_device", "audit_interface"],
  hardware: ["hardware", "hardware_log"],
  storage: ["disk", "partition", "volume"],
  network: ["network", "network_address"],
  logs: ["log"],
};

// Points of each history.
const PAST = 90;

export const store = {
  rows: {}, // kind -> rows
  errors: {}, // report -> why there is none
  asked: {}, // report -> it was answered
  left: {}, // report -> rows that were left out
  reports: [],
  operator: false,
  online: null,
  at: 0,
  cpu: [], // of each processor the busy part, 0 to 1
  used: new Map(), // of each process the part of one processor
  history: { cpu: [], memory: [] },
};

export const rows = (kind) => store.rows[kind] ?? [];
export const one = (kind) => rows(kind)[0];

async function ask(path) {
  const answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(15000) });
  if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
  return answer.json();
}

export async function begin() {
  const { reports, operator } = await ask("/api");
  Object.assign(store, { reports, operator });
}

// Asks for reports, and takes what comes.
export async function load(reports) {
  const there = reports.filter((report) => store.reports.includes(report));
  const all = await ask(`/api/${there.join(",")}?count=200`);
  const before = { status: one("status"), cpu: rows("cpu"), process: rows("process") };
  for (const report of there) {
    for (const kind of KINDS[report]) store.rows[kind] = [];
    delete store.errors[report];
    delete store.left[report];
    store.asked[report] = true;
  }
  let last;
  for (const { kind, ...row } of all) {
    if (kind === "report") last = row.name;
    else if (kind === "error") store.errors[row.report] = row.text;
    else if (kind === "left_out") store.left[last] = row.rows;
    else (store.rows[kind] ??= []).push(row);
  }
  store.at = Date.now();
  if (there.includes("status")) follow(before);
}

// What happened between two looks.
function follow(before) {
  const status = one("status");
  if (!status) return;
  const past = before.status ? status.uptime - before.status.uptime : 0;
  // It was started anew.
  if (past < 0) {
    store.used.clear();
    store.history = { cpu: [], memory: [] };
  }
  if (past > 0) {
    const then = new Map(before.cpu.map((cpu) => [cpu.cpu, cpu.idle]));
    store.cpu = rows("cpu").filter((cpu) => then.has(cpu.cpu)).map((cpu) => part(1 - (cpu.idle - then.get(cpu.cpu)) / past));
    const spent = new Map(before.process.map((process) => [process.id, process.cpu]));
    store.used = new Map(rows("process").map(({ id, cpu }) => [id, Math.max(0, cpu - (spent.get(id) ?? 0)) / past]));
    if (store.cpu.length) keep("cpu", store.cpu.reduce((sum, busy) => sum + busy, 0) / store.cpu.length);
  }
  keep("memory", 1 - status.free_pages / status.total_pages);
}

const part = (value) => Math.min(1, Math.max(0, value));

function keep(name, value) {
  const list = store.history[name];
  list.push(value);
  if (list.length > PAST) list.shift();
}

// Does something, as the operator.
export async function act(path, token) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${token}` },
    body: "{}",
    signal: AbortSignal.timeout(15000),
  });
  return { ok: answer.ok, status: answer.status, text: (await answer.text()).trim() };
}
