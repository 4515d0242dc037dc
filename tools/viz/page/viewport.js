/** A picture that is moved by dragging and zoomed by the wheel, two fingers, or keys. */

import { svg } from "./dom.js";

const SMALLEST = 0.02;
const LARGEST = 8;

export class Viewport {
  /** @param label what a screen reader calls the picture. */
  constructor(label) {
    this.stage = svg("g");
    this.element = svg(
      "svg",
      { class: "viewport", tabindex: 0, role: "application", "aria-label": label },
      this.stage,
    );
    this.size = { width: 1, height: 1 };
    this.at = { x: 0, y: 0, scale: 1 };
    this.fingers = new Map();
    this.element.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    for (const name of ["pointerdown", "pointermove", "pointerup", "pointercancel"]) {
      this.element.addEventListener(name, (event) => this.#pointer(event));
    }
  }

  /** Shows another picture; where one is in the window stays, unless it is the first. */
  show(picture) {
    this.stage.replaceChildren(picture.root);
    this.size = picture;
  }

  /** Makes the whole picture fit the window, at most at its natural size; or its upper part. */
  fit(least = SMALLEST) {
    const { width, height } = this.element.getBoundingClientRect();
    if (!width || !height) return;
    const scale = Math.min(1, width / (this.size.width + 24), height / (this.size.height + 24));
    this.at.scale = Math.max(scale, least);
    this.at.x = (width - this.size.width * this.at.scale) / 2;
    this.at.y = Math.max(12, (height - this.size.height * this.at.scale) / 2);
    this.#apply();
  }

  /** Zooms by a factor; what lies at (x, y) of the window stays there. */
  zoom(factor, x, y) {
    const { width, height } = this.element.getBoundingClientRect();
    const [atX, atY] = [x ?? width / 2, y ?? height / 2];
    const scale = Math.min(LARGEST, Math.max(SMALLEST, this.at.scale * factor));
    this.at.x = atX - ((atX - this.at.x) * scale) / this.at.scale;
    this.at.y = atY - ((atY - this.at.y) * scale) / this.at.scale;
    this.at.scale = scale;
    this.#apply();
  }

  move(dx, dy) {
    this.at.x += dx;
    this.at.y += dy;
    this.#apply();
  }

  /** Brings a place of the picture to the middle, at a size that can be read. */
  center(place) {
    const { width, height } = this.element.getBoundingClientRect();
    this.at.scale = Math.max(this.at.scale, 0.8);
    this.at.x = width / 2 - place.x * this.at.scale;
    this.at.y = height / 2 - place.y * this.at.scale;
    this.#apply();
  }

  /** Moves by as much as brings a place of the picture to where it was in the window. */
  keep(before, after) {
    this.move((before.x - after.x) * this.at.scale, (before.y - after.y) * this.at.scale);
  }

  #apply() {
    const { x, y, scale } = this.at;
    this.stage.setAttribute("transform", `translate(${x},${y}) scale(${scale})`);
  }

  #wheel(event) {
    event.preventDefault();
    const box = this.element.getBoundingClientRect();
    this.zoom(Math.exp(-event.deltaY / 400), event.clientX - box.x, event.clientY - box.y);
  }

  #pointer(event) {
    if (event.type === "pointerdown") {
      if (event.button === 0) this.fingers.set(event.pointerId, event);
      this.dragged = 0;
      return;
    }
    const last = this.fingers.get(event.pointerId);
    if (!last) return;
    if (event.type !== "pointermove") {
      this.fingers.delete(event.pointerId);
      return;
    }
    const [dx, dy] = [event.clientX - last.clientX, event.clientY - last.clientY];
    this.dragged += Math.abs(dx) + Math.abs(dy);
    // Taking the pointer at once would send the click to the picture, not to the box.
    if (this.dragged > 4) this.element.setPointerCapture(event.pointerId);
    const other = [...this.fingers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) this.#pinch(last, event, other);
    else this.move(dx, dy);
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
