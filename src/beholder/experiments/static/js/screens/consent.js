/** The versioned text that participants agree to, or not. */

import { h, paragraphs } from "../dom.js";
import { t } from "../texts.js";
import { makeScreen, nextButton, sheet } from "./base.js";

export const Consent = makeScreen("consent", ({ display, session, finish }) => {
  const version = String(session.settings.consent_version ?? "");
  const decide = (agreed) => () => finish({ version, agreed });
  display.append(
    sheet(
      [...paragraphs(t("consent.text")), h("p", { class: "small" }, t("consent.version", { version }))],
      nextButton(t("consent.agree"), decide(true), { "data-action": "agree" }),
      h("button", { type: "button", "data-action": "decline", onclick: decide(false) }, t("consent.decline")),
    ),
  );
});
