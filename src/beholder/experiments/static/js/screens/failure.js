/** A stimulus that this page cannot show: said in the participant's words, with a way to try again. */

import { h, paragraphs } from "../dom.js";
import { sheet } from "./base.js";
import { enter, hideProgress, stage } from "../shell.js";
import { t } from "../texts.js";

/** Say which part of which trial is missing; resolves with `"again"` or, where that may be offered, with `"skip"`. */
export function showFailure({ title, urls, error, told, maySkip }) {
  const numbers = [...new Set(error.urls)].map((url) => urls.indexOf(url) + 1).sort((a, b) => a - b);
  const values = { trial: title, numbers: numbers.join(", "), total: urls.length };
  const text = [
    numbers.length === urls.length ? t("not_shown.what_only", values) : t("not_shown.what", values),
    t(`not_shown.${error.reason}`),
    t(told ? "not_shown.told" : "not_shown.kept"),
    ...(maySkip ? [t("not_shown.skip_text")] : []),
  ];
  return new Promise((resolve) => {
    const again = h("button", { type: "button", class: "main", "data-action": "again" }, t("not_shown.again"));
    const reload = h("button", { type: "button", "data-action": "reload" }, t("problem.reload"));
    const skip = h("button", { type: "button", "data-action": "skip" }, t("not_shown.skip"));
    const choose = (button, choice) =>
      button.addEventListener("click", () => {
        for (const each of [again, skip, reload]) each.disabled = true;
        resolve(choice);
      });
    choose(again, "again");
    choose(skip, "skip");
    reload.addEventListener("click", () => window.location.reload());
    hideProgress();
    enter("not-shown", t("not_shown.heading"));
    stage().querySelector(".jspsych-content")?.replaceChildren(sheet(paragraphs(text), again, ...(maySkip ? [skip] : []), reload));
  });
}
