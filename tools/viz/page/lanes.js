/**
 * Lanes for long edges at the sides of a cluster. dagre gives an edge a place in every rank that it
 * passes, and takes seconds for a hundred edges that pass a hundred ranks. In a lane an edge goes
 * from its box into the gap between two ranks, along it to the side, past the ranks, and back along
 * the gap before its other box. Edges from one place share a lane.
 */

import { axesOf } from "./routes.js";

// Without lanes dagre may have so many places; with them, those of edges over few ranks.
const PLACES = 400;
const FEW = 2;
const ASIDE = 14;
const APART = 6;
const SIDE = 6;

/** The keys of the edges of a level that go in lanes. */
export function longEdges(level, ranks) {
  const span = ({ from, to }) => Math.abs(ranks.get(from) - ranks.get(to));
  const edges = [...level.edges];
  const places = edges.reduce((sum, [, edge]) => sum + 2 * (span(edge) - 1), 0);
  const long = places > PLACES ? edges.filter(([, edge]) => span(edge) > FEW) : [];
  return new Set(long.map(([key]) => key));
}

/** The rows of boxes as the edges go down: where each starts and ends. */
function rowsOf(g, ranks, { main, depth }, way) {
  const rows = new Map();
  for (const id of g.nodes()) {
    const node = g.node(id);
    const ends = [-node[depth] / 2, node[depth] / 2].map((half) => way * node[main] + half);
    const row = rows.get(ranks.get(id));
    if (row) [row.start, row.end] = [Math.min(row.start, ends[0]), Math.max(row.end, ends[1])];
    else rows.set(ranks.get(id), { start: ends[0], end: ends[1] });
  }
  const order = [...rows.keys()].toSorted((a, b) => a - b);
  return { rows: order.map((rank) => rows.get(rank)), index: new Map(order.map((r, k) => [r, k])) };
}

class Lane {
  /** What the edges from one place have in common. */
  constructor() {
    this.edges = [];
    this.first = Infinity;
    this.last = -Infinity;
    this.tracks = new Map();
    this.sum = 0;
    this.boxes = 0;
  }

  overlaps(other) {
    return this.first <= other.last && other.first <= this.last;
  }
}

export class Lanes {
  /**
   * @param g what dagre made of the other edges and of the boxes; it is moved to make room.
   * @param level the inside of a cluster.
   * @param ranks of its boxes and ports.
   * @param keys the edges that go in lanes.
   */
  constructor(g, level, ranks, keys, rankdir) {
    this.g = g;
    this.axes = axesOf(rankdir);
    this.way = rankdir === "BT" || rankdir === "RL" ? -1 : 1;
    this.size = g.graph()[this.axes.breadth];
    Object.assign(this, rowsOf(g, ranks, this.axes, this.way));
    this.uses = new Map();
    const lanes = this.#group(level, ranks, keys);
    this.#chooseSides(lanes);
    this.#chooseTracks(lanes);
    this.points = new Map(
      lanes.flatMap((lane) => lane.edges.map((edge) => [edge.key, this.#points(lane, edge)])),
    );
    this.#makeRoom();
  }

  /** One lane for each place that long edges start from; gap k lies before row k. */
  #group(level, ranks, keys) {
    const lanes = new Map();
    const order = level.ids.concat([...level.top], [...level.bottom]);
    const number = new Map(order.map((id, k) => [id, k]));
    for (const key of keys) {
      const edge = level.edges.get(key);
      const up = ranks.get(edge.from) > ranks.get(edge.to);
      const [upper, lower] = up ? [edge.to, edge.from] : [edge.from, edge.to];
      const lane = lanes.get(edge.from) ?? new Lane();
      lanes.set(edge.from, lane);
      // A port that only lanes reach has no place but theirs, at the border.
      const below = this.g.hasNode(upper) ? this.index.get(ranks.get(upper)) + 1 : -1;
      const above = this.g.hasNode(lower) ? this.index.get(ranks.get(lower)) : this.rows.length + 1;
      lane.edges.push({ key, up, upper, lower, below, above });
      lane.first = Math.min(lane.first, below);
      lane.last = Math.max(lane.last, above);
      for (const id of [upper, lower].filter((end) => this.g.hasNode(end))) {
        lane.sum += this.g.node(id)[this.axes.cross];
        lane.boxes += 1;
      }
    }
    return [...lanes].toSorted((a, b) => number.get(a[0]) - number.get(b[0])).map(([, lane]) => lane);
  }

  /** The side of each lane and how far out it is: short ones inside, so that few lines cross. */
  #chooseSides(lanes) {
    this.slots = { "-1": [], 1: [] };
    for (const lane of lanes.toSorted((a, b) => a.last - a.first - (b.last - b.first))) {
      lane.side = lane.sum / lane.boxes < this.size / 2 - 1 ? -1 : 1;
      const slots = this.slots[lane.side];
      let at = slots.findIndex((slot) => !slot.some((other) => lane.overlaps(other)));
      if (at < 0) at = slots.push([]) - 1;
      slots[at].push(lane);
      lane.cross = lane.side < 0 ? -ASIDE - at * APART : this.size + ASIDE + at * APART;
    }
  }

  /** Where in a gap each lane turns. */
  #chooseTracks(lanes) {
    const turns = new Map();
    for (const lane of lanes) {
      for (const gap of new Set(lane.edges.flatMap(({ below, above }) => [below, above]))) {
        if (!turns.has(gap)) turns.set(gap, []);
        turns.get(gap).push(lane);
      }
    }
    for (const [gap, found] of turns) {
      const start = this.rows[gap - 1]?.end ?? this.rows[0].start - ASIDE;
      const end = this.rows[gap]?.start ?? start + ASIDE;
      found.forEach((lane, k) => {
        lane.tracks.set(gap, start + ((k + 1) * (end - start)) / (found.length + 1));
      });
    }
  }

  #points(lane, { up, upper, lower, below, above }) {
    const points = [
      ...this.#end(lane, upper, below, 1),
      ...this.#end(lane, lower, above, -1).toReversed(),
    ];
    return up ? points.toReversed() : points;
  }

  /** From a box through its gap to the lane, or from the border. */
  #end(lane, id, gap, down) {
    if (!this.g.hasNode(id)) {
      const border = down > 0 ? this.rows[0].start : this.rows[this.rows.length - 1].end;
      return [this.#point(border, lane.cross)];
    }
    const box = this.g.node(id);
    const use = `${down} ${lane.side} ${id}`;
    const before = this.uses.get(use) ?? 0;
    this.uses.set(use, before + 1);
    const aside = Math.max(0, box[this.axes.breadth] / 2 - SIDE - 5 * before);
    const at = box[this.axes.cross] + lane.side * aside;
    const border = this.way * box[this.axes.main] + (down * box[this.axes.depth]) / 2;
    const track = lane.tracks.get(gap);
    return [
      this.#point(border, at), this.#point(track, at), this.#point(track, lane.cross),
    ];
  }

  #point(along, cross) {
    return { [this.axes.main]: this.way * along, [this.axes.cross]: cross };
  }

  /** Moves everything by what the lanes on the near side take. */
  #makeRoom() {
    const [near, far] = [-1, 1].map((side) => this.slots[side].length)
      .map((count) => (count ? ASIDE + count * APART : 0));
    const { cross, breadth } = this.axes;
    const bends = this.g.edges().flatMap((edge) => this.g.edge(edge).points);
    const nodes = this.g.nodes().map((id) => this.g.node(id));
    for (const place of [...nodes, ...bends, ...this.points.values()].flat()) {
      place[cross] += near;
    }
    this.g.graph()[breadth] = this.size + near + far;
  }
}
