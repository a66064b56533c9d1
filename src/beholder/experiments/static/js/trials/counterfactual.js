/** Counterfactual choice: which of two covered copies of a picture still has what the examples share? */

import { h, rich } from "../dom.js";
import { pictureElement } from "../pixels.js";
import { t } from "../texts.js";
import { describeTrial, TrialPlugin } from "./base.js";
import { confidenceHint, confidenceKeys, confidenceRow, frameChoice } from "./confidence.js";
import { candidate, exampleGrid, largestCell } from "./grid.js";

export class Counterfactual extends TrialPlugin {
  static info = describeTrial("counterfactual");

  get hasContinue() {
    return true;
  }

  build(showing) {
    const { base, left, right, references } = showing.payload.stimuli;
    const columns = Math.min(3, Math.ceil(Math.sqrt(Math.max(references.length, 1))));
    const rows = Math.max(2, Math.ceil(references.length / columns));
    const cell = Math.min(
      largestCell({ across: columns + 2, down: rows, otherWidth: 200, otherHeight: 196 }),
      largestCell({ across: 1, down: 2, otherWidth: 0, otherHeight: 196 + 124 }),
    );
    const names = { left: t("counterfactual.left"), right: t("counterfactual.right") };
    const sides = { left, right };
    const column = (side) => {
      const { element, size } = candidate(showing, sides[side], side, names[side], cell);
      showing.log.scale = size.scale;
      return h("div", { class: "column" }, element, confidenceRow(showing, "counterfactual", side, names[side]));
    };
    const size = showing.fit(showing.item(base), { width: cell, height: cell });
    showing.display.append(
      h(
        "div",
        { class: "pair-task covered" },
        h("div", { class: "head" }, h("p", { class: "question" }, rich(t("counterfactual.question")))),
        exampleGrid(showing, references, t("counterfactual.examples"), cell),
        h(
          "div",
          { class: "middle" },
          h(
            "figure",
            {},
            pictureElement(showing.item(base), size, t("counterfactual.base")),
            h("figcaption", {}, t("counterfactual.base")),
          ),
          h("div", { class: "columns" }, column("left"), column("right")),
        ),
        h("div", { class: "foot" }, confidenceHint(showing, "counterfactual"), h("p", { class: "verdict" })),
      ),
    );
  }

  keys(showing) {
    return confidenceKeys(showing, { ArrowLeft: "left", ArrowRight: "right" });
  }

  markChoice(showing, response) {
    frameChoice(showing, response.choice);
  }

  markVerdict(showing, response, correct) {
    frameChoice(showing, response.choice, correct);
  }
}
