/** How large pictures are: as the study says, all of a trial alike, and smaller by one factor where there is no room. */

import { h } from "./dom.js";
import { findEngine, readDensity, readZoom } from "./display.js";

export const CARD_MM = 85.6;
const LEAST = 48; // CSS pixels of the longer side, below which the page scrolls instead

const radians = (degrees) => (degrees * Math.PI) / 180;

/** CSS pixels of an angle at a distance. */
export function degreesToPixels(degrees, distanceMm, pixelsPerMm) {
  return 2 * distanceMm * Math.tan(radians(degrees) / 2) * pixelsPerMm;
}

/** Degrees of visual angle of so many CSS pixels at a distance. */
export function pixelsToDegrees(pixels, distanceMm, pixelsPerMm) {
  return (2 * Math.atan(pixels / pixelsPerMm / (2 * distanceMm))) / radians(1);
}

/** `"300px"` as `["px", 300]`, `"fit"` as `["fit", null]`. */
function parseSize(size) {
  const match = /^([\d.]+)\s*(px|deg)$/.exec(size);
  return match ? [match[2], Number(match[1])] : [size, null];
}

/**
 * Sizes in CSS pixels that the study wants for the pictures of a trial, however small the window is. `multiple` is the
 * pixels of the screen along one of the picture where they have to be whole, else null.
 */
export function wantSizes(items, { size = "fit", distanceMm, pixelsPerMm, density }) {
  const [word, length] = parseSize(size);
  if (word === "pixels" || word === "points") {
    const multiple = word === "points" ? Math.max(1, Math.round(density)) : 1;
    const sizes = items.map(({ width, height }) => ({ width: (width * multiple) / density, height: (height * multiple) / density }));
    return { sizes, multiple };
  }
  const longer = ({ width, height }) => Math.max(width, height);
  let side = Math.max(...items.map(longer));
  if (word === "px") side = length;
  if (word === "deg" && pixelsPerMm) side = degreesToPixels(length, distanceMm, pixelsPerMm);
  const sizes = items.map((item) => ({ width: (item.width * side) / longer(item), height: (item.height * side) / longer(item) }));
  return { sizes, multiple: null };
}

/**
 * The largest share of a longer side of `side` CSS pixels that `fits(share)`: all of it, or the next whole multiple, or
 * else the next whole CSS pixel, down to the least that makes sense.
 */
export function findShare(side, multiple, fits) {
  if (fits(1)) return 1;
  for (let k = (multiple ?? 1) - 1; k > 0; k -= 1) if (fits(k / multiple)) return k / multiple;
  let [low, high] = [Math.min(LEAST, side), Math.ceil(side / (multiple ?? 1))];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (fits(middle / side)) low = middle;
    else high = middle;
  }
  return low / side;
}

/** An `<img>` of a stimulus. Its name says nothing about it; its size comes with {@link layOutPictures}. */
export function pictureElement(item, alt) {
  return h("img", { src: item.src, alt, draggable: "false", class: "picture" });
}

/** Show an element at a size; what is shown in whole multiples of its pixels is not blurred. */
export function resizeElement(element, { width, height }, scale = null) {
  Object.assign(element.style, { width: `${width}px`, height: `${height}px` });
  element.classList.toggle("whole", Number.isInteger(scale));
}

function fitsWindow(display) {
  const { scrollHeight } = document.documentElement;
  // of a zoomed page that fits, WebKit says that it is one pixel too high
  const rounding = findEngine() === "webkit" && readZoom() !== 1 ? 1 : 0;
  return scrollHeight <= window.innerHeight + rounding && display.scrollWidth <= display.clientWidth + rounding;
}

/** The room of one picture that is shown alone, in the middle of the window. */
export const wholeWindow = () => ({ width: window.innerWidth - 32, height: window.innerHeight - 96 });

const round = (value, digits = 100) => Math.round(value * digits) / digits;

/**
 * Give the pictures of a trial their sizes: `pictures` are `{item, element}`. In a `room`, `{width, height}`, each has to
 * find place; without one, all of `display`, without scrolling. What was made of it, for the record.
 */
export function layOutPictures(pictures, { size, distanceMm, pixelsPerMm, display, room = null }) {
  if (!pictures.length) return {};
  const density = readDensity();
  const items = pictures.map(({ item }) => item);
  const { sizes, multiple } = wantSizes(items, { size, distanceMm, pixelsPerMm, density });
  const side = Math.max(...sizes.map(({ width, height }) => Math.max(width, height)));
  const shrink = (share) => sizes.map(({ width, height }) => ({ width: width * share, height: height * share }));
  const scaleOf = (shown, item) => round((shown.width * density) / item.width, 1e4);
  const put = (share) => {
    const shown = shrink(share);
    pictures.forEach(({ item, element }, k) => resizeElement(element, shown[k], scaleOf(shown[k], item)));
    return shown;
  };
  const fits = (share) => {
    const shown = put(share);
    return room ? shown.every(({ width, height }) => width <= room.width && height <= room.height) : fitsWindow(display);
  };
  const share = findShare(side, multiple, fits);
  const shown = put(share);
  const longer = ({ width, height }) => Math.max(width, height);
  const largest = shown.reduce((best, each, k) => (longer(each) > longer(shown[best]) ? k : best), 0);
  const { width, height } = shown[largest];
  return {
    scale: scaleOf(shown[largest], items[largest]),
    picture_width: round(width),
    picture_height: round(height),
    picture_least: round(Math.min(...shown.map(longer))),
    picture_pixels: round(longer(shown[largest]) * density),
    ...(share < 1 ? { picture_share: round(share, 1e4) } : {}),
    ...(pixelsPerMm ? { picture_degrees: round(pixelsToDegrees(longer(shown[largest]), distanceMm, pixelsPerMm), 1e4) } : {}),
  };
}

/** Move an element by less than a pixel, so that its pixels lie on those of the screen. */
export function alignToPixels(element) {
  element.style.left = element.style.top = "0px";
  const density = readDensity();
  const grid = Number.isInteger(density) ? 1 : density;
  const { left, top } = element.getBoundingClientRect();
  element.style.left = `${Math.round(left * grid) / grid - left}px`;
  element.style.top = `${Math.round(top * grid) / grid - top}px`;
}

/** Do so with everything under an element that shows a stimulus. */
export function alignPictures(display) {
  for (const picture of display.querySelectorAll(".picture")) alignToPixels(picture);
}
