/** Two-alternative choice: which of two pictures in the middle belongs to the examples on the right? */

import { h, rich } from "../dom.js";
import { t } from "../texts.js";
import { describeTrial, TrialPlugin } from "./base.js";
import { confidenceHint, confidenceKeys, confidenceRow, frameChoice } from "./confidence.js";
import { candidate, exampleGrid, largestCell } from "./grid.js";

const MIDDLE = 170;

export class TwoChoice extends TrialPlugin {
  static info = describeTrial("2afc");

  get hasContinue() {
    return true;
  }

  build(showing) {
    const { payload, settings, session } = showing;
    const { upper, lower, left, right } = payload.stimuli;
    const columns = 2 * Math.min(3, Math.ceil(Math.sqrt(Math.max(left.length, right.length, 1))));
    const rows = Math.max(2, Math.ceil(left.length / (columns / 2)));
    const whole = largestCell({ across: columns + 1, down: rows, otherWidth: 120, otherHeight: 196 });
    const beside = largestCell({ across: columns, down: rows, otherWidth: 110 + MIDDLE, otherHeight: 196 });
    const stacked = largestCell({ across: 1, down: 2, otherWidth: 0, otherHeight: 196 + 116 });
    const cell = Math.min(whole < MIDDLE ? beside : whole, stacked);
    const grid = (urls, title) => exampleGrid(showing, urls, t(title), cell);
    const names = { upper: t("2afc.upper"), lower: t("2afc.lower") };
    const top = candidate(showing, upper, "upper", names.upper, cell);
    const bottom = candidate(showing, lower, "lower", names.lower, cell);
    showing.log.scale = top.size.scale;
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
          top.element,
          confidenceRow(showing, "2afc", "upper", names.upper),
          confidenceRow(showing, "2afc", "lower", names.lower),
          bottom.element,
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
