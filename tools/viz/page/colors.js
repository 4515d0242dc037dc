/** Colouring boxes by what is known of them; every colour also has its value written beside it. */

import { html, number, svg } from "./dom.js";
import { parts, Scale, shade, tickText } from "./scale.js";

// The colours of the static pictures: along the scale for numbers, one a kind for anything else.
const { kinds: KINDS, neutral } = JSON.parse(document.getElementById("data-colors").textContent);
const UNITS = { ms: "ms", bytes: "bytes", flops: "flops", params: "parameters" };
const STEPS = 24;

function trains(item) {
  return { true: "trainable", false: "frozen" }[item.trainable] ?? null;
}

function params(item) {
  const state = item.kind === "state" && item.role === "param";
  const size = state ? item.shape.reduce((all, d) => all * d, 1) : item.params;
  return Number.isFinite(size) && size > 0 ? size : null;
}

/** What boxes can be coloured by: the name, and how it is read from a node or a cluster. */
const MEASURES = {
  op: (item) => item.op ?? null,
  trainable: trains,
  dtype: (item) => item.dtype ?? null,
  ms: (item) => item.cost?.ms ?? null,
  bytes: (item) => item.cost?.bytes ?? null,
  flops: (item) => item.cost?.flops ?? null,
  params,
};

/** How a measure is read in a graph; nothing for the colours of roles. */
function reader(graph, name) {
  if (name !== "overlay") return MEASURES[name];
  const values = graph.view.overlays?.[0]?.nodes ?? {};
  return (item) => values[item.id] ?? null;
}

/** What a measure is called and counted in. */
function title(graph, name) {
  const overlay = name === "overlay" ? graph.view.overlays?.[0] : null;
  return overlay ? { text: overlay.name, unit: overlay.unit ?? "" } : { text: name, unit: UNITS[name] ?? "" };
}

/**
 * The measures of which some box of a graph has a value.
 * @returns {[string, string][]} the name of each, and what readers see.
 */
export function available(graph) {
  const items = [...graph.view.nodes, ...graph.view.clusters];
  const names = [...Object.keys(MEASURES), "overlay"].filter((name) =>
    items.some((item) => reader(graph, name)(item) !== null));
  return [["role", "role"], ...names.map((name) => [name, title(graph, name).text])];
}

/** Black or white, whichever can be read better: one of the two has a contrast above 4.5. */
function ink(color) {
  const [red, green, blue] = parts(color).map((value) => {
    const part = value / 255;
    return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  const light = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  return (light + 0.05) ** 2 > 1.05 * 0.05 ? "#000000" : "#ffffff";
}

/** The value of a box: its own, or that of all that a closed cluster holds. */
function valueOf(graph, id, read) {
  const own = read(graph.nodes.get(id) ?? graph.clusters.get(id));
  if (own !== null || !graph.isCluster(id)) return own;
  const values = [];
  const waiting = [...graph.children.get(id)];
  while (waiting.length) {
    const child = waiting.pop();
    const value = read(graph.nodes.get(child) ?? graph.clusters.get(child));
    if (value !== null) values.push(value);
    else if (graph.isCluster(child)) waiting.push(...graph.children.get(child));
  }
  if (!values.length) return null;
  if (values.every((value) => typeof value === "number")) return values.reduce((sum, v) => sum + v, 0);
  return new Set(values).size === 1 ? values[0] : null;
}

const said = (value) => (typeof value === "number" ? number(value) : value);

/** Values of the boxes that are seen, and of open clusters that have one of their own. */
function valuesOf(graph, root, read) {
  const found = new Map();
  for (const box of root.querySelectorAll(".boxes > g")) {
    found.set(box, valueOf(graph, box.dataset.id, read));
  }
  for (const frame of root.querySelectorAll(".frames > g")) {
    const value = read(graph.clusters.get(frame.dataset.id));
    if (value !== null) found.set(frame, value);
  }
  return found;
}

function mark(element, color, text) {
  const frame = element.querySelector(".frame");
  if (frame) {
    frame.style.stroke = color;
    frame.style.strokeWidth = 4;
  } else {
    element.querySelector(".header").style.fill = color;
    element.querySelector(".name").style.fill = ink(color);
  }
  if (text) element.append(svg("text", { class: "badge", x: 2, y: -4 }, text));
}

/** The colours of a scale, with its round numbers below. */
function bar(scale) {
  const wide = 5 * STEPS;
  const steps = Array.from({ length: STEPS }, (_, k) => {
    const step = svg("rect", { x: 5 * k, width: 5, height: 12 });
    step.style.fill = shade(k / (STEPS - 1));
    return step;
  });
  const ticks = scale.ticks().flatMap((tick) => {
    const x = scale.part(tick) * wide;
    return [svg("path", { class: "tick", d: `M${x},10v5` }), svg("text", { class: "tick", x, y: 24 }, tickText(tick))];
  });
  return svg("svg", { class: "bar", width: wide, height: 26, "aria-hidden": "true" }, ...steps, ...ticks);
}

function patch(color) {
  const square = svg("rect", { width: 12, height: 12 });
  square.style.fill = color;
  return svg("svg", { width: 12, height: 12, "aria-hidden": "true" }, square);
}

/** The headers' colours while they say what boxes are for. */
function showRoles(root, legend) {
  const bands = [...root.querySelectorAll(".boxes > g, .frames > g")].flatMap((box) =>
    [...box.classList].filter((name) => name.startsWith("band-")));
  for (const band of new Set(bands)) {
    const header = svg("rect", { class: "header", width: 12, height: 12 });
    const square = svg("svg", { class: band, width: 12, height: 12, "aria-hidden": "true" }, header);
    legend.append(html("span", { class: "kind" }, square, ` ${band.slice("band-".length)}`));
  }
}

/** Colours the boxes of a picture and writes what the colours mean into the legend. */
export function paint(graph, root, name, legend) {
  legend.replaceChildren();
  const read = reader(graph, name);
  if (!read) {
    showRoles(root, legend);
    return;
  }
  const values = valuesOf(graph, root, read);
  const known = [...values.values()].filter((value) => value !== null);
  if (!known.length) return;
  const { text, unit } = title(graph, name);
  const numbers = known.every((value) => typeof value === "number") && new Set(known).size > 1;
  const scale = numbers ? new Scale(known) : null;
  const kinds = new Map(scale ? [] : [...new Set(known.map(said))].toSorted()
    .map((kind, k) => [kind, KINDS[k % KINDS.length]]));
  const color = (value) => (scale ? scale.color(value) : kinds.get(said(value)));
  for (const [element, value] of values) {
    if (value === null) mark(element, neutral, "");
    else mark(element, color(value), name === "op" ? "" : `${said(value)} ${unit}`.trim());
  }
  legend.append(`${text}: `);
  if (scale?.logarithmic && known.includes(0)) kinds.set("0", neutral);
  for (const [kind, shown] of kinds) {
    legend.append(html("span", { class: "kind" }, patch(shown), ` ${kind}`));
  }
  if (scale) {
    legend.append(`${number(scale.least)} `, bar(scale), ` ${number(scale.most)} ${unit}, ${scale.name}`);
  }
}
