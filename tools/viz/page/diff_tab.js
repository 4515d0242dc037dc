/** Two graphs side by side, and a list of what differs that leads to the boxes. */

import { html } from "./dom.js";
import { makePane } from "./pane.js";

const SIGNS = { removed: "−", added: "+", changed: "~" };

export class DiffTab {
  /**
   * @param diff names of the two graphs, lines of what differs in their signatures, and items, each
   *   with kind, text, fields (name, before, after) and the boxes in the first and second view.
   * @param views of the two graphs.
   * @param hooks as of a graph's tab.
   */
  constructor(diff, views, hooks) {
    this.panes = views.map((view, side) => {
      const signs = new Map();
      for (const item of diff.items) for (const id of item.boxes[side]) signs.set(id, item.kind);
      return makePane(diff.names[side], view, signs, hooks);
    });
    const same = !diff.items.length && !diff.signature.length;
    const lines = same ? ["Nothing differs."] : diff.signature;
    const rows = diff.items.map((item) => this.#row(item));
    this.element = html(
      "div",
      { class: "passes-tab" },
      html("nav", { class: "side", "aria-label": "Differences" },
        ...lines.map((line) => html("p", {}, line)),
        html("ol", { class: "passes", "aria-label": "Differences" }, ...rows)),
      html("div", { class: "panes" }, ...this.panes.map((pane) => pane.element)),
    );
  }

  #row(item) {
    const go = () => item.boxes.forEach(([id], side) => {
      if (id !== undefined) this.panes[side].tab.point(id);
    });
    const text = `${SIGNS[item.kind]} ${item.text}`;
    const fields = item.fields.map(({ name, before, after }) =>
      html("li", {}, `${name}: ${before} → ${after}`));
    return html("li", {}, html("button", { type: "button", onclick: go }, text),
      ...(fields.length ? [html("ul", {}, ...fields)] : []));
  }

  show() {
    if (this.shown) return;
    this.shown = true;
    for (const pane of this.panes) pane.show();
  }

  get state() {
    return {};
  }

  set state(_) {}
}
