/**
 * Evidence on whether a person answers: what the browser reports of keys, pointer, clipboard and focus is counted from
 * one thing that is sent to the next. Never which key, where, or what was pasted, and nothing that tells who somebody is.
 */

const JUMP_PX = 100;

const COUNTED = ["keys", "presses", "clicks", "moves", "jumps", "scripted", "pastes", "blurs", "hides"];
const zeros = () => Object.fromEntries(COUNTED.map((name) => [name, 0]));

let counts = zeros();
let pointer = null; // where the mouse was pressed last, and how often it reported a movement since
let isOwnKey = false; // while a key press is being handled, a button that the page presses for it is the key's doing

/** Times of absence: how long a state lasted until now, and from now on anew. */
class Absence {
  constructor(isAbsent) {
    this.since = isAbsent ? performance.now() : null;
    this.total = 0;
  }

  begin() {
    this.since ??= performance.now();
  }

  end() {
    if (this.since !== null) this.total += performance.now() - this.since;
    this.since = null;
  }

  take() {
    const isAbsent = this.since !== null;
    this.end();
    const { total } = this;
    this.total = 0;
    if (isAbsent) this.begin();
    return Math.round(total);
  }
}

let blurred = null;
let hidden = null;

/** An event of the browser's own is counted under its name; one that a script made, among the scripted. */
function count(name, event) {
  if (event.isTrusted) counts[name] += 1;
  else if (!isOwnKey) counts.scripted += 1;
}

/** A mouse that is pressed far from where it was, without having moved there. Fingers and pens do so by nature. */
function followPress(event) {
  count("presses", event);
  if (!event.isTrusted || event.pointerType !== "mouse") return;
  const { screenX: x, screenY: y } = event;
  if (pointer && pointer.moves < 2 && Math.hypot(x - pointer.x, y - pointer.y) > JUMP_PX) counts.jumps += 1;
  pointer = { x, y, moves: 0 };
}

function followMove(event) {
  if (!event.isTrusted) return;
  const n = Math.max(1, event.getCoalescedEvents?.().length ?? 1);
  counts.moves += n;
  if (pointer) pointer.moves += n;
}

function followKey(event) {
  if (event.repeat) return;
  count("keys", event);
  isOwnKey = event.isTrusted;
  if (isOwnKey) setTimeout(() => (isOwnKey = false));
}

const listeners = {
  keydown: followKey,
  pointerdown: followPress,
  pointermove: followMove,
  click: (event) => count("clicks", event),
  paste: () => (counts.pastes += 1),
  blur: (event) => {
    if (event.target !== window) return;
    counts.blurs += 1;
    blurred.begin();
  },
  focus: (event) => event.target === window && blurred.end(),
  visibilitychange: () => {
    if (document.hidden) counts.hides += 1;
    if (document.hidden) hidden.begin();
    else hidden.end();
  },
};

/** Begin to count; a second call changes nothing. */
export function watchEvidence() {
  if (blurred) return;
  blurred = new Absence(!document.hasFocus());
  hidden = new Absence(document.hidden);
  const way = { capture: true, passive: true };
  for (const [name, listener] of Object.entries(listeners)) window.addEventListener(name, listener, way);
  window.addEventListener("keydown", () => (isOwnKey = false), { passive: true });
}

/** What was counted since the last call, to go with what is being sent. */
export function takeEvidence() {
  if (!blurred) return {};
  const taken = { ...counts, blurred_ms: blurred.take(), hidden_ms: hidden.take(), webdriver: navigator.webdriver === true };
  counts = zeros();
  return taken;
}
