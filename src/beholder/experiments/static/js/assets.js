/** Where our own files lie: beside the page, or inside it when the page is one file. */

const embedded = JSON.parse(document.getElementById("beholder-assets")?.textContent ?? "null");

/** Address of a file of ours: `assetUrl("icons/bear.svg")`. */
export function assetUrl(path) {
  return embedded ? embedded[path] : new URL(`static/${path}`, document.baseURI).href;
}

/** A JSON file of ours. */
export async function readAsset(path) {
  if (embedded) return JSON.parse(embedded[path]);
  const answer = await fetch(assetUrl(path));
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}
