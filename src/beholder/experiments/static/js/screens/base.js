/** Screens of words and buttons: a sheet with text, and one way on. */

import { h } from "../dom.js";
import { listenKeys } from "../keys.js";
import { describe, PLAIN, TEXT } from "../runner.js";
import { enter } from "../shell.js";

/** A button that goes on; Enter presses it. While that takes time it cannot be pressed again. */
export function nextButton(label, go, attributes = {}) {
  const press = async (event) => {
    const going = go(event);
    if (!(going instanceof Promise)) return;
    button.disabled = true;
    await going.finally(() => (button.disabled = false));
  };
  const button = h("button", { type: "button", class: "main", "data-action": "next", onclick: press, ...attributes }, label);
  return button;
}

/**
 * A plugin class for a screen.
 *
 * `draw({display, session, parameters, finish})` fills the display; `finish(data)` ends the screen. `heading` and
 * `name` are what the shell shows and what style sheets look at.
 */
export function makeScreen(name, draw) {
  return class {
    static info = describe(name, { screen: { ...TEXT, default: name }, heading: TEXT, values: PLAIN });

    trial(display, parameters, onLoad) {
      const session = parameters.session();
      return new Promise((resolve) => {
        const stopKeys = listenKeys({ Enter: () => pressMain(display) });
        const finish = (data = {}) => {
          stopKeys();
          resolve(data);
        };
        enter(parameters.screen, parameters.heading);
        draw({ display, session, values: parameters.values ?? {}, finish });
        onLoad();
      });
    }
  };
}

function pressMain(display) {
  if (document.querySelector(".cover")) return false;
  if (/^(BUTTON|A|SUMMARY)$/.test(document.activeElement?.tagName ?? "")) return false;
  const button = display.querySelector("button[data-action=next]:not([disabled])");
  button?.click();
  return Boolean(button);
}

/** A sheet of text with its buttons. */
export function sheet(content, ...buttons) {
  return h("div", { class: "sheet" }, ...content, h("div", { class: "buttons" }, ...buttons));
}
