/** Practice and main trials: fetch what comes, load the pictures, run trials and breaks. */

import { measureFrames } from "./frames.js";
import { h } from "./dom.js";
import { listAddresses } from "./media.js";
import { play, show } from "./runner.js";
import { Notice } from "./screens/simple.js";
import { enter, hideProgress, showProgress, stage } from "./shell.js";
import { t } from "./texts.js";
import { KINDS } from "./trials/kinds.js";

const AHEAD = 3;

/** Begin to load what a phase shows; the first trials, or all of them, have to be here before it starts. */
function preload(session, trials) {
  const all = trials.map((trial) => listAddresses(trial.stimuli));
  const first = KINDS[session.settings.kind].isTimed ? all : all.slice(0, AHEAD);
  const urls = [...new Set(first.flat())];
  const loading = { done: 0, total: urls.length };
  const each = session.media.expect(urls).map((arrival) => arrival.then(() => (loading.done += 1)));
  session.media.expect(all.slice(first.length).flat());
  loading.finished = Promise.all(each);
  return loading;
}

/** Wait for it, with progress where it takes longer than a moment. */
async function waitLoaded(loading) {
  const draw = () => {
    if (document.body.dataset.screen !== "loading") {
      enter("loading", t("loading.heading"));
      stage().replaceChildren(h("p", { class: "plain" }, t("loading.text")));
    }
    const { done, total } = loading;
    showProgress(done, total, t("loading.stimuli", { done, total }));
  };
  const ticking = setInterval(draw, 200);
  await loading.finished;
  clearInterval(ticking);
  hideProgress();
}

function notice(session, screen, heading, text, button) {
  return { type: Notice, session: () => session, screen, heading, values: { text, button } };
}

function introduce(session, state) {
  const { practice } = state;
  if (state.step === "practice") {
    if ((practice?.n_done ?? 0) > 0) return null;
    const again = (practice?.block ?? 1) > 1;
    const n = practice?.n_trials ?? session.settings.practice?.n_with_feedback ?? 0;
    const last = again && practice?.n_blocks_left === 0;
    const text = [again ? t("practice.again") : t(n === 1 ? "practice.text_one" : "practice.text", { n }), ...(last ? [t("practice.last")] : [])];
    return notice(session, "practice-intro", t(again ? "practice.again_heading" : "practice.heading"), text, t("practice.begin"));
  }
  if (session.nDone > 0) return null;
  const breaks = session.listBreaks(state).size;
  const one = session.nTrials === 1 ? "main.text_one" : "main.text";
  const name = breaks === 0 ? one : breaks === 1 ? "main.text_break" : "main.text_breaks";
  const text = [...(practice ? [t("main.practised")] : []), t(name, { n: session.nTrials, breaks })];
  return notice(session, "main-intro", t("main.heading"), text, t("main.begin"));
}

/** Run the rest of a phase; returns when it is over, or when the server and the page disagree on where it stands. */
export async function runPhase(session, state) {
  const { step } = state;
  const done = step === "practice" ? session.practice?.n_done ?? 0 : session.nDone;
  const count = step === "practice" ? Math.max(1, (session.practice?.n_trials ?? 0) - done) : session.nTrials - done;
  const answer = await session.api.trials(done + 1, count);
  const trials = Array.isArray(answer) ? answer : answer.trials;
  if (!trials.length) throw new Error("no trials to go on with");
  const loading = preload(session, trials);
  const measured = measureFrames();
  const here = `${step}-${session.practice?.block ?? 0}`;
  const first = introduce(session, state);
  if (first) await play([first]);
  else if (session.here !== here) await welcomeBack(session);
  session.here = here;
  await waitLoaded(loading);
  await measured;
  const breaks = session.listBreaks(state);
  const timeline = [];
  trials.forEach((payload, k) => {
    if (step === "trials" && breaks.has(done + k)) timeline.push(offerBreak(session, done + k));
    if (step === "practice" && k > 0 && payload.timing?.feedback === false && trials[k - 1].timing?.feedback !== false) {
      timeline.push(notice(session, "practice-intro", t("practice.without_heading"), t("practice.without"), t("continue")));
    }
    const next = trials[k + 1] ?? null;
    timeline.push({ type: KINDS[payload.kind ?? session.settings.kind], session: () => session, payload, next });
  });
  await play(timeline);
  hideProgress();
}

function offerBreak(session, done) {
  const values = { done, total: session.nTrials };
  const text = t(KINDS[session.settings.kind].playsSound ? "break.text_sound" : "break.text", values);
  return {
    ...notice(session, "break", t("break.heading"), text, t("break.button")),
    on_start: () => showProgress(done, session.nTrials, t("progress", values)),
  };
}

/** After a reload the browser wants a click before it fills the screen or plays a sound. */
function welcomeBack(session) {
  return show(Notice, session, {
    screen: "resume",
    heading: t("resume.heading"),
    values: { text: t("resume.text"), button: t("resume.button") },
  });
}
