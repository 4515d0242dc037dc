/** A laid out graph as SVG elements. */

import { html, number, shape, svg } from "./dom.js";
import { layout } from "./layout.js";

const LINE = 15;
const HEADER = 22;
const MOST = 40;
const FONT = "12px DejaVu Sans, Helvetica, Arial, sans-serif";

const ruler = html("canvas").getContext("2d");
ruler.font = FONT;

const widths = new Map();
function width(text) {
  if (!widths.has(text)) widths.set(text, ruler.measureText(text).width);
  return widths.get(text);
}

function cut(text) {
  return text.length > MOST ? `${text.slice(0, MOST - 1)}…` : text;
}

/** The header and the further lines of a box. */
export function texts(graph, id) {
  const cluster = graph.clusters.get(id);
  if (cluster) {
    const repeat = cluster.repeat > 1 ? ` ×${cluster.repeat}` : "";
    const size = graph.sizes.get(id);
    return [`+ ${cut(cluster.label)}${repeat}`, `${number(size)} node${size === 1 ? "" : "s"}`];
  }
  const node = graph.nodes.get(id);
  const type = node.type && node.type !== node.label ? ` (${node.type})` : "";
  const lines = [cut(`${node.label}${type}`)];
  if (node.shape) lines.push(cut(`${node.dtype ?? ""} ${shape(node.shape)}`.trim()));
  if (node.params) {
    const trains = node.trainable === false ? "F, " : node.trainable ? "T, " : "";
    lines.push(`${trains}${number(node.params)} parameters`);
  }
  return lines;
}

function measure(graph) {
  return (id) => {
    const lines = texts(graph, id);
    return {
      width: Math.max(60, ...lines.map((line) => width(line) + 22)),
      height: HEADER + LINE * (lines.length - 1) + (lines.length > 1 ? 6 : 0),
    };
  };
}

/** A path through points whose corners are rounded. */
function path(given) {
  // Without repeated points, which have no direction for the arrow's head.
  const points = given.filter((point, k) => k === 0 || apart(point, given[k - 1]) > 0.5);
  const parts = [`M${points[0].x},${points[0].y}`];
  for (let k = 1; k + 1 < points.length; k += 1) {
    const [a, b, c] = [points[k - 1], points[k], points[k + 1]];
    const into = between(b, a);
    const from = between(b, c);
    parts.push(`L${into.x},${into.y}Q${b.x},${b.y} ${from.x},${from.y}`);
  }
  const end = points[points.length - 1];
  return `${parts.join("")}L${end.x},${end.y}`;
}

function apart(a, b) {
  return Math.hypot(b.x - a.x, b.y - a.y);
}

/** The point on the way from a to b, at most 8 away from a. */
function between(a, b) {
  const length = apart(a, b);
  const part = Math.min(8 / length, 0.5);
  return { x: round(a.x + (b.x - a.x) * part), y: round(a.y + (b.y - a.y) * part) };
}

const round = (value) => Math.round(value * 10) / 10;

/** The colour of a node's header, as in the static pictures: whether it trains, else its role. */
function band(node) {
  if (node.kind === "state" || node.trainable === undefined) return node.role ?? "forward";
  return node.trainable ? "trainable" : "frozen";
}

/** The phases of a training step have the colours of their roles, whose names they bear. */
const phase = (cluster) => (cluster.kind === "phase" ? ` phase band-${cluster.label}` : "");

function drawBox(graph, id, place) {
  const lines = texts(graph, id);
  const node = graph.nodes.get(id);
  const dashed = node?.kind === "const" ? " constant" : "";
  const kind = node ? `node band-${band(node)}${dashed}` : `closed cluster${phase(graph.clusters.get(id))}`;
  const x = round(place.x - place.width / 2);
  const y = round(place.y - place.height / 2);
  const box = svg("g", { class: kind, "data-id": id, transform: `translate(${x},${y})` });
  box.append(
    svg("title", {}, node ? (node.path ?? node.label) : graph.clusters.get(id).label),
    svg("rect", { class: "body", width: place.width, height: place.height, rx: 4 }),
    svg("rect", { class: "header", width: place.width, height: HEADER, rx: 4 }),
    svg("text", { class: "name", x: place.width / 2, y: 15 }, lines[0]),
  );
  lines.slice(1).forEach((line, k) => {
    const at = { class: "fact", x: place.width / 2, y: HEADER + 15 + LINE * k };
    box.append(svg("text", at, line));
  });
  return box;
}

function drawFrame(graph, id, place) {
  const cluster = graph.clusters.get(id);
  const x = round(place.x - place.width / 2);
  const y = round(place.y - place.height / 2);
  return svg(
    "g",
    { class: "open cluster", "data-id": id, transform: `translate(${x},${y})` },
    svg("title", {}, cluster.label),
    svg("rect", { class: "frame", width: place.width, height: place.height, rx: 8 }),
  );
}

/** The name of an open cluster, which stands over the lines that enter it there. */
function drawTitle(graph, id, place) {
  const cluster = graph.clusters.get(id);
  const repeat = cluster.repeat > 1 ? ` ×${cluster.repeat}` : "";
  const at = { x: round(place.x - place.width / 2 + 10), y: round(place.y - place.height / 2 + 18) };
  return svg("text", at, `− ${cut(cluster.label)}${repeat}`);
}

/** The calls of a shared layer that an edge leaves and enters. */
function callsOf(edge) {
  const numbers = [...new Set(edge.calls ?? [])].filter((call) => call > 0);
  return numbers.map((call) => `#${call}`).join(" → ");
}

/** Where a label begins: beside the line's middle, below the labels that it would lie on. */
function labelPlace(points, text, taken) {
  const middle = points[Math.floor(points.length / 2)];
  const at = { x: round(middle.x + 4), y: round(middle.y), wide: width(text) };
  const under = (other) => Math.abs(other.y - at.y) < LINE
    && at.x < other.x + other.wide && other.x < at.x + at.wide;
  while (taken.some(under)) at.y = round(at.y + LINE);
  taken.push(at);
  return { x: at.x, y: at.y };
}

/** The arrow of a bundle. */
function drawLine(line) {
  const { s, d, kind, edges } = line.bundle;
  const names = edges.map((edge) => edge.t).filter(Boolean);
  return svg(
    "g",
    { class: `edge kind-${kind ?? "data"}`, "data-s": s, "data-d": d },
    svg("title", {}, names.slice(0, 8).join("\n") || `${edges.length} tensors`),
    svg("path", { d: path(line.points), "marker-end": "url(#arrow)" }),
  );
}

/** How many tensors the bundles are, or which calls; over all lines, so that none goes through. */
function drawLabels(lines) {
  const taken = [];
  return lines.flatMap(({ bundle: { edges }, points }) => {
    const text = edges.length > 1 ? `×${edges.length}` : callsOf(edges[0]);
    return text ? [svg("text", labelPlace(points, text, taken), text)] : [];
  });
}

/**
 * Draws what is visible of a graph.
 * @returns {{root: SVGGElement, width: number, height: number, boxes: Map}} boxes by their ids.
 */
export function draw(graph, rankdir) {
  const plan = layout(graph, measure(graph), rankdir);
  const frames = svg("g", { class: "frames" });
  const titles = svg("g", { class: "titles" });
  const boxes = svg("g", { class: "boxes" });
  for (const [id, place] of plan.boxes) {
    if (graph.open.has(id)) {
      frames.append(drawFrame(graph, id, place));
      titles.append(drawTitle(graph, id, place));
    } else boxes.append(drawBox(graph, id, place));
  }
  const lines = svg("g", { class: "edges" }, ...plan.lines.map(drawLine));
  const labels = svg("g", { class: "labels" }, ...drawLabels(plan.lines));
  return { ...plan, root: svg("g", { class: "graph" }, frames, lines, titles, labels, boxes) };
}
