/** Presentation times counted in frames of the screen. */

const REHEARSAL = 12;
let interval = 1000 / 60;

/** The time at which the next frame begins. */
export const nextFrame = () => new Promise((resolve) => requestAnimationFrame(resolve));

/** Milliseconds between two frames, as last measured. */
export const frameInterval = () => Math.round(interval * 100) / 100;

/** Milliseconds between two frames of this screen, the median of some. */
export async function measureFrames() {
  const times = [];
  for (let k = 0; k <= REHEARSAL; k += 1) times.push(await nextFrame());
  const gaps = times.slice(1).map((time, k) => time - times[k]).filter((gap) => gap > 0.5);
  if (gaps.length >= REHEARSAL / 2) interval = gaps.sort((a, b) => a - b)[Math.floor(gaps.length / 2)];
  return interval;
}

/**
 * Show one stage after the other, each for whole frames: the number that comes nearest to its time.
 *
 * A stage is `{name, ms, show()}`; the last may have `ms: null` and stays. Resolves when the last stage that ends has
 * ended (or the endless one has begun): `{onsets: {name: time}, log}`, where the log has for each stage the
 * milliseconds it lasted and its frames, and the frames that the browser left out.
 */
export async function playStages(stages) {
  const onsets = {};
  const log = { dropped: 0 };
  let last = await nextFrame();
  for (const stage of stages) {
    stage.show();
    const start = last;
    onsets[stage.name] = start;
    if (stage.ms === null) return { onsets, log, end: start };
    let frames = 0;
    while (last - start < stage.ms - interval / 2) {
      const now = await nextFrame();
      if (now - last > 1.5 * interval) log.dropped += Math.round((now - last) / interval) - 1;
      last = now;
      frames += 1;
    }
    log[`${stage.name}_ms`] = round(last - start);
    log[`${stage.name}_frames`] = frames;
  }
  return { onsets, log, end: last };
}

const round = (ms) => Math.round(ms * 100) / 100;
