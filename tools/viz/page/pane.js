/** One of two graphs that stand side by side: its picture, with the boxes that differ marked. */

import { html } from "./dom.js";
import { GraphTab } from "./graph_tab.js";

/**
 * @param name what stands above the picture.
 * @param view a view of the page's data.
 * @param signs Map of a box to added, removed or changed.
 * @param hooks as of a graph's tab.
 * @returns {{element: HTMLElement, tab: GraphTab, show: () => void}}
 */
export function makePane(name, view, signs, hooks) {
  const tab = new GraphTab(view, { say: hooks.say, changed: () => {} }, ` ${name}`);
  const ids = [...signs.keys()];
  tab.signs = signs;
  let at = -1;
  const go = (by) => {
    at = (at + by + ids.length) % ids.length;
    tab.point(ids[at]);
    hooks.say(`${signs.get(ids[at])} ${at + 1} of ${ids.length}: ${tab.graph.label(ids[at])}`);
  };
  const kinds = [...new Set(signs.values())].toSorted();
  const counts = kinds.map((kind) =>
    `${ids.filter((id) => signs.get(id) === kind).length} ${kind}`);
  const step = (text, by) => html("button", { type: "button", onclick: () => go(by),
    "aria-label": `${by > 0 ? "next" : "previous"} ${kinds.join(" or ")} box` }, text);
  const said = [`${view.nodes.length} boxes`, ...counts].join(", ");
  const head = html("div", { class: "pane-head" }, html("h2", {}, `${name}: ${said}`),
    ...(ids.length ? [step("<", -1), step(">", 1)] : []));
  const element = html("section", { class: "pane", "aria-label": name }, head, tab.element);
  const show = () => {
    tab.show();
    if (ids.length) go(1);
  };
  return { element, tab, show };
}
