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
  const boxes = read(".boxes > g", ".body");
  const lines = [...pane.querySelectorAll(".edge")].map((edge) => {
    const path = edge.querySelector("path");
    const length = path.getTotalLength();
    const points = [];
    for (let at = 0; at <= length; at += 4) points.push(path.getPointAtLength(at));
    const through = boxes.filter(
      (b) =>
        b.id !== edge.dataset.s &&
        b.id !== edge.dataset.d &&
        points.some((p) => p.x > b.x + 1 && p.x < b.x + b.w - 1 && p.y > b.y + 1 && p.y < b.y + b.h - 1),
    );
    const ends = [path.getPointAtLength(0), path.getPointAtLength(length)];
    return {
      s: edge.dataset.s,
      d: edge.dataset.d,
      ends: ends.map(({ x, y }) => ({ x, y })),
      through: through.map((b) => b.id),
    };
  });
  return { boxes, frames: read(".frames > g", ".frame"), lines };
};
