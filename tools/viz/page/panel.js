/** The panel beside the picture: all that is known of the selected box. */

import { html, number, shape } from "./dom.js";

function row(name, value) {
  if (value === undefined || value === null || value === "") return [];
  return [html("dt", {}, name), html("dd", {}, value)];
}

function link(graph, id, select) {
  return html("button", { class: "link", type: "button", onclick: () => select(id) }, graph.label(id));
}

function calls(sharing) {
  if (!sharing) return null;
  return sharing[0] ? `call ${sharing[0]} of ${sharing[1]}` : `calls #1 to #${sharing[1]}`;
}

/** What the overlays of the view say of a node or cluster. */
function overlays(graph, id) {
  return (graph.view.overlays ?? []).flatMap(({ name, unit, nodes }) =>
    row(name, nodes[id] === undefined ? null : `${nodes[id]} ${unit ?? ""}`.trim()));
}

function links(graph, ids, select) {
  const items = [...new Set(ids)].map((id) => html("li", {}, link(graph, id, select)));
  return items.length ? html("ul", { class: "links" }, ...items) : "none";
}

function costs(cost = {}) {
  return [
    ...row("time", cost.ms === undefined ? null : `${number(cost.ms)} ms`),
    ...row("operations", cost.flops === undefined ? null : number(cost.flops)),
    ...row("bytes moved", cost.bytes === undefined ? null : number(cost.bytes)),
  ];
}

function lines(texts) {
  return texts?.length ? html("ul", { class: "links" }, ...texts.map((t) => html("li", {}, t))) : null;
}

function source(src) {
  if (!src) return null;
  const text = src.line ? `${src.file}:${src.line}` : src.file;
  const copy = () => navigator.clipboard?.writeText(text);
  return html("span", {}, html("code", {}, text), " ",
    html("button", { type: "button", onclick: copy, "aria-label": `copy ${text}` }, "copy"));
}

function ofNode(graph, id, select) {
  const node = graph.nodes.get(id);
  return html(
    "dl",
    {},
    ...row("op", node.op),
    ...row("class", node.type),
    ...row("layer", node.path),
    ...row("shape", node.shape && shape(node.shape)),
    ...row("dtype", node.dtype),
    ...row("parameters", node.params && number(node.params)),
    ...row("trainable", node.params && { true: "yes", false: "no" }[node.trainable]),
    ...row("role", node.role),
    ...row("activation", node.activation),
    ...row("shared", calls(node.sharing)),
    ...row("attributes", lines(node.details)),
    ...costs(node.cost),
    ...overlays(graph, id),
    ...row("written at", source(node.src)),
    ...row("made by", lines(node.lineage)),
    ...row("reads", links(graph, graph.before.get(id).map((edge) => edge.s), select)),
    ...row("read by", links(graph, graph.after.get(id).map((edge) => edge.d), select)),
  );
}

function ofCluster(graph, id, select) {
  const params = graph.total(id, (item) => item.params);
  return html(
    "dl",
    {},
    ...row("class", graph.clusters.get(id).type),
    ...row("nodes", number(graph.sizes.get(id))),
    ...row("shared", calls(graph.clusters.get(id).sharing)),
    ...row("times", graph.clusters.get(id).repeat > 1 ? graph.clusters.get(id).repeat : null),
    ...row("parameters", params ? number(params) : null),
    ...costs({
      ms: graph.total(id, (item) => item.cost?.ms) ?? undefined,
      flops: graph.total(id, (item) => item.cost?.flops) ?? undefined,
    }),
    ...overlays(graph, id),
    ...row("holds", links(graph, graph.children.get(id).slice(0, 100), select)),
  );
}

/** What is known of the whole graph. */
function ofGraph(graph) {
  const params = graph.view.nodes.reduce((sum, node) => sum + (node.params ?? 0), 0);
  return html(
    "dl",
    {},
    ...row("boxes", number(graph.view.nodes.length)),
    ...row("clusters", graph.clusters.size ? number(graph.clusters.size) : null),
    ...row("parameters", params ? number(params) : null),
  );
}

/** Writes what is known of a box into the panel. */
export function showFacts(panel, graph, id, select) {
  if (id === null) {
    const hint = html("p", { class: "hint" }, "Select a box to see what is known of it.");
    panel.replaceChildren(html("h2", {}, "The whole graph"), ofGraph(graph), hint);
    return;
  }
  const facts = graph.isCluster(id) ? ofCluster : ofNode;
  panel.replaceChildren(html("h2", {}, graph.label(id)), facts(graph, id, select));
}
