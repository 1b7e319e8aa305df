// The page: which section is shown, when the machine is asked, and what is done for whom.

import { h, morph, span } from "/dom.js";
import { act, begin, load, one, store } from "/data.js";
import { ui } from "/tables.js";
import * as views from "/views.js";

const main = document.getElementById("main");
const link = document.getElementById("link");
const said = document.getElementById("said");
const door = document.getElementById("door");

let timer = null;
let failures = 0;
let round = 0;

const section = () => {
  const name = location.hash.slice(1);
  return Object.hasOwn(views, name) ? name : "overview";
};

function draw() {
  const page = h("main");
  if (store.online === false) page.append(lost());
  page.append(...views[section()].draw().flat(Infinity).filter(Boolean));
  main.classList.toggle("stale", store.online === false);
  morph(main, page);
}

const lost = () => h("div", { class: "banner bad", "data-key": "lost" }, h("b", null, "The machine does not answer."),
  h("span", null, store.at ? `This is how it was ${span((Date.now() - store.at) * 1e6)} ago.` : "Nothing was heard of it yet."),
  h("span", null, "It is asked again and again."));

function tell() {
  link.className = store.online === null ? "" : store.online ? "on" : "off";
  link.lastChild.textContent = store.online === null ? "Connecting" : store.online ? "Live" : "Disconnected";
  document.getElementById("version").textContent = one("status")?.version ?? "";
  const operator = document.getElementById("operator");
  operator.hidden = !store.operator;
  operator.textContent = ui.token ? "Operator: leave" : "Operator";
}

async function look() {
  clearTimeout(timer);
  round += 1;
  const mine = round;
  const view = views[section()];
  try {
    if (store.online !== true) await begin();
    await load(view.reports);
    store.online = true;
    failures = 0;
  } catch {
    store.online = false;
    failures += 1;
  }
  // Somebody has gone to another section meanwhile, which asks for itself.
  if (mine !== round) return;
  draw();
  tell();
  const wait = failures ? Math.min(10000, 1000 * 2 ** failures) : view.every;
  if (!document.hidden) timer = setTimeout(look, wait);
}

function go() {
  const name = section();
  for (const anchor of document.querySelectorAll("nav a")) {
    if (anchor.hash === `#${name}`) anchor.setAttribute("aria-current", "page");
    else anchor.removeAttribute("aria-current");
  }
  document.querySelector("nav a[aria-current]").scrollIntoView({ block: "nearest", inline: "nearest" });
  document.title = `capOS: ${name}`;
  draw();
  look();
}

function say(text) {
  said.textContent = text;
  setTimeout(() => { if (said.textContent === text) said.textContent = ""; }, 5000);
}

async function perform(verb, service) {
  ui.busy = service;
  draw();
  try {
    const { ok, status, text } = await act(`/api/services/${encodeURIComponent(service)}/${verb}`, ui.token);
    if (status === 401) ui.token = null;
    say(ok ? `${service} was ${verb === "kill" ? "ended" : "started"}.` : `${service}: ${text}`);
  } catch {
    say(`${service}: the machine does not answer.`);
  }
  ui.busy = null;
  look();
}

function enter() {
  if (ui.token) {
    ui.token = null;
    sessionStorage.removeItem("token");
    tell();
    draw();
    return;
  }
  document.getElementById("door-error").textContent = "";
  door.showModal();
}

door.querySelector("form").addEventListener("submit", async (event) => {
  if (event.submitter?.value === "leave") return;
  event.preventDefault();
  const field = document.getElementById("token");
  const token = field.value.trim();
  const error = document.getElementById("door-error");
  try {
    // What is sent in a header has to be plain letters; anything else is no token.
    const { ok, text } = /^[\x21-\x7e]+$/.test(token) ? await act("/api/operator", token) : { ok: false, text: "this is no token" };
    if (!ok) {
      error.textContent = text;
      return;
    }
  } catch {
    error.textContent = "The machine does not answer.";
    return;
  }
  ui.token = token;
  sessionStorage.setItem("token", token);
  field.value = "";
  door.close();
  tell();
  location.hash = "#processes";
  draw();
});

document.getElementById("operator").addEventListener("click", enter);

main.addEventListener("click", (event) => {
  const target = event.target.closest("[data-sort], [data-choose], [data-act]");
  if (!target) return;
  const { sort, choose, act: order } = target.dataset;
  if (sort) {
    const [name, by] = sort.split(" ");
    const descending = target.closest("th").getAttribute("aria-sort") === "descending";
    ui.sort[name] = { by, down: !descending };
  } else if (order) {
    const [verb, service] = order.split(" ");
    perform(verb, service);
    return;
  } else {
    const id = choose === "none" ? null : Number(choose);
    ui.chosen = ui.chosen === id ? null : id;
  }
  draw();
});

main.addEventListener("keydown", (event) => {
  if ((event.key === "Enter" || event.key === " ") && event.target.matches("g[data-choose]")) {
    event.preventDefault();
    event.target.dispatchEvent(new MouseEvent("click", { bubbles: true }));
  }
});

main.addEventListener("input", (event) => {
  const { set, toggle } = event.target.dataset;
  if (set) ui[set] = event.target.value;
  else if (toggle) ui[toggle] = event.target.checked;
  else return;
  draw();
});

document.querySelector(".skip").addEventListener("click", (event) => {
  // What stands behind # is the section.
  event.preventDefault();
  main.focus();
});

addEventListener("hashchange", go);
document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
ui.token = sessionStorage.getItem("token");
go();
