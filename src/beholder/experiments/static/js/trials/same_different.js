/** Same or different: two items, one after the other, or side by side until the answer. */

import { h, rich } from "../dom.js";
import { describeExposure, playStages } from "../frames.js";
import { t } from "../texts.js";
import { describeTrial, TrialPlugin } from "./base.js";
import { makeTiles, playTiles } from "./items.js";
import { wholeWindow } from "../pixels.js";

/** Show one of the layers, or none. */
function showOnly(showing, part) {
  for (const layer of showing.display.querySelectorAll(".layer")) {
    layer.classList.toggle("shown", part !== null && layer.contains(part));
  }
}

export class SameDifferent extends TrialPlugin {
  static info = describeTrial("same-different");
  static isTimed = true;

  build(showing) {
    const { first, second } = showing.payload.stimuli;
    const made = makeTiles(showing, [first, second], { labels: [t("same_different.first"), t("same_different.second")] });
    Object.assign(this, made);
    this.inTurn = !this.areSounds && (showing.timing.stimulus_ms ?? 0) > 0;
    const choice = (name, arrow) =>
      showing.button({ choice: name }, { class: "choice" }, h("kbd", { "aria-hidden": "true" }, arrow), t(`same_different.${name}`));
    this.answers = h(
      "div",
      { class: "choices", role: "group", "aria-label": t("same_different.question") },
      choice("same", "←"),
      choice("different", "→"),
    );
    this.fixation = h("div", { class: "fixation", "aria-hidden": "true" });
    const layers = [this.fixation, ...this.tiles].map((part) => h("div", { class: "layer" }, part));
    if (this.inTurn) showing.display.append(h("div", { class: "centre" }, h("div", { class: "stack" }, ...layers)));
    const beside = this.inTurn ? [] : [h("div", { class: "row" }, ...this.tiles)];
    showing.display.append(
      h(
        "div",
        { class: this.inTurn ? "item-task waiting" : "item-task" },
        h("p", { class: "question" }, rich(t("same_different.question"))),
        ...beside,
        this.answers,
        h("div", { class: "foot" }, h("p", { class: "verdict" })),
      ),
    );
  }

  /** In turn, each has the middle of the window for itself. */
  room(showing) {
    return this.inTurn ? wholeWindow() : super.room(showing);
  }

  async present(showing) {
    const { fixation_ms: fixation, stimulus_ms: stimulus, gap_ms: gap } = showing.timing;
    if (this.areSounds) {
      const onset = await playTiles(showing, this.items, this.tiles, gap || undefined);
      this.ask(showing);
      return onset;
    }
    if (!this.inTurn) return super.present(showing);
    const only = (part) => () => showOnly(showing, part);
    const stages = [
      { name: "fixation", ms: fixation, show: only(this.fixation) },
      { name: "first", ms: stimulus, show: only(this.tiles[0]), isStimulus: true },
      { name: "gap", ms: gap, show: only(null) },
      { name: "second", ms: stimulus, show: only(this.tiles[1]), isStimulus: true },
    ].filter((stage) => stage.ms > 0);
    const { onsets, log } = await playStages([...stages, { name: "answer", ms: null, show: () => this.ask(showing) }]);
    Object.assign(showing.log, log, describeExposure(stimulus, log, ["first", "second"]));
    return onsets.second;
  }

  ask(showing) {
    showOnly(showing, null);
    showing.display.querySelector(".item-task").classList.remove("waiting");
    showing.open();
  }

  keys(showing) {
    return {
      ArrowLeft: (event) => showing.answer({ choice: "same" }, event),
      ArrowRight: (event) => showing.answer({ choice: "different" }, event),
    };
  }
}
