/** Similarity: how alike are two items, on a scale of numbers? */

import { h, rich } from "../dom.js";
import { t } from "../texts.js";
import { describeTrial, TrialPlugin } from "./base.js";
import { makeTiles, playTiles } from "./items.js";

export class Similarity extends TrialPlugin {
  static info = describeTrial("similarity");

  build(showing) {
    const { left, right } = showing.payload.stimuli;
    Object.assign(this, makeTiles(showing, [left, right]));
    const steps = showing.settings.rating_steps ?? 7;
    this.ratings = Array.from({ length: steps }, (_, k) => k + 1);
    const name = (rating) => {
      const end = rating === 1 ? t("similarity.low") : rating === steps ? t("similarity.high") : "";
      return end ? `${rating}, ${end}` : String(rating);
    };
    const buttons = this.ratings.map((rating) =>
      showing.button({ rating }, { class: "step", "aria-label": name(rating) }, String(rating)),
    );
    showing.display.append(
      h(
        "div",
        { class: "item-task" },
        h("p", { class: "question" }, rich(t("similarity.question"))),
        h("div", { class: "row" }, ...this.tiles),
        h(
          "div",
          { class: "scale", role: "group", "aria-label": t("similarity.question") },
          h("span", { class: "end" }, t("similarity.low")),
          h("div", { class: "steps" }, ...buttons),
          h("span", { class: "end" }, t("similarity.high")),
        ),
        h("div", { class: "foot" }, h("p", { class: "hint" }, t("similarity.keys", { steps })), h("p", { class: "verdict" })),
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
    const single = this.ratings.filter((rating) => rating < 10);
    return Object.fromEntries(single.map((rating) => [rating, (event) => showing.answer({ rating }, event)]));
  }
}
