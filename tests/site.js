// What can be wrong with a page, as tests/test_site.py asks it in the browser: each returns a list of complaints.

// Formulas that are not set: none of KaTeX's boxes, an empty one, or a root or a brace without its strokes.
function unsetFormulas() {
  const bad = [];
  const say = (what, node) => bad.push(`${what}: ${node.textContent.trim().slice(0, 60)}`);
  for (const formula of document.querySelectorAll(".math")) {
    const box = formula.querySelector(".katex-html")?.getBoundingClientRect();
    if (!(box?.width > 0 && box.height > 0) || formula.querySelector(".katex-error")) say("not set", formula);
    if (!formula.querySelector("math")) say("not for a screen reader", formula);
  }
  for (const stroke of document.querySelectorAll(".katex svg")) {
    const size = stroke.getBoundingClientRect();
    const room = stroke.parentElement.getBoundingClientRect();
    if (!(size.height > 0) || size.height < 0.9 * room.height) say("no stroke", stroke.closest(".math"));
  }
  const walk = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode;
    const meant = node.parentElement.closest("pre, code, annotation, script, style");
    if (!meant && /\$\$|\\(frac|partial|sigma|begin)\b/.test(node.data)) say("left as TeX", node);
  }
  return bad;
}

function headingsOutOfOrder() {
  const shown = [...document.querySelectorAll("main :is(h1, h2, h3, h4, h5, h6)")].filter((h) => h.checkVisibility());
  const level = (heading) => Number(heading.tagName[1]);
  const bad = shown.filter((h, i) => i && level(h) > level(shown[i - 1]) + 1).map((h) => h.textContent);
  if (shown.filter((h) => level(h) === 1).length !== 1 || level(shown[0]) !== 1) bad.push("not one h1, first");
  return bad;
}

// What makes the page scroll sideways, or is cut off at its edge.
function sideways() {
  const width = document.documentElement.clientWidth;
  const bad = [];
  if (document.documentElement.scrollWidth > width) bad.push(`the page: ${document.documentElement.scrollWidth}`);
  const scrolls = (e) => e && (/auto|scroll/.test(getComputedStyle(e).overflowX) || scrolls(e.parentElement));
  for (const e of document.querySelectorAll("main *")) {
    const box = e.getBoundingClientRect();
    const out = box.width > 1 && box.height > 1 && box.right > width + 1;
    if (out && e.checkVisibility() && !e.closest(".katex-mathml, .katex svg") && !scrolls(e))
      bad.push(`${e.tagName}.${e.getAttribute("class")}: ${e.textContent.trim().slice(0, 40)}`);
  }
  return bad;
}

// The element that has the focus, and whether one can see that it has.
function focused() {
  const e = document.activeElement;
  const style = getComputedStyle(e);
  const box = e.getBoundingClientRect();
  const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  const across = box.width > 0 && box.right > 0 && box.left < innerWidth;
  const visible = ring && across && box.bottom > 0 && box.top < innerHeight;
  return { none: e === document.body, what: e.outerHTML.slice(0, 100), main: !!e.closest("main"), visible };
}

// Text too pale to read: less than 4.5 to 1 against what is behind it, 3 to 1 where it is large (WCAG 2.2, 1.4.3).
function pale() {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const known = new Map();
  const rgba = (colour) => {
    if (!known.has(colour)) {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
      known.set(colour, [r, g, b, a / 255]);
    }
    return known.get(colour);
  };
  const over = ([r, g, b, a], under) => [r, g, b].map((c, i) => a * c + (1 - a) * under[i]).concat(1);
  const behind = new Map([[null, [255, 255, 255, 1]]]);
  const ground = (e) => {
    if (!behind.has(e)) behind.set(e, over(rgba(getComputedStyle(e).backgroundColor), ground(e.parentElement)));
    return behind.get(e);
  };
  const dim = (e) => (e ? Number(getComputedStyle(e).opacity) * dim(e.parentElement) : 1);
  const linear = (c) => (c <= 10 ? c / 3294.6 : ((c / 255 + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);

  const bad = [];
  const seen = new Set();
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || seen.has(e) || e.closest("script, style, title, desc, math, .katex-mathml")) continue;
    seen.add(e);
    const size = e.getBoundingClientRect();
    if (!e.checkVisibility({ visibilityProperty: true }) || size.width < 1 || size.height < 1) continue;
    const style = getComputedStyle(e);
    const drawn = e.namespaceURI.endsWith("svg");
    const [r, g, b, a] = rgba(drawn ? style.fill : style.color);
    const under = ground(e);
    const [one, two] = [light(over([r, g, b, a * dim(e)], under)), light(under)];
    const ratio = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
    const px = parseFloat(style.fontSize);
    const large = px >= 24 || (px >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) bad.push(`${ratio.toFixed(2)}: ${e.textContent.trim().slice(0, 50)}`);
  }
  return bad;
}
