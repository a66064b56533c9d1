/**
 * What a page can know of its screen and window.
 *
 * Under the browser's zoom, Chromium changes `devicePixelRatio` and leaves `outerWidth` and `screen` alone; WebKit leaves
 * `devicePixelRatio` alone, too; Firefox divides all of them by the zoom, so that there a zoomed page and a dense screen
 * look alike. So pixels of the screen are known everywhere, and the zoom everywhere but in Firefox and inside a frame,
 * whose own width says nothing.
 */

const CHROMIUM_ZOOMS = [0.25, 0.33, 0.5, 0.67, 0.75, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 1.75, 2, 2.5, 3, 4, 5];
const WEBKIT_ZOOMS = [0.5, 0.75, 0.85, 1, 1.15, 1.25, 1.5, 1.75, 2, 2.5, 3, ...[-3, -2, -1, 1, 2, 3, 4, 5].map((k) => 1.2 ** k)];
const WIDEST_SCREEN = 2560; // points; where the zoom is not known, no screen is taken to be wider

/** `chromium`, `gecko` or `webkit`, by what each of them has; for what they measure differently, and kept nowhere. */
export function findEngine() {
  if ("mozInnerScreenX" in window) return "gecko";
  return navigator.vendor?.startsWith("Apple") ? "webkit" : "chromium";
}

/** Whether another page shows this one inside it, as MTurk's does. */
export const isFramed = () => window.parent !== window;

/** Whether the page may ask for the whole screen; a page that frames it decides. */
export const mayFillScreen = () => document.fullscreenEnabled ?? "requestFullscreen" in document.documentElement;

/** The figures that all else follows from. */
function lookAround() {
  const framed = isFramed();
  const { devicePixelRatio: ratio, innerWidth, innerHeight, outerWidth } = window;
  const { width, height, availLeft = 0, availTop = 0 } = window.screen;
  return { engine: findEngine(), framed, ratio, innerWidth, innerHeight, outerWidth, screen: { width, height, availLeft, availTop } };
}

/** Magnification by the browser's zoom; null where nothing tells it. Window borders are part of `outerWidth`. */
export function readZoom({ engine, framed, ratio, innerWidth, outerWidth } = lookAround()) {
  if (engine === "gecko" || framed) return null;
  const [zooms, most] = engine === "webkit" ? [WEBKIT_ZOOMS, Infinity] : [CHROMIUM_ZOOMS, ratio * 1.03];
  const magnified = outerWidth / innerWidth;
  const distance = (zoom) => Math.abs(Math.log(magnified / zoom) - 0.01);
  const likely = zooms.filter((zoom) => zoom <= most).sort((a, b) => distance(a) - distance(b))[0];
  return likely !== undefined && distance(likely) < 0.04 ? likely : 1;
}

/** Pixels of the screen along one CSS pixel, zoom included. */
export function readDensity(facts = lookAround()) {
  return facts.engine === "webkit" ? facts.ratio * (readZoom(facts) ?? 1) : facts.ratio;
}

/**
 * Width and height of the window in points, the CSS pixels that it has at 100 %. Where the zoom is not known it is the
 * most that they can be, so that nobody is kept out for having enlarged the text.
 */
export function readPoints(facts = lookAround()) {
  const { ratio, innerWidth, innerHeight, screen } = facts;
  const least = Math.max(1, (screen.width * ratio) / WIDEST_SCREEN);
  const zoom = readZoom(facts) ?? Math.max(ratio / least, Math.min(1, ratio));
  return { width: Math.round(innerWidth * zoom), height: Math.round(innerHeight * zoom) };
}

/** The screen that the window is on: its pixels, and where it stands among several. Zooming does not change them. */
export function describePlace(facts = lookAround()) {
  const { width, height, availLeft, availTop } = facts.screen;
  const ratio = facts.engine === "chromium" ? facts.ratio / (readZoom(facts) ?? 1) : facts.ratio;
  return {
    screen_width: Math.round(width * ratio),
    screen_height: Math.round(height * ratio),
    screen_column: Math.round(availLeft / width),
    screen_row: Math.round(availTop / height),
  };
}

/** Whether two descriptions can be of one screen; one that says nothing can be of any. */
export function isSamePlace(one, other) {
  const alike = (a, b) => Math.abs(a - b) <= 0.01 * b;
  if (!one?.screen_width || !other?.screen_width) return true;
  return (
    alike(one.screen_width, other.screen_width) &&
    alike(one.screen_height, other.screen_height) &&
    one.screen_column === other.screen_column &&
    one.screen_row === other.screen_row
  );
}

/** The window as it is, for the record. */
export function describeWindow() {
  return {
    width: window.innerWidth,
    height: window.innerHeight,
    dpr: readDensity(),
    zoom: readZoom(),
    fullscreen: Boolean(document.fullscreenElement),
  };
}
