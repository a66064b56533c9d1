/** Checks before the trials: size of the screen, loudness, headphones, full screen. */

import { makeCalibrationNoise, makeTones, playBuffer } from "../audio.js";
import { h, paragraphs, rich } from "../dom.js";
import { listenKeys } from "../keys.js";
import { describePlace, describeWindow, mayFillScreen, readDensity, readZoom } from "../display.js";
import { CARD_MM } from "../pixels.js";
import { play } from "../runner.js";
import { announce } from "../shell.js";
import { t } from "../texts.js";
import { makeScreen, nextButton, sheet } from "./base.js";
import { ensureSound, playInTurn } from "./sound.js";

const CARD_RATIO = 53.98 / 85.6;

/** Fit a drawing to a bank card: pixels of a millimetre, of the page now and of the screen at any zoom. */
export function drawCard({ display, session, finish, intro = "checks.card.text" }) {
  const card = h("div", { class: "card", "aria-hidden": "true" }, h("span", {}));
  const slider = h("input", { id: "card-width", type: "range", min: "120", max: "900", step: "0.5", value: "324" });
  const fit = () => {
    const width = Number(slider.value);
    Object.assign(card.style, { width: `${width}px`, height: `${width * CARD_RATIO}px`, borderRadius: `${width * 0.037}px` });
  };
  const nudge = (by) => () => {
    slider.value = String(Number(slider.value) + by);
    fit();
  };
  const distance = session.settings.viewing_distance_cm ?? 60;
  const small = (label, by) => h("button", { type: "button", class: "step", "aria-label": label, onclick: nudge(by) }, by < 0 ? "−" : "+");
  slider.addEventListener("input", fit);
  fit();
  display.append(
    sheet(
      [
        ...paragraphs(t(intro)),
        h("div", { class: "card-place" }, card),
        h("label", { for: "card-width" }, t("checks.card.label")),
        h("div", { class: "slider" }, small(t("checks.card.smaller"), -0.5), slider, small(t("checks.card.larger"), 0.5)),
        h("p", {}, rich(t("checks.card.distance", { distance }))),
      ],
      nextButton(t("checks.card.done"), () => {
        const width = Number(slider.value);
        finish({
          card_px: width,
          px_per_mm: width / CARD_MM,
          device_px_per_mm: (width * readDensity()) / CARD_MM,
          distance_mm: distance * 10,
          dpr: readDensity(),
          zoom: readZoom(),
          ...describePlace(),
        });
      }),
    ),
  );
}

export const Card = makeScreen("card", drawCard);

/** Noise to set the volume by. */
export const Level = makeScreen("level", ({ display, session, finish }) => {
  let [playing, starting] = [null, null];
  let times = 0;
  const done = nextButton(t("checks.level.done"), () => {
    playing?.stop();
    finish({ times_played: times });
  }, { disabled: true });
  const toggle = h("button", { type: "button", "data-action": "play", "aria-pressed": "false" }, t("checks.level.play"));
  toggle.addEventListener("click", async () => {
    if (starting) return;
    if (!playing) {
      starting = ensureSound(session);
      await starting;
      starting = null;
    }
    if (playing) {
      playing.stop();
      playing = null;
    } else {
      playing = playBuffer(makeCalibrationNoise(), { loop: true });
      times += 1;
      done.disabled = false;
    }
    toggle.textContent = t(playing ? "checks.level.stop" : "checks.level.play");
    toggle.setAttribute("aria-pressed", String(Boolean(playing)));
  });
  display.append(sheet(paragraphs(t("checks.level.text")), toggle, done));
});

/** Which tone is the quietest? Without headphones one in opposite phase seems so. */
export const Headphones = makeScreen("headphones", ({ display, session, finish }) => {
  const n = session.settings.headphone_trials ?? 6;
  const quiets = shuffle(Array.from({ length: n }, (_, k) => k % 3));
  const answers = [];
  const ask = () => {
    const k = answers.length;
    if (k === n) {
      const right = answers.filter((answer, j) => answer === quiets[j]).length;
      finish({ n, n_correct: right, answers, correct: quiets });
      return;
    }
    const others = [0, 1, 2].filter((tone) => tone !== quiets[k]);
    const tones = makeTones(quiets[k], others[Math.floor(Math.random() * 2)]);
    const start = nextButton(t("checks.headphones.play"), () => listen(tones, start), { "data-action": "play" });
    display.replaceChildren(
      sheet(
        [
          ...(k === 0 ? paragraphs(t("checks.headphones.text", { n })) : []),
          h("p", { class: "small" }, t("checks.headphones.count", { k: k + 1, n })),
        ],
        start,
      ),
    );
    start.focus({ preventScroll: true });
  };
  const listen = async (tones, start) => {
    start.disabled = true;
    start.textContent = t("checks.headphones.playing");
    await playInTurn(session, [tones], { log: {} });
    const choose = (tone) => () => {
      if (stopKeys) stopKeys();
      stopKeys = null;
      if (answers.length < n && buttons[tone].isConnected && !buttons[tone].disabled) {
        buttons.forEach((button) => (button.disabled = true));
        answers.push(tone);
        ask();
      }
    };
    const buttons = [0, 1, 2].map((tone) =>
      h("button", { type: "button", class: "choice", "data-answer": String(tone), onclick: choose(tone) },
        h("kbd", { "aria-hidden": "true" }, String(tone + 1)), t("checks.headphones.choice", { k: tone + 1 })),
    );
    let stopKeys = listenKeys({ 1: choose(0), 2: choose(1), 3: choose(2) });
    const question = h("p", { class: "question", tabindex: "-1" }, t("checks.headphones.question"));
    display.replaceChildren(
      sheet([question, h("div", { class: "choices" }, ...buttons)], h("p", { class: "small" }, t("checks.headphones.count", { k: answers.length + 1, n }))),
    );
    announce(t("checks.headphones.question"));
    question.focus({ preventScroll: true });
  };
  ask();
});

/** The last screen before the practice: it fills the screen, and its click allows sound. */
export const Ready = makeScreen("ready", ({ display, session, finish }) => {
  const go = async () => {
    await prepare(session);
    finish({ fullscreen: Boolean(document.fullscreenElement) });
  };
  const text = session.settings.fullscreen && mayFillScreen() ? "checks.ready.text" : "checks.ready.text_window";
  display.append(sheet(paragraphs(t(text)), nextButton(t("checks.ready.button"), go)));
});

/** What only a click or key press may do: fill the screen where the study asks for it, and wake the sound. */
export async function prepare(session) {
  if (session.hasSounds) await ensureSound(session);
  if (!session.settings.fullscreen || document.fullscreenElement || !mayFillScreen()) return;
  const asked = document.documentElement.requestFullscreen?.({ navigationUI: "hide" });
  await asked?.catch(() => {}); // A participant may forbid it; the window's size is checked anyway.
  await new Promise((resolve) => setTimeout(resolve, 150));
}

/** Run the checks that the study asks for; what they found. */
export async function runChecks(session) {
  const { settings } = session;
  const found = { calibration: null, headphones: null, level: null };
  const run = (screen, name) => play([{ type: screen, session: () => session, heading: t(`checks.${name}.heading`) }]);
  const plain = ({ trial_type, trial_index, plugin_version, time_elapsed, ...data }) => data;
  if (settings.calibration === "card") found.calibration = plain(await run(Card, "card"));
  if (settings.level_calibration) found.level = plain(await run(Level, "level"));
  if (settings.headphone_check) found.headphones = plain(await run(Headphones, "headphones"));
  const ready = plain(await run(Ready, "ready"));
  return { screen: session.describeScreen(), window: describeWindow(), ...ready, ...found };
}

function shuffle(values) {
  for (let k = values.length - 1; k > 0; k -= 1) {
    const j = Math.floor(Math.random() * (k + 1));
    [values[k], values[j]] = [values[j], values[k]];
  }
  return values;
}
