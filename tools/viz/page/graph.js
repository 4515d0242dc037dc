/** One view as a tree of clusters, of which some are open, with the edges that can be seen. */

const PHASES = ["forward", "loss", "backward", "metric", "update"];

export class ViewGraph {
  /**
   * @param view what the key `views` of the page's data holds: nodes, edges, clusters.
   */
  constructor(view) {
    this.view = view;
    this.clusters = new Map(view.clusters.map((cluster) => [cluster.id, cluster]));
    this.nodes = new Map(view.nodes.map((node) => [node.id, this.#located(node)]));
    this.open = new Set(view.clusters.filter((c) => c.open).map((c) => c.id));
    this.children = new Map([[null, []], ...view.clusters.map((c) => [c.id, []])]);
    this.#fillChildren();
    this.before = new Map(view.nodes.map((node) => [node.id, []]));
    this.after = new Map(view.nodes.map((node) => [node.id, []]));
    // Links between the calls of one layer carry nothing.
    this.edges = view.edges.filter((edge) => edge.kind !== "shared");
    for (const edge of this.edges) {
      this.after.get(edge.s).push(edge);
      this.before.get(edge.d).push(edge);
    }
    this.sizes = new Map();
    this.#count();
  }

  /** A node with the names of the clusters around it in its path. */
  #located(node) {
    const around = this.clusters.get(node.cluster)?.path;
    return { ...node, path: around ? `${around}/${node.label}` : node.label };
  }

  /**
   * Children in the order of the graph: a cluster stands where its first node does, but the phases
   * of a training step as they run, though the first that an update reads is a variable.
   */
  #fillChildren() {
    const listed = new Set();
    for (const node of this.view.nodes) {
      let id = node.id;
      let around = node.cluster ?? null;
      while (id !== null && !listed.has(id)) {
        listed.add(id);
        this.children.get(around).push(id);
        id = around;
        around = id === null ? null : this.clusters.get(id).parent ?? null;
      }
    }
    const phase = (id) => PHASES.indexOf(this.clusters.get(id)?.label);
    if (this.view.clusters.some(({ kind }) => kind === "phase")) {
      this.children.get(null).sort((a, b) => phase(a) - phase(b));
    }
  }

  /** Closes inner clusters until at most so many boxes are seen, if that can be reached. */
  closeTo(most) {
    const deep = [...this.open].toSorted((a, b) => this.path(b).length - this.path(a).length);
    while (deep.length && this.countShown() > most) {
      const depth = this.path(deep[0]).length;
      while (deep.length && this.path(deep[0]).length === depth) this.open.delete(deep.shift());
    }
  }

  /** Nodes below each cluster; the inner ones were listed after the ones around them. */
  #count() {
    const order = [...this.clusters.keys()];
    order.sort((a, b) => this.path(b).length - this.path(a).length);
    for (const id of order) {
      const sizes = this.children.get(id).map((child) => this.sizes.get(child) ?? 1);
      this.sizes.set(id, sizes.reduce((total, size) => total + size, 0));
    }
  }

  isCluster(id) {
    return this.clusters.has(id);
  }

  /** The cluster directly around a node or a cluster, or null. */
  parent(id) {
    return this.nodes.get(id)?.cluster ?? this.clusters.get(id)?.parent ?? null;
  }

  /** The clusters around a node or a cluster, the outermost first. */
  path(id) {
    const found = [];
    for (let at = this.parent(id); at !== null; at = this.parent(at)) found.unshift(at);
    return found;
  }

  /** What stands for a node: itself, or the outermost closed cluster around it. */
  shown(id) {
    return this.path(id).find((cluster) => !this.open.has(cluster)) ?? id;
  }

  label(id) {
    return (this.nodes.get(id) ?? this.clusters.get(id)).label;
  }

  /** How many boxes are seen if these clusters are open too. */
  countShown(extra = []) {
    const open = new Set([...this.open, ...extra]);
    let total = 0;
    const waiting = [null];
    while (waiting.length) {
      for (const id of this.children.get(waiting.pop())) {
        if (open.has(id)) waiting.push(id);
        else total += 1;
      }
    }
    return total;
  }

  /** Opens the clusters around a node, so that it is seen. */
  reveal(id) {
    for (const cluster of this.path(id)) this.open.add(cluster);
  }

  /** Closes a cluster, or opens it; with `deep` all that it holds as well. */
  toggle(id, deep = false) {
    const opening = !this.open.has(id);
    const waiting = [id];
    while (waiting.length) {
      const cluster = waiting.pop();
      if (opening) this.open.add(cluster);
      else this.open.delete(cluster);
      if (deep) waiting.push(...this.children.get(cluster).filter((c) => this.isCluster(c)));
    }
  }

  /**
   * The edges between what is seen: those with the same ends are one bundle.
   * @returns {{s: string, d: string, kind: string, edges: object[]}[]}
   */
  bundles() {
    const found = new Map();
    for (const edge of this.edges) {
      const s = this.shown(edge.s);
      const d = this.shown(edge.d);
      // An edge to oneself is seen at a node only; in a closed cluster it may be of a part.
      if (s === d && (this.isCluster(s) || edge.s !== edge.d)) continue;
      // Two arrows between the same boxes stay two: add(x, x) has two operands.
      const whole = s === edge.s && d === edge.d;
      const key = `${s} ${d} ${edge.kind}${whole ? ` ${edge.sp} ${edge.dp} ${edge.calls ?? ""}` : ""}`;
      if (!found.has(key)) found.set(key, { s, d, kind: edge.kind, edges: [] });
      found.get(key).edges.push(edge);
    }
    return [...found.values()];
  }

  /** What is known of a node or cluster, or else the sum over what the cluster holds. */
  total(id, read) {
    let sum = null;
    const waiting = [id];
    while (waiting.length) {
      const at = waiting.pop();
      const value = read(this.nodes.get(at) ?? this.clusters.get(at)) ?? null;
      if (value !== null) sum = (sum ?? 0) + value;
      else if (this.isCluster(at)) waiting.push(...this.children.get(at));
    }
    return sum;
  }

  /** All nodes that a node depends on ("before") or that depend on it ("after"). */
  reach(id, direction) {
    const table = direction === "before" ? this.before : this.after;
    const found = new Set();
    const waiting = this.isCluster(id) ? this.members(id) : [id];
    while (waiting.length) {
      for (const edge of table.get(waiting.pop()) ?? []) {
        const next = direction === "before" ? edge.s : edge.d;
        if (!found.has(next)) {
          found.add(next);
          waiting.push(next);
        }
      }
    }
    return found;
  }

  /** The nodes inside a cluster, at any depth. */
  members(id) {
    const found = [];
    const waiting = [id];
    while (waiting.length) {
      for (const child of this.children.get(waiting.pop())) {
        if (this.isCluster(child)) waiting.push(child);
        else found.push(child);
      }
    }
    return found;
  }
}
