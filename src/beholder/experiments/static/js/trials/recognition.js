/** Recognition: fixation cross, picture, noise mask, then one symbol for each category. */

import { h, rich } from "../dom.js";
import { describeExposure, playStages } from "../frames.js";
import { iconUrl } from "../icons.js";
import { drawNoise, hashText } from "../noise.js";
import { readDensity } from "../display.js";
import { alignPictures, pictureElement, resizeElement, wholeWindow } from "../pixels.js";
import { announce } from "../shell.js";
import { look, t } from "../texts.js";
import { describeTrial, TrialPlugin } from "./base.js";

const COLUMNS = 4;
const SPELLING_MS = 1200;

const nameLabel = (label) => (look(`labels.${label}`) ? t(`labels.${label}`) : label);

/** A noise mask of the same pixels of the screen as the picture. */
function makeMask(showing, { width, height }) {
  const url = showing.payload.stimuli.mask;
  if (url) return pictureElement(showing.item(url), "");
  const density = readDensity();
  const mask = drawNoise(Math.round(width * density), Math.round(height * density), hashText(String(showing.payload.id)));
  mask.className = "picture";
  mask.setAttribute("aria-hidden", "true");
  return mask;
}

export class Recognition extends TrialPlugin {
  static info = describeTrial("recognition");
  static isTimed = true;

  build(showing) {
    const { payload, settings } = showing;
    this.isTimed = (showing.timing.stimulus_ms ?? 0) > 0;
    this.shown = showing.picture(payload.stimuli.stimulus, t("trial.picture"));
    this.fixation = h("div", { class: "layer", "aria-hidden": "true" }, h("div", { class: "fixation" }));
    this.picture = h("div", { class: "layer" }, this.shown);
    this.mask = h("div", { class: "layer" });
    this.box = h("div", { class: "stack" }, this.fixation, this.picture, this.mask);
    const labels = payload.choices ?? settings.choices;
    this.labels = labels;
    this.icons = labels.map((label, k) =>
      showing.button(
        { label },
        { class: "icon", tabindex: k === 0 ? "0" : "-1" },
        iconUrl(label) && h("img", { src: iconUrl(label), alt: "", draggable: "false" }),
        h("span", {}, nameLabel(label)),
      ),
    );
    const columns = Math.min(this.isTimed ? COLUMNS : 2 * COLUMNS, Math.ceil(Math.sqrt(labels.length) * (this.isTimed ? 1 : 2)));
    this.columns = columns;
    this.panel = h(
      "div",
      { class: this.isTimed ? "answers" : "answers waiting", hidden: this.isTimed },
      h("p", { class: "question" }, rich(t("recognition.question"))),
      h(
        "div",
        { class: "icons", role: "group", "aria-label": t("recognition.question") },
        ...this.icons,
      ),
      h("div", { class: "foot" }, h("p", { class: "hint" }, t("recognition.keys")), h("p", { class: "verdict" })),
    );
    const icons = this.panel.querySelector(".icons");
    icons.style.setProperty("--columns", columns);
    icons.style.setProperty("--rows", Math.ceil(labels.length / columns));
    showing.display.append(h("div", { class: this.isTimed ? "centre" : "centre above" }, this.box), this.panel);
  }

  /** For a moment, the picture has the window for itself; until the answer, it shares it with the symbols. */
  room(showing) {
    return this.isTimed ? wholeWindow() : super.room(showing);
  }

  /** The mask covers what the picture covered. */
  sized(showing) {
    if (!this.isTimed) return;
    const size = { width: parseFloat(this.shown.style.width), height: parseFloat(this.shown.style.height) };
    const mask = makeMask(showing, size);
    resizeElement(mask, size, showing.log.scale);
    this.mask.replaceChildren(mask);
    alignPictures(showing.display);
  }

  async present(showing) {
    const { fixation_ms: fixation, stimulus_ms: stimulus, mask_ms: mask } = showing.timing;
    const only = (layer) => () => {
      for (const each of [this.fixation, this.picture, this.mask]) each.classList.toggle("shown", each === layer);
    };
    const stages = [];
    if (fixation > 0) stages.push({ name: "fixation", ms: fixation, show: only(this.fixation) });
    if (this.isTimed) {
      stages.push({ name: "stimulus", ms: stimulus, show: only(this.picture), isStimulus: true });
      if (mask > 0) stages.push({ name: "mask", ms: mask, show: only(this.mask) });
      stages.push({ name: "answer", ms: null, show: () => this.ask(showing) });
    } else {
      stages.push({ name: "stimulus", ms: null, show: () => (only(this.picture)(), this.openBelow(showing)) });
    }
    const { onsets, log } = await playStages(stages);
    Object.assign(showing.log, log, describeExposure(stimulus, log, ["stimulus"]));
    return onsets.stimulus;
  }

  ask(showing) {
    this.box.parentElement.hidden = true;
    this.panel.hidden = false;
    showing.open();
    announce(t("recognition.question"));
  }

  /** Without a time limit the picture stays above the symbols. */
  openBelow(showing) {
    this.panel.classList.remove("waiting");
    showing.open();
  }

  keys(showing) {
    let typed = "";
    let since = 0;
    const focus = (k) => {
      for (const icon of this.icons) icon.tabIndex = -1;
      this.icons[k].tabIndex = 0;
      this.icons[k].focus();
    };
    const current = () => this.icons.indexOf(document.activeElement);
    const move = (step) => () => {
      if (!showing.isOpen) return;
      const [k, n] = [current(), this.icons.length];
      if (k < 0) focus(step > 0 ? 0 : n - 1);
      else if (k + step >= 0 && k + step < n) focus(k + step);
    };
    const spell = (event) => {
      if (!showing.isOpen) return false;
      typed = (event.timeStamp - since < SPELLING_MS ? typed : "") + event.key.toLowerCase();
      since = event.timeStamp;
      const fits = (letters) => this.labels.findIndex((label) => nameLabel(label).toLowerCase().startsWith(letters));
      let found = fits(typed);
      if (found < 0) found = fits((typed = event.key.toLowerCase()));
      if (found >= 0) focus(found);
      return found >= 0;
    };
    const handlers = {
      ArrowRight: move(1),
      ArrowLeft: move(-1),
      ArrowDown: (event) => move(this.columns)(event),
      ArrowUp: (event) => move(-this.columns)(event),
    };
    const letters = new Set(this.labels.flatMap((label) => [...nameLabel(label).toLowerCase()]));
    for (const letter of letters) if (letter !== " ") handlers[letter] = spell;
    return handlers;
  }

  markVerdict(showing, response, correct) {
    for (const icon of this.icons) {
      if (!icon.hasAttribute("data-chosen")) continue;
      icon.classList.add(correct ? "right" : "wrong");
    }
  }
}
