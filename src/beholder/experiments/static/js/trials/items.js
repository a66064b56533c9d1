/** Two or three items beside each other: pictures, or sounds that are played in turn. */

import { playBuffer, wakeSound } from "../audio.js";
import { h } from "../dom.js";
import { pictureElement } from "../pixels.js";
import { t } from "../texts.js";

const BETWEEN_MS = 400;

/** Elements for items: pictures as large as the room allows, sounds as numbered tiles. */
export function makeTiles(showing, urls, { labels, otherHeight = 220 } = {}) {
  const items = urls.map((url) => showing.item(url));
  const room = {
    width: (document.documentElement.clientWidth - 48 - 40 * items.length) / items.length,
    height: window.innerHeight - otherHeight,
  };
  const tiles = items.map((item, k) => {
    if (item.kind === "sound") return h("div", { class: "sound", "data-k": k }, labels?.[k] ?? t("sounds.item", { k: k + 1 }));
    const size = showing.fit(item, room);
    showing.log.scale = size.scale;
    return pictureElement(item, size, labels?.[k] ?? `${t("trial.picture")} ${k + 1}`);
  });
  return { items, tiles, areSounds: items.some((item) => item.kind === "sound") };
}

/** Play the sounds among the items one after the other, the one that sounds marked; the onset of the first. */
export async function playTiles(items, tiles, between = BETWEEN_MS) {
  await wakeSound();
  let first = null;
  for (const [k, item] of items.entries()) {
    if (item.kind !== "sound") continue;
    if (first !== null) await new Promise((resolve) => setTimeout(resolve, between));
    const { onset, ended } = playBuffer(item.buffer);
    first ??= onset;
    tiles[k].classList.add("sounding");
    await ended;
    tiles[k].classList.remove("sounding");
  }
  return first;
}
