/** What the steps of a real run took: a table to sort, joined to the boxes of a graph. */

import { html, number } from "./dom.js";

const COLUMNS = ["name", "op", "calls", "ms", "share", "flops", "bytes", "gflops"];
const TITLES = ["layer", "op", "calls", "ms", "% of all", "operations", "bytes moved", "GFLOP/s"];

export class ProfileTab {
  /**
   * @param profile runs, notes (lines above the table), and rows with name, op, calls, ms, flops, bytes and perhaps the id of a node.
   * @param go function of an id that shows the node.
   */
  constructor(profile, go) {
    const total = profile.rows.reduce((sum, row) => sum + row.ms, 0) || 1;
    this.rows = profile.rows.map((row) => ({
      ...row,
      share: (100 * row.ms) / total,
      gflops: row.ms ? row.flops / row.ms / 1e6 : 0,
    }));
    this.go = go;
    this.body = html("tbody");
    this.heads = COLUMNS.map((column, k) =>
      html("th", { scope: "col", "aria-sort": "none" },
        html("button", { type: "button", onclick: () => this.order(column) }, TITLES[k])));
    this.element = html(
      "div",
      { class: "profile-tab" },
      html("p", {}, `${number(total)} ms a run` +
        (profile.runs ? `, median of ${profile.runs} runs of each step.` : ".")),
      ...(profile.notes ?? []).map((note) => html("p", {}, note)),
      html("table", {}, html("thead", {}, html("tr", {}, ...this.heads)), this.body),
    );
    this.order("ms");
  }

  /** Sorts by a column; by the same one again the other way round. */
  order(column) {
    const words = column === "name" || column === "op";
    this.down = this.column === column ? !this.down : !words;
    this.column = column;
    const compare = (a, b) => (words ? a[column].localeCompare(b[column]) : a[column] - b[column]);
    this.rows.sort((a, b) => (this.down ? compare(b, a) : compare(a, b)));
    this.heads.forEach((head, k) => {
      const way = this.down ? "descending" : "ascending";
      head.setAttribute("aria-sort", COLUMNS[k] === column ? way : "none");
    });
    this.body.replaceChildren(...this.rows.map((row) => this.#row(row)));
  }

  #row(row) {
    const name = row.id
      ? html("button", { class: "link", type: "button", onclick: () => this.go(row.id) }, row.name)
      : row.name;
    const cells = COLUMNS.slice(2).map((column) => html("td", {}, number(row[column])));
    return html("tr", {}, html("td", {}, name), html("td", {}, row.op), ...cells);
  }

  show() {}

  get state() {
    return {};
  }

  set state(_) {}
}
