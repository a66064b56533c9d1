/** Who sits here? Asked where a link does not tell, and a session is known to the tab, the browser or the address. */

import { h, paragraphs } from "../dom.js";
import { makeScreen, nextButton, sheet } from "./base.js";
import { t } from "../texts.js";

const another = (go, main) =>
  h("button", { type: "button", class: main ? "main" : null, "data-action": "new", onclick: go }, t("who.new"));

/** A session is not finished: go on with it, or begin as somebody else where the link lets anybody in. */
export const Who = makeScreen("who", ({ display, values, finish }) => {
  const { kind, open, several } = values;
  const text = [...paragraphs(t(several ? `upcoming.who_${kind}` : `who.${kind}`)), ...paragraphs(t(open ? "who.else" : "who.else_link"))];
  const go = nextButton(t("who.continue"), () => finish({ isNew: false }), { "data-action": "continue" });
  display.append(sheet(text, go, ...(open ? [another(() => finish({ isNew: true }), false)] : [])));
});

/** A session is over: somebody else may begin. */
export const Next = makeScreen("next", ({ display, values, finish }) => {
  const alone = values.alone ? "weak.next_person" : "next_person.text"; // without a server there is no link to one's own end
  const text = t(values.several ? "upcoming.next_person" : alone);
  display.append(sheet(paragraphs(text), another(() => finish({ isNew: true }), true)));
});
