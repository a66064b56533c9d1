/** Screens after which nothing comes. */

import { copyLine, copyText } from "../copying.js";
import { h, paragraphs } from "../dom.js";
import { enter, hideProgress, offerLeaving, showNotice, stage } from "../shell.js";
import { t } from "../texts.js";
import { describeUpcoming, listValues, tellUpcoming, waitUntilOpen } from "./upcoming.js";

function finalSheet(screen, heading, ...content) {
  hideProgress();
  showNotice(null);
  offerLeaving(null, null);
  if (document.fullscreenElement) document.exitFullscreen().catch(() => {});
  enter(screen, heading);
  stage().replaceChildren(h("div", { class: "sheet" }, ...content));
}

/** MTurk wants a form that leaves the page, with the assignment and at least one value more. */
function submitForm({ url, fields }) {
  const inputs = Object.entries(fields ?? {}).map(([name, value]) => h("input", { type: "hidden", name, value }));
  return h("form", { method: "post", action: url }, ...inputs, h("button", { type: "submit", class: "main" }, t("done.submit")));
}

/** A file to save; `saved` is told when it was, and the offer is a small one afterwards. */
function downloadLine({ href, name, saved }) {
  const main = saved ? "main button" : "button";
  return h("p", {}, h("a", { class: main, href, download: name, onclick: saved }, t(saved ? "weak.download" : "weak.download_again")));
}

const closing = () => h("p", { class: "small" }, t("done.close"));

/** The link that opens this page once more. */
const ownLink = (link) => [h("p", { class: "small" }, t("own.end")), copyLine(link, t("own.copy"), "link")];

/** Thanks, and what leads back to where the participant came from. `state.step` is an end; `state.text` names other words. */
export function showEnd(state) {
  const name = state.step;
  const values = listValues(state);
  const content = [state.text ?? `${name}.text`].flat().flatMap((text) => paragraphs(t(text, values)));
  if (state.code) content.push(h("p", {}, t(`${name}.code`)), copyLine(state.code, t("done.copy")));
  if (state.submit) content.push(submitForm(state.submit));
  else if (state.go) content.push(h("p", {}, h("button", { type: "button", class: "main", onclick: state.go }, t("weak.go"))));
  else if (state.download) content.push(downloadLine(state.download));
  else if (state.code_url) {
    content.push(h("p", {}, h("a", { class: "main button", href: state.code_url, rel: "noreferrer" }, t("done.return"))));
  } else if (!state.upcoming) content.push(closing());
  if (state.upcoming) content.push(...describeUpcoming(state));
  else if (state.code && state.link) content.push(...ownLink(state.link));
  if (state.upcoming?.state === "closed" && state.link) content.push(...ownLink(state.link));
  if (state.upcoming && state.upcoming.state !== "open" && !state.code_url) content.push(closing());
  if (state.next && !state.unsaved) {
    const button = h("button", { type: "button", "data-action": "new", onclick: state.next }, t("who.new"));
    content.push(h("div", { class: "buttons" }, button));
  }
  finalSheet("end", t(`${name}.heading`), ...content);
  document.body.dataset.end = name;
}

/** Another tab went on. */
export function showMoved() {
  const again = () => window.location.reload();
  const button = h("button", { type: "button", class: "main", onclick: again }, t("moved.here"));
  finalSheet("moved", t("moved.heading"), h("p", {}, t("moved.text")), h("div", { class: "buttons" }, button));
}

/** Somebody who is through came for another job of the recruiter's: of several sessions, too early or too late. */
export function showRepeat(reply = {}) {
  if (reply.upcoming) {
    const more = paragraphs(t(`upcoming.offer_${reply.upcoming.state}`));
    finalSheet("upcoming", t("upcoming.heading", listValues(reply)), ...tellUpcoming(reply), ...more);
    waitUntilOpen(reply, () => window.location.reload());
    return;
  }
  finalSheet("repeat", t("repeat.heading"), ...paragraphs(t(reply.n_visits > 1 ? "upcoming.repeat" : "repeat.text")));
}

/** Something that cannot go on; `kind` names the sentence, `anew` begins as a new person where that can be done. */
export function showProblem(kind, detail = null, anew = null) {
  const again = () => window.location.reload();
  const button = anew
    ? h("button", { type: "button", class: "main", "data-action": "new", onclick: anew }, t("who.new"))
    : h("button", { type: "button", class: "main", onclick: again }, t("problem.reload"));
  const retry = kind === "other" || anew ? [h("div", { class: "buttons" }, button)] : [];
  const small = detail ? [h("p", { class: "small" }, detail)] : [];
  finalSheet("problem", t("problem.heading"), h("p", {}, t(`problem.${kind}`)), ...small, ...retry);
}

/** A telephone is too small for this; the address can be taken along. */
export function showPhone(address) {
  const line = h("p", { class: "address" }, address);
  const mayShare = Boolean(navigator.share); // not over plain http
  const attributes = { type: "button", class: "main", "data-action": mayShare ? "share" : "copy" };
  const take = h("button", attributes, t(mayShare ? "phone.share" : "phone.copy"));
  take.addEventListener("click", async () => {
    if (mayShare) await navigator.share({ url: address }).catch(() => {}); // not shared: the address stands above
    else if (await copyText(line)) take.textContent = t("done.copied");
  });
  finalSheet("phone", t("phone.heading"), ...paragraphs(t("phone.text")), line, h("div", { class: "buttons" }, take));
}

/** MTurk's preview, before the task is accepted. */
export function showPreview() {
  finalSheet("preview", t("preview.heading"), h("p", {}, t("preview.text")));
}
