/** The address of the page: the recruiter's link, and behind the # what opens one's own session. */

const MOST_CHARACTERS = 500;

/** Parameters of the link by these names, or all: a text each, or two where it has several; cut where no id is as long. */
export function readParameters(names = null) {
  const link = new URLSearchParams(window.location.search);
  const found = {};
  for (const name of names ?? link.keys()) {
    const values = [...new Set(link.getAll(name))].slice(0, 2).map((value) => value.slice(0, MOST_CHARACTERS + 1));
    if (values.length) found[name] = values.length > 1 ? values : values[0];
  }
  return found;
}

/** Whether a parameter is what no id is, as a server judges it: two values, a whole page, control characters. */
export function isDamaged(value) {
  return typeof value !== "string" || value.length > MOST_CHARACTERS || /[\p{C}\uFFFD]/u.test(value.trim());
}

/**
 * The token that stands in the address, without what a letter may have put behind it; null where there is none, and
 * nobody's where there are two.
 */
export function readToken() {
  const [found, other = found] = new Set(new URLSearchParams(window.location.hash.slice(1)).getAll("t"));
  if (found === undefined) return null;
  return (found === other && /^[\w-]{1,200}/.exec(found)?.[0]) || "-";
}

/** The link without anybody's token. */
export function plainLink() {
  return window.location.href.split("#")[0];
}

/** The link that opens a session again, anywhere. */
export function ownLink(token) {
  return `${plainLink()}#t=${token}`;
}

/** Let the address of the page be one's own link; with null, the plain one. */
export function showInAddress(token) {
  const { pathname, search } = window.location;
  note(token ? { held: true } : null, pathname + search + (token ? `#t=${token}` : ""));
}

/** Whether the page was loaded again, rather than opened by a link. */
export function isReload() {
  return performance.getEntriesByType("navigation")[0]?.type === "reload" && !window.history.state?.opened;
}

/** Whether the page was loaded again by whoever went on by this address before. */
export function isHeld() {
  return isReload() && Boolean(window.history.state?.held);
}

/** Who goes on by this address is asked for, after a reload too. */
export function askInAddress() {
  note(null);
}

/** A link that differs behind the # alone is not loaded by the browser when it is opened in the same tab. */
export function followAddress() {
  window.addEventListener("hashchange", () => {
    note({ opened: true });
    window.location.reload();
  });
}

function note(state, address = window.location.href) {
  try {
    window.history.replaceState(state, "", address);
  } catch {
    // A page inside another one may not change its address; the tab remembers the token anyway.
  }
}
