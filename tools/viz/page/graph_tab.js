/** A tab that shows a graph: the tree, the picture, the panel, and what joins them. */

import { available, paint } from "./colors.js";
import { html } from "./dom.js";
import { draw } from "./draw.js";
import { ViewGraph } from "./graph.js";
import { showFacts } from "./panel.js";
import { search } from "./search.js";
import { Tree } from "./tree.js";
import { Viewport } from "./viewport.js";

// More boxes than these are slow to draw and cannot be read.
const MOST = 2000;
const FOUND = 200;
// What a first look shows at most, and the scale below which it cannot be read.
const FIRST = 80;
const READABLE = 0.55;

function button(label, name, act) {
  return html("button", { type: "button", "aria-label": name, title: name, onclick: act }, label);
}

export class GraphTab {
  /**
   * @param view a view of the page's data.
   * @param hooks say(text) for messages, changed() when what a link should restore has changed.
   * @param which tells the tab's parts from those of another that is seen with it.
   */
  constructor(view, hooks, which = "") {
    this.graph = new ViewGraph(view);
    this.graph.closeTo(FIRST);
    this.hooks = hooks;
    this.selected = null;
    this.marked = new Map();
    this.signs = new Map();
    const measures = available(this.graph);
    this.usual = measures.some(([name]) => name === view.color_by) ? view.color_by : "role";
    this.color = this.usual;
    this.found = [];
    this.drawn = false;
    const actions = {
      select: (id) => this.select(id),
      toggle: (id, deep) => this.toggle(id, deep),
    };
    this.viewport = new Viewport(`Picture of ${view.title ?? "the graph"}${which}`);
    this.tree = new Tree(this.graph, actions);
    this.panel = html("aside", { class: "facts", "aria-label": `Selected box${which}`, tabindex: 0 });
    this.results = html("ul", { class: "results", "aria-label": "Found" });
    this.legend = html("span", { class: "legend" });
    this.element = html(
      "div",
      { class: "graph-tab" },
      html("nav", { "aria-label": `Boxes${which}`, class: "side" }, this.#searchBox(), this.results,
        this.tree.element),
      html("div", { class: "picture" }, this.#toolbar(), this.viewport.element),
      this.panel,
    );
    this.viewport.element.addEventListener("click", (event) => this.#click(event));
    this.viewport.element.addEventListener("dblclick", (event) => this.#open(event));
    this.viewport.element.addEventListener("keydown", (event) => this.#key(event));
    this.viewport.element.addEventListener("pointerover", (event) => this.#hover(event));
    showFacts(this.panel, this.graph, null, actions.select);
  }

  #searchBox() {
    this.input = html("input", {
      type: "search",
      placeholder: "search ( / )",
      "aria-label": "Search: words, op:matmul, shape:*,64, params>1e6, /regex/",
      oninput: () => this.find(this.input.value),
      onkeydown: (event) => {
        if (event.key === "Enter" && this.found.length) this.go(this.found[0]);
        if (event.key === "Escape") this.find((this.input.value = ""));
        if (event.key === "ArrowDown") this.results.querySelector("button")?.focus();
      },
    });
    return this.input;
  }

  #toolbar() {
    const choices = available(this.graph).map(([name, text]) =>
      html("option", { value: name, selected: name === this.color }, text));
    const chooser = html(
      "select",
      { "aria-label": "Colour by", onchange: () => this.paint(chooser.value) },
      ...choices,
    );
    this.chooser = chooser;
    return html(
      "div",
      { class: "toolbar", role: "toolbar", "aria-label": "Picture" },
      button("+", "zoom in", () => this.viewport.zoom(1.25)),
      button("−", "zoom out", () => this.viewport.zoom(0.8)),
      button("fit", "show all", () => this.viewport.fit()),
      button("open all", "open all clusters", () => this.openAll()),
      button("close all", "close all clusters", () => this.closeAll()),
      html("label", {}, "colour ", chooser),
      this.legend,
    );
  }

  /** Draws if that was not done; a hidden tab cannot be measured. */
  show() {
    if (this.drawn) return;
    this.drawn = true;
    this.#begin();
  }

  /** Draws, and shows the whole picture or its beginning. */
  #begin() {
    this.redraw();
    this.viewport.fit(READABLE, this.picture.boxes.get(this.graph.children.get(null)[0]));
  }

  redraw() {
    this.picture = draw(this.graph, this.graph.view.rankdir);
    this.viewport.show(this.picture);
    this.hovered = null;
    paint(this.graph, this.picture.root, this.color, this.legend);
    this.tree.update(this.selected);
    this.#highlight();
  }

  paint(name) {
    this.color = name;
    this.chooser.value = name;
    if (this.drawn) this.redraw();
    this.hooks.changed();
  }

  /** Opens or closes a cluster; it stays where it is in the window. */
  toggle(id, deep = false) {
    const extra = deep && !this.graph.open.has(id) ? [id, ...this.graph.clusters.keys()] : [id];
    if (!this.graph.open.has(id) && this.graph.countShown(extra) > MOST) {
      this.hooks.say(`${this.graph.label(id)} would show more than ${MOST} boxes; open an inner one.`);
      return;
    }
    const before = this.#corner(id);
    this.graph.toggle(id, deep);
    this.redraw();
    const after = this.#corner(id);
    if (before && after) this.viewport.keep(before, after);
    this.hooks.changed();
  }

  #corner(id) {
    const box = this.picture?.boxes.get(id);
    return box && { x: box.x, y: box.y - box.height / 2 };
  }

  openAll() {
    const all = [...this.graph.clusters.keys()];
    if (this.graph.countShown(all) > MOST) {
      this.hooks.say(`All clusters open would show more than ${MOST} boxes.`);
      return;
    }
    for (const id of all) this.graph.open.add(id);
    this.redraw();
    this.viewport.fit();
    this.hooks.changed();
  }

  closeAll() {
    this.graph.open.clear();
    this.redraw();
    this.viewport.fit();
    this.hooks.changed();
  }

  select(id) {
    this.selected = id;
    this.marked.clear();
    showFacts(this.panel, this.graph, id, (other) => this.go(other));
    this.#highlight();
    this.tree.update(id);
    this.tree.follow();
    this.hooks.changed();
  }

  /** Selects a node, and goes there unless it is seen already. */
  point(id) {
    const place = this.picture.boxes.get(id);
    if (place && this.viewport.sees(place)) this.select(id);
    else this.go(id);
  }

  /** Selects a node wherever it is: opens what hides it and brings it to the middle. */
  go(id) {
    const hidden = this.graph.shown(id) !== id;
    this.graph.reveal(id);
    if (hidden) this.redraw();
    this.select(id);
    this.viewport.center(this.picture.boxes.get(id));
  }

  find(query) {
    let message = "";
    try {
      this.found = search(this.graph, query);
      message = query.trim() ? `${this.found.length} found` : "";
    } catch (error) {
      this.found = [];
      message = error.message;
    }
    const items = this.found.slice(0, FOUND).map((id) =>
      html("li", {}, html("button", { type: "button", onclick: () => this.go(id) },
        this.graph.nodes.get(id).path ?? this.graph.label(id))));
    this.results.replaceChildren(html("li", { class: "count" }, message), ...items);
    this.#highlight();
  }

  #highlight() {
    if (!this.picture) return;
    const found = new Map();
    for (const id of this.found) {
      const shown = this.graph.shown(id);
      found.set(shown, (found.get(shown) ?? 0) + 1);
    }
    const signs = new Map([...this.signs].map(([id, sign]) => [this.graph.shown(id), sign]));
    for (const box of this.picture.root.querySelectorAll("[data-id]")) {
      const { id } = box.dataset;
      box.classList.toggle("selected", id === this.selected);
      box.classList.toggle("found", found.has(id));
      for (const name of ["before", "after"]) {
        box.classList.toggle(name, this.marked.get(id) === name);
      }
      for (const name of ["added", "removed", "changed"]) {
        box.classList.toggle(name, signs.get(id) === name);
      }
    }
  }

  /** The box under the pointer, which may have been covered when the button went down. */
  #boxOf({ target, clientX, clientY }) {
    const covered = target === this.viewport.element;
    const under = covered ? document.elementFromPoint(clientX, clientY) : target;
    return under?.closest("[data-id]")?.dataset.id ?? null;
  }

  #click(event) {
    if (this.viewport.dragged > 4) return;
    const id = this.#boxOf(event);
    if (event.altKey && id !== null && this.graph.isCluster(id)) this.toggle(id, true);
    this.select(id);
  }

  #open(event) {
    const id = this.#boxOf(event);
    if (id !== null && this.graph.isCluster(id)) this.toggle(id, event.altKey);
  }

  /** All arrows that carry the same tensor as the one under the pointer. */
  #hover(event) {
    const source = event.target.closest(".edge")?.dataset.s ?? null;
    if (source === this.hovered) return;
    this.hovered = source;
    for (const edge of this.picture.root.querySelectorAll(".edge")) {
      edge.classList.toggle("hover", edge.dataset.s === source);
    }
  }

  #key(event) {
    const { key } = event;
    if (key === "+" || key === "=") this.viewport.zoom(1.25);
    else if (key === "-") this.viewport.zoom(0.8);
    else if (key === "0") this.viewport.fit();
    else if (key === "Enter" && this.selected && this.graph.isCluster(this.selected)) {
      this.toggle(this.selected, event.altKey);
    } else if (key === "u" || key === "d") this.#reach(key === "u" ? "before" : "after");
    else if (key === "Escape") this.select(null);
    else if (key.startsWith("Arrow")) this.#step(key);
    else return;
    event.preventDefault();
  }

  /** Marks what the selected box depends on, or what depends on it. */
  #reach(direction) {
    if (this.selected === null) return;
    const nodes = this.graph.reach(this.selected, direction);
    this.marked = new Map([...nodes].map((id) => [this.graph.shown(id), direction]));
    this.#highlight();
    this.hooks.say(`${nodes.size} nodes ${direction} ${this.graph.label(this.selected)}`);
  }

  /** Goes along an arrow, or to the neighbour on the same height. */
  #step(key) {
    const boxes = this.picture.boxes;
    const here = boxes.get(this.selected);
    let next = null;
    if (!here) next = [...boxes.keys()].find((id) => !this.graph.open.has(id));
    else if (key === "ArrowUp" || key === "ArrowDown") {
      const [from, to] = key === "ArrowUp" ? ["d", "s"] : ["s", "d"];
      const leads = (bundle) => bundle[from] === this.selected && bundle[to] !== this.selected;
      next = this.graph.bundles().find(leads)?.[to];
    } else {
      const side = key === "ArrowLeft" ? -1 : 1;
      const beside = [...boxes].filter(([id, box]) =>
        id !== this.selected && (box.x - here.x) * side > 0 && Math.abs(box.y - here.y) < 40);
      beside.sort((a, b) => Math.abs(a[1].x - here.x) - Math.abs(b[1].x - here.x));
      next = beside[0]?.[0];
    }
    if (!next) return;
    this.select(next);
    this.viewport.center(boxes.get(next));
  }

  /** What a link needs to restore the tab. */
  get state() {
    const color = this.color === this.usual ? null : this.color;
    return { sel: this.selected, open: [...this.graph.open], color };
  }

  set state({ sel, open, color }) {
    if (open) this.graph.open = new Set(open.filter((id) => this.graph.isCluster(id)));
    if (color && [...this.chooser.options].some((o) => o.value === color)) this.paint(color);
    if (this.drawn) this.#begin();
    if (sel && (this.graph.nodes.has(sel) || this.graph.isCluster(sel))) this.go(sel);
  }
}
