/** The page: reads the data, makes the tabs, keeps the address in step with what is shown. */

import { DiffTab } from "./diff_tab.js";
import { html, svg } from "./dom.js";
import { GraphTab } from "./graph_tab.js";
import { MemoryTab } from "./memory_tab.js";
import { PassesTab } from "./passes_tab.js";
import { ProfileTab } from "./profile_tab.js";

const read = (id) => JSON.parse(document.getElementById(id).textContent);
const data = read("data");
const status = html("p", { class: "status", role: "status" });
const hooks = { say: (text) => (status.textContent = text), changed: () => keepAddress() };
let current = null;
let restoring = false;

/** A tab is made when it is opened: the data of a large graph take a second to read. */
function make(name) {
  const tab = read(`data-${name}`);
  if (tab.kind === "memory") return new MemoryTab(tab.memory);
  if (tab.kind === "profile") return new ProfileTab(tab.profile, (node) => goTo(tab.of, node));
  if (tab.kind === "diff") return new DiffTab(tab.diff, tab.views, hooks);
  if (tab.kind === "passes") return new PassesTab(tab.passes, tab.views, hooks);
  return new GraphTab(tab.view, hooks);
}

const tabs = new Map(data.tabs.map((tab) => [tab.id, { ...tab, content: null }]));
for (const [id, tab] of tabs) {
  tab.button = html(
    "button",
    { type: "button", role: "tab", id: `tab-${id}`, "aria-controls": `panel-${id}`,
      onclick: () => open(id) },
    tab.label,
  );
  tab.panel = html(
    "section",
    { role: "tabpanel", id: `panel-${id}`, "aria-labelledby": `tab-${id}` },
  );
}

function open(id) {
  current = id;
  for (const [name, tab] of tabs) {
    tab.panel.hidden = name !== id;
    tab.button.setAttribute("aria-selected", String(name === id));
    tab.button.tabIndex = name === id ? 0 : -1;
  }
  const tab = tabs.get(id);
  if (tab.content === null) {
    tab.content = make(id);
    tab.panel.append(tab.content.element);
  }
  tab.content.show();
  keepAddress();
}

function goTo(id, node) {
  open(id);
  tabs.get(id).content.go(node);
}

/** #ops&sel=n12&open=c1,c2&color=ms&theme=dark */
function keepAddress() {
  if (restoring || current === null) return;
  const { sel, open: clusters, color, pass } = tabs.get(current).content.state;
  const parts = new URLSearchParams();
  if (sel) parts.set("sel", sel);
  if (clusters) parts.set("open", clusters.join(","));
  if (color) parts.set("color", color);
  if (pass) parts.set("pass", String(pass));
  if (document.documentElement.dataset.theme) {
    parts.set("theme", document.documentElement.dataset.theme);
  }
  history.replaceState(null, "", `#${current}${parts.size ? `&${parts}` : ""}`);
}

function restore() {
  restoring = true;
  const [name, ...rest] = location.hash.slice(1).split("&");
  const parts = new URLSearchParams(rest.join("&"));
  if (parts.has("theme")) document.documentElement.dataset.theme = parts.get("theme");
  const id = tabs.has(name) ? name : data.tabs[0].id;
  open(id);
  const clusters = parts.get("open");
  tabs.get(id).content.state = {
    sel: parts.get("sel"),
    open: clusters === null ? null : clusters.split(",").filter(Boolean),
    color: parts.get("color"),
    pass: parts.get("pass") ?? undefined,
  };
  restoring = false;
}

function dark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function switchTheme() {
  document.documentElement.dataset.theme = dark() ? "light" : "dark";
  keepAddress();
}

function key(event) {
  if (event.target.tagName === "INPUT" || event.target.tagName === "SELECT") return;
  const content = tabs.get(current).content;
  if (event.key === "/" && content.input) {
    content.input.focus();
    event.preventDefault();
  } else if (event.key === "t") switchTheme();
  else if (event.key === "?") help.open = !help.open;
}

function tabKey(event) {
  const names = [...tabs.keys()];
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!by) return;
  const next = names[(names.indexOf(current) + by + names.length) % names.length];
  open(next);
  tabs.get(next).button.focus();
}

const KEYS = [
  ["/", "search"], ["Enter", "open or close the selected cluster"], ["Alt+click", "with all inside"],
  ["arrows", "go along an arrow or to a neighbour"], ["u, d", "mark what is before or after"],
  ["+ − 0", "zoom in, out, show all"], ["[ ]", "previous and next pass"], ["t", "dark or light"],
  ["?", "this list"],
];
const help = html("details", { class: "help" }, html("summary", {}, "Keys"),
  html("dl", {}, ...KEYS.flatMap(([k, text]) => [html("dt", {}, k), html("dd", {}, text)])));

// Markers are found by their ids, once for all pictures of the page.
const arrow = svg("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 8, refY: 4, markerWidth: 8,
  markerHeight: 8, orient: "auto-start-reverse" }, svg("path", { d: "M0,0L8,4L0,8z" }));
document.body.append(
  svg("svg", { class: "markers", "aria-hidden": "true" }, svg("defs", {}, arrow)),
  html("header", {},
    html("h1", {}, data.title),
    html("div", { role: "tablist", "aria-label": "Views", onkeydown: tabKey },
      ...[...tabs.values()].map((tab) => tab.button)),
    help,
    html("button", { type: "button", class: "theme", onclick: switchTheme }, "dark / light")),
  html("main", {}, ...[...tabs.values()].map((tab) => tab.panel)),
  status,
  html("details", { class: "as-text" }, html("summary", {}, "As text"), html("pre", {}, data.text ?? "")),
);
document.addEventListener("keydown", key);
addEventListener("hashchange", restore);
restore();
document.documentElement.dataset.ready = "yes";
