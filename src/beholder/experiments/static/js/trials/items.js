/** Two or three items beside each other: pictures, or sounds that are played in turn. */

import { playBuffer, wakeSound } from "../audio.js";
import { h } from "../dom.js";
import { t } from "../texts.js";

const BETWEEN_MS = 400;

/** Elements for items: pictures, sounds as numbered tiles. */
export function makeTiles(showing, urls, { labels } = {}) {
  const items = urls.map((url) => showing.item(url));
  const tiles = items.map((item, k) => {
    if (item.kind === "sound") return h("div", { class: "sound", "data-k": k }, labels?.[k] ?? t("sounds.item", { k: k + 1 }));
    return showing.picture(urls[k], labels?.[k] ?? `${t("trial.picture")} ${k + 1}`);
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
