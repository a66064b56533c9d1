/** Two candidates, each with its row of confidence buttons; the arrow keys pick one, a number answers. */

import { h } from "../dom.js";
import { t } from "../texts.js";

/** One row of buttons, numbered from unsure to sure on either side. */
export function confidenceRow(showing, kind, choice, label) {
  const steps = showing.settings.confidence_steps ?? 3;
  const buttons = [];
  for (let step = 1; step <= steps; step += 1) {
    const response = steps > 1 ? { choice, confidence: step } : { choice };
    const name = t(steps > 1 ? `${kind}.choose` : `${kind}.choose_only`, { image: label, step, steps });
    buttons.push(showing.button(response, { class: "step", "aria-label": name }, steps > 1 ? String(step) : "●"));
  }
  return h("div", { class: "steps", role: "group", "aria-label": label, "data-side": choice }, ...buttons);
}

/** Keys: `{ArrowUp: "upper", ArrowDown: "lower"}` pick, numbers answer. */
export function confidenceKeys(showing, arrows) {
  const steps = showing.settings.confidence_steps ?? 3;
  let picked = null;
  const pick = (choice) => () => {
    if (!showing.isOpen) return;
    picked = choice;
    for (const part of showing.display.querySelectorAll("[data-side]")) {
      part.toggleAttribute("data-picked", part.dataset.side === choice);
    }
  };
  const answer = (step) => (event) => {
    if (picked === null) return false;
    showing.answer(steps > 1 ? { choice: picked, confidence: step } : { choice: picked }, event);
    return true;
  };
  const handlers = {};
  for (const [key, choice] of Object.entries(arrows)) handlers[key] = pick(choice);
  for (let step = 1; step <= steps; step += 1) handlers[step] = answer(step);
  return handlers;
}

/** The line that says which keys there are. */
export function confidenceHint(showing, kind) {
  const steps = showing.settings.confidence_steps ?? 3;
  if (steps < 2) return h("p", { class: "hint" }, t(`${kind}.keys_only`));
  return h("p", { class: "hint" }, t(`${kind}.scale`, { steps }), h("br"), t(`${kind}.keys`, { steps }));
}

/** Frame the candidate that was chosen: black, later by whether it was right. */
export function frameChoice(showing, choice, correct = null) {
  for (const part of showing.display.querySelectorAll(".candidate")) {
    const chosen = part.dataset.side === choice;
    part.classList.toggle("chosen", chosen);
    part.classList.toggle("right", chosen && correct === true);
    part.classList.toggle("wrong", chosen && correct === false);
  }
  for (const part of showing.display.querySelectorAll("[data-picked]")) part.removeAttribute("data-picked");
}
