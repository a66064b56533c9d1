/** What trials of every kind have in common: wait for the stimuli, show, ask once, save, tell, go on. */

import { describeAudio } from "../audio.js";
import { pageTime } from "../clock.js";
import { h } from "../dom.js";
import { takeEvidence } from "../evidence.js";
import { describeFrames, nextFrame, waitUntilSeen } from "../frames.js";
import { listenKeys } from "../keys.js";
import { listAddresses, NotShown } from "../media.js";
import { describeWindow } from "../display.js";
import { alignPictures, layOutPictures, pictureElement } from "../pixels.js";
import { describe, PLAIN } from "../runner.js";
import { showFailure } from "../screens/failure.js";
import { ensureSound } from "../screens/sound.js";
import { waitForWindow } from "../screens/window.js";
import { announce, enter, hideProgress, showProgress, stage } from "../shell.js";
import { t } from "../texts.js";

const GAP_MS = 350;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));

/** How often the participant was elsewhere while a trial lasted. */
function watchAttention() {
  const counts = { blurs: 0, hidden: false };
  const blur = () => (counts.blurs += 1);
  const hide = () => (counts.hidden = counts.hidden || document.hidden);
  window.addEventListener("blur", blur);
  document.addEventListener("visibilitychange", hide);
  return () => {
    window.removeEventListener("blur", blur);
    document.removeEventListener("visibilitychange", hide);
    return counts;
  };
}

/** A trial that is being shown. Its first answer counts, whatever is clicked or pressed afterwards. */
class Showing {
  constructor(display, payload, session) {
    this.display = display;
    this.payload = payload;
    this.session = session;
    this.settings = session.settings;
    this.timing = { ...session.timing, ...payload.timing };
    this.controls = [];
    this.pictures = [];
    this.log = describeFrames();
    this.close();
  }

  /** The stimulus of an address. */
  item(url) {
    return this.session.media.get(url);
  }

  /** The picture of an address, as an element that gets its size when all of the trial are there. */
  picture(url, alt) {
    const item = this.item(url);
    const element = pictureElement(item, alt);
    this.pictures.push({ item, element });
    return element;
  }

  /** Give all pictures the size that the study wants; all smaller where the room, or else the window, is too small. */
  layOut(room) {
    const { size, viewing_distance_cm: distance = 60 } = this.settings;
    const wish = { size, distanceMm: distance * 10, pixelsPerMm: this.session.pixelsPerMm };
    Object.assign(this.log, layOutPictures(this.pictures, { ...wish, display: this.display, room }));
    alignPictures(this.display);
  }

  /** A button that answers. It does nothing until the trial is open for answers. */
  button(response, attributes, ...children) {
    const answer = (event) => this.answer(response, event);
    const button = h(
      "button",
      { type: "button", disabled: true, "data-answer": JSON.stringify(response), onclick: answer, ...attributes },
      ...children,
    );
    this.controls.push(button);
    return button;
  }

  /** Let answers in. */
  open() {
    this.isOpen = true;
    for (const control of this.controls) control.disabled = false;
  }

  /** Let none in until it is opened again; one that came already does not count. */
  close() {
    this.isOpen = false;
    this.answered = new Promise((resolve) => (this.resolve = resolve));
    for (const control of this.controls) control.disabled = true;
  }

  answer(response, event) {
    if (!this.isOpen) return;
    this.isOpen = false;
    const time = event.timeStamp || performance.now();
    for (const control of this.controls) {
      control.disabled = true;
      control.toggleAttribute("data-chosen", control.dataset.answer === JSON.stringify(response));
    }
    this.resolve({ response, time });
  }
}

/** A kind of trial: a sub-class lays it out and presents it. */
export class TrialPlugin {
  /** Whether something is shown for a moment: everything is then loaded before the first trial. */
  static isTimed = false;

  /** Whether all stimuli are sounds. */
  static playsSound = false;

  constructor(jsPsych) {
    this.jsPsych = jsPsych;
  }

  /** Put everything into `showing.display`, hidden where it comes later. */
  build(showing) {
    throw new Error(`${this.constructor.name} lays nothing out: ${showing.payload.id}`);
  }

  /** What a picture has to find place in; null where the whole page has to go without scrolling. */
  room() {
    return null;
  }

  /** The pictures have their sizes. */
  sized() {}

  /** Show it, open the answers with `showing.open()`; the time of the onset. */
  async present(showing) {
    const onset = await nextFrame();
    await pause(showing.timing.disabled_ms ?? 0);
    showing.open();
    return onset;
  }

  /** Let answers in after what was shown for a moment. */
  ask(showing) {
    showing.open();
  }

  /** Ask for what was seen before the page was loaded again, without showing it once more; the time of the question. */
  async withhold(showing) {
    const onset = await nextFrame();
    this.ask(showing);
    const line = h("p", { class: "hint", "data-withheld": "" }, t("trial.withheld"));
    showing.display.querySelector(".question").after(line);
    announce(t("trial.withheld"));
    return onset;
  }

  /** Keys while the trial waits for an answer. */
  keys() {
    return {};
  }

  /** Show what was chosen. */
  markChoice() {}

  /** Show whether it was right. */
  markVerdict() {}

  /** Whether a button ends the trial after its feedback. */
  get hasContinue() {
    return false;
  }

  async trial(display, parameters, onLoad) {
    const session = parameters.session();
    const { payload, next } = parameters;
    await waitForWindow(session);
    const ready = await waitForStimuli(session, payload);
    if (ready === "elsewhere") return { stop: true };
    if (ready === "skipped") return leaveOut(session, payload);
    if (listAddresses(payload.stimuli).some((url) => session.media.get(url)?.kind === "sound")) await ensureSound(session);
    await waitUntilSeen();
    const mayShow = await announcePresentation(session, payload);
    if (mayShow === null) return { stop: true };
    const showing = new Showing(display, payload, session);
    hideProgress();
    enter("trial", headTrial(payload, session), { seen: false });
    document.body.dataset.trial = payload.id;
    const stopWatching = watchAttention();
    display.replaceChildren();
    this.build(showing);
    const layOut = () => {
      showing.layOut(this.room(showing));
      this.sized(showing);
    };
    layOut();
    onLoad();
    const follow = () => this.room(showing) === null && layOut(); // what is shown for a moment stays as it began
    window.addEventListener("resize", follow);
    const stopKeys = listenKeys(this.keys(showing));
    const onset = await (mayShow ? this.present(showing) : this.withhold(showing));
    const answer = await showing.answered;
    stopKeys();
    window.removeEventListener("resize", follow);
    document.body.dataset.screen = "saving";
    this.markChoice(showing, answer.response);
    if (next) session.media.need(listAddresses(next.stimuli)).catch(() => {}); // its own trial will tell
    const answeredAt = performance.now();
    const reply = await session.save(payload, {
      response: answer.response,
      rt_ms: Math.max(0, Math.round((answer.time - onset) * 10) / 10),
      shown_at: Math.round(pageTime(onset)),
      frames: showing.log,
      window: { ...describeWindow(), device_px_per_mm: session.devicePixelsPerMm, ...stopWatching() },
      audio: { ...describeAudio(), ...(session.hearsSound ? { confirmed: true } : {}) },
      evidence: takeEvidence(),
    });
    if (reply === null) return { stop: true };
    const tells = typeof reply.feedback?.correct === "boolean";
    if (tells) {
      await pause((showing.timing.feedback_delay_ms ?? 0) - (performance.now() - answeredAt));
      await this.tell(showing, answer.response, reply.feedback.correct);
    }
    session.count(payload, reply);
    showProgress(...session.progress(payload));
    if (tells && this.hasContinue) await waitForContinue(display);
    else if (!tells) await pause(GAP_MS);
    session.media.drop(listAddresses(payload.stimuli));
    return { id: payload.id };
  }

  async tell(showing, response, correct) {
    document.body.dataset.screen = "feedback";
    this.markVerdict(showing, response, correct);
    const verdict = showing.display.querySelector(".verdict");
    const word = t(correct ? "trial.correct" : "trial.incorrect");
    verdict?.replaceChildren(h("span", { "aria-hidden": "true" }, correct ? "✓ " : "✗ "), word);
    verdict?.classList.add(correct ? "right" : "wrong");
    announce(word);
    await pause(showing.timing.feedback_ms ?? 0);
  }
}

/** The `info` of a kind of trial. */
export function describeTrial(name) {
  return describe(name, { payload: PLAIN, next: PLAIN }, { id: { type: PLAIN.type } });
}

function headTrial(payload, session) {
  const values = { n: payload.n, total: session.nTrials };
  return t(payload.phase === "practice" ? "trial.heading_practice" : "trial.heading", values);
}

/** Go on without a trial: it is done, without an answer. */
function leaveOut(session, payload) {
  session.count(payload, {});
  showProgress(...session.progress(payload));
  session.media.drop(listAddresses(payload.stimuli));
  return { id: payload.id };
}

/**
 * Wait for them, and say so where one cannot be shown: `"ready"`; `"skipped"` when that did not change and the
 * participant goes on without; `"elsewhere"` when the server stands elsewhere by then.
 */
async function waitForStimuli(session, payload) {
  const urls = listAddresses(payload.stimuli);
  for (let tries = 1; ; tries += 1) {
    try {
      await sayIfLate(session.media.need(urls));
      return "ready";
    } catch (error) {
      if (!(error instanceof NotShown)) throw error;
      const reply = await session.report(payload, error);
      if (reply === null) return "elsewhere";
      const page = { title: headTrial(payload, session), urls, error, told: reply.told, maySkip: tries > 1 };
      if ((await showFailure(page)) === "skip") return (await session.skip(payload)) ? "skipped" : "elsewhere";
      session.media.retry(urls);
    }
  }
}

/** Nothing is shown before the server knows of it, so that a reload is known for one. */
function announcePresentation(session, payload) {
  return sayIfLate(session.announce(payload));
}

async function sayIfLate(ready) {
  const late = setTimeout(() => {
    document.body.dataset.screen = "loading";
    stage().querySelector(".jspsych-content")?.replaceChildren(h("p", { class: "plain" }, t("loading.slow")));
  }, 400);
  try {
    return await ready;
  } finally {
    clearTimeout(late);
  }
}

function waitForContinue(display) {
  return new Promise((resolve) => {
    const finish = () => {
      stopKeys();
      resolve();
    };
    const button = h("button", { type: "button", class: "main", "data-action": "next", onclick: finish }, t("continue"));
    const stopKeys = listenKeys({ Enter: () => (document.activeElement === button ? false : finish()), " ": () => false });
    display.querySelector(".foot")?.append(button);
    button.focus({ preventScroll: true });
  });
}
