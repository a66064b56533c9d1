/** A page that is one file: starts with the stand-in, and hands the answers over at the end. */

import { start } from "./main.js";
import { PageTransport } from "./page_transport.js";
import { showEnd } from "./screens/end.js";
import { t } from "./texts.js";

const MTURK = ["https://www.mturk.com", "https://workersandbox.mturk.com"];

/** JATOS serves its library beside the page; elsewhere nothing is asked for. */
function loadJatos() {
  if (!window.location.pathname.includes("/publix/")) return Promise.resolve(null);
  return new Promise((resolve) => {
    const script = document.createElement("script");
    script.src = "jatos.js";
    script.onload = () => (window.jatos?.onLoad ? window.jatos.onLoad(() => resolve(window.jatos)) : resolve(null));
    script.onerror = () => resolve(null);
    document.head.append(script);
  });
}

function findMturk(parameters) {
  const site = MTURK.find((origin) => (parameters.turkSubmitTo ?? "").startsWith(origin));
  return site && parameters.assignmentId ? `${site}/mturk/externalSubmit` : null;
}

/** First the file, then the word that it is saved, and the code. */
function offerFile(transport, collected, state, why) {
  const blob = new Blob([JSON.stringify(collected)], { type: "application/json" });
  const file = { href: URL.createObjectURL(blob), name: `${collected.session}.json` };
  const saved = () => {
    transport.hand();
    setTimeout(() => showEnd({ ...state, unsaved: false, text: [...why, "weak.saved_text"], download: file }), 300);
  };
  if (state.unsaved) showEnd({ ...state, code: null, text: [...why, "weak.download_text"], download: { ...file, saved } });
  else saved();
}

/** The last page: nothing is called saved, and no code is shown, before the answers are with whoever collects them. */
async function handOver(transport, jatos, state) {
  if (state.step === "declined") {
    showEnd(state);
    return;
  }
  const why = state.step === "done" ? [] : [`${state.step}.text`];
  const collected = transport.collect();
  const submit = findMturk(collected.parameters);
  if (submit) {
    const { assignmentId } = collected.parameters;
    document.addEventListener("submit", () => transport.hand(), { once: true });
    showEnd({ ...state, code: null, text: [...why, "weak.submit_text"], submit: { url: submit, fields: { assignmentId, data: JSON.stringify(collected) } } });
    return;
  }
  if (jatos) {
    try {
      await jatos.submitResultData(JSON.stringify(collected));
      transport.hand();
      const go = () => jatos.startNextComponent();
      showEnd({ ...state, unsaved: false, go: state.code ? go : null });
      if (!state.code) go();
      return;
    } catch {
      // JATOS did not take it: the participant can still save the file.
    }
  }
  offerFile(transport, collected, state, why);
}

const transport = new PageTransport(JSON.parse(document.getElementById("beholder-static").textContent));
loadJatos().then((jatos) => start(transport, { atEnd: (state) => handOver(transport, jatos, state) }));
