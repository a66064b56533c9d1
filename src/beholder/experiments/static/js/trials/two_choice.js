/** Two-alternative choice: which of two pictures in the middle belongs to the examples on the right? */

import { h, rich } from "../dom.js";
import { t } from "../texts.js";
import { describeTrial, TrialPlugin } from "./base.js";
import { confidenceHint, confidenceKeys, confidenceRow, frameChoice } from "./confidence.js";
import { candidate, exampleGrid } from "./grid.js";

export class TwoChoice extends TrialPlugin {
  static info = describeTrial("2afc");

  get hasContinue() {
    return true;
  }

  build(showing) {
    const { payload, settings, session } = showing;
    const { upper, lower, left, right } = payload.stimuli;
    const grid = (urls, title) => exampleGrid(showing, urls, t(title));
    const names = { upper: t("2afc.upper"), lower: t("2afc.lower") };
    const score = settings.running_score && payload.phase !== "practice";
    showing.display.append(
      h(
        "div",
        { class: "pair-task" },
        h(
          "div",
          { class: "head" },
          h("p", { class: "score" }, score ? [t("trial.score_label"), " ", h("b", {}, String(session.nCorrect))] : []),
          h("p", { class: "question" }, rich(t("2afc.question"))),
        ),
        grid(left, "2afc.left"),
        h(
          "div",
          { class: "middle" },
          candidate(showing, upper, "upper", names.upper),
          confidenceRow(showing, "2afc", "upper", names.upper),
          confidenceRow(showing, "2afc", "lower", names.lower),
          candidate(showing, lower, "lower", names.lower),
        ),
        grid(right, "2afc.right"),
        h("div", { class: "foot" }, confidenceHint(showing, "2afc"), h("p", { class: "verdict" })),
      ),
    );
  }

  keys(showing) {
    return confidenceKeys(showing, { ArrowUp: "upper", ArrowDown: "lower" });
  }

  markChoice(showing, response) {
    frameChoice(showing, response.choice);
  }

  markVerdict(showing, response, correct) {
    frameChoice(showing, response.choice, correct);
  }
}
