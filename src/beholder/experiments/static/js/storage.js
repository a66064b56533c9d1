/** What a tab remembers over a reload; a browser that forbids storage only loses the comfort. */

const memory = new Map();

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

/** Remember a value; null forgets it. */
export function remember(name, value) {
  memory.set(name, value);
  try {
    if (value === null) sessionStorage.removeItem(own(name));
    else sessionStorage.setItem(own(name), JSON.stringify(value));
  } catch {
    // Storage is full or forbidden: memory serves until the page is closed.
  }
}

/** The token of whoever came by this link of a recruiter before, in any tab of this browser; null otherwise. */
export function recallVisitor(link) {
  try {
    return link ? localStorage.getItem(own(`visitor.${link}`)) : null;
  } catch {
    return null;
  }
}

/** Know a recruiter's participant again, who comes by the same link; null forgets. */
export function rememberVisitor(link, token) {
  try {
    if (link && token) localStorage.setItem(own(`visitor.${link}`), token);
    else if (link) localStorage.removeItem(own(`visitor.${link}`));
  } catch {
    // Forbidden, as in some frames: the address of the page and the tab still know.
  }
}
