/** Is the window large enough, and its screen measured? Asked before every trial; while it is not, the page waits. */

import { h, paragraphs } from "../dom.js";
import { isFramed, mayFillScreen, readPoints } from "../display.js";
import { t } from "../texts.js";
import { drawCard } from "./checks.js";
import { cover } from "./cover.js";

/** Width and height, and the least they may be, in points: enlarging the text is no fault. */
function measure(settings) {
  const now = readPoints();
  const least = { width: settings.min_width ?? 0, height: settings.min_height ?? 0 };
  return { now, least, fits: now.width >= least.width && now.height >= least.height };
}

/** Whether this is a telephone: a finger for a pointer and a short side that no tablet or computer has. */
export function isPhone() {
  return window.matchMedia("(pointer: coarse)").matches && Math.min(screen.width, screen.height) < 500;
}

/** Return once the window is large enough, and its screen known where sizes are in degrees; at once when they are. */
export async function waitForWindow(session) {
  if (!measure(session.settings).fits) await cover("window", t("window.heading"), (...to) => drawWindow(session, ...to));
  if (!session.needsCard) return;
  const intro = session.devicePixelsPerMm ? "checks.card.again" : "checks.card.text";
  const draw = (display, finish) => drawCard({ display, session, finish, intro });
  session.calibrate(await cover("card", t("checks.card.heading"), draw));
}

/** A way to more room: the whole screen, or out of a page that shows this one inside it. */
function offerRoom() {
  if (isFramed()) {
    const out = { class: "main button", href: window.location.href, target: "_blank", rel: "noopener", "data-action": "tab" };
    return [h("a", out, t("window.tab"))];
  }
  const fill = () => document.documentElement.requestFullscreen().catch(() => {});
  return mayFillScreen() ? [h("button", { type: "button", class: "main", onclick: fill }, t("window.full"))] : [];
}

function drawWindow(session, display, finish) {
  const draw = () => {
    const { now, least, fits } = measure(session.settings);
    if (fits) {
      window.removeEventListener("resize", draw);
      finish();
      return;
    }
    const values = { ...least, now_width: now.width, now_height: now.height };
    const text = t(isFramed() ? "window.text_framed" : "window.text", values);
    display.replaceChildren(h("div", { class: "sheet" }, ...paragraphs(text), h("div", { class: "buttons" }, ...offerRoom())));
  };
  window.addEventListener("resize", draw);
  draw();
}
