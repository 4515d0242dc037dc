// Boxes and lines of the picture that is shown, in its own coordinates.
() => {
  const pane = document.querySelector("[role=tabpanel]:not([hidden]) .viewport");
  const place = (g) => /translate\(([-\d.]+),([-\d.]+)\)/.exec(g.getAttribute("transform"));
  const read = (selector, part) =>
    [...pane.querySelectorAll(selector)].map((g) => {
      const [, x, y] = place(g).map(Number);
      const rect = g.querySelector(part);
      const [w, h] = ["width", "height"].map((name) => Number(rect.getAttribute(name)));
      return { id: g.dataset.id, x, y, w, h };
    });
  // Points at most 4 apart on a path of lines and quadratic curves. getPointAtLength would measure
  // the whole path for each of them.
  const walk = (d) => {
    if (/[A-Za-df-z]/.test(d.replace(/[MLQ]/g, ""))) throw new Error(`a path of other parts: ${d}`);
    const points = [];
    let last;
    for (const [part] of d.matchAll(/[MLQ][^MLQ]+/g)) {
      const numbers = part.slice(1).split(/[ ,]/).map(Number);
      const [x, y] = numbers.slice(-2);
      last ??= { x, y };
      // A line is the curve whose middle point lies on it.
      const [cx, cy] = part[0] === "Q" ? numbers : [(last.x + x) / 2, (last.y + y) / 2];
      const halves = [Math.hypot(cx - last.x, cy - last.y), Math.hypot(x - cx, y - cy)];
      const steps = Math.max(1, Math.ceil(Math.max(...halves) / 2));
      for (let k = 0; k <= steps; k += 1) {
        const [t, u] = [k / steps, 1 - k / steps];
        points.push({
          x: u * u * last.x + 2 * u * t * cx + t * t * x,
          y: u * u * last.y + 2 * u * t * cy + t * t * y,
        });
      }
      last = { x, y };
    }
    return points;
  };
  const boxes = read(".boxes > g", ".body");
  const lines = [...pane.querySelectorAll(".edge")].map((edge) => {
    const path = edge.querySelector("path");
    const points = walk(path.getAttribute("d"));
    const through = boxes.filter(
      (b) =>
        b.id !== edge.dataset.s &&
        b.id !== edge.dataset.d &&
        points.some((p) => p.x > b.x + 1 && p.x < b.x + b.w - 1 && p.y > b.y + 1 && p.y < b.y + b.h - 1),
    );
    const ends = [0, path.getTotalLength()].map((at) => path.getPointAtLength(at));
    return {
      s: edge.dataset.s,
      d: edge.dataset.d,
      ends: ends.map(({ x, y }) => ({ x, y })),
      through: through.map((b) => b.id),
    };
  });
  return { boxes, frames: read(".frames > g", ".frame"), lines };
};
