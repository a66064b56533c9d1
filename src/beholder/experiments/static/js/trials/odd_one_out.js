/** Odd one out: which of three items is least like the other two? */

import { h, rich } from "../dom.js";
import { t } from "../texts.js";
import { describeTrial, TrialPlugin } from "./base.js";
import { makeTiles, playTiles } from "./items.js";

export class OddOneOut extends TrialPlugin {
  static info = describeTrial("odd-one-out");

  build(showing) {
    const urls = showing.payload.stimuli.items;
    const labels = urls.map((_, k) => t("odd_one_out.item", { k: k + 1 }));
    Object.assign(this, makeTiles(showing, urls, { labels }));
    const tiles = this.tiles.map((tile, k) =>
      showing.button(
        { choice: k },
        { class: "tile", "aria-label": labels[k] },
        tile,
        h("kbd", { "aria-hidden": "true" }, String(k + 1)),
      ),
    );
    showing.display.append(
      h(
        "div",
        { class: "item-task" },
        h("p", { class: "question" }, rich(t("odd_one_out.question"))),
        h("div", { class: "row" }, ...tiles),
        h("div", { class: "foot" }, h("p", { class: "hint" }, t("odd_one_out.keys")), h("p", { class: "verdict" })),
      ),
    );
  }

  async present(showing) {
    if (!this.areSounds) return super.present(showing);
    const onset = await playTiles(showing, this.items, this.tiles);
    showing.open();
    return onset;
  }

  keys(showing) {
    return Object.fromEntries(this.tiles.map((_, k) => [k + 1, (event) => showing.answer({ choice: k }, event)]));
  }
}
