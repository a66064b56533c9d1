/** Stimuli: fetched once, held in this page, decoded before they are needed. */

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

async function decodePicture(blob) {
  const picture = new Image();
  picture.src = URL.createObjectURL(blob);
  await picture.decode();
  return picture;
}

/** Stimuli by address. */
export class Media {
  constructor(transport) {
    this.transport = transport;
    this.items = new Map();
    this.waiting = [];
    this.running = 0;
  }

  /** The stimulus of an address: `{kind: "picture", width, height, src}` or `{kind: "sound", buffer}`. */
  get(url) {
    return this.items.get(url)?.value;
  }

  /** A promise that all these are here; they go before whatever else is waiting. */
  need(urls) {
    const entries = urls.map((url) => this.enter(url));
    this.waiting = [...new Set([...entries.filter((entry) => this.waiting.includes(entry)), ...this.waiting])];
    this.work();
    return Promise.all(entries.map((entry) => entry.promise));
  }

  /** Fetch these when there is nothing more urgent. */
  expect(urls) {
    urls.forEach((url) => this.enter(url));
    this.work();
  }

  /** Let go of what will not be shown again. */
  drop(urls) {
    for (const url of urls) {
      const value = this.items.get(url)?.value;
      if (value?.kind === "picture") URL.revokeObjectURL(value.src);
      this.items.delete(url);
    }
  }

  enter(url) {
    let entry = this.items.get(url);
    if (!entry) {
      entry = { url, value: undefined };
      entry.promise = new Promise((resolve) => (entry.resolve = resolve));
      this.items.set(url, entry);
      this.waiting.push(entry);
    }
    return entry;
  }

  work() {
    while (this.running < AT_ONCE && this.waiting.length) {
      this.running += 1;
      this.fetchOne(this.waiting.shift());
    }
  }

  async fetchOne(entry) {
    try {
      const blob = await this.transport.load(entry.url);
      if (await isSound(blob)) {
        entry.value = { kind: "sound", buffer: await decodeSound(await blob.arrayBuffer()) };
      } else {
        const picture = await decodePicture(blob);
        const { naturalWidth: width, naturalHeight: height, src } = picture;
        entry.value = { kind: "picture", width, height, src, picture };
      }
      entry.resolve(entry.value);
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
