/** Where a number lies on the scale of colours, as in the static pictures (`scales.py`). */

const { scale: COLORS, neutral } = JSON.parse(document.getElementById("data-colors").textContent);
// Numbers whose greatest is over so many times the least are shown by their logarithms.
const SPAN = 100;
const TICKS = 4;

/** Red, green and blue of "#rrggbb". */
export function parts(color) {
  return [1, 3, 5].map((k) => Number.parseInt(color.slice(k, k + 2), 16));
}

/** The colour at a part of the scale. */
export function shade(part) {
  const at = Math.min(COLORS.length - 2, Math.floor(part * (COLORS.length - 1)));
  const rest = part * (COLORS.length - 1) - at;
  const [low, high] = [parts(COLORS[at]), parts(COLORS[at + 1])];
  const mixed = low.map((value, k) => Math.round(value + (high[k] - value) * rest));
  return `#${mixed.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}

/** The first of 1, 2, 5, 10, 20 ... and their tenths that is not less than a number. */
function stepOf(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((k) => k * power).find((step) => step >= least);
}

export class Scale {
  /** @param values numbers, of which two differ; of negative ones the scale is linear. */
  constructor(values) {
    const above = Math.min(...values.filter((value) => value > 0));
    this.least = Math.min(...values);
    this.most = Math.max(...values);
    this.logarithmic = this.least >= 0 && this.most > SPAN * above;
    if (this.logarithmic) this.least = above;
    this.name = this.logarithmic ? "logarithmic" : "linear";
  }

  /** How far along the scale a number is: 0 at the least, 1 at the greatest. */
  part(value) {
    const [least, most, at] = [this.least, this.most, value]
      .map((number) => (this.logarithmic ? Math.log10(number) : number));
    return (at - least) / (most - least);
  }

  /** The colour of a number; zero, which has no logarithm, is grey among logarithms. */
  color(value) {
    return this.logarithmic && value === 0 ? neutral : shade(this.part(value));
  }

  /** At most four round numbers between the ends: powers of ten, or equal steps. */
  ticks() {
    const inside = (tick) => this.least < tick && tick < this.most;
    if (this.logarithmic) {
      const [low, high] = [Math.floor(Math.log10(this.least)), Math.ceil(Math.log10(this.most))];
      const stride = Math.ceil((high - low - 1) / TICKS);
      const count = Math.ceil((high - low - 1) / stride);
      return Array.from({ length: count }, (_, k) => 10 ** (low + 1 + k * stride)).filter(inside);
    }
    const step = stepOf((this.most - this.least) / TICKS);
    const first = Math.ceil(this.least / step);
    return Array.from({ length: TICKS + 1 }, (_, k) => Number(((first + k) * step).toPrecision(6)))
      .filter(inside);
  }
}

/** A round number, short. */
export function tickText(value) {
  const [size, letter] = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]]
    .find(([least]) => Math.abs(value) >= least) ?? [1, ""];
  return `${Number((value / size).toPrecision(6))}${letter}`;
}
