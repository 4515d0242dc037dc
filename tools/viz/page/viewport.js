/**
 * A picture that is moved by dragging and zoomed by the wheel, two fingers, or keys.
 *
 * To draw thousands of boxes takes a browser longer than a frame lasts. So while a gesture goes on,
 * the glass with what was drawn last is moved as it is, which blurs letters that grow; when the
 * gesture ends, or has gone far, the picture is drawn anew where it is then.
 */

import { html, svg } from "./dom.js";

const SMALLEST = 0.02;
const LARGEST = 8;
const MARGIN = 12;
// The scale of a part of a picture that leaves room at its sides.
const COMFORT = 0.8;
// The scale below which letters are too small to read, and left away.
const LETTERS = 0.25;
// A gesture has ended when nothing has moved for so many milliseconds.
const PAUSE = 150;
// How much larger or smaller than it was drawn the picture may be shown.
const BLUR = 3;

const toPixel = (place) => Math.round(place * devicePixelRatio) / devicePixelRatio;

export class Viewport {
  /** @param label what a screen reader calls the picture. */
  constructor(label) {
    this.sheet = svg("svg", { class: "sheet" });
    this.glass = html("div", { class: "glass" }, this.sheet);
    this.element = html(
      "div",
      { class: "viewport", tabindex: 0, role: "application", "aria-label": label },
      this.glass,
    );
    this.size = { width: 1, height: 1 };
    this.at = { x: 0, y: 0, scale: 1 };
    this.drawn = this.at;
    this.fingers = new Map();
    this.dragged = 0;
    this.element.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    for (const name of ["pointerdown", "pointermove", "pointerup", "pointercancel"]) {
      this.element.addEventListener(name, (event) => this.#pointer(event));
    }
  }

  /** Shows another picture; where one is in the window stays, unless it is the first. */
  show(picture) {
    this.sheet.replaceChildren(picture.root);
    for (const side of ["width", "height"]) this.sheet.setAttribute(side, picture[side]);
    // On paper the sheet is as large as the page, and the whole picture on it.
    this.sheet.setAttribute("viewBox", `0 0 ${picture.width} ${picture.height}`);
    this.size = picture;
  }

  /** The scales at which the picture is as wide and as high as the window, the smaller first. */
  #scales({ width, height }) {
    const sides = [[width, this.size.width], [height, this.size.height]];
    return sides.map(([side, size]) => Math.max(1, side - 2 * MARGIN) / (size || 1)).toSorted((a, b) => a - b);
  }

  /**
   * Makes the whole picture fit the window, at most at its natural size.
   * @param least a scale; if the picture is too large for it, a part is shown, and read with ease.
   * @param first the place in the middle of that part, as far as the picture goes.
   */
  fit(least = 0, first = { x: this.size.width / 2, y: 0 }) {
    const window = this.element.getBoundingClientRect();
    if (!window.width || !window.height) return;
    const [whole, filled] = this.#scales(window);
    const scale = whole < least ? Math.max(least, Math.min(COMFORT, filled)) : Math.min(1, whole);
    const start = (side, size, middle) => {
      const spare = side - size * scale;
      if (spare >= 2 * MARGIN) return spare / 2;
      return Math.min(MARGIN, Math.max(spare - MARGIN, side / 2 - middle * scale));
    };
    const x = start(window.width, this.size.width, first.x);
    this.#draw({ x, y: start(window.height, this.size.height, first.y), scale });
  }

  /** Zooms by a factor; what lies at (x, y) of the window stays there. */
  zoom(factor, x, y) {
    const { width, height } = this.element.getBoundingClientRect();
    const [atX, atY] = [x ?? width / 2, y ?? height / 2];
    const smallest = Math.min(SMALLEST, this.#scales({ width, height })[0]);
    const scale = Math.min(LARGEST, Math.max(smallest, this.at.scale * factor));
    const grown = scale / this.at.scale;
    this.#show({ x: atX - (atX - this.at.x) * grown, y: atY - (atY - this.at.y) * grown, scale });
  }

  /** Brings a place of the picture to the middle, at a size that can be read. */
  center(place) {
    const { width, height } = this.element.getBoundingClientRect();
    const scale = Math.max(this.at.scale, 0.8);
    this.#draw({ x: width / 2 - place.x * scale, y: height / 2 - place.y * scale, scale });
  }

  /** Whether a box lies in the window as a whole. */
  sees({ x, y, width, height }) {
    const window = this.element.getBoundingClientRect();
    const inside = (at, size, side) => at - (size / 2) * this.at.scale >= 0
      && at + (size / 2) * this.at.scale <= side;
    return inside(this.at.x + x * this.at.scale, width, window.width)
      && inside(this.at.y + y * this.at.scale, height, window.height);
  }

  /** Moves by as much as brings a place of the picture to where it was in the window. */
  keep(before, after) {
    const { x, y, scale } = this.at;
    const [dx, dy] = [before.x - after.x, before.y - after.y];
    this.#draw({ x: x + dx * scale, y: y + dy * scale, scale });
  }

  /** Shows the picture somewhere else, as a part of a gesture. */
  #show(at) {
    this.at = at;
    this.element.classList.add("moving");
    const grown = at.scale / this.drawn.scale;
    if (grown > BLUR || grown < 1 / BLUR) this.#draw(at);
    const factor = at.scale / this.drawn.scale;
    const [x, y] = [at.x - this.drawn.x * factor, at.y - this.drawn.y * factor];
    this.glass.style.transform = `translate(${x}px,${y}px) scale(${factor})`;
    clearTimeout(this.ending);
    this.ending = setTimeout(() => this.fingers.size || this.settle(), PAUSE);
  }

  /** Ends a gesture. */
  settle() {
    clearTimeout(this.ending);
    if (this.element.classList.contains("moving")) this.#draw(this.at);
    this.element.classList.remove("moving");
  }

  /** Draws the picture where it is; letters are sharpest at whole pixels. */
  #draw({ x, y, scale }) {
    this.at = { x: toPixel(x), y: toPixel(y), scale };
    this.drawn = this.at;
    this.glass.style.transform = "";
    this.sheet.style.transform = `translate(${this.at.x}px,${this.at.y}px) scale(${scale})`;
    this.element.classList.toggle("far", scale < LETTERS);
  }

  #wheel(event) {
    event.preventDefault();
    const box = this.element.getBoundingClientRect();
    this.zoom(Math.exp(-event.deltaY / 400), event.clientX - box.x, event.clientY - box.y);
  }

  #pointer(event) {
    if (event.type === "pointerdown") {
      this.settle();
      if (event.button === 0) this.fingers.set(event.pointerId, event);
      this.dragged = 0;
      return;
    }
    const last = this.fingers.get(event.pointerId);
    if (!last) return;
    // A button that was let go outside of the window is not heard of.
    if (event.type !== "pointermove" || !event.buttons) {
      this.fingers.delete(event.pointerId);
      if (!this.fingers.size) this.settle();
      return;
    }
    const [dx, dy] = [event.clientX - last.clientX, event.clientY - last.clientY];
    this.dragged += Math.abs(dx) + Math.abs(dy);
    // Taking the pointer at once would send the click to the picture, not to the box.
    if (this.dragged > 4) this.element.setPointerCapture(event.pointerId);
    const other = [...this.fingers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) this.#pinch(last, event, other);
    else this.#show({ ...this.at, x: this.at.x + dx, y: this.at.y + dy });
    this.fingers.set(event.pointerId, event);
  }

  #pinch(last, now, other) {
    const apart = (a) => Math.hypot(a.clientX - other.clientX, a.clientY - other.clientY) || 1;
    const box = this.element.getBoundingClientRect();
    const x = (now.clientX + other.clientX) / 2 - box.x;
    const y = (now.clientY + other.clientY) / 2 - box.y;
    this.zoom(apart(now) / apart(last), x, y);
  }
}
