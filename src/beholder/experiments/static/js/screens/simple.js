/** Screens of a few words and one button, and the comment. */

import { h, paragraphs } from "../dom.js";
import { t } from "../texts.js";
import { makeScreen, nextButton, sheet } from "./base.js";
import { prepare } from "./checks.js";

/** Words and one button: practice, breaks, the way back after a reload. `values.text` are paragraphs. */
export const Notice = makeScreen("notice", ({ display, session, values, finish }) => {
  const go = async () => {
    await prepare(session);
    finish();
  };
  display.append(sheet(paragraphs(values.text), nextButton(values.button, go)));
});

/** Words and one button, in the window as it is. */
export const Words = makeScreen("words", ({ display, values, finish }) => {
  display.append(sheet(paragraphs(values.text), nextButton(values.button, () => finish())));
});

/** An optional comment. */
export const Comment = makeScreen("comment", ({ display, finish }) => {
  const area = h("textarea", { id: "comment", rows: "5", maxlength: "4000" });
  display.append(
    sheet(
      [...paragraphs(t("comment.text")), h("label", { for: "comment" }, t("comment.label")), area],
      nextButton(t("comment.send"), () => finish({ text: area.value.trim() })),
    ),
  );
});
