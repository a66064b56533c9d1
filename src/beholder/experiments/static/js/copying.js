/** A text to take along, with a button that copies it. */

import { h } from "./dom.js";
import { t } from "./texts.js";

/** Copy the text of an element; where plain http or a frame keeps the clipboard shut, by selecting it. Whether it worked. */
export async function copyText(shown) {
  try {
    await navigator.clipboard.writeText(shown.textContent);
    return true;
  } catch {
    window.getSelection().selectAllChildren(shown); // it is at least selected
    return document.execCommand("copy");
  }
}

/** The line; `label` is the button's text. */
export function copyLine(text, label, kind = "code") {
  const shown = h("output", { class: kind }, text);
  const copy = h("button", { type: "button", "data-action": `copy-${kind}` }, label);
  copy.addEventListener("click", async () => {
    if (await copyText(shown)) copy.textContent = t("done.copied");
  });
  return h("p", { class: "code-line" }, shown, " ", copy);
}
