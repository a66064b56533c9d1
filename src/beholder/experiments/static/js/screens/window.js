/** Is the window large enough? Asked before every trial; while it is not, the screen says so and waits. */

import { h } from "../dom.js";
import { guessZoom } from "../pixels.js";
import { enter, stage } from "../shell.js";
import { t } from "../texts.js";

/** Width and height, and the least they may be, in points at 100 % zoom: enlarging the text is no fault. */
function measure(settings) {
  const zoom = guessZoom();
  const now = { width: Math.round(window.innerWidth * zoom), height: Math.round(window.innerHeight * zoom) };
  const least = { width: settings.min_width ?? 0, height: settings.min_height ?? 0 };
  return { now, least, fits: now.width >= least.width && now.height >= least.height };
}

/** Whether this is a telephone: a finger for a pointer and a short side that no tablet or computer has. */
export function isPhone() {
  return window.matchMedia("(pointer: coarse)").matches && Math.min(screen.width, screen.height) < 500;
}

/** Return once the window is large enough; at once when it is. */
export function waitForWindow(session) {
  if (measure(session.settings).fits) return Promise.resolve();
  return new Promise((resolve) => {
    const shown = h("div", { class: "sheet" });
    const draw = () => {
      const { now, least, fits } = measure(session.settings);
      if (fits) {
        window.removeEventListener("resize", draw);
        cover.remove();
        resolve();
        return;
      }
      const values = { ...least, now_width: now.width, now_height: now.height };
      const full = h(
        "button",
        { type: "button", class: "main", onclick: () => document.documentElement.requestFullscreen?.().catch(() => {}) },
        t("window.full"),
      );
      shown.replaceChildren(h("p", {}, t("window.text", values)), h("div", { class: "buttons" }, full));
    };
    const cover = h("div", { class: "cover" }, shown);
    enter("window", t("window.heading"));
    stage().querySelector(".jspsych-content, #stage")?.replaceChildren();
    stage().append(cover);
    window.addEventListener("resize", draw);
    draw();
  });
}
