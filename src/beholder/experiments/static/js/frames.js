/**
 * Presentation times counted in frames of the screen, and measured by the times at which the browser begins them.
 *
 * What is drawn in a frame is seen from the next refresh of the screen on, so the time between the frames in which a
 * stimulus was put up and taken down is the time it was seen, as far as a browser knows.
 */

const REHEARSAL = 12;
const KEPT = 120;
const USUAL_MS = 1000 / 60;
const STEP_PATIENCE_MS = 20;

let gaps = [];
let interval = null;
let clockStep = null;

/**
 * Milliseconds between two refreshes, of the gaps between frames; null where the clock is too coarse to tell (a browser
 * that resists fingerprinting): the mean of the gaps that are one interval long, so that neither missed frames nor times
 * that are rounded to whole milliseconds move it.
 */
export function estimateInterval(all) {
  const moved = all.filter((gap) => gap > 0.5);
  if (moved.length < 4 || moved.length < all.length / 2) return null;
  const middle = [...moved].sort((a, b) => a - b)[Math.floor(moved.length / 2)];
  const single = moved.filter((gap) => Math.abs(gap - middle) < middle / 2);
  return single.reduce((sum, gap) => sum + gap, 0) / single.length;
}

/** The time at which the next frame begins. */
export const nextFrame = () => new Promise((resolve) => requestAnimationFrame(resolve));

/** The next frame, its distance to the one before kept for the estimate. */
async function followFrame(before) {
  const now = await nextFrame();
  gaps.push(now - before);
  if (gaps.length > KEPT) gaps = gaps.slice(-KEPT);
  return now;
}

/** The smallest step of the browser's clock in milliseconds; null where none is seen within 20 ms. */
function findClockStep() {
  const start = performance.now();
  const steps = [];
  for (let before = start; steps.length < 5 && before - start < STEP_PATIENCE_MS; ) {
    let now = before;
    for (let k = 0; k < 2e5 && now === before; k += 1) now = performance.now();
    if (now === before) break;
    steps.push(now - before);
    before = now;
  }
  return steps.length ? Math.min(...steps) : null;
}

/** Look at some frames of this screen. Where the page is hidden, this lasts until it is seen. */
export async function measureFrames() {
  clockStep = findClockStep();
  gaps = [];
  let before = await nextFrame();
  for (let k = 0; k < REHEARSAL; k += 1) before = await followFrame(before);
  interval = estimateInterval(gaps);
  return interval;
}

/** What is known of the frames of this screen, for the record. */
export function describeFrames() {
  return { interval_ms: interval && round(interval), clock_step_ms: clockStep && round(clockStep, 4) };
}

/** Resolves when the page can be seen; at once when it can. */
export function waitUntilSeen() {
  return document.hidden ? nextChange().then(waitUntilSeen) : Promise.resolve();
}

const nextChange = () =>
  new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));

/** The next frame, or null when the page is hidden before it comes. */
function awaitFrame(before) {
  const stop = new AbortController();
  const hidden = new Promise((resolve) => {
    const look = () => document.hidden && resolve(null);
    document.addEventListener("visibilitychange", look, { signal: stop.signal });
    look();
  });
  return Promise.race([followFrame(before), hidden]).finally(() => stop.abort());
}

/**
 * Show one stage after the other, each for whole frames: the number that comes nearest to its time, at least one.
 *
 * A stage is `{name, ms, show(), isStimulus}`; the last may have `ms: null` and stays. Resolves when the last stage that
 * ends has ended (or the endless one has begun): `{onsets: {name: time}, log}`. The log has for each stage that ends the
 * frames that were asked for (`_asked`), the refreshes it was seen for (`_frames`), the milliseconds between the frames
 * that put it up and took it down (`_ms`), and the frames that the browser left out meanwhile (`_missed`), while which a
 * stimulus stays. `dropped` is their sum, `interval_ms` the estimate by which they are counted, `interval_sd_ms` how much
 * the gaps of one frame scatter.
 *
 * When the page is hidden, a stimulus is taken down at once (`cut`) and what follows it waits until the page is seen
 * again; any other stage begins anew then.
 */
export async function playStages(stages) {
  const onsets = {};
  const played = [];
  const step = interval ?? USUAL_MS;
  let now = await nextFrame();
  for (const stage of stages) {
    stage.show();
    if (now === null) now = await nextFrame();
    let start = now;
    onsets[stage.name] = start;
    if (stage.ms === null) break;
    let own = [];
    const isOver = () =>
      interval === null ? own.length >= Math.round(stage.ms / step) : now - start >= stage.ms - step / 2;
    let ms = null;
    do {
      const before = now;
      now = await awaitFrame(before);
      if (now !== null) own.push(now - before);
      else if (stage.isStimulus) ms = performance.now() - start;
      else {
        own = [];
        start = now = await nextFrame();
      }
    } while (now !== null && !isOver());
    played.push({ name: stage.name, asked: stage.ms, ms: ms ?? now - start, own, cut: ms !== null });
  }
  return { onsets, log: describeStages(played) };
}

/** Count in frames what was measured, by an estimate that knows the frames of these stages too: screens may change. */
function describeStages(played) {
  const own = played.flatMap((stage) => stage.own);
  interval = (own.length > REHEARSAL ? estimateInterval(own) : null) ?? estimateInterval(gaps);
  const step = interval ?? USUAL_MS;
  const count = (ms) => Math.max(1, Math.round(ms / step));
  const log = { dropped: interval && 0, interval_ms: interval && round(interval), ...spread(own, step) };
  if (played.some((stage) => stage.cut)) log.cut = true;
  for (const { name, asked, ms, own: gapsOfStage } of played) {
    log[`${name}_asked`] = count(asked);
    log[`${name}_frames`] = interval === null ? gapsOfStage.length : count(ms);
    log[`${name}_ms`] = round(ms);
    if (interval === null) continue; // nobody knows what was missed
    log[`${name}_missed`] = gapsOfStage.reduce((sum, gap) => sum + count(gap) - 1, 0);
    log.dropped += log[`${name}_missed`];
  }
  return log;
}

/** What was asked of the stages that show a stimulus, and the frames missed while they did: the figures of the trial. */
export function describeExposure(ms, log, names) {
  if (!(ms > 0)) return {};
  const missed = log.interval_ms && names.reduce((sum, name) => sum + log[`${name}_missed`], 0);
  return { exposure_ms: ms, exposure_asked: log[`${names[0]}_asked`], exposure_missed: missed };
}

/** Standard deviation of the gaps that are one frame long. */
function spread(own, step) {
  const single = own.filter((gap) => Math.abs(gap - step) < step / 2);
  if (single.length < 2) return {};
  const mean = single.reduce((sum, gap) => sum + gap, 0) / single.length;
  const power = single.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / (single.length - 1);
  return { interval_sd_ms: round(Math.sqrt(power), 3) };
}

const round = (ms, digits = 2) => Math.round(ms * 10 ** digits) / 10 ** digits;
