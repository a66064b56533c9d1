/** A text to take along, with a button that copies it. */

import { h } from "./dom.js";
import { t } from "./texts.js";

/** The line; `label` is the button's text. */
export function copyLine(text, label, kind = "code") {
  const shown = h("output", { class: kind }, text);
  const copy = h("button", { type: "button", "data-action": `copy-${kind}` }, label);
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      copy.textContent = t("done.copied");
    } catch {
      window.getSelection().selectAllChildren(shown); // a frame may forbid it: the text is at least selected
    }
  });
  return h("p", { class: "code-line" }, shown, " ", copy);
}
