/** Symbols of categories; a category without one is shown by its name. */

import { assetUrl } from "./assets.js";

const DRAWN = new Set(
  "airplane bear bicycle bird boat bottle car cat chair clock dog elephant keyboard knife oven truck".split(" "),
);

/** Address of a category's symbol, or null. */
export function iconUrl(label) {
  return DRAWN.has(label) ? assetUrl(`icons/${label}.svg`) : null;
}
