/** What each pass did: the graph before and after it, side by side, with what changed marked. */

import { html, number } from "./dom.js";
import { makePane } from "./pane.js";

function line(text) {
  return html("p", {}, text);
}

/** The same sign for all boxes. */
function marks(ids, sign) {
  return new Map(ids.map((id) => [id, sign]));
}

export class PassesTab {
  /**
   * @param passes steps with pass, ms, before and after (numbers), rules, and the number of the
   *   view before and after; ids in views are those of nodes, so that what stays has one id.
   * @param views the views that the steps name.
   * @param hooks as of a graph's tab.
   */
  constructor(passes, views, hooks) {
    this.passes = passes;
    this.views = views;
    this.hooks = hooks;
    this.at = 0;
    this.list = html("ol", { class: "passes", "aria-label": "Passes" });
    this.facts = html("div", { class: "pass-facts", "aria-live": "polite" });
    this.panes = html("div", { class: "panes" });
    this.element = html(
      "div",
      { class: "passes-tab" },
      html("nav", { class: "side", "aria-label": "Passes" }, this.#stepper(), this.list, this.facts),
      this.panes,
    );
    this.element.addEventListener("keydown", (event) => {
      if (event.target.tagName === "INPUT") return;
      if (event.key === "]") this.step(this.at + 1);
      if (event.key === "[") this.step(this.at - 1);
    });
  }

  #stepper() {
    const button = (label, name, by) =>
      html("button", { type: "button", "aria-label": name, onclick: () => this.step(this.at + by) },
        label);
    return html("div", { class: "stepper" },
      button("[ previous", "previous pass", -1), button("next ]", "next pass", 1));
  }

  show() {
    if (!this.list.children.length) this.step(this.at);
  }

  /** Shows a pass. */
  step(index) {
    this.at = Math.min(this.passes.length - 1, Math.max(0, index));
    const now = this.passes[this.at];
    this.list.replaceChildren(...this.passes.map((pass, k) => this.#item(pass, k)));
    const [before, after] = [this.views[now.view_before], this.views[now.view_after]];
    const [old, fresh] = [before, after].map(({ nodes }) => new Set(nodes.map((node) => node.id)));
    const removed = [...old].filter((id) => !fresh.has(id));
    const added = [...fresh].filter((id) => !old.has(id));
    const left = makePane("before", before, marks(removed, "removed"), this.hooks);
    const right = makePane("after", after, marks(added, "added"), this.hooks);
    this.panes.replaceChildren(left.element, right.element);
    left.show();
    right.show();
    this.facts.replaceChildren(...this.#facts(now, removed.length, added.length));
    this.hooks.changed();
  }

  #item(pass, k) {
    const act = { type: "button", onclick: () => this.step(k) };
    if (k === this.at) act["aria-current"] = "step";
    const fired = pass.rules.reduce((sum, rule) => sum + rule.count, 0);
    const change = `${pass.before.nodes} → ${pass.after.nodes} nodes`;
    return html("li", {}, html("button", act, `${pass.pass}: ${change}${fired ? `, ${fired} fired` : ""}`));
  }

  #facts(pass, removed, added) {
    const rules = pass.rules.map((rule) => html("li", {}, `${rule.name} ×${rule.count}`));
    return [
      html("h2", {}, pass.pass),
      line(`${removed} boxes removed (−), ${added} added (+), ${number(pass.ms)} ms.`),
      line(`operations ${number(pass.before.flops)} → ${number(pass.after.flops)}`),
      line(`bytes moved ${number(pass.before.bytes)} → ${number(pass.after.bytes)}`),
      rules.length ? html("ul", {}, ...rules) : line("No rule fired."),
    ];
  }

  get state() {
    return { pass: this.at };
  }

  set state({ pass }) {
    if (pass !== undefined) this.step(Number(pass));
  }
}
