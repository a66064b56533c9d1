/** Sounds by Web Audio: decoded ahead, started at a known time. */

import { findEngine } from "./display.js";

const LOOK_MS = 20;
const PATIENCE_MS = 1500;
const STILL_MS = 100;
const STILL_LOOKS = 10;

let context = null;

/** The one audio context; asking from a click or key press wakes it. */
export function audioContext() {
  context ??= new AudioContext({ latencyHint: "interactive" });
  if (context.state === "suspended") context.resume().catch(() => {});
  return context;
}

/** Begin anew with whatever device there is now; from a click or key press. */
export function renewSound() {
  context?.close().catch(() => {});
  context = null;
  audioContext();
}

/** Whether the clock of the sounds moves on, asked until it does or `ms` are over. */
async function isRunning(audio, ms) {
  const from = audio.currentTime;
  for (let waited = 0; waited <= ms; waited += LOOK_MS) {
    await sleep(LOOK_MS);
    if (audio.currentTime > from) return true;
    if (audio.state !== "running") audio.resume().catch(() => {});
  }
  return false;
}

/** Whether there is anything to play sounds with. Only Chromium tells; others, and pages it does not tell, are believed. */
async function hasOutput() {
  if (findEngine() !== "chromium") return true;
  try {
    const devices = await navigator.mediaDevices.enumerateDevices();
    return devices.some(({ kind }) => kind === "audiooutput");
  } catch {
    return true;
  }
}

/**
 * Why nothing can be heard: `"stopped"`, sounds do not run (no device in Firefox, or not allowed); `"nothing"`, they run
 * but there is nothing to hear them with; null when all seems well. After the click or key press that browsers ask for.
 */
export async function findSilence() {
  if (!(await isRunning(audioContext(), PATIENCE_MS))) return "stopped";
  return (await hasOutput()) ? null : "nothing";
}

/** Samples of an encoded sound, at the rate of the device. */
export function decodeSound(bytes) {
  context ??= new AudioContext({ latencyHint: "interactive" });
  return context.decodeAudioData(bytes);
}

/**
 * Whether the output can be asked how late it is. Firefox on Linux stops for good when it is asked while it fills a buffer:
 * it waits for PulseAudio's lock, whose holder waits for it.
 */
const mayAskOutput = () => !(findEngine() === "gecko" && /Linux/.test(navigator.userAgent));

/** What is played at, for the record; nothing where nothing is played. */
export function describeAudio() {
  if (!context) return {};
  const known = { sample_rate: context.sampleRate, base_latency: context.baseLatency };
  if (mayAskOutput() && Number.isFinite(context.outputLatency)) known.output_latency = context.outputLatency;
  return known;
}

const SANE_MS = 2000;

/**
 * When what the audio clock schedules for `time` (seconds) is heard, on the clock of events, in milliseconds, as far as
 * the browser knows: `{ms, latency_ms}`, the latency from the schedule on. By the browser's own pairs of both clocks at the
 * output (`getOutputTimestamp`) where it has them, else by the latency that it states.
 */
export function findOnset(audio, time, now = performance.now()) {
  const scheduled = now + (time - audio.currentTime) * 1000;
  const asked = mayAskOutput();
  const { contextTime = 0, performanceTime = 0 } = (asked && audio.getOutputTimestamp?.()) || {};
  const measured = performanceTime + (time - contextTime) * 1000 - scheduled;
  const known = contextTime > 0 && performanceTime > 0 && measured >= 0 && measured < SANE_MS;
  const latency = known ? measured : 1000 * ((asked && audio.outputLatency) || audio.baseLatency || 0);
  return { ms: scheduled + latency, latency_ms: Math.round(latency * 100) / 100, clock: known };
}

/**
 * Play a buffer once: `{onset, latency_ms, clock, end, begun, played, stop()}`, the onset on the clock of events, in
 * milliseconds, as {@link findOnset} has it. `begun` is true once it sounds, `played` once it was played to its end; both
 * are false when the clock of the sounds stands still. `at` and `end` are seconds of the audio clock; `at` null: soon.
 */
export function playBuffer(buffer, { loop = false, delay = 0.05, at = null } = {}) {
  const audio = audioContext();
  const source = new AudioBufferSourceNode(audio, { buffer, loop });
  source.connect(audio.destination);
  const from = at ?? audio.currentTime + delay;
  const ended = new Promise((resolve) => (source.onended = () => resolve(true)));
  source.start(from);
  const { ms: onset, latency_ms, clock } = findOnset(audio, from);
  const stop = () => source.stop();
  const stalled = watchClock(audio, ended).then(() => (stop(), false));
  const begun = Promise.race([passTime(audio, from, ended), stalled]);
  const played = Promise.race([ended, stalled]);
  return { onset, latency_ms, clock, end: from + buffer.duration, begun, played, stop };
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** True once the clock of the sounds has passed a time, or a sound has ended. */
async function passTime(audio, time, ended) {
  let over = false;
  ended.then(() => (over = true));
  while (!over && audio.currentTime < time) await sleep(LOOK_MS);
  return true;
}

/** Resolves when the clock stands still for a while before a sound has ended; looked at, not timed, so that sleep is none. */
function watchClock(audio, ended) {
  return new Promise((resolve) => {
    let [last, still] = [audio.currentTime, 0];
    const ticking = setInterval(() => {
      still = audio.currentTime > last ? 0 : still + 1;
      last = audio.currentTime;
      if (still >= STILL_LOOKS) clearInterval(ticking), resolve();
    }, STILL_MS);
    ended.then(() => clearInterval(ticking));
  });
}

const RAMP_S = 0.1;
const TONE_S = 1;
const PAUSE_S = 0.5;
const TONE_HZ = 200;
const QUIETER_DB = -6;

/**
 * Three tones of 200 Hz in one stereo sound: one 6 dB quieter, another one with its channels in opposite phase, which
 * loudspeakers cancel in the air, so that without headphones it seems the quietest (Woods, Siegel, Traer & McDermott,
 * 2017, Headphone screening to facilitate web-based auditory experiments).
 */
export function makeTones(quiet, opposite) {
  const rate = audioContext().sampleRate;
  const length = Math.round((3 * TONE_S + 2 * PAUSE_S) * rate);
  const buffer = new AudioBuffer({ length, numberOfChannels: 2, sampleRate: rate });
  const [left, right] = [buffer.getChannelData(0), buffer.getChannelData(1)];
  for (let k = 0; k < 3; k += 1) {
    const from = Math.round(k * (TONE_S + PAUSE_S) * rate);
    const gain = 0.3 * (k === quiet ? 10 ** (QUIETER_DB / 20) : 1);
    for (let i = 0; i < TONE_S * rate; i += 1) {
      const time = i / rate;
      const ramp = Math.min(1, time / RAMP_S, (TONE_S - time) / RAMP_S);
      const value = gain * Math.sin((Math.PI / 2) * Math.max(0, ramp)) ** 2 * Math.sin(2 * Math.PI * TONE_HZ * time);
      left[from + i] = value;
      right[from + i] = k === opposite ? -value : value;
    }
  }
  return buffer;
}

/** A short tone to hear whether anything can be heard. */
export function makeTestTone(seconds = 0.6) {
  const rate = audioContext().sampleRate;
  const buffer = new AudioBuffer({ length: Math.round(seconds * rate), numberOfChannels: 1, sampleRate: rate });
  const data = buffer.getChannelData(0);
  for (let i = 0; i < data.length; i += 1) {
    const time = i / rate;
    data[i] = 0.15 * Math.min(1, time / RAMP_S, (seconds - time) / RAMP_S) * Math.sin(2 * Math.PI * 2 * TONE_HZ * time);
  }
  return buffer;
}

/** Noise as loud on average as usual recordings of speech (RMS 0.05), low frequencies stronger, to be looped. */
export function makeCalibrationNoise(seconds = 4) {
  const rate = audioContext().sampleRate;
  const buffer = new AudioBuffer({ length: Math.round(seconds * rate), numberOfChannels: 1, sampleRate: rate });
  const data = buffer.getChannelData(0);
  let slow = 0;
  let power = 0;
  for (let i = 0; i < data.length; i += 1) {
    slow = 0.98 * slow + 0.2 * (Math.random() - 0.5);
    data[i] = slow;
    power += slow * slow;
  }
  const gain = 0.05 / Math.sqrt(power / data.length);
  const edge = Math.round(0.05 * rate);
  for (let i = 0; i < data.length; i += 1) data[i] *= gain * Math.min(1, i / edge, (data.length - 1 - i) / edge);
  return buffer;
}
