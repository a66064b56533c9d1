/** A screen over whatever is shown, until it is done. */

import { h } from "../dom.js";
import { enter, stage } from "../shell.js";

/**
 * Show a screen over the page; `draw(display, finish)` fills it, and what it finishes with is returned. With `over`, what
 * is below stays and is gone on with; else the stage is empty afterwards.
 */
export function cover(name, heading, draw, { over = false } = {}) {
  const below = { screen: document.body.dataset.screen, heading: document.getElementById("heading") };
  const [words, unseen] = [below.heading.textContent, below.heading.classList.contains("unseen")];
  return new Promise((resolve) => {
    const display = h("div", { class: "cover-content" });
    const title = h("p", { class: "cover-heading", "aria-hidden": "true" }, heading); // the page's own is below
    const shown = h("div", { class: "cover" }, h("div", { class: "cover-page" }, title, display));
    const covered = [...stage().children];
    const finish = (data) => {
      shown.remove();
      for (const each of covered) each.inert = false;
      if (over) enter(below.screen, words, { seen: !unseen });
      resolve(data);
    };
    enter(name, heading);
    if (!over) stage().querySelector(".jspsych-content, #stage")?.replaceChildren();
    for (const each of covered) each.inert = true;
    stage().prepend(shown);
    draw(display, finish);
  });
}
