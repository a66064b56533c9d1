/** The page around the stage: heading, live region, progress, notice, the way out. */

import { h } from "./dom.js";

const at = (id) => document.getElementById(id);

/** The element that jsPsych draws in. */
export const stage = () => at("stage");

/** Name the screen: the heading (seen or only heard), and what style sheets and tests look at. What was said of the last one is over. */
export function enter(screen, heading, { seen = true, focus = true } = {}) {
  document.body.dataset.screen = screen;
  at("live").replaceChildren();
  at("heading").textContent = heading;
  at("heading").classList.toggle("unseen", !seen);
  window.scrollTo(0, 0);
  if (focus) at(seen ? "heading" : "main").focus({ preventScroll: true });
}

/** Say something to those who listen rather than look. */
export function announce(text) {
  at("live").replaceChildren(h("p", {}, text));
}

/** How far we are; shown between trials only. */
export function showProgress(done, total, text) {
  at("progress").hidden = false;
  at("progress-bar").value = total ? done / total : 0;
  at("progress-text").textContent = text;
}

/** Nothing but the stimulus. */
export function hideProgress() {
  at("progress").hidden = true;
}

/** A kind word at the foot of the page, over whatever is shown; null takes it away. */
export function showNotice(text) {
  const notice = at("notice");
  if (notice.textContent !== (text ?? "")) notice.textContent = text ?? "";
  notice.hidden = !text;
}

/** Put the way out of the study where it can always be found; null takes it away. */
export function offerLeaving(label, leave) {
  const button = at("leave");
  button.hidden = !leave;
  button.textContent = label ?? "";
  button.onclick = leave;
}

/** Black or white, whichever reads better on a ground, and what else depends on it. */
export function useGround(color) {
  const parts = /^#?([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(color ?? "");
  if (!parts) return;
  const linear = (hex) => {
    const value = parseInt(hex, 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  const light = 0.2126 * linear(parts[1]) + 0.7152 * linear(parts[2]) + 0.0722 * linear(parts[3]);
  const white = 1.05 / (light + 0.05) >= (light + 0.05) / 0.05;
  document.documentElement.style.setProperty("--ground", `#${parts.slice(1).join("")}`);
  document.documentElement.style.setProperty("--ink", white ? "#ffffff" : "#000000");
}
