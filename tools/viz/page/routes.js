/**
 * The bends of an edge. dagre's lines go straight from one rank to the next, and where these are
 * far apart sideways they cut through boxes beside their ends. Here they go along the ranks' depth
 * first and move sideways in the gaps only.
 */

const SIDE = 6;

/** The names of the axis along which ranks follow each other, and of the other. */
export function axesOf(rankdir) {
  return rankdir === "LR" || rankdir === "RL"
    ? { main: "x", depth: "width", cross: "y", breadth: "height" }
    : { main: "y", depth: "height", cross: "x", breadth: "width" };
}

/** Half the depth of each rank, by the place of its middle. */
function halvesOf(g, { main, depth }) {
  const halves = new Map();
  for (const id of g.nodes()) {
    const node = g.node(id);
    const place = Math.round(node[main]);
    halves.set(place, Math.max(halves.get(place) ?? 0, node[depth] / 2));
  }
  return halves;
}

/**
 * A function that gives the points of an edge of a graph that dagre has laid out.
 * @param lanes the points of the edges that dagre did not see.
 * @returns {(from: string, to: string, key: string) => {x: number, y: number}[]}
 */
export function router(g, rankdir, lanes) {
  const axes = axesOf(rankdir);
  const { main, depth, cross, breadth } = axes;
  const halves = halvesOf(g, axes);
  const half = (place) => halves.get(Math.round(place)) ?? 0;
  const point = (a, b) => ({ [main]: a, [cross]: b });

  /** Where an edge meets a box: on the side that faces its rank's gap, near the bend. */
  function ends(node, bend, way) {
    const room = Math.max(0, node[breadth] / 2 - SIDE);
    const at = Math.min(node[cross] + room, Math.max(node[cross] - room, bend[cross]));
    return [
      point(node[main] + (way * node[depth]) / 2, at),
      point(node[main] + way * Math.max(half(node[main]), node[depth] / 2), at),
    ];
  }

  return (from, to, key) => {
    if (lanes.has(key)) return lanes.get(key);
    const [first, last] = [g.node(from), g.node(to)];
    const way = Math.sign(last[main] - first[main]) || 1;
    // An edge that goes up was laid out the other way round.
    const points = g.edge(from, to, key)?.points ?? g.edge(to, from, key).points.toReversed();
    const inner = points.slice(1, -1).flatMap((bend) => {
      const reach = way * half(bend[main]);
      return reach
        ? [point(bend[main] - reach, bend[cross]), point(bend[main] + reach, bend[cross])]
        : [bend];
    });
    const start = ends(first, points[0], way);
    const end = ends(last, points[points.length - 1], -way).toReversed();
    return [...start, ...inner, ...end];
  };
}
