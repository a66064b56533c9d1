/** The next session of the same person: when it opens, by which link, until when, or that it is too late for it. */

import { copyLine } from "../copying.js";
import { h, paragraphs } from "../dom.js";
import { t } from "../texts.js";

/** A moment as people of the page's language write it, by the clock of the place where they are. */
function tell(ms) {
  const style = { dateStyle: "full", timeStyle: "short" };
  const date = new Date(ms);
  try {
    return date.toLocaleString(document.documentElement.lang || undefined, style);
  } catch {
    return date.toLocaleString(undefined, style); // the texts name a language that there is not
  }
}

/** What can be filled into the sentences about a session. */
export function listValues({ visit, n_visits: n, upcoming }) {
  if (!n) return {};
  const values = { visit, n };
  if (!upcoming) return values;
  const { visit: next, opens_at: opens, closes_at: closes } = upcoming;
  return { ...values, next, opens: tell(opens), closes: closes === null ? "" : tell(closes) };
}

const LOOK_MS = 15000;

/**
 * Call `open` once a session that is not open yet can be begun. Two clocks are looked at from time to time: one stands
 * while the computer sleeps, the other may be set.
 */
export function waitUntilOpen({ upcoming }, open) {
  if (upcoming?.state !== "early") return;
  const [date, clock] = [Date.now(), performance.now()];
  let timer = null;
  const look = () => {
    clearTimeout(timer);
    const left = upcoming.opens_in_ms - Math.max(Date.now() - date, performance.now() - clock);
    if (left > 0) timer = setTimeout(look, Math.min(left, LOOK_MS));
    else {
      document.removeEventListener("visibilitychange", look);
      open();
    }
  };
  document.addEventListener("visibilitychange", look);
  timer = setTimeout(look, Math.min(Math.max(upcoming.opens_in_ms, 1000), LOOK_MS));
}

/** Paragraphs that say when the session after one that is done can be begun. */
export function tellUpcoming(state) {
  const { upcoming } = state;
  const bounded = upcoming.closes_at !== null && upcoming.state !== "closed";
  const name = bounded ? `${upcoming.state}_until` : upcoming.state;
  return paragraphs(t(`upcoming.${name}`, listValues(state)));
}

/**
 * The session after one that is done, with the way to it.
 *
 * @param {object} state as the server tells it; `link`: the person's own link, null where a recruiter has one;
 *   `begin`: begins the session
 */
export function describeUpcoming(state) {
  const { upcoming, link, begin } = state;
  const values = listValues(state);
  const content = [h("h2", {}, t("upcoming.heading", values)), ...tellUpcoming(state)];
  if (upcoming.state === "open") {
    const button = h("button", { type: "button", class: "main", "data-action": "next" }, t("upcoming.begin", values));
    button.addEventListener("click", () => {
      button.disabled = true;
      begin();
    });
    content.push(h("div", { class: "buttons" }, button));
  } else if (upcoming.state === "early") {
    content.push(h("p", {}, t(link ? "upcoming.link" : "upcoming.recruited")));
    if (link) content.push(copyLine(link, t("own.copy"), "link"));
  }
  return content;
}
