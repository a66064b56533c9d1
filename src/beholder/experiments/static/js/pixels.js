/** Pictures pixel for pixel, or of a size in degrees of visual angle. */

import { h } from "./dom.js";

export const CARD_MM = 85.6;

/** CSS pixels of an angle at a distance. */
export function degreesToPixels(degrees, distanceMm, pixelsPerMm) {
  return 2 * distanceMm * Math.tan((degrees * Math.PI) / 360) * pixelsPerMm;
}

/**
 * Size of a picture in CSS pixels: each of its pixels is `multiple` × `multiple` of the screen's, or it is `width` wide
 * where the study asks for a size; smaller where the room does not suffice. `scale` is the pixels of the screen for
 * one of the picture, along each side.
 */
export function fitPicture(item, { width = null, room = {}, multiple = 1, density = window.devicePixelRatio } = {}) {
  const own = { width: item.width / density, height: item.height / density };
  const most = Math.min((room.width ?? Infinity) / own.width, (room.height ?? Infinity) / own.height);
  const wanted = width === null ? multiple : width / own.width;
  const scale = wanted <= most ? wanted : width === null && most >= 1 ? Math.floor(most) : most;
  return { width: own.width * scale, height: own.height * scale, scale: Math.round(scale * 1e4) / 1e4 };
}

/** An `<img>` of a stimulus. Its name says nothing about it. */
export function pictureElement(item, size, alt) {
  return h("img", {
    src: item.src,
    alt,
    draggable: "false",
    class: Number.isInteger(size.scale) ? "picture whole" : "picture",
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
