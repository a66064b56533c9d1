/** Counterfactual choice: which of two covered copies of a picture still has what the examples share? */

import { h, rich } from "../dom.js";
import { t } from "../texts.js";
import { describeTrial, TrialPlugin } from "./base.js";
import { confidenceHint, confidenceKeys, confidenceRow, frameChoice } from "./confidence.js";
import { candidate, exampleGrid } from "./grid.js";

export class Counterfactual extends TrialPlugin {
  static info = describeTrial("counterfactual");

  get hasContinue() {
    return true;
  }

  build(showing) {
    const { base, left, right, references } = showing.payload.stimuli;
    const names = { left: t("counterfactual.left"), right: t("counterfactual.right") };
    const sides = { left, right };
    const column = (side) =>
      h(
        "div",
        { class: "column" },
        candidate(showing, sides[side], side, names[side]),
        confidenceRow(showing, "counterfactual", side, names[side]),
      );
    showing.display.append(
      h(
        "div",
        { class: "pair-task covered" },
        h("div", { class: "head" }, h("p", { class: "question" }, rich(t("counterfactual.question")))),
        exampleGrid(showing, references, t("counterfactual.examples")),
        h(
          "div",
          { class: "middle" },
          h(
            "figure",
            {},
            showing.picture(base, t("counterfactual.base")),
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
