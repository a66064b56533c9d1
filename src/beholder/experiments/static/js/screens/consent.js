/** The versioned text that participants agree to, or not. */

import { copyLine } from "../copying.js";
import { h, paragraphs } from "../dom.js";
import { t } from "../texts.js";
import { makeScreen, nextButton, sheet } from "./base.js";

export const Consent = makeScreen("consent", ({ display, session, finish }) => {
  const version = String(session.settings.consent_version ?? "");
  const { recruited, own_link: own } = session.consent;
  const sessions = session.visit ? paragraphs(t("upcoming.consent", session.visit)) : [];
  const more = [...sessions, ...(recruited ? paragraphs(t(session.visit ? "upcoming.recruited_consent" : "consent.recruited")) : [])];
  const link = own ? [h("p", { class: "small after" }, t("own.start")), copyLine(session.ownLink, t("own.copy"), "link")] : [];
  const decide = (agreed) => () => finish({ version, agreed });
  const made = sheet(
    [...paragraphs(t("consent.text")), ...more, h("p", { class: "small" }, t("consent.version", { version }))],
    nextButton(t("consent.agree"), decide(true), { "data-action": "agree" }),
    h("button", { type: "button", "data-action": "decline", onclick: decide(false) }, t("consent.decline")),
  );
  made.append(...link);
  display.append(made);
});
