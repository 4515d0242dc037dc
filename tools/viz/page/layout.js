/**
 * Places of boxes and edges. Each open cluster is laid out by dagre on its own and is then one box
 * of the cluster around it, so that opening one costs what it holds. An edge that leaves a cluster
 * goes through a port in its last rank, one that enters through a port in its first, and is drawn
 * as one line.
 */

import { Lanes, longEdges } from "./lanes.js";
import { axesOf, router } from "./routes.js";

const TITLE = 26;
const PADDING = 14;
const LOOP = 12;
const PORT = { width: 8, height: 1 };

/** The cluster that two ids have in common, and the child of it that holds each. */
function meet(graph, s, d) {
  const left = [...graph.path(s), s];
  const right = [...graph.path(d), d];
  let depth = 0;
  while (left[depth] === right[depth]) depth += 1;
  return { at: depth ? left[depth - 1] : null, left: left.slice(depth), right: right.slice(depth) };
}

class Level {
  /** The inside of one cluster: its children, the ports, the edges between them. */
  constructor(ids) {
    this.ids = ids;
    this.edges = new Map();
    this.top = new Set();
    this.bottom = new Set();
  }

  /** Arrows with the same ends are one, unless they have tags. */
  connect(from, to, tag = "") {
    const key = JSON.stringify([from, to, tag]);
    if (!this.edges.has(key)) this.edges.set(key, { from, to });
    return key;
  }

  isPort(id) {
    return this.top.has(id) || this.bottom.has(id);
  }

  /**
   * Puts the children in an order in which edges go down, and those of a circle mostly do: of
   * what waits for nobody, or else of all, the first in the graph comes next.
   */
  sort() {
    const waits = new Map(this.ids.map((id) => [id, new Set()]));
    const after = new Map(this.ids.map((id) => [id, new Set()]));
    for (const { from, to } of this.edges.values()) {
      waits.get(to).add(from);
      after.get(from).add(to);
    }
    const left = new Set(this.ids);
    this.places = new Map();
    while (left.size) {
      let next = null;
      for (const id of left) {
        next ??= id;
        if (waits.get(id).size === 0) {
          next = id;
          break;
        }
      }
      left.delete(next);
      this.places.set(next, this.places.size);
      for (const id of after.get(next)) waits.get(id).delete(next);
    }
  }

  /** Whether an edge between children goes up, against their order. */
  goesUp({ from, to }) {
    return this.places.get(from) > this.places.get(to);
  }

  /** The upper and the lower end of an edge. */
  ends(edge) {
    const up = this.bottom.has(edge.from) || this.top.has(edge.to) || this.goesUp(edge);
    return up ? [edge.to, edge.from] : [edge.from, edge.to];
  }

  /**
   * The rank of each child and port. A child is as high as the edges allow, but one that is read
   * by more than it reads, such as a weight, as low as they do; ports lie above or below them all,
   * so that lines to them go between the boxes.
   */
  ranks() {
    const above = new Map(this.ids.map((id) => [id, []]));
    const below = new Map(this.ids.map((id) => [id, []]));
    for (const edge of this.edges.values()) {
      const [upper, lower] = this.ends(edge);
      if (!above.has(upper) || !above.has(lower)) continue;
      above.get(lower).push(upper);
      below.get(upper).push(lower);
    }
    const rank = new Map();
    const order = [...this.places.keys()];
    for (const id of order) {
      rank.set(id, above.get(id).reduce((most, upper) => Math.max(most, rank.get(upper) + 1), 1));
    }
    for (const id of order.toReversed()) {
      const readers = below.get(id).map((lower) => rank.get(lower));
      if (readers.length > above.get(id).length) rank.set(id, Math.min(...readers) - 1);
    }
    const last = Math.max(...rank.values()) + 1;
    for (const port of this.top) rank.set(port, 0);
    for (const port of this.bottom) rank.set(port, last);
    return rank;
  }
}

/** The inside of each open cluster; those inside others come after them. */
function openLevels(graph) {
  const levels = new Map();
  const waiting = [null];
  while (waiting.length) {
    const at = waiting.pop();
    levels.set(at, new Level(graph.children.get(at)));
    waiting.push(...graph.children.get(at).filter((id) => graph.open.has(id)));
  }
  return levels;
}

/** Cuts the bundles into legs, one for each open cluster that they go through. */
function cutBundles(graph, levels, bundles) {
  const routes = bundles.map((bundle) => {
    const { at, left, right } = meet(graph, bundle.s, bundle.d);
    const [edge] = bundle.edges;
    const tag = bundle.edges.length === 1 ? `${edge.sp} ${edge.dp} ${edge.calls ?? ""}` : "";
    return { bundle, at, left, right, key: levels.get(at).connect(left[0], right[0], tag) };
  });
  for (const level of levels.values()) level.sort();
  return routes.map(({ bundle, at, left, right, key }) => {
    const up = levels.get(at).goesUp(levels.get(at).edges.get(key));
    const legs = [];
    for (let k = left.length - 2; k >= 0; k -= 1) {
      const level = levels.get(left[k]);
      const port = `${up ? "leaves above" : "leaves"} ${bundle.s}`;
      (up ? level.top : level.bottom).add(port);
      legs.push([left[k], level.connect(left[k + 1], port)]);
    }
    legs.push([at, key]);
    for (let k = 0; k + 1 < right.length; k += 1) {
      const level = levels.get(right[k]);
      const port = `${up ? "enters below" : "enters"} ${bundle.s}`;
      (up ? level.bottom : level.top).add(port);
      legs.push([right[k], level.connect(port, right[k + 1])]);
    }
    return { bundle, legs };
  });
}

/** Places one level, whose children have sizes: by dagre, but for the edges that go in lanes. */
function place(level, sizes, rankdir) {
  const g = new dagre.graphlib.Graph({ multigraph: true });
  g.setGraph({ rankdir, nodesep: 26, edgesep: 14, ranksep: 34, ranker: "none" });
  const ranks = level.ranks();
  const long = longEdges(level, ranks);
  const near = [...level.edges].filter(([key]) => !long.has(key));
  const shown = new Set(level.ids.concat(near.flatMap(([, { from, to }]) => [from, to])));
  // dagre puts a rank for labels between any two.
  for (const [id, rank] of ranks) {
    const size = level.isPort(id) ? PORT : sizes.get(id);
    if (shown.has(id)) g.setNode(id, { ...size, rank: 2 * rank });
  }
  for (const [key, edge] of near) {
    g.setEdge(...level.ends(edge), { weight: level.isPort(edge.from) ? 0.5 : 1 }, key);
  }
  dagre.layout(g);
  turn(g, level, ranks, axesOf(rankdir));
  tighten(g, level, axesOf(rankdir));
  const lanes = long.size ? new Lanes(g, level, ranks, long, rankdir).points : new Map();
  return { g, lanes };
}

/** The places of all boxes, ports and bends. */
function places(g) {
  return [...g.nodes().map((id) => g.node(id)), ...g.edges().flatMap((edge) => g.edge(edge).points)];
}

/** Mirrors what dagre found if most boxes and ports stand against their order in the graph. */
function turn(g, level, ranks, { cross, breadth }) {
  const last = new Map();
  let balance = 0;
  for (const id of [...level.ids, ...level.top, ...level.bottom].filter((each) => g.hasNode(each))) {
    const at = g.node(id)[cross];
    const rank = ranks.get(id);
    if (last.has(rank)) balance += Math.sign(at - last.get(rank));
    last.set(rank, at);
  }
  const size = g.graph()[breadth];
  if (balance < 0) for (const each of places(g)) each[cross] = size - each[cross];
}

/** Halves the gaps between the ports at the borders and the boxes; there are no labels there. */
function tighten(g, level, { main, depth }) {
  const boxes = level.ids.map((id) => g.node(id));
  const start = Math.min(...boxes.map((box) => box[main] - box[depth] / 2));
  const end = Math.max(...boxes.map((box) => box[main] + box[depth] / 2));
  const nearer = (at) => at - (Math.min(at, start) + Math.max(0, at - end)) / 2;
  for (const each of places(g)) each[main] = nearer(each[main]);
  g.graph()[depth] = nearer(g.graph()[depth]);
}

/**
 * Lays the visible part of a graph out.
 * @param graph a ViewGraph.
 * @param measure function of an id to {width, height} of its box when closed.
 * @param rankdir TB, LR, BT or RL.
 * @returns {{width, height, boxes: Map<string, {x, y, width, height}>, lines: object[]}} boxes by
 *   their centres; lines have the bundle and their points.
 */
export function layout(graph, measure, rankdir = "TB") {
  const bundles = graph.bundles();
  const levels = openLevels(graph);
  const routes = cutBundles(graph, levels, bundles.filter(({ s, d }) => s !== d));
  const sizes = new Map();
  const placed = new Map();
  // The inner clusters come last in the map: they are placed first.
  for (const [at, level] of [...levels].toReversed()) {
    for (const id of level.ids) if (!levels.has(id)) sizes.set(id, measure(id));
    const { g, lanes } = place(level, sizes, rankdir);
    placed.set(at, { g, lanes });
    const inner = extent(g);
    const title = at === null ? 0 : measure(at).width;
    sizes.set(at, {
      width: Math.max(inner.width + 2 * PADDING, title),
      height: inner.height + 2 * PADDING + TITLE,
    });
  }
  const corners = new Map([[null, { x: 0, y: -TITLE }]]);
  const boxes = new Map();
  for (const [at, level] of levels) {
    const { g } = placed.get(at);
    const corner = corners.get(at);
    const spare = sizes.get(at).width - 2 * PADDING - extent(g).width;
    const left = corner.x + PADDING + spare / 2;
    const top = corner.y + PADDING + TITLE;
    corners.set(at, { ...corner, left, top });
    for (const id of level.ids) {
      const { x, y, width, height } = g.node(id);
      boxes.set(id, { x: left + x, y: top + y, width, height });
      corners.set(id, { x: left + x - width / 2, y: top + y - height / 2 });
    }
  }
  const bends = new Map([...placed].map(([at, { g, lanes }]) => [at, router(g, rankdir, lanes)]));
  const lines = routes.map(({ bundle, legs }) => ({
    bundle,
    points: join(legs, levels, bends, corners),
  }));
  for (const bundle of bundles) {
    if (bundle.s === bundle.d) lines.push({ bundle, points: loop(boxes.get(bundle.s)) });
  }
  const { width, height } = sizes.get(null);
  return { width, height: height - TITLE, boxes, lines };
}

/** The way of an edge from a box to itself, at its right side. */
function loop({ x, y, width, height }) {
  const right = x + width / 2;
  const [low, high] = [y + height / 4, y - height / 4];
  return [
    { x: right, y: low }, { x: right + LOOP, y: low }, { x: right + LOOP, y: high }, { x: right, y: high },
  ];
}

/** What dagre found; of a graph without nodes it says minus infinity. */
function extent(g) {
  const { width, height } = g.graph();
  return g.nodeCount() ? { width, height } : { width: 0, height: 0 };
}

/** The points of all legs, one after the other; where two meet only the port counts. */
function join(legs, levels, bends, corners) {
  const points = [];
  legs.forEach(([at, key], index) => {
    const { from, to } = levels.get(at).edges.get(key);
    const { left, top } = corners.get(at);
    const moved = bends.get(at)(from, to, key).map(({ x, y }) => ({ x: left + x, y: top + y }));
    if (index > 0) {
      if (levels.get(at).isPort(from)) points.pop();
      else moved.shift();
    }
    points.push(...moved);
  });
  return points;
}
