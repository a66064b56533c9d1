/** Small drawings for the instructions: the layout of a trial, with patterns in the place of pictures. */

import { s } from "./dom.js";
import { iconUrl } from "./icons.js";
import { makeNoise } from "./noise.js";

const PAPER = "#dcdcda";
const SHADE = "#4a4a48";

/** A picture with stripes, dots or waves, a little different for each `k`. */
function tile(x, y, size, kind, k = 0) {
  const parts = [s("rect", { x, y, width: size, height: size, fill: PAPER })];
  const put = (part) => parts.push(part);
  const thick = size * (0.07 + 0.02 * (k % 3));
  if (kind === "lines") {
    const n = 3 + (k % 3);
    for (let j = 0; j < n; j += 1) {
      put(s("rect", { x, y: y + ((j + 0.5) * size) / n - thick / 2, width: size, height: thick, fill: SHADE }));
    }
  } else if (kind === "dots") {
    const n = 2 + ((k + 1) % 3);
    for (let i = 0; i < n; i += 1) {
      for (let j = 0; j < n; j += 1) {
        const [cx, cy] = [x + ((i + 0.5) * size) / n, y + ((j + 0.5) * size) / n];
        put(s("circle", { cx, cy, r: (0.22 + 0.04 * (k % 3)) * (size / n), fill: SHADE }));
      }
    }
  } else if (kind === "house") {
    const at = (u, v) => `${x + u * size},${y + v * size}`;
    put(s("polygon", { points: [at(0.15, 0.5), at(0.5, 0.18), at(0.85, 0.5)].join(" "), fill: SHADE }));
    put(s("rect", { x: x + 0.24 * size, y: y + 0.5 * size, width: 0.52 * size, height: 0.34 * size, fill: SHADE }));
    put(s("circle", { cx: x + 0.83 * size, cy: y + 0.2 * size, r: 0.09 * size, fill: SHADE }));
  }
  return parts;
}

function frame(x, y, width, height, attributes = {}) {
  return s("rect", { x, y, width, height, fill: "none", stroke: "#fff", "stroke-width": 2.5, rx: 3, ...attributes });
}

function text(x, y, words, attributes = {}) {
  return s("text", { x, y, "text-anchor": "middle", fill: "#fff", "font-size": 11, ...attributes }, words);
}

function grid(x, y, size, kind) {
  const parts = [];
  for (let k = 0; k < 9; k += 1) {
    parts.push(...tile(x + (k % 3) * (size + 3), y + Math.floor(k / 3) * (size + 3), size, kind, k));
  }
  return parts;
}

function numbers(x, y, strong = null) {
  return [1, 2, 3].flatMap((n) => [
    s("rect", { x: x + (n - 1) * 20, y, width: 17, height: 14, rx: 3, fill: strong === n ? "#111" : "#f4f4f2" }),
    text(x + (n - 1) * 20 + 8.5, y + 10.5, String(n), { fill: strong === n ? "#fff" : "#111", "font-size": 10 }),
  ]);
}

function pairLayout({ queries = true, buttons = false, first = false, rows = false, chosen = false, verdict = false } = {}) {
  const [size, top] = [42, 22];
  const parts = [...grid(24, top, size, "lines"), ...grid(324, top, size, "dots")];
  if (queries) parts.push(...tile(219, top, size, "dots", 4), ...tile(219, top + 90, size, "lines", 4));
  if (buttons) parts.push(...numbers(211, top + 47, chosen ? 3 : null), ...numbers(211, top + 71));
  if (first) parts.push(frame(21, top - 3, size + 6, size + 6), frame(321, top - 3, size + 6, size + 6));
  if (queries && !buttons) parts.push(frame(216, top - 3, size + 6, size + 6), frame(216, top + 87, size + 6, size + 6));
  if (rows) parts.push(frame(206, top + 43, 68, 22), frame(206, top + 67, 68, 22, { "stroke-dasharray": "5 3" }));
  if (chosen) parts.push(frame(216, top - 3, size + 6, size + 6, { stroke: "#000", "stroke-width": 4 }));
  if (verdict) {
    parts.push(frame(216, top - 3, size + 6, size + 6, { stroke: "#00b37a", "stroke-width": 5 }));
    parts.push(text(290, top + 24, "✓", { "font-size": 22, "font-weight": 700 }));
  }
  return parts;
}

function covered() {
  const parts = grid(24, 22, 42, "dots");
  parts.push(...tile(300, 14, 62, "dots", 4));
  for (const [x, u] of [[240, 0], [362, 1]]) {
    parts.push(...tile(x, 92, 62, "dots", 4));
    parts.push(s("rect", { x: x + 31 * u, y: 92, width: 31, height: 62, fill: "#747474", stroke: "#fff", "stroke-dasharray": "3 2" }));
    parts.push(...numbers(x + 2, 158));
  }
  return parts;
}

function noiseTile(x, y, size) {
  const n = 16;
  const values = makeNoise(n, 7);
  const parts = [];
  for (let k = 0; k < n * n; k += 1) {
    const fill = `rgb(${values[k]} ${values[k]} ${values[k]})`;
    parts.push(s("rect", { x: x + (k % n) * (size / n), y: y + Math.floor(k / n) * (size / n), width: size / n + 0.3, height: size / n + 0.3, fill }));
  }
  return parts;
}

function sequence() {
  const parts = [];
  const place = [30, 145, 260, 375];
  for (const x of place) parts.push(s("rect", { x, y: 50, width: 76, height: 76, fill: "#686868" }));
  parts.push(s("path", { d: "M60 88h16M68 80v16", stroke: "#fff", "stroke-width": 2.5 }));
  parts.push(...tile(place[1], 50, 76, "house"), ...noiseTile(place[2], 50, 76));
  ["dog", "boat", "chair", "bird"].forEach((name, k) => {
    const [x, y] = [place[3] + 4 + (k % 2) * 36, 54 + Math.floor(k / 2) * 36];
    parts.push(s("rect", { x, y, width: 32, height: 32, fill: "#f4f4f2", rx: 3 }));
    parts.push(s("image", { href: iconUrl(name), x: x + 2, y: y + 2, width: 28, height: 28 }));
  });
  for (const x of [112, 227, 342]) parts.push(s("path", { d: `M${x} 88h22m-7-6 7 6-7 6`, stroke: "#fff", "stroke-width": 2, fill: "none" }));
  return parts;
}

function icons(settings) {
  const labels = settings.choices?.slice(0, 16) ?? [];
  return labels.flatMap((label, k) => {
    const [x, y] = [56 + (k % 8) * 47, 44 + Math.floor(k / 8) * 50];
    const symbol = iconUrl(label)
      ? s("image", { href: iconUrl(label), x: x + 4, y: y + 4, width: 34, height: 34 })
      : text(x + 21, y + 25, label.slice(0, 6), { fill: "#111" });
    return [s("rect", { x, y, width: 42, height: 42, fill: "#f4f4f2", rx: 4 }), symbol];
  });
}

function words() {
  const parts = [s("rect", { x: 140, y: 24, width: 200, height: 28, rx: 4, fill: "#fff" })];
  const line = (y, label, extra = {}) => text(152, y, label, { fill: "#111", "text-anchor": "start", "font-size": 14, ...extra });
  parts.push(line(43, "wat|"));
  parts.push(s("rect", { x: 140, y: 56, width: 200, height: 84, rx: 4, fill: "#fff" }));
  parts.push(s("rect", { x: 140, y: 56, width: 200, height: 28, fill: "#cfe3f1" }));
  ["watch", "watched", "water"].forEach((word, k) => parts.push(line(75 + 28 * k, word)));
  return parts;
}

const ITEMS = {
  groups: () => pairLayout({ queries: false }),
  first: () => pairLayout({ queries: false, first: true }),
  queries: () => pairLayout(),
  buttons: () => pairLayout({ buttons: true, rows: true }),
  feedback: () => pairLayout({ buttons: true, chosen: true, verdict: true }),
  examples: () => grid(172, 22, 42, "dots"),
  covered,
  sequence,
  icons,
  words,
  pairs: () => [...tile(140, 40, 84, "dots", 1), ...tile(256, 40, 84, "dots", 2)],
  odd: () => [["dots", 1], ["lines", 1], ["dots", 3]].flatMap(([kind, k], j) => [...tile(92 + 106 * j, 40, 84, kind, k), text(134 + 106 * j, 145, String(j + 1), { "font-size": 14 })]),
  scale: (settings) => {
    const n = Math.min(settings.rating_steps ?? 7, 11);
    const steps = Array.from({ length: n }, (_, k) => [
      s("rect", { x: 240 - n * 14 + k * 28, y: 126, width: 24, height: 22, rx: 3, fill: "#f4f4f2" }),
      text(252 - n * 14 + k * 28, 141, String(k + 1), { fill: "#111" }),
    ]);
    return [...tile(140, 24, 84, "dots", 1), ...tile(256, 24, 84, "dots", 2), ...steps.flat()];
  },
};

/** A drawing by name, on the ground that the study uses; null when there is none. Its words are in the text beside. */
export function drawFigure(name, settings) {
  if (!ITEMS[name]) return null;
  return s(
    "svg",
    { viewBox: "0 0 480 176", "aria-hidden": "true", focusable: "false" },
    s("rect", { width: 480, height: 176, rx: 6, fill: "var(--ground)" }),
    ...ITEMS[name](settings),
  );
}
