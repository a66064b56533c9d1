/** What all screens of one participant share. */

import { Refused } from "./api.js";
import { describePlace, isSamePlace, readDensity, readZoom } from "./display.js";
import { recall, remember } from "./storage.js";
import { t } from "./texts.js";
import { KINDS } from "./trials/kinds.js";

const TIMES = ["fixation_ms", "stimulus_ms", "gap_ms", "mask_ms", "disabled_ms", "response_from_ms", "feedback_delay_ms", "feedback_ms"];

export class Session {
  constructor(api, media) {
    this.api = api;
    this.media = media;
    this.settings = {};
    this.calibration = recall("calibration");
    this.nCorrect = 0;
    this.nDone = 0;
    this.nTrials = 0;
    this.hearsSound = false; // somebody said so, where the browser knows of nothing to play sounds with
    this.here = null; // the phase that this page has begun: after a reload there is none
  }

  /** Take over what the server says. */
  update(state) {
    this.settings = { ...(state.settings ?? this.settings), kind: state.kind };
    this.timing = Object.fromEntries(TIMES.map((name) => [name, this.settings[name] ?? 0]));
    this.nTrials = state.n_trials ?? 0;
    this.nDone = state.n_done ?? 0;
    this.practice = state.practice ?? null;
    this.consent = state.consent ?? {};
    this.visit = state.n_visits > 1 ? { visit: state.visit, n: state.n_visits } : null;
    this.nCorrect = state.n_correct ?? this.nCorrect;
    this.calibration ??= state.checks?.calibration ?? null;
  }

  /** Take over what fitting a card has told: pixels of the screen along a millimetre, and which screen it was. */
  calibrate(found) {
    this.calibration = found;
    remember("calibration", found);
  }

  /** Pixels of the screen along a millimetre, whatever the zoom; null where nothing was measured. */
  get devicePixelsPerMm() {
    const { device_px_per_mm: known, px_per_mm: older, dpr } = this.calibration ?? {};
    return known ?? (older ? older * (dpr ?? 1) : null);
  }

  /** CSS pixels along a millimetre, as things stand; null where nothing was measured. */
  get pixelsPerMm() {
    return this.devicePixelsPerMm && this.devicePixelsPerMm / readDensity();
  }

  /** Whether sizes are in degrees and nothing is known of the screen that the window is on. */
  get needsCard() {
    if (!String(this.settings.size).endsWith("deg")) return false;
    return !this.devicePixelsPerMm || !isSamePlace(this.calibration, describePlace());
  }

  /** Whether sounds are played, for which the browser wants a click first. */
  get hasSounds() {
    const { kind, headphone_check: headphones, level_calibration: level } = this.settings;
    return KINDS[kind]?.playsSound || Boolean(headphones || level) || this.media.hasSounds;
  }

  /** Say that a trial is about to be shown; whether it may be, or null when it is not the next one any more. */
  async announce(payload) {
    const [key] = crypto.getRandomValues(new Uint32Array(1));
    return this.ask(async () => (await this.api.present(payload.id, key)).show);
  }

  /** Tell that stimuli of a trial cannot be shown; `{told}`: whether somebody can read it now, or null as above. */
  report(payload, { urls, reason }) {
    return this.ask(() => this.api.reportFailure(payload.id, urls, reason));
  }

  /** Go on without a trial that cannot be shown; null as above. */
  skip(payload) {
    return this.ask(() => this.api.skip(payload.id));
  }

  /** Save an answer; null when the server has another one already, so that the page has to ask where it stands. */
  async save(payload, body) {
    return this.ask(() => this.api.save(payload.id, body));
  }

  /** What a request gives; null when the server stands elsewhere. */
  async ask(request) {
    try {
      return await request();
    } catch (error) {
      if (error instanceof Refused && error.status === 409) return null;
      throw error;
    }
  }

  /** One more trial is done. */
  count(payload, reply) {
    if (payload.phase === "practice") {
      if (this.practice) this.practice.n_done = (this.practice.n_done ?? 0) + 1;
      return;
    }
    this.nDone += 1;
    if (reply.feedback?.correct) this.nCorrect += 1;
  }

  /** Arguments of the progress line after a trial. */
  progress(payload) {
    const practice = payload.phase === "practice";
    const done = practice ? this.practice?.n_done ?? 0 : this.nDone;
    const total = practice ? this.practice?.n_trials ?? done : this.nTrials;
    return [done, total, t("progress", { done, total })];
  }

  /** Numbers of trials after which a break is offered. */
  listBreaks(state) {
    if (Array.isArray(state.breaks)) return new Set(state.breaks);
    const shares = this.settings.break_fractions ?? [];
    return new Set(shares.map((share) => Math.round(share * this.nTrials)).filter((n) => n > 0 && n < this.nTrials));
  }

  /** The screen, for the record. */
  describeScreen() {
    return {
      width: screen.width,
      height: screen.height,
      avail_width: screen.availWidth,
      avail_height: screen.availHeight,
      window_width: window.innerWidth,
      window_height: window.innerHeight,
      dpr: readDensity(),
      touch: navigator.maxTouchPoints > 0,
      coarse: window.matchMedia("(pointer: coarse)").matches,
      zoom: readZoom(),
    };
  }
}
