/** Begin or resume, then go from step to step as the server says. */

import { Api, Refused } from "./api.js";
import { readAsset } from "./assets.js";
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
import { isPhone } from "./screens/window.js";
import { Session } from "./session.js";
import { showNotice, stage, useGround } from "./shell.js";
import { claimTab } from "./tabs.js";
import { t, useTexts } from "./texts.js";
import { recall, recallVisitor, remember, rememberVisitor } from "./storage.js";

const ENDS = new Set(["done", "screened_out", "declined", "withdrawn"]);

function readToken() {
  const { hash, search } = window.location;
  return new URLSearchParams(hash.slice(1)).get("t") ?? recall("token") ?? recallVisitor(search);
}

function keepToken(token) {
  remember("token", token);
  rememberVisitor(window.location.search, token);
  const address = window.location.pathname + window.location.search + (token ? `#t=${token}` : "");
  try {
    window.history.replaceState(null, "", address);
  } catch {
    // A page inside another one may not change its address; the tab remembers the token anyway.
  }
}

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

async function join(api, session) {
  const parameters = Object.fromEntries(new URLSearchParams(window.location.search));
  const { token, state } = await api.join(parameters, session.describeScreen());
  if (token === null) {
    useTexts(state.texts);
    showEnd(state);
    return false;
  }
  keepToken(token);
  api.token = token;
  return true;
}

/** How often in a row the server may say that it stands elsewhere, before the page gives up. */
const PATIENCE = 5;

async function takePart(session) {
  const { api } = session;
  for (let conflicts = 0; conflicts < PATIENCE; ) {
    const state = await api.state();
    session.update(state);
    useTexts(state.texts);
    useGround(session.settings.background);
    if (ENDS.has(state.step)) {
      rememberVisitor(window.location.search, null);
      showEnd(state);
      await session.atEnd?.(state);
      return;
    }
    if (isPhone() && !session.settings.phones) {
      showPhone(window.location.href);
      return;
    }
    offerWithdrawal(() => withdraw(session));
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

async function withdraw(session) {
  const { api } = session;
  const reply = await api.withdraw();
  silence(api.transport);
  stage().replaceChildren();
  showEnd({ ...reply, step: "withdrawn" });
}

/** Nothing that is still running may reach the server any more. */
function silence(transport) {
  transport.send = () => new Promise(() => {});
}

function explain(error) {
  if (!(error instanceof Refused)) throw error;
  const said = typeof error.body?.error === "string" ? error.body.error : null;
  if (error.status === 410) showProblem("full");
  else if (error.body?.code === "preview") showPreview();
  else if (error.status === 409) showProblem("again");
  else if (error.status === 401 || error.status === 403 || error.status === 404) {
    keepToken(null);
    showProblem("unknown");
  } else showProblem("other", said);
}

/** Run the page with a transport; `atEnd` is told the last state. */
export async function start(transport, { atEnd = null } = {}) {
  useTexts(await readAsset("texts.en.json"));
  if (new URLSearchParams(window.location.search).get("assignmentId") === "ASSIGNMENT_ID_NOT_AVAILABLE") {
    showPreview();
    return;
  }
  watchEvidence();
  const api = new Api(transport, (waiting) => showNotice(waiting ? t("notice.waiting") : null));
  const session = new Session(api, new Media(transport, () => api.reach()));
  session.atEnd = atEnd;
  try {
    api.token = readToken();
    if (api.token) {
      keepToken(api.token);
      await api.flush();
    } else if (!(await join(api, session))) return;
    claimTab(api.token, () => {
      silence(transport);
      stage().replaceChildren();
      showMoved();
    });
    await takePart(session);
  } catch (error) {
    explain(error);
  }
}

if (!document.getElementById("beholder-static")) {
  start(new HttpTransport()).catch((error) => {
    showProblem("other");
    throw error;
  });
}
