/** Pages of instructions, forth and back; how long each was open is kept. */

import { h, paragraphs } from "../dom.js";
import { drawFigure } from "../figures.js";
import { enter } from "../shell.js";
import { look, t } from "../texts.js";
import { makeScreen, nextButton, sheet } from "./base.js";

/** Names under which the pages of a study stand among the texts; left out are pages without text, and one about a
 * practice that there is not. */
export function listPages(settings, practises = true) {
  const named = settings.instructions?.length
    ? settings.instructions
    : Object.keys(look(`instructions.${settings.kind}`) ?? {});
  const asked = named.filter((id) => id !== "practice" || practises);
  const places = asked.map((id) => [`instructions.${settings.kind}.${id}`, `instructions.${id}`].find((name) => look(`${name}.body`)));
  return asked.map((id, k) => ({ id, name: places[k] })).filter((page) => page.name);
}

export const Instructions = makeScreen("instructions", ({ display, session, finish }) => {
  const pages = listPages(session.settings, session.practice !== null);
  const times = Object.fromEntries(pages.map((page) => [page.id, 0]));
  const begun = performance.now();
  const values = { rating_steps: session.settings.rating_steps, n_choices: session.settings.choices?.length };
  let k = 0;
  let since = begun;
  const turn = (step) => {
    const now = performance.now();
    if (pages.length) times[pages[k].id] += Math.round(now - since);
    since = now;
    k += step;
    if (k < pages.length) draw();
    else finish({ pages_ms: times, total_ms: Math.round(now - begun) });
  };
  const draw = () => {
    const { name } = pages[k];
    const last = k === pages.length - 1;
    const figure = look(`${name}.figure`) ? drawFigure(look(`${name}.figure`), session.settings) : null;
    const back = h("button", { type: "button", "data-action": "back", onclick: () => turn(-1) }, t("back"));
    display.replaceChildren(
      sheet(
        [
          h("p", { class: "small" }, t("instructions.page", { page: k + 1, pages: pages.length })),
          ...paragraphs(t(`${name}.body`, values)),
          ...(figure ? [h("div", { class: "figure" }, figure)] : []),
        ],
        nextButton(t(last ? "begin" : "next"), () => turn(1)),
        ...(k > 0 ? [back] : []),
      ),
    );
    enter("instructions", t(`${name}.heading`, values));
  };
  if (pages.length) draw();
  else finish({ pages_ms: {}, total_ms: 0 });
});
