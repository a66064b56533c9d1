/**
 * What a tab remembers over a reload, and what a browser remembers of the last person; one that forbids storage only
 * loses the comfort.
 */

const memory = new Map();

/** Stands where a token did once its session is over: the next person finds no way into it. */
export const OVER = "over";

/** Two studies of one site share its storage: each keeps to names of its own place there. */
const own = (name) => `beholder.${window.location.pathname}.${name}`;

/** The remembered value of a name, or null. */
export function recall(name) {
  try {
    return JSON.parse(sessionStorage.getItem(own(name)));
  } catch {
    return memory.get(name) ?? null;
  }
}

/** Remember a value; null forgets it. Whether it outlasts a reload. */
export function remember(name, value) {
  memory.set(name, value);
  try {
    if (value === null) sessionStorage.removeItem(own(name));
    else sessionStorage.setItem(own(name), JSON.stringify(value));
    return true;
  } catch {
    return false; // storage is full or forbidden: memory serves until the page is closed
  }
}

/** The token of the last person who came by a plain link with this browser, or OVER; null where nobody did. */
export function recallVisitor() {
  try {
    return localStorage.getItem(own("visitor")) || null;
  } catch {
    return null;
  }
}

/** Remember it, for when the tab is closed; null forgets it. */
export function rememberVisitor(token) {
  try {
    if (token === null) localStorage.removeItem(own("visitor"));
    else localStorage.setItem(own("visitor"), token);
  } catch {
    // Forbidden: the address of the page and the tab still know.
  }
}
