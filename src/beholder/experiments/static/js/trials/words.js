/** Word recognition: a sound once; the word is typed, and only a word of the list can be sent. */

import { h, rich } from "../dom.js";
import { ensureSound, playInTurn } from "../screens/sound.js";
import { announce } from "../shell.js";
import { t } from "../texts.js";
import { describeTrial, TrialPlugin } from "./base.js";

const SHOWN = 12;
const LEAD_MS = 300;

const fold = (word) => word.trim().toLocaleLowerCase();

/** Words that contain what was typed: those that begin with it first, otherwise in the list's order. */
export function findWords(words, typed) {
  const part = fold(typed);
  if (!part) return [];
  const found = words.filter((word) => fold(word).includes(part));
  const rank = (word) => (fold(word) === part ? 0 : fold(word).startsWith(part) ? 1 : 2);
  return found.sort((a, b) => rank(a) - rank(b));
}

export class Words extends TrialPlugin {
  static info = describeTrial("words");
  static isTimed = true;
  static playsSound = true;

  build(showing) {
    this.words = showing.payload.choices ?? showing.settings.choices;
    this.exact = new Map(this.words.map((word) => [fold(word), word]));
    this.active = -1;
    this.found = [];
    this.isOver = false; // the sound
    this.input = h("input", {
      id: "word",
      type: "text",
      role: "combobox",
      "aria-expanded": "false",
      "aria-controls": "word-list",
      "aria-autocomplete": "list",
      "aria-describedby": "word-hint",
      autocomplete: "off",
      autocapitalize: "none",
      spellcheck: "false",
      maxlength: "40",
      disabled: true,
      oninput: () => this.suggest(),
      onkeydown: (event) => this.press(showing, event),
    });
    this.list = h("ul", { id: "word-list", role: "listbox", "aria-label": t("words.list") });
    this.count = h("p", { class: "hint", "aria-live": "polite" });
    this.send = h(
      "button",
      { type: "button", class: "main", "data-action": "send", disabled: true, onclick: (event) => this.submit(showing, event) },
      t("words.send"),
    );
    this.status = h("p", { class: "question" }, t("words.listen"));
    showing.display.append(
      h(
        "div",
        { class: "word-task" },
        this.status,
        h(
          "div",
          { class: "word-form" },
          h("label", { for: "word" }, t("words.label")),
          h("div", { class: "word-line" }, this.input, this.send, this.list),
          h("div", { class: "word-notes" }, h("p", { class: "hint", id: "word-hint" }, t("words.hint")), this.count),
        ),
        h("div", { class: "foot" }, h("p", { class: "verdict" })),
      ),
    );
  }

  async present(showing) {
    const { buffer } = showing.item(showing.payload.stimuli.stimulus);
    await ensureSound(showing.session);
    await new Promise((resolve) => setTimeout(resolve, Math.max(LEAD_MS, showing.timing.fixation_ms ?? 0)));
    showing.log.sound_ms = Math.round(buffer.duration * 1e5) / 100;
    let opening = null;
    const begun = (onset) => {
      const wait = onset + (showing.timing.response_from_ms ?? 0) - performance.now();
      opening = setTimeout(() => this.ask(showing), Math.max(0, wait));
    };
    const restart = () => {
      clearTimeout(opening);
      showing.close();
      this.input.disabled = true;
    };
    const onset = await playInTurn(showing.session, [buffer], { log: showing.log, begun, restart });
    this.isOver = true;
    if (showing.isOpen) this.question();
    return onset;
  }

  ask(showing) {
    this.input.disabled = false;
    this.input.focus({ preventScroll: true });
    showing.open();
    if (this.isOver) this.question(); // a sound that is shorter than the output is late has ended before
    this.check(showing);
  }

  question() {
    this.status.replaceChildren(...rich(t("words.question")));
    announce(t("words.question"));
  }

  async withhold(showing) {
    this.question();
    return super.withhold(showing);
  }

  suggest() {
    this.found = findWords(this.words, this.input.value);
    this.active = -1;
    const shown = this.found.slice(0, SHOWN);
    this.list.replaceChildren(
      ...shown.map((word, k) =>
        h(
          "li",
          {
            id: `word-${k}`,
            role: "option",
            "aria-selected": "false",
            onmousedown: (event) => event.preventDefault(),
            onclick: () => this.fill(word),
          },
          word,
        ),
      ),
    );
    this.input.setAttribute("aria-expanded", String(shown.length > 0));
    this.input.removeAttribute("aria-activedescendant");
    const typed = this.input.value.trim();
    const n = this.found.length;
    if (!typed) this.count.textContent = "";
    else if (n === 0) this.count.textContent = t("words.none", { typed });
    else this.count.textContent = n === 1 ? t("words.found_one") : t("words.found", { n });
    this.check();
  }

  /** Only an exact word can be sent. */
  check() {
    this.send.disabled = !this.exact.has(fold(this.input.value));
  }

  fill(word) {
    this.input.value = word;
    this.suggest();
    this.input.focus({ preventScroll: true });
  }

  mark(k) {
    const options = [...this.list.children];
    options.forEach((option, j) => option.setAttribute("aria-selected", String(j === k)));
    this.active = k;
    if (k < 0) this.input.removeAttribute("aria-activedescendant");
    else {
      this.input.setAttribute("aria-activedescendant", options[k].id);
      options[k].scrollIntoView({ block: "nearest" });
    }
  }

  press(showing, event) {
    const n = this.list.children.length;
    if (event.isComposing || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "ArrowDown" && n) this.mark((this.active + 1) % n);
    else if (event.key === "ArrowUp" && n) this.mark(this.active <= 0 ? n - 1 : this.active - 1);
    else if (event.key === "Escape" && n) this.mark(-1);
    else if (event.key === "Enter" && !event.repeat) this.enterPressed(showing, event);
    else return;
    event.preventDefault();
  }

  enterPressed(showing, event) {
    if (this.active >= 0) this.fill(this.found[this.active]);
    else this.submit(showing, event);
  }

  submit(showing, event) {
    const word = this.exact.get(fold(this.input.value));
    if (word === undefined || !showing.isOpen) return;
    this.input.disabled = true;
    this.send.disabled = true;
    this.list.replaceChildren();
    this.input.setAttribute("aria-expanded", "false");
    this.count.textContent = "";
    showing.answer({ word }, event);
  }
}
