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

/** The token of whoever came by this link of a recruiter before, in any tab of this browser; null otherwise. */
export function recallVisitor(link) {
  try {
    return link ? localStorage.getItem(`beholder.visitor.${link}`) : null;
  } catch {
    return null;
  }
}

/** Know a recruiter's participant again, who comes by the same link; null forgets. */
export function rememberVisitor(link, token) {
  try {
    if (link && token) localStorage.setItem(`beholder.visitor.${link}`, token);
    else if (link) localStorage.removeItem(`beholder.visitor.${link}`);
  } catch {
    // Forbidden, as in some frames: the address of the page and the tab still know.
  }
}
