/** The way out: asked once more, then the answers are deleted. */

import { h } from "../dom.js";
import { offerLeaving } from "../shell.js";
import { t } from "../texts.js";

/** Put the button at the foot of the page; `leave` withdraws; `earlier`: from a session that is not the first. */
export function offerWithdrawal(leave, earlier = false) {
  offerLeaving(t("leave.button"), () => {
    const close = () => {
      dialog.close();
      dialog.remove();
    };
    const go = () => {
      close();
      leave();
    };
    const dialog = h(
      "dialog",
      { "aria-labelledby": "leave-heading", "aria-describedby": "leave-text", oncancel: close },
      h("h2", { id: "leave-heading" }, t("leave.heading")),
      h("p", { id: "leave-text" }, t("leave.text"), earlier ? ` ${t("upcoming.leave")}` : ""),
      h(
        "div",
        { class: "buttons" },
        h("button", { type: "button", class: "main", "data-action": "stay", onclick: close }, t("leave.no")),
        h("button", { type: "button", "data-action": "withdraw", onclick: go }, t("leave.yes")),
      ),
    );
    document.body.append(dialog);
    dialog.showModal();
  });
}
