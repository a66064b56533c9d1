/** Stimuli: fetched ahead and kept as they came; decoded when the trial that shows them is near. */

import { decodeSound } from "./audio.js";

const AT_ONCE = 4; // of the six connections that a browser opens to a server: two are left for answers
const AGAIN_MS = 700;
const TRIES = 3;

/** Stimuli that this page cannot show. `urls`: their addresses; `reason`: `"fetch"`, did not arrive; `"decode"`, no browser's. */
export class NotShown extends Error {
  constructor(urls, reason) {
    super(`${reason}: ${urls.length} stimuli`);
    Object.assign(this, { urls, reason });
  }
}

/** Every address among the stimuli of a trial, however nested. */
export function listAddresses(stimuli) {
  return Object.values(stimuli ?? {}).flatMap((value) =>
    typeof value === "string" ? [value] : Array.isArray(value) ? value : [],
  );
}

async function isSound(blob) {
  if (blob.type.startsWith("audio/")) return true;
  const head = new Uint8Array(await blob.slice(0, 4).arrayBuffer());
  return String.fromCharCode(...head) === "RIFF" && !blob.type.startsWith("image/");
}

/** `{kind: "sound", buffer}` or `{kind: "picture", src, width, height}`. */
async function decode(blob) {
  if (await isSound(blob)) return { kind: "sound", buffer: await decodeSound(await blob.arrayBuffer()) };
  const picture = new Image();
  picture.src = URL.createObjectURL(blob);
  await picture.decode();
  const { naturalWidth: width, naturalHeight: height, src } = picture;
  return { kind: "picture", width, height, src, picture };
}

/**
 * Stimuli by address.
 *
 * One that does not come is asked for a few times, and then given up until `retry`, so that the others go on; while the
 * server cannot be reached nothing counts as a try: `reach()` resolves when it can.
 */
export class Media {
  constructor(transport, reach = async () => {}) {
    this.transport = transport;
    this.reach = reach;
    this.entries = new Map();
    this.waiting = [];
    this.running = 0;
  }

  /** A decoded stimulus. */
  get(url) {
    return this.entries.get(url)?.value;
  }

  /** Whether any stimulus that is here so far is a sound. */
  get hasSounds() {
    return [...this.entries.values()].some(({ blob }) => blob?.type.startsWith("audio/"));
  }

  /** Fetch these when there is nothing more urgent; promises that they are here or given up, in order. */
  expect(urls) {
    const arrivals = urls.map((url) => this.enter(url).arrival);
    this.work();
    return arrivals;
  }

  /** A promise that all these are here and decoded, or a NotShown; they go before whatever else is waiting. */
  async need(urls) {
    const entries = [...new Set(urls)].map((url) => this.enter(url));
    const urgent = entries.filter((entry) => this.waiting.includes(entry));
    this.waiting = [...new Set([...urgent, ...this.waiting])];
    this.work();
    await Promise.all(entries.map((entry) => this.settle(entry)));
    const failed = entries.filter((entry) => entry.failed);
    if (failed.length) throw new NotShown(failed.map(({ url }) => url), failed[0].failed);
  }

  /** Ask anew for those of these that were given up, past what the browser has kept. */
  retry(urls) {
    for (const url of urls) if (this.entries.get(url)?.failed) this.renew(this.entries.get(url));
    this.work();
  }

  /** Let go of what is not shown any more. */
  drop(urls) {
    for (const url of urls) {
      const value = this.entries.get(url)?.value;
      if (value?.kind === "picture") URL.revokeObjectURL(value.src);
      this.entries.delete(url);
    }
  }

  enter(url) {
    let entry = this.entries.get(url);
    if (!entry) {
      entry = { url, fresh: false };
      this.entries.set(url, entry);
      this.prepare(entry);
    }
    return entry;
  }

  prepare(entry) {
    Object.assign(entry, { blob: null, value: undefined, decoding: null, failed: null, tries: 0 });
    entry.arrival = new Promise((resolve) => (entry.arrive = resolve));
    this.waiting.push(entry);
  }

  renew(entry) {
    entry.fresh = true;
    this.prepare(entry);
  }

  /** Resolves when an entry is decoded or has failed; what was kept by the browser and is broken is fetched anew, once. */
  async settle(entry) {
    for (;;) {
      const decoding = (entry.decoding ??= this.decodeEntry(entry));
      await decoding;
      if (entry.decoding !== decoding) continue; // begun anew meanwhile
      if (entry.failed !== "decode" || entry.fresh) return;
      this.renew(entry);
      this.work();
    }
  }

  async decodeEntry(entry) {
    await entry.arrival;
    if (entry.failed) return;
    try {
      entry.value = await decode(entry.blob);
    } catch {
      entry.failed = "decode";
    }
  }

  work() {
    while (this.running < AT_ONCE && this.waiting.length) {
      this.running += 1;
      this.fetchEntry(this.waiting.shift());
    }
  }

  async fetchEntry(entry) {
    try {
      entry.blob = await this.transport.load(entry.url, entry.fresh);
      entry.arrive();
    } catch (error) {
      this.tryAgain(entry, error?.status === 429);
    } finally {
      this.running -= 1;
      this.work();
    }
  }

  /** Once the server answers other questions; too many questions at once are no failure of this one. */
  async tryAgain(entry, hurried) {
    await this.reach().catch(() => {});
    if (!hurried) entry.tries += 1;
    if (entry.tries >= TRIES) {
      entry.failed = "fetch";
      entry.arrive();
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    this.waiting.push(entry);
    this.work();
  }
}
