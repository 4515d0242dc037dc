/** Finding nodes: words, `op:matmul`, `dtype:`, `shape:*,64`, `params>1e6`, `/regular expression/`. */

function everything(node) {
  return [node.label, node.type, node.op, node.path].filter(Boolean).join(" ").toLowerCase();
}

function ofShape(pattern) {
  const wanted = pattern.split(",").map((size) => size.trim());
  return (node) =>
    node.shape?.length === wanted.length &&
    wanted.every((size, axis) => size === "*" || size === String(node.shape[axis]));
}

function compare(name, sign, limit) {
  const read = {
    params: (node) => node.params ?? 0,
    ms: (node) => node.cost?.ms ?? 0,
    flops: (node) => node.cost?.flops ?? 0,
    bytes: (node) => node.cost?.bytes ?? 0,
  }[name];
  const bound = Number(limit);
  return (node) => (sign === ">" ? read(node) > bound : read(node) < bound);
}

/** A function that says whether a node matches one word of a query. */
function term(word) {
  const field = /^(op|type|dtype|shape|role):(.+)$/.exec(word);
  if (field?.[1] === "shape") return ofShape(field[2]);
  if (field) {
    const wanted = field[2].toLowerCase();
    return (node) => String(node[field[1]] ?? "").toLowerCase().includes(wanted);
  }
  const bound = /^(params|ms|flops|bytes)([<>])([\d.e+-]+)$/i.exec(word);
  if (bound) return compare(bound[1].toLowerCase(), bound[2], bound[3]);
  return (node) => everything(node).includes(word.toLowerCase());
}

/**
 * The nodes that match all words of a query, in the order of the graph.
 * @throws {SyntaxError} if a regular expression is none.
 */
export function search(graph, query) {
  const text = query.trim();
  if (!text) return [];
  const pattern = /^\/(.+)\/$/.exec(text);
  let matches;
  if (pattern) {
    const wanted = new RegExp(pattern[1], "i");
    matches = (node) => wanted.test(everything(node));
  } else {
    const terms = text.split(/\s+/).map(term);
    matches = (node) => terms.every((fits) => fits(node));
  }
  return [...graph.nodes.values()].filter(matches).map((node) => node.id);
}
