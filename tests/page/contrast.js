// The least contrast of a text with what lies under it, by WCAG's formula.
() => {
  const parse = (text) => (text.match(/[\d.]+/g) ?? []).map(Number);
  const light = (rgb) => {
    const part = (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = rgb.map((v) => part(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => {
    const [x, y] = [light(a), light(b)].sort((p, q) => q - p);
    return (x + 0.05) / (y + 0.05);
  };
  const found = [];
  for (const box of document.querySelectorAll("[role=tabpanel]:not([hidden]) .boxes > g")) {
    for (const [text, under] of [[".name", ".header"], [".fact", ".body"]]) {
      const ink = box.querySelector(text);
      if (!ink) continue;
      found.push(ratio(parse(getComputedStyle(ink).fill).slice(0, 3),
        parse(getComputedStyle(box.querySelector(under)).fill).slice(0, 3)));
    }
  }
  const texts = "button, h1, h2, label, summary, .label, dt, dd, th, td";
  for (const element of document.querySelectorAll(texts)) {
    if (!element.checkVisibility()) continue;
    let under = element;
    let back = [0, 0, 0, 0];
    while (under && back[3] === 0) {
      const color = parse(getComputedStyle(under).backgroundColor);
      back = color.length === 3 ? [...color, 1] : color;
      under = under.parentElement;
    }
    found.push(ratio(parse(getComputedStyle(element).color).slice(0, 3), back.slice(0, 3)));
  }
  return Math.min(...found);
};
