/** Groups of example pictures, and pictures that can be chosen. */

import { h } from "../dom.js";
import { t } from "../texts.js";

/** A group of pictures in rows of three, first the strongest. */
export function exampleGrid(showing, urls, title) {
  const columns = Math.min(3, Math.ceil(Math.sqrt(urls.length)));
  const pictures = urls.map((url, k) => showing.picture(url, `${title} ${k + 1}`));
  return h(
    "section",
    { class: "examples", "aria-label": title },
    h("h2", {}, title),
    h("div", { class: "cells", style: { gridTemplateColumns: `repeat(${columns}, auto)` } }, ...pictures),
  );
}

/** A picture that can be chosen. */
export function candidate(showing, url, choice, label) {
  return h("div", { class: "candidate", "data-side": choice }, showing.picture(url, label || t("trial.picture")));
}
