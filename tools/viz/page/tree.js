/** The same graph as a tree of list items: the way in for keyboards and screen readers. */

import { html } from "./dom.js";

const MOST = 500;

export class Tree {
  /**
   * @param graph a ViewGraph.
   * @param actions select(id) and toggle(id, deep).
   */
  constructor(graph, actions) {
    this.graph = graph;
    this.actions = actions;
    this.selected = null;
    this.element = html("ul", { role: "tree", "aria-label": "Boxes of the graph", class: "tree" });
    this.element.addEventListener("click", (event) => this.#click(event));
    this.element.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Writes the tree anew; open clusters show what they hold. */
  update(selected) {
    this.selected = selected;
    const items = this.#items(null, 1);
    this.element.replaceChildren(...items);
    const focusable = this.#item(selected) ?? this.element.querySelector("[role=treeitem]");
    focusable?.setAttribute("tabindex", "0");
  }

  /** Brings the selected item into view. */
  follow() {
    this.#item(this.selected)?.scrollIntoView({ block: "nearest" });
  }

  #item(id) {
    return id === null ? null : this.element.querySelector(`[data-id="${CSS.escape(id)}"]`);
  }

  #items(parent, level) {
    const ids = this.graph.children.get(parent);
    const items = ids.slice(0, MOST).map((id) => this.#make(id, level));
    if (ids.length > MOST) items.push(html("li", {}, `and ${ids.length - MOST} more`));
    return items;
  }

  #make(id, level) {
    const cluster = this.graph.isCluster(id);
    const open = this.graph.open.has(id);
    const item = html("li", {
      role: "treeitem",
      tabindex: -1,
      "data-id": id,
      "aria-level": level,
      "aria-selected": id === this.selected ? "true" : "false",
      "aria-expanded": cluster ? String(open) : null,
    });
    item.append(html("span", { class: "label" }, `${cluster ? (open ? "▾ " : "▸ ") : ""}`, this.#text(id)));
    if (cluster && open) item.append(html("ul", { role: "group" }, ...this.#items(id, level + 1)));
    return item;
  }

  #text(id) {
    if (this.graph.isCluster(id)) return `${this.graph.label(id)} (${this.graph.sizes.get(id)})`;
    const node = this.graph.nodes.get(id);
    return node.type && node.type !== node.label ? `${node.label} (${node.type})` : node.label;
  }

  #click(event) {
    const item = event.target.closest("[role=treeitem]");
    if (!item) return;
    const { id } = item.dataset;
    if (this.graph.isCluster(id)) this.actions.toggle(id, event.altKey);
    this.actions.select(id);
    this.#focus(id);
  }

  #focus(id) {
    const item = this.#item(id);
    if (!item) return;
    this.element.querySelector("[tabindex='0']")?.setAttribute("tabindex", "-1");
    item.setAttribute("tabindex", "0");
    item.focus();
  }

  /** Arrow keys, Home, End, Enter as in the WAI-ARIA practice for trees. */
  #key(event) {
    const item = event.target.closest("[role=treeitem]");
    if (!item) return;
    const { id } = item.dataset;
    const items = [...this.element.querySelectorAll("[role=treeitem]")];
    const at = items.indexOf(item);
    const cluster = this.graph.isCluster(id);
    const open = this.graph.open.has(id);
    let next = null;
    if (event.key === "ArrowDown") next = items[at + 1];
    else if (event.key === "ArrowUp") next = items[at - 1];
    else if (event.key === "Home") next = items[0];
    else if (event.key === "End") next = items[items.length - 1];
    else if (event.key === "ArrowRight" && cluster && open) next = items[at + 1];
    else if (event.key === "ArrowLeft" && !open) next = this.#item(this.graph.parent(id));
    else if (["ArrowRight", "ArrowLeft", "Enter", " "].includes(event.key)) {
      if (cluster) this.actions.toggle(id, event.altKey);
      this.actions.select(id);
      this.#focus(id);
      event.preventDefault();
      event.stopPropagation();
      return;
    } else return;
    event.preventDefault();
    event.stopPropagation();
    if (next) {
      this.actions.select(next.dataset.id);
      this.#focus(next.dataset.id);
    }
  }
}
