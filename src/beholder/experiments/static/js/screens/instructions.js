/** Pages of instructions, forth and back; how long each was open is kept. */

import { h, paragraphs } from "../dom.js";
import { drawFigure } from "../figures.js";
import { announce } from "../shell.js";
import { look, t } from "../texts.js";
import { makeScreen, nextButton, sheet } from "./base.js";

/** Names under which the pages of a study stand among the texts; pages without text are left out. */
export function listPages(settings) {
  const asked = settings.instructions?.length
    ? settings.instructions
    : Object.keys(look(`instructions.${settings.kind}`) ?? {});
  const places = asked.map((id) => [`instructions.${settings.kind}.${id}`, `instructions.${id}`].find((name) => look(`${name}.body`)));
  return asked.map((id, k) => ({ id, name: places[k] })).filter((page) => page.name);
}

export const Instructions = makeScreen("instructions", ({ display, session, finish }) => {
  const pages = listPages(session.settings);
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
    if (k < pages.length) draw(true);
    else finish({ pages_ms: times, total_ms: Math.round(now - begun) });
  };
  const draw = (turned) => {
    const { name } = pages[k];
    const last = k === pages.length - 1;
    const heading = h("h2", { tabindex: "-1" }, t(`${name}.heading`, values));
    const figure = look(`${name}.figure`) ? drawFigure(look(`${name}.figure`), session.settings) : null;
    const back = h("button", { type: "button", "data-action": "back", onclick: () => turn(-1) }, t("back"));
    display.replaceChildren(
      sheet(
        [
          h("p", { class: "small" }, t("instructions.page", { page: k + 1, pages: pages.length })),
          heading,
          ...paragraphs(t(`${name}.body`, values)),
          ...(figure ? [h("div", { class: "figure" }, figure)] : []),
        ],
        nextButton(t(last ? "begin" : "next"), () => turn(1)),
        ...(k > 0 ? [back] : []),
      ),
    );
    if (turned) heading.focus({ preventScroll: true });
    window.scrollTo(0, 0);
    announce(t("instructions.page", { page: k + 1, pages: pages.length }));
  };
  if (pages.length) draw(false);
  else finish({ pages_ms: {}, total_ms: 0 });
});
