/** Stimuli: fetched ahead and kept as they came; decoded when the trial that shows them is near. */

import { decodeSound } from "./audio.js";

const AT_ONCE = 6;
const AGAIN_MS = 1000;

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

/** Stimuli by address. */
export class Media {
  constructor(transport) {
    this.transport = transport;
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

  /** Fetch these when there is nothing more urgent; promises that they are here, in order. */
  expect(urls) {
    const arrivals = urls.map((url) => this.enter(url).arrival);
    this.work();
    return arrivals;
  }

  /** A promise that all these are here and decoded; they go before whatever else is waiting. */
  need(urls) {
    const entries = urls.map((url) => this.enter(url));
    const urgent = entries.filter((entry) => this.waiting.includes(entry));
    this.waiting = [...new Set([...urgent, ...this.waiting])];
    this.work();
    return Promise.all(entries.map((entry) => this.decodeEntry(entry)));
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
      entry = { url, blob: null, value: undefined, decoding: null };
      entry.arrival = new Promise((resolve) => (entry.arrive = resolve));
      this.entries.set(url, entry);
      this.waiting.push(entry);
    }
    return entry;
  }

  decodeEntry(entry) {
    entry.decoding ??= entry.arrival.then(async () => {
      entry.value = await decode(entry.blob);
    });
    return entry.decoding;
  }

  work() {
    while (this.running < AT_ONCE && this.waiting.length) {
      this.running += 1;
      this.fetchEntry(this.waiting.shift());
    }
  }

  async fetchEntry(entry) {
    try {
      entry.blob = await this.transport.load(entry.url);
      entry.arrive();
    } catch {
      setTimeout(() => {
        this.waiting.push(entry);
        this.work();
      }, AGAIN_MS);
    } finally {
      this.running -= 1;
      this.work();
    }
  }
}
