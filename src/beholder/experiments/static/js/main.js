/** Begin or resume, then go from step to step as the server says. */

import { Api, Refused } from "./api.js";
import { followAddress, plainLink } from "./address.js";
import { readAsset } from "./assets.js";
import { ENDS, Entrance } from "./entrance.js";
import { watchEvidence } from "./evidence.js";
import { HttpTransport } from "./http_transport.js";
import { Media } from "./media.js";
import { runPhase } from "./phases.js";
import { play } from "./runner.js";
import { runChecks } from "./screens/checks.js";
import { Consent } from "./screens/consent.js";
import { showEnd, showMoved, showPhone, showPreview, showProblem } from "./screens/end.js";
import { Instructions } from "./screens/instructions.js";
import { offerWithdrawal } from "./screens/leave.js";
import { Comment, Words } from "./screens/simple.js";
import { Session } from "./session.js";
import { waitUntilOpen } from "./screens/upcoming.js";
import { showNotice, stage, useGround } from "./shell.js";
import { claimTab } from "./tabs.js";
import { look, t, useTexts } from "./texts.js";
import { remember, rememberVisitor } from "./storage.js";

function plainData({ trial_type, trial_index, plugin_version, time_elapsed, ...data }) {
  return data;
}

async function runScreen(session, screen, heading, more = {}) {
  return plainData(await play([{ type: screen, session: () => session, heading, ...more }]));
}

/** What is done at each step that is not an end; each returns what the server is to be told, or null. */
const STEPS = {
  consent: (session) => runScreen(session, Consent, t("consent.heading")),
  instructions: (session) => runScreen(session, Instructions, t("title")),
  async checks(session) {
    const found = await runChecks(session);
    if (found.calibration) session.calibrate(found.calibration);
    return found;
  },
  practice: (session, state) => runPhase(session, state).then(() => null),
  trials: (session, state) => runPhase(session, state).then(() => null),
  comment: (session) => runScreen(session, Comment, t("comment.heading")),
  debrief: (session) =>
    runScreen(session, Words, t("debrief.heading"), {
      screen: "debrief",
      values: { text: t("debrief.text"), button: t("debrief.button") },
    }).then(() => ({})),
};

/** How often in a row the server may say that it stands elsewhere, before the page gives up. */
const PATIENCE = 5;

async function takePart(session, entrance) {
  const { api } = session;
  let claimed = false;
  for (let conflicts = 0; conflicts < PATIENCE; ) {
    const state = await api.state();
    session.update(state);
    if (ENDS.has(state.step)) {
      entrance.named &&= !claimed; // who was here until now may have gone, and the next person sit down
      finish(session, entrance, state);
      if (state.step !== "withdrawn") await session.atEnd?.(session.end);
      return;
    }
    if (entrance.refusesPhone()) {
      showPhone(window.location.href);
      return;
    }
    if (!claimed) claimTab(state.session ?? api.token, () => stepAside(api.transport));
    claimed = true;
    offerWithdrawal(() => withdraw(session, entrance), state.visit > 1);
    document.body.dataset.kind = session.settings.kind;
    try {
      const data = await STEPS[state.step](session, state);
      if (data !== null) await api.step(state.step, data);
      conflicts = 0;
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== 409) throw error;
      conflicts += 1; // done already, in another tab: ask where we stand
    }
  }
  showProblem("other");
}

async function withdraw(session, entrance) {
  const { api } = session;
  const reply = await api.withdraw();
  silence(api.transport);
  stage().replaceChildren();
  finish(session, entrance, { ...reply, step: "withdrawn" });
}

/** The last page, with what leads back to it and on to the next person. */
function finish(session, entrance, state) {
  const { token } = session.api;
  const link = state.consent?.own_link && state.step !== "withdrawn" ? entrance.makeOwnLink() : null;
  const next = entrance.open ? beginAnew : null;
  if (!state.unsaved) entrance.close(token);
  const begin = () => beginNext(session, entrance).catch(explain);
  session.end = { ...state, text: state.text ?? pickText(state, entrance.several), link, next, begin };
  if (!session.atEnd || state.step === "withdrawn") showEnd(session.end);
  waitUntilOpen(state, () => lookAgain(session, entrance).catch(explain));
  const returned = entrance.named && !session.atEnd && ["done", "screened_out"].includes(state.step);
  if (returned || state.upcoming || (state.visit > 1 && state.step === "declined")) {
    offerWithdrawal(() => withdraw(session, entrance), state.visit > 1 || Boolean(state.upcoming));
  }
}

/** Of an end in a study of several sessions; null where the end's own text will do. */
function pickText({ step, visit, upcoming }, several) {
  if (upcoming) return "upcoming.finished";
  if (several && step === "withdrawn") return "upcoming.withdrawn";
  return visit > 1 && ["declined", "screened_out"].includes(step) ? `upcoming.${step}` : null;
}

/** The next session of the person may be open by now: the last page says so. */
async function lookAgain(session, entrance) {
  const state = await session.api.state();
  session.update(state);
  finish(session, entrance, state);
}

/** Another session of the same person, who goes on in this page. */
async function beginNext(session, entrance) {
  if (entrance.refusesPhone()) {
    showPhone(entrance.makeOwnLink() ?? plainLink());
    return;
  }
  entrance.hold(session.api.token);
  try {
    await session.api.next(entrance.parameters, session.describeScreen());
  } catch (error) {
    if (!(error instanceof Refused) || error.status !== 409) throw error; // begun elsewhere, or not open any more
  }
  session.here = null;
  await takePart(session, entrance);
}

/** The plain link once more: whoever sits here now is somebody else. */
function beginAnew() {
  remember("last", null);
  remember("token", null);
  rememberVisitor(null);
  window.location.replace(plainLink());
}

function stepAside(transport) {
  silence(transport);
  stage().replaceChildren();
  showMoved();
}

/** Nothing that is still running may reach the server any more. */
function silence(transport) {
  transport.send = () => new Promise(() => {});
}

function explain(error) {
  if (!(error instanceof Refused)) throw error;
  const said = typeof error.body?.error === "string" ? error.body.error : null;
  const code = error.body?.code;
  if (error.status === 410) showProblem("full");
  else if (code === "preview") showPreview();
  else if (code === "recruiter" || code === "link") showProblem(code);
  else if (error.status === 401 || error.status === 403 || error.status === 404) showProblem("unknown");
  else showProblem("other", said);
}

/** Run the page with a transport; `atEnd` is told the last state and shows it. */
export async function start(transport, { atEnd = null } = {}) {
  useTexts(await readAsset("texts.en.json"));
  watchEvidence();
  followAddress();
  const api = new Api(transport, (waiting) => showNotice(waiting ? t("notice.waiting") : null));
  const session = new Session(api, new Media(transport, () => api.reach()));
  session.atEnd = atEnd;
  try {
    const greeting = await api.greet();
    useTexts(greeting.texts);
    useGround(greeting.background);
    const entrance = new Entrance(session, greeting);
    if (!(await entrance.enter())) return;
    session.ownLink = entrance.makeOwnLink();
    await api.flush();
    await takePart(session, entrance);
  } catch (error) {
    explain(error);
  }
}

if (!document.getElementById("beholder-static")) {
  start(new HttpTransport()).catch((error) => {
    if (look("title")) showProblem("other"); // without its texts the page keeps the words that it came with
    throw error;
  });
}
