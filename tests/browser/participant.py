"""Somebody who takes part in an experiment, with the mouse or with the keyboard alone."""

from __future__ import annotations

import re
import time
from urllib.parse import urlsplit

SITE = "http://localhost:8123"
"""Where pages without a server are as if they came from; nothing listens there."""
LEFT = re.compile("context was destroyed|no such frame|no such window|navigat|body is null|'document.body|'dataset'")
"""What browsers say to a question that a page did not live to answer."""
ENABLED = "[data-answer]:not([disabled])"
SECONDS = 40
PAUSE_MS = 40
"""Between two looks at a page: each costs the browser, its driver and us about 4 ms."""
_LOOK = """(answers) => {
    const {screen} = document.body.dataset;
    const wanted = {trial: `${answers}, [role=combobox]:not([disabled])`, level: "[aria-pressed=false]"}[screen]
        ?? "button.main:not([disabled])";
    return [screen, document.getElementById("heading").textContent, Boolean(document.querySelector(wanted))];
}"""


class Participant:
    """One page of a browser.

    Attributes
    ----------
    complaints : list of str
        Errors of the page and what the Content-Security-Policy kept from happening.
    foreign : list of str
        Requests that went elsewhere than to the server of the page.
    screens : list of str
        Names of the screens seen, in order.
    """

    def __init__(self, context, url):
        self.page = context.new_page()
        self.url = url
        self.complaints, self.foreign, self.screens = [], [], []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._hear)
        self.page.on("request", self._watch)
        self.page.goto(url)

    def _hear(self, message):
        if message.type == "error" and "ERR_INTERNET_DISCONNECTED" not in message.text and "409" not in message.text:
            self.complaints.append(message.text)

    def _watch(self, request):
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != urlsplit(self.url).netloc:
            self.foreign.append(request.url)

    @property
    def screen(self):
        """The screen that is shown."""
        return self.page.evaluate("document.body.dataset.screen")

    @property
    def trial(self):
        """The trial that is or was shown."""
        return self.page.evaluate("document.body.dataset.trial ?? null")

    def wait_until(self, script, arg=None):
        """Wait until an expression or function of the page is true; the page's policy allows no `eval` for it."""
        end = time.monotonic() + SECONDS
        while not self._find(script, arg):
            assert time.monotonic() < end, f"{script} not within {SECONDS} s, at {self.screen}"
            self.page.wait_for_timeout(PAUSE_MS)

    def _find(self, script, arg):
        """What an expression of the page comes to; None while the page loads itself anew."""
        try:
            return self.page.evaluate(script, arg)
        except Exception as error:
            if not LEFT.search(str(error)):
                raise
            return None

    def wait_for(self, *names):
        """Wait until one of these screens is shown."""
        self.wait_until("(names) => names.includes(document.body.dataset.screen)", names)
        return self.screen

    def wait_for_another_trial(self, trial):
        """Wait until another trial than this one waits for an answer."""
        self.wait_until("(trial) => document.body.dataset.trial !== trial", trial)
        self.wait_for_answers()

    def wait_for_answers(self):
        """Wait until a trial can be answered."""
        self.wait_until(
            f"document.body.dataset.screen === 'trial' && (document.querySelector('{ENABLED}')"
            " || document.querySelector('[role=combobox]:not([disabled])'))"
        )

    def click_next(self):
        """Press the button that goes on, with the mouse."""
        self.page.locator("button.main:not([disabled])").first.click()

    def go_to(self, *screens):
        """Everything up to one of these screens."""
        self._go_until(lambda screen: screen in screens, keyboard=False)

    def go_to_trial(self):
        """Everything up to where the first trial can be answered."""
        self.go_to("trial")
        self.wait_for_answers()

    def answer(self, position=0):
        """Answer the trial that waits, with the mouse."""
        if self.page.locator("[role=combobox]").count():
            self.page.locator("[role=combobox]").fill("water")
            self.page.locator("[data-action=send]").click()
        else:
            self.page.locator(ENABLED).nth(position).click()

    def answer_by_keyboard(self):
        """Answer the trial that waits, with the keys that the screen names."""
        kind = self.page.evaluate("document.body.dataset.kind")
        keys = {
            "2afc": ["ArrowDown", "2"], "counterfactual": ["ArrowRight", "3"], "recognition": ["d", "o", "Enter"],
            "words": [*"wat", "ArrowDown", "ArrowDown", "Enter", "Enter"], "same_different": ["ArrowRight"],
            "odd_one_out": ["2"], "similarity": ["5"],
        }[kind]  # fmt: skip
        for key in keys:
            self.page.keyboard.press(key)

    def take_part(self, *, keyboard=False, visit=lambda person, screen: None):
        """The whole experiment; ``visit`` is called once on every screen. How it ended."""
        self._go_until(lambda screen: screen == "end", keyboard=keyboard, visit=visit)
        self.screens.append("end")
        visit(self, "end")
        return self.page.evaluate("document.body.dataset.end")

    def _go_until(self, is_there, *, keyboard, visit=lambda person, screen: None):
        end = time.monotonic() + SECONDS
        seen = None
        while time.monotonic() < end:
            screen, heading, ready = self.page.evaluate(_LOOK, ENABLED)
            if is_there(screen):
                return
            if ready:
                if (screen, heading) != seen:
                    seen = (screen, heading)
                    self.screens.append(screen)
                    visit(self, screen)
                self._advance(screen, keyboard)
            self.page.wait_for_timeout(PAUSE_MS)
        raise AssertionError(f"still at {self.screen} after {SECONDS} s; screens: {self.screens}")

    def _advance(self, screen, keyboard):
        if screen in ("saving", "loading"):
            return
        if screen == "trial":
            (self.answer_by_keyboard if keyboard else self.answer)()
            self.wait_until("document.body.dataset.screen !== 'trial' || !document.querySelector('[data-chosen]')")
        else:
            self._step(screen, keyboard)

    def _step(self, screen, keyboard):
        page = self.page
        if screen == "level":
            if keyboard:
                page.keyboard.press("Tab")
                page.keyboard.press("Enter")
                self.wait_until("Boolean(document.querySelector('[aria-pressed=true]'))")
                page.keyboard.press("Tab")
                page.keyboard.press("Enter")
            else:
                page.click("[data-action=play]")
                self.click_next()
        elif not keyboard:
            self.click_next()
        elif screen == "consent":
            page.keyboard.press("Tab")
            page.keyboard.press("Enter")
        elif screen == "comment":
            for key in ("Tab", *"Fine", "Tab", "Enter"):
                page.keyboard.press(key)
        else:
            page.keyboard.press("Enter")

    def call(self, method, path, body=None):
        """A request to the server as this participant; ``(status, body)``."""
        script = """async ([method, path, body]) => {
            const last = sessionStorage.getItem(`beholder.${location.pathname}.last`);
            const token = new URLSearchParams(location.hash.slice(1)).get("t") ?? JSON.parse(last);
            const answer = await fetch(path, {
                method, headers: {Authorization: `Bearer ${token}`, "Content-Type": "application/json"},
                body: body === null ? undefined : JSON.stringify(body),
            });
            return [answer.status, await answer.json()];
        }"""
        return tuple(self.page.evaluate(script, [method, path, body]))

    def read_state(self):
        """Where the server says that this participant stands."""
        return self.call("GET", "/api/state")[1]
