"""Simulated participants in real Chromium: the pages are clicked through as people do."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, final
from urllib.parse import urlencode

from beholder._core.errors import BeholderError, InputError, MissingExtra, suggest_keywords
from beholder._core.seeds import make_generator
from beholder._core.wording import format_count
from beholder.experiments.flow._experiment import Experiment
from beholder.experiments.simulation._observers import Observer
from beholder.experiments.simulation._participant_client import ParticipantClient
from beholder.experiments.simulation._run import TakePart
from beholder.experiments.simulation._simulate import (
    ParticipantOutcome,
    ResponseTimes,
    SimulatedClock,
    make_observation,
    make_recruit,
    make_step,
)
from beholder.responses import get_answer_form

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page, Route

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
_SECONDS_A_SCREEN = 90.0
_LOOK = """() => {
    const {screen, trial, end} = document.body.dataset;
    const open = screen === "trial"
        ? document.querySelector("[data-answer]:not([disabled]), [role=combobox]:not([disabled])")
        : document.querySelector("button.main:not([disabled]), [data-action=play]:not([disabled])");
    return {screen, trial: trial ?? null, end: end ?? null, open: Boolean(open)};
}"""
_LIST_ANSWERS = "() => [...document.querySelectorAll('[data-answer]')].map((button) => button.dataset.answer)"
_PASSING = ("saving", "loading")


@suggest_keywords
@contextlib.contextmanager
def take_part_in_browser(experiment: Experiment, seed: int) -> Iterator[TakePart]:
    """Participants in a browser, a fresh profile each.

    What is shown takes as long as it does; reading and thinking take simulated time only. Nobody listens: what the page
    found in a headphone check is sent as passed, and the browser is told that there is something to play sounds with.

    Raises
    ------
    MissingExtra
        Playwright is not installed.
    InputError
        There is no browser.
    """
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        raise MissingExtra("playwright", "browser", "--browser") from None
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    flags = ["--use-fake-device-for-media-stream"]  # pages with sounds ask whether there is anything to play them with
    flags += ["--no-sandbox"] if sys.platform != "win32" and os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=program, args=flags)
        except Error as error:
            reason = str(error).splitlines()[0][:120]
            raise InputError("Chromium", got=reason, hint="playwright install chromium") from None

        def go(url: str, observer: Observer, number: int, clock: SimulatedClock) -> ParticipantOutcome:
            context = browser.new_context(viewport={"width": 1920, "height": 1000})
            with contextlib.closing(context), ParticipantClient(url) as client:
                guest = _Guest(context, client, experiment, observer, number, seed, clock)
                return guest.take_part(f"{url}/?{urlencode(make_recruit(experiment.settings, number, seed))}")

        try:
            yield go
        finally:
            browser.close()


@final
class _Guest:
    """One participant: what the page is told passes through here, and is answered by clicks."""

    def __init__(
        self,
        context: BrowserContext,
        client: ParticipantClient,
        experiment: Experiment,
        observer: Observer,
        number: int,
        seed: int,
        clock: SimulatedClock,
    ) -> None:
        self._client, self._observer, self._number, self._clock = client, observer, number, clock
        self._experiment = experiment
        self._state: dict[str, Any] = {"settings": experiment.settings.to_dict()}
        self._rng = make_generator(seed, "participant", number)
        self._tempo = ResponseTimes(experiment.settings, make_generator(seed, "tempo", number))
        self._payloads: dict[str, dict[str, Any]] = {}
        self._counts = {"practice": 0, "main": 0}
        self._began = clock()
        self._page: Page = context.new_page()
        self._upcoming: dict[str, Any] | None = None
        self._page.route("**/api/state", self._pass_state)
        self._page.route("**/api/join", self._pass_join)
        self._page.route("**/api/next", self._pass_join)
        self._page.route("**/api/step", self._pass_step)
        self._page.route("**/api/trials?*", self._pass_trials)
        self._page.route("**/api/trials/*", self._pass_answer)

    def take_part(self, address: str) -> ParticipantOutcome:
        """From the first page to the last, with all sessions."""
        self._page.goto(address)
        seconds, n_sessions = 0.0, 1
        while True:
            end = self._take_session()
            seconds += self._clock() - self._began
            if self._upcoming is None:
                counts = self._counts
                return ParticipantOutcome(
                    self._number, end, counts["main"], counts["practice"], seconds, n_sessions
                )  # fmt: skip
            self._clock.advance(self._tempo.come_back(self._upcoming, self._clock()))
            self._began, self._payloads = self._clock(), {}
            n_sessions += 1
            self._page.reload()
            self._page.locator("[data-action=next]").click()
            self._page.locator("body[data-screen=consent]").wait_for(timeout=1000 * _SECONDS_A_SCREEN)

    def _take_session(self) -> str:
        """From the first page of a session to its end, whose name is given."""
        page, last, since = self._page, None, time.monotonic()
        while True:
            seen = page.evaluate(_LOOK)
            if seen["screen"] in ("end", "problem", "moved", "phone", "preview", "window"):
                break
            if seen["open"] and seen["screen"] not in _PASSING:
                self._act(seen["screen"], seen["trial"])
            if seen != last:
                last, since = seen, time.monotonic()
            elif time.monotonic() - since > _SECONDS_A_SCREEN:
                raise BeholderError(
                    f"expected the page to go on; got {seen['screen']!r} for {_SECONDS_A_SCREEN:.0f} s; "
                    "try without --browser"
                )
            page.wait_for_timeout(20)
        if seen["screen"] != "end":
            text = page.locator("#stage").inner_text()
            raise BeholderError(f"expected the experiment's end; got the screen {seen['screen']!r}: {text[:200]}")
        return seen["end"]

    def _act(self, screen: str, trial: str | None) -> None:
        page = self._page
        if screen == "trial" and trial is not None:
            self._answer(self._payloads[trial])
            self._wait_while_open(trial)
        elif screen in ("level", "headphones"):
            options = ("[data-answer]:not([disabled])", "button.main:not([disabled])", "[data-action=play]")
            page.locator(next(each for each in options if page.locator(each).count())).first.click()
        else:
            page.locator("button.main:not([disabled])").first.click()

    def _answer(self, payload: dict[str, Any]) -> None:
        page = self._page
        response = self._observer.answer(make_observation(payload, self._state, self._client.fetch), self._rng)
        if get_answer_form(self._experiment.kind).name == "word":
            page.locator("[role=combobox]").fill(response["word"])
            page.locator("[data-action=send]").click()
            return
        controls = [json.loads(text) for text in page.evaluate(_LIST_ANSWERS)]
        if response not in controls:
            raise BeholderError(
                f"expected a button that answers {response}; got {format_count(len(controls), 'other')}"
            )
        page.locator("[data-answer]").nth(controls.index(response)).click()

    def _wait_while_open(self, trial: str) -> None:
        """Until the answer is on its way, so that no trial is answered twice."""
        end = time.monotonic() + _SECONDS_A_SCREEN
        while time.monotonic() < end:
            seen = self._page.evaluate(_LOOK)
            if seen["screen"] != "trial" or seen["trial"] != trial:
                return
            self._page.wait_for_timeout(10)

    def _pass_state(self, route: Route) -> None:
        answer = route.fetch()
        if answer.ok:
            self._upcoming = answer.json().get("upcoming")
        route.fulfill(response=answer)

    def _pass_join(self, route: Route) -> None:
        body: Any = route.request.post_data_json
        body["screen"] = {**self._observer.measures, **body.get("screen", {}), "simulated": True}
        route.continue_(post_data=json.dumps(body))

    def _pass_step(self, route: Route) -> None:
        body: Any = route.request.post_data_json
        state = {**self._state, "consent": {"version": self._experiment.settings.consent_version}}
        _, seconds = make_step(body["step"], state, self._tempo)
        self._clock.advance(seconds)
        if body["step"] == "checks" and body["data"].get("headphones"):
            n = self._experiment.settings.headphone_trials
            body["data"]["headphones"] = {"n": n, "n_correct": n}
        route.continue_(post_data=json.dumps(body))

    def _pass_trials(self, route: Route) -> None:
        answer = route.fetch()
        if answer.ok:
            self._payloads |= {payload["id"]: payload for payload in answer.json()}
        route.fulfill(response=answer)

    def _pass_answer(self, route: Route) -> None:
        payload = self._payloads[route.request.url.rpartition("/")[2]]
        n_trials = sum(each["phase"] == "main" for each in self._payloads.values())
        body: Any = route.request.post_data_json
        self._clock.advance(max(self._tempo.answer(payload["timing"]), body["rt_ms"]) / 1000)
        if payload["phase"] == "main":
            self._clock.advance(self._tempo.wait(payload["n"] / n_trials, self._clock() - self._began))
        self._counts[payload["phase"]] += 1
        route.continue_()
