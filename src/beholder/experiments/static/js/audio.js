/** Sounds by Web Audio: decoded ahead, started at a known time. */

let context = null;

/** The one audio context; asking from a click or key press wakes it. */
export function audioContext() {
  context ??= new AudioContext({ latencyHint: "interactive" });
  if (context.state === "suspended") context.resume().catch(() => {});
  return context;
}

/** Wait until sounds can be heard, after the click or key press that the browser asks for. */
export async function wakeSound() {
  const audio = audioContext();
  const patience = new Promise((resolve) => setTimeout(resolve, 1000));
  if (audio.state !== "running") await Promise.race([audio.resume().catch(() => {}), patience]);
}

/** Samples of an encoded sound, at the rate of the device. */
export function decodeSound(bytes) {
  context ??= new AudioContext({ latencyHint: "interactive" });
  return context.decodeAudioData(bytes);
}

/** What is played at, for the record; nothing where nothing is played. */
export function describeAudio() {
  if (!context) return {};
  const known = { sample_rate: context.sampleRate, base_latency: context.baseLatency };
  if (Number.isFinite(context.outputLatency)) known.output_latency = context.outputLatency;
  return known;
}

/** Play a buffer once: `{onset, ended, stop()}`, the onset on the clock of events, in milliseconds. */
export function playBuffer(buffer, { loop = false, delay = 0.05 } = {}) {
  const audio = audioContext();
  const source = new AudioBufferSourceNode(audio, { buffer, loop });
  source.connect(audio.destination);
  const ended = new Promise((resolve) => (source.onended = resolve));
  source.start(audio.currentTime + delay);
  return { onset: performance.now() + delay * 1000, ended, stop: () => source.stop() };
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
