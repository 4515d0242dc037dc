/**
 * Places of boxes and edges. Each open cluster is laid out by dagre on its own and is then one box
 * of the cluster around it, so that opening one costs what it holds. An edge that leaves a cluster
 * goes through a port in its last rank, one that enters through a port in its first, and is drawn
 * as one line.
 */

const TITLE = 26;
const PADDING = 14;
const MANY = 150;

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
    this.exits = new Set();
    this.entries = new Set();
  }

  /** Arrows with the same ends are one, unless they have tags. */
  connect(from, to, tag = "") {
    const key = JSON.stringify([from, to, tag]);
    if (!this.edges.has(key)) this.edges.set(key, { from, to });
    return key;
  }

  /** Longest distance of each child from the top; an edge that closes a circle is left out. */
  ranks() {
    const after = new Map(this.ids.map((id) => [id, []]));
    const waiting = new Map(this.ids.map((id) => [id, 0]));
    for (const { from, to } of this.edges.values()) {
      if (!after.has(from) || !after.has(to)) continue;
      after.get(from).push(to);
      waiting.set(to, waiting.get(to) + 1);
    }
    const rank = new Map(this.ids.map((id) => [id, 0]));
    const ready = this.ids.filter((id) => waiting.get(id) === 0);
    while (ready.length) {
      const id = ready.pop();
      for (const next of after.get(id)) {
        rank.set(next, Math.max(rank.get(next), rank.get(id) + 1));
        waiting.set(next, waiting.get(next) - 1);
        if (waiting.get(next) === 0) ready.push(next);
      }
    }
    return rank;
  }
}

const exitPort = (id) => `exit ${id}`;
const entryPort = (id) => `entry ${id}`;

/** Cuts the bundles into what each open cluster sees of them. */
function levelsOf(graph, bundles) {
  const levels = new Map();
  const waiting = [null];
  while (waiting.length) {
    const at = waiting.pop();
    levels.set(at, new Level(graph.children.get(at)));
    waiting.push(...graph.children.get(at).filter((id) => graph.open.has(id)));
  }
  const routes = bundles.map((bundle) => {
    const { at, left, right } = meet(graph, bundle.s, bundle.d);
    const legs = [];
    for (let k = left.length - 2; k >= 0; k -= 1) {
      const level = levels.get(left[k]);
      level.exits.add(exitPort(bundle.s));
      legs.push([left[k], level.connect(left[k + 1], exitPort(bundle.s))]);
    }
    const [edge] = bundle.edges;
    const tag = bundle.edges.length === 1 ? `${edge.sp} ${edge.dp}` : "";
    legs.push([at, levels.get(at).connect(left[0], right[0], tag)]);
    for (let k = 0; k + 1 < right.length; k += 1) {
      const level = levels.get(right[k]);
      level.entries.add(entryPort(bundle.s));
      legs.push([right[k], level.connect(entryPort(bundle.s), right[k + 1])]);
    }
    return { bundle, legs };
  });
  return { levels, routes };
}

/** Runs dagre on one level; the boxes of its children have sizes. */
function place(level, sizes, rankdir) {
  const g = new dagre.graphlib.Graph({ multigraph: true });
  const many = level.ids.length > MANY;
  g.setGraph({
    rankdir,
    nodesep: 26,
    edgesep: 14,
    ranksep: 34,
    ranker: many ? "longest-path" : "network-simplex",
  });
  for (const id of level.ids) g.setNode(id, { ...sizes.get(id) });
  for (const port of [...level.exits, ...level.entries]) g.setNode(port, { width: 8, height: 1 });
  const ranks = level.ranks();
  const last = Math.max(0, ...ranks.values()) + 1;
  for (const [key, { from, to }] of level.edges) {
    const first = ranks.has(from) ? ranks.get(from) : -1;
    const port = !ranks.has(from) || !ranks.has(to);
    const minlen = port ? Math.max(1, (ranks.get(to) ?? last) - first) : 1;
    g.setEdge(from, to, { minlen, weight: port ? 0.5 : 1 }, key);
  }
  dagre.layout(g);
  return g;
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
  const { levels, routes } = levelsOf(graph, bundles);
  const sizes = new Map();
  const placed = new Map();
  // The inner clusters come last in the map: they are placed first.
  for (const [at, level] of [...levels].toReversed()) {
    for (const id of level.ids) if (!levels.has(id)) sizes.set(id, measure(id));
    const g = place(level, sizes, rankdir);
    placed.set(at, g);
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
    const g = placed.get(at);
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
  const lines = routes.map(({ bundle, legs }) => ({
    bundle,
    points: join(legs, levels, placed, corners),
  }));
  const { width, height } = sizes.get(null);
  return { width, height: height - TITLE, boxes, lines };
}

/** What dagre found; of a graph without nodes it says minus infinity. */
function extent(g) {
  const { width, height } = g.graph();
  return g.nodeCount() ? { width, height } : { width: 0, height: 0 };
}

/** The points of all legs, one after the other; where two meet only the port counts. */
function join(legs, levels, placed, corners) {
  const points = [];
  legs.forEach(([at, key], index) => {
    const { from, to } = levels.get(at).edges.get(key);
    const { left, top } = corners.get(at);
    const own = placed.get(at).edge(from, to, key).points;
    const moved = own.map(({ x, y }) => ({ x: left + x, y: top + y }));
    if (index > 0) {
      if (levels.get(at).entries.has(from)) points.pop();
      else moved.shift();
    }
    points.push(...moved);
  });
  return points;
}
