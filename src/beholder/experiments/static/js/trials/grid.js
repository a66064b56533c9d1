/** Groups of example pictures, and the size that lets everything fit into the window. */

import { h } from "../dom.js";
import { pictureElement } from "../pixels.js";
import { t } from "../texts.js";

/** A group of pictures in rows of three, first the strongest. */
export function exampleGrid(showing, urls, title, cell) {
  const columns = Math.min(3, Math.ceil(Math.sqrt(urls.length)));
  const room = { width: cell, height: cell };
  const items = urls.map((url) => showing.item(url));
  const pictures = items.map((item, k) => pictureElement(item, showing.fit(item, room), `${title} ${k + 1}`));
  return h(
    "section",
    { class: "examples", "aria-label": title },
    h("h2", {}, title),
    h("div", { class: "cells", style: { gridTemplateColumns: `repeat(${columns}, auto)` } }, ...pictures),
  );
}

/** A picture that can be chosen. */
export function candidate(showing, url, choice, label, cell) {
  const item = showing.item(url);
  const size = showing.fit(item, { width: cell, height: cell });
  const picture = pictureElement(item, size, label || t("trial.picture"));
  return { size, element: h("div", { class: "candidate", "data-side": choice }, picture) };
}

/** How large the pictures can be at most, the greater the better: the largest that all of them fit with. */
export function largestCell({ across, down, otherWidth, otherHeight }) {
  const width = (document.documentElement.clientWidth - otherWidth) / across;
  const height = (window.innerHeight - otherHeight) / down;
  return Math.max(48, Math.floor(Math.min(width, height)));
}
