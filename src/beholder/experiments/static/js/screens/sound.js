/** Sounds that do not sound: the page says so and what can be done, and nothing is asked about what nobody heard. */

import { findSilence, makeTestTone, playBuffer, renewSound } from "../audio.js";
import { h, paragraphs } from "../dom.js";
import { t } from "../texts.js";
import { sheet } from "./base.js";
import { cover } from "./cover.js";

/** Return once sounds can be heard; at once when they can. After a click or key press. */
export async function ensureSound(session) {
  for (let fault = await findSilence(); fault !== null; fault = await findSilence()) {
    if (fault === "nothing" && session.hearsSound) return;
    const draw = (display, finish) => drawSilence({ display, finish, fault });
    const heard = await cover("sound", t("sound.heading"), draw, { over: true });
    if (heard) session.hearsSound = true;
  }
}

/** `fault` as {@link findSilence} names it; what only a missing device would explain, a listener can put right. */
function drawSilence({ display, finish, fault }) {
  const again = () => {
    renewSound();
    finish(false);
  };
  const retry = h("button", { type: "button", class: "main", "data-action": "next", onclick: again }, t("sound.again"));
  const hears = h("button", { type: "button", "data-action": "hears", hidden: true, onclick: () => finish(true) }, t("sound.hears"));
  const listen = () => {
    playBuffer(makeTestTone());
    hears.hidden = false;
  };
  const test = h("button", { type: "button", "data-action": "test", onclick: listen }, t("sound.test"));
  const buttons = fault === "nothing" ? [retry, test, hears] : [retry];
  display.append(sheet(paragraphs(t("sound.text")), ...buttons));
  retry.focus({ preventScroll: true });
}

/**
 * Play sounds in turn, each to its end, all scheduled by the audio clock, so that the pauses are exact. Where one stands still the page says so, and all begin again once they can be
 * heard: `restart` takes back what the trial has done by then. `log` counts how often. The onset of the first.
 */
export async function playInTurn(session, buffers, { log, between = 0, mark = () => {}, begun = () => {}, restart = () => {} }) {
  for (;;) {
    await ensureSound(session);
    const all = [];
    for (const buffer of buffers) {
      const at = all.length ? all.at(-1).end + between / 1000 : null;
      all.push(playBuffer(buffer, { at }));
    }
    const [first] = all;
    Object.assign(log, { sound_latency_ms: first.latency_ms, sound_clock: first.clock });
    let whole = true;
    for (let k = 0; k < all.length && whole; k += 1) {
      const sounds = await all[k].begun;
      mark(k, true);
      if (k === 0 && sounds) begun(first.onset);
      whole = await all[k].played;
      mark(k, false);
    }
    if (whole) return first.onset;
    for (const each of all) each.stop();
    log.sound_restarts = (log.sound_restarts ?? 0) + 1;
    restart();
  }
}
