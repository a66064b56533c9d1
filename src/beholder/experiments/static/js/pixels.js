/** Pictures pixel for pixel, or of a size in degrees of visual angle. */

import { h } from "./dom.js";

export const CARD_MM = 85.6;

/** CSS pixels of an angle at a distance. */
export function degreesToPixels(degrees, distanceMm, pixelsPerMm) {
  return 2 * distanceMm * Math.tan((degrees * Math.PI) / 360) * pixelsPerMm;
}

/**
 * Size of a picture in CSS pixels: its own pixels, one to one, or `width` where the study asks for a size; smaller
 * where the room does not suffice. `scale` is 1 when every pixel of the picture is one pixel of the screen.
 */
export function fitPicture(item, { width = null, room = {}, ratio = window.devicePixelRatio } = {}) {
  const own = item.width / ratio;
  let factor = width === null ? 1 : width / own;
  factor = Math.min(factor, (room.width ?? Infinity) / own, ((room.height ?? Infinity) * ratio) / item.height);
  return { width: own * factor, height: (item.height / ratio) * factor, scale: Math.round(factor * 1e4) / 1e4 };
}

/** An `<img>` of a stimulus. Its name says nothing about it. */
export function pictureElement(item, size, alt) {
  return h("img", {
    src: item.src,
    alt,
    draggable: "false",
    class: "picture",
    style: { width: `${size.width}px`, height: `${size.height}px` },
  });
}

/** Move an element by less than a pixel, so that its pixels lie on those of the screen. */
export function alignToPixels(element) {
  element.style.left = element.style.top = "0px";
  const density = window.devicePixelRatio;
  const grid = Number.isInteger(density) ? 1 : density;
  const { left, top } = element.getBoundingClientRect();
  element.style.left = `${Math.round(left * grid) / grid - left}px`;
  element.style.top = `${Math.round(top * grid) / grid - top}px`;
}

/** Do so with everything under an element that shows a stimulus. */
export function alignPictures(display) {
  for (const picture of display.querySelectorAll(".picture")) alignToPixels(picture);
}

/** Magnification by the browser's zoom, as far as a page can tell. */
export function guessZoom() {
  const zoom = window.outerWidth / window.innerWidth;
  return zoom > 1.09 && zoom < 6 ? Math.round(zoom * 20) / 20 : 1;
}

/** The window as it is, for the record. */
export function describeWindow() {
  return {
    width: window.innerWidth,
    height: window.innerHeight,
    dpr: window.devicePixelRatio,
    zoom: guessZoom(),
    fullscreen: Boolean(document.fullscreenElement),
  };
}
