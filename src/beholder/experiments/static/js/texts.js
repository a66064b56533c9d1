/** Every sentence that a participant reads comes from one file, with the study's own sentences over it. */

let texts = {};

function put(target, path, value) {
  const keys = path.split(".");
  const last = keys.pop();
  let node = target;
  for (const key of keys) node = node[key] = typeof node[key] === "object" && node[key] ? node[key] : {};
  const paragraphs = Array.isArray(node[last]) && typeof value === "string";
  node[last] = paragraphs ? value.split(/\n\s*\n/) : value;
}

/** Lay a study's own texts over those in use, by dotted names (`{"consent.heading": "…"}`) or nested objects. */
export function useTexts(over, prefix = "") {
  for (const [name, value] of Object.entries(over ?? {})) {
    if (value && typeof value === "object" && !Array.isArray(value)) useTexts(value, `${prefix}${name}.`);
    else put(texts, `${prefix}${name}`, value);
  }
  if (prefix) return;
  document.documentElement.lang = texts.lang ?? "en";
  document.documentElement.dir = texts.dir ?? "ltr";
  document.title = texts.title ?? "";
}

/** Whatever stands at a dotted name: a string, an array, an object; undefined when absent. */
export function look(name) {
  return name.split(".").reduce((node, key) => node?.[key], texts);
}

/** The sentence of a dotted name, `{n}` replaced by values.n; the name itself when there is none, never an error. */
export function t(name, values = {}) {
  const insert = (text) => String(text).replace(/\{(\w+)\}/g, (whole, key) => (key in values ? values[key] : whole));
  const found = look(name);
  if (Array.isArray(found)) return found.map(insert);
  return found === undefined ? name : insert(found);
}
