/** Colouring boxes by what is known of them; every colour also has its number written beside it. */

import { number, svg } from "./dom.js";

// Dark to light along viridis, which the colour-blind can read too.
const SCALE = [
  [68, 1, 84],
  [59, 82, 139],
  [33, 145, 140],
  [94, 201, 98],
  [253, 231, 37],
];
const NAMES = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#999999"];

/** What boxes can be coloured by: the name, and how it is read from a node. */
export const MEASURES = {
  role: null,
  trainable: (node) => (node.params ? (node.trainable === false ? "frozen" : "trainable") : null),
  dtype: (node) => node.dtype ?? null,
  ms: (node) => node.cost?.ms ?? null,
  bytes: (node) => node.cost?.bytes ?? null,
  flops: (node) => node.cost?.flops ?? null,
  params: (node) => node.params || null,
};

/** The measures of which some node of a graph has a value. */
export function available(graph) {
  const nodes = graph.view.nodes;
  return Object.keys(MEASURES).filter(
    (name) => name === "role" || nodes.some((node) => MEASURES[name](node) !== null),
  );
}

function mix(part) {
  const at = Math.min(SCALE.length - 2, Math.floor(part * (SCALE.length - 1)));
  const rest = part * (SCALE.length - 1) - at;
  return SCALE[at].map((value, k) => Math.round(value + (SCALE[at + 1][k] - value) * rest));
}

/** Black or white, whichever can be read on a colour. */
function ink([red, green, blue]) {
  return red * 0.299 + green * 0.587 + blue * 0.114 > 140 ? "#000" : "#fff";
}

function hex(name) {
  return [1, 3, 5].map((k) => Number.parseInt(name.slice(k, k + 2), 16));
}

/** The value of a box: a node's own, or the sum over a closed cluster. */
function valueOf(graph, id, read) {
  if (!graph.isCluster(id)) return read(graph.nodes.get(id));
  const values = graph.members(id).map((node) => read(graph.nodes.get(node)));
  const numbers = values.filter((value) => typeof value === "number");
  return numbers.length ? numbers.reduce((sum, value) => sum + value, 0) : null;
}

/**
 * Colours the boxes of a picture.
 * @returns {string} the legend.
 */
export function paint(graph, root, name) {
  const read = MEASURES[name];
  if (!read) return "";
  const boxes = [...root.querySelectorAll(".boxes > g")];
  const values = new Map(boxes.map((box) => [box, valueOf(graph, box.dataset.id, read)]));
  const known = [...values.values()].filter((value) => value !== null);
  if (!known.length) return "";
  const numeric = typeof known[0] === "number";
  const most = numeric ? Math.max(...known) : 0;
  const kinds = numeric ? [] : [...new Set(known)].toSorted();
  for (const [box, value] of values) {
    if (value === null) continue;
    const color = numeric
      ? mix(most ? value / most : 0)
      : hex(NAMES[kinds.indexOf(value) % NAMES.length]);
    box.querySelector(".header").style.fill = `rgb(${color.join(",")})`;
    box.querySelector(".name").style.fill = ink(color);
    const text = numeric ? number(value) : value;
    box.append(svg("text", { class: "badge", x: 2, y: -4 }, text));
  }
  return numeric ? `${name}: 0 to ${number(most)}` : `${name}: ${kinds.join(", ")}`;
}
