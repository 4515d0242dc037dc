/** The arena over the time of a run: a rectangle is a buffer, from its first use to its last. */

import { html, number, svg } from "./dom.js";
import { Scale, tickText } from "./scale.js";

const WIDTH = 1000;
const HEIGHT = 480;

/** The tensor and the op that makes it, if they differ; scratch buffers have no tensor. */
function name(item) {
  return [...new Set([item.label, item.op])].filter(Boolean).join(" ") || item.t || "scratch";
}

export class MemoryTab {
  /** @param memory arena and lower_bound in bytes; items with t, off, size, start, end. */
  constructor(memory) {
    const steps = Math.max(1, ...memory.items.map((item) => item.end + 1));
    const arena = Math.max(1, memory.arena);
    const x = (step) => (step / steps) * WIDTH;
    const y = (offset) => HEIGHT - (offset / arena) * HEIGHT;
    const picture = svg("svg", {
      class: "memory",
      viewBox: `-100 -20 ${WIDTH + 120} ${HEIGHT + 60}`,
      role: "img",
      "aria-label": "Buffers of the arena over the steps of a run",
    });
    for (const tick of memory.arena ? new Scale([0, arena]).ticks() : []) {
      picture.append(
        svg("line", { class: "grid", x1: 0, x2: WIDTH, y1: y(tick), y2: y(tick) }),
        svg("text", { class: "axis", x: -8, y: y(tick) + 4 }, `${tickText(tick)}B`),
      );
    }
    memory.items.forEach((item, index) => {
      const box = svg("rect", {
        class: `buffer shade${index % 6}`,
        x: x(item.start),
        y: y(item.off + item.size),
        width: x(item.end + 1) - x(item.start),
        height: Math.max(1, y(item.off) - y(item.off + item.size)),
      });
      box.append(svg("title", {}, `${name(item)}: ${number(item.size)} bytes at ${number(item.off)}, ` +
        `steps ${item.start} to ${item.end}`));
      picture.append(box);
    });
    const bound = y(memory.lower_bound);
    picture.append(
      svg("line", { class: "bound", x1: 0, x2: WIDTH, y1: bound, y2: bound }),
      svg("text", { class: "axis", x: -8, y: -6 }, `${number(arena)} B`),
      svg("text", { class: "axis", x: -8, y: HEIGHT }, "0 B"),
      svg("text", { x: WIDTH / 2, y: HEIGHT + 28 }, `step of the schedule, 0 to ${steps - 1}`),
    );
    const rows = memory.items.toSorted((a, b) => b.size - a.size).slice(0, 50);
    this.element = html(
      "div",
      { class: "memory-tab", role: "group", "aria-label": "Memory", tabindex: 0 },
      html("p", {}, `Arena ${number(memory.arena)} bytes; no plan needs less than ` +
        `${number(memory.lower_bound)} (the line).`),
      picture,
      html("table", {},
        html("caption", {}, "The largest buffers"),
        html("thead", {}, html("tr", {},
          ...["buffer", "bytes", "offset", "steps"].map((t) => html("th", { scope: "col" }, t)))),
        html("tbody", {}, ...rows.map((item) => html("tr", {},
          html("td", {}, name(item)), html("td", {}, number(item.size)), html("td", {}, number(item.off)),
          html("td", {}, `${item.start} to ${item.end}`))))),
    );
  }

  show() {}

  get state() {
    return {};
  }

  set state(_) {}
}
