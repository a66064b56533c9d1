/** Brightness: which of two pictures is brighter? */

import { assetUrl } from "../../js/assets.js";
import { h, rich } from "../../js/dom.js";
import { t } from "../../js/texts.js";
import { describeTrial, TrialPlugin } from "../../js/trials/base.js";
import { SIDES } from "./sides.js";

export class Brighter extends TrialPlugin {
  static info = describeTrial("brighter");

  build(showing) {
    const { stimuli } = showing.payload;
    const choose = (side) => {
      const name = t(`brighter.${side}`);
      return showing.button({ choice: side }, { class: "tile", "aria-label": name }, showing.picture(stimuli[side], name));
    };
    showing.display.append(
      h(
        "div",
        { class: "item-task brighter" },
        h("p", { class: "question" }, h("img", { class: "sun", src: assetUrl("kinds/brighter/sun.svg"), alt: "" }), rich(t("brighter.question"))),
        h("div", { class: "row" }, ...SIDES.map(choose)),
        h("div", { class: "foot" }, h("p", { class: "verdict" })),
      ),
    );
  }

  keys(showing) {
    const press = (choice) => (event) => showing.answer({ choice }, event);
    return { ArrowLeft: press("left"), ArrowRight: press("right") };
  }
}
