/** What a tab remembers over a reload; a browser that forbids storage only loses the comfort. */

const memory = new Map();

/** The remembered value of a name, or null. */
export function recall(name) {
  try {
    return JSON.parse(sessionStorage.getItem(`beholder.${name}`));
  } catch {
    return memory.get(name) ?? null;
  }
}

/** Remember a value; null forgets it. */
export function remember(name, value) {
  memory.set(name, value);
  try {
    if (value === null) sessionStorage.removeItem(`beholder.${name}`);
    else sessionStorage.setItem(`beholder.${name}`, JSON.stringify(value));
  } catch {
    // Storage is full or forbidden: memory serves until the page is closed.
  }
}
