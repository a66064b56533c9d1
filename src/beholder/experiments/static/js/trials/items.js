/** Two or three items beside each other: pictures, or sounds that are played in turn. */

import { h } from "../dom.js";
import { playInTurn } from "../screens/sound.js";
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

/** Play the sounds one after the other, the one that sounds marked; the onset of the first. */
export function playTiles(showing, items, tiles, between = BETWEEN_MS) {
  const mark = (k, sounds) => tiles[k].classList.toggle("sounding", sounds);
  return playInTurn(showing.session, items.map(({ buffer }) => buffer), { log: showing.log, between, mark });
}
