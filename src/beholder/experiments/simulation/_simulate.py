"""A simulated participant: the real experiment over HTTP, by a clock that runs as fast as it can."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from beholder._core.errors import BeholderError, suggest_keywords
from beholder._core.seeds import derive_seed, make_generator
from beholder.experiments.flow._flow import ENDS
from beholder.experiments.settings._kinds import get_task_kind
from beholder.experiments.settings._recruiters import get_recruiter
from beholder.experiments.settings._settings import Settings
from beholder.experiments.simulation._observers import Observation, Observer, Shown
from beholder.experiments.simulation._participant_client import ParticipantClient

START_S = 946_684_800.0
"""When simulated time begins, 2000-01-01 UTC: no simulated answer is taken for a real one."""

_SCREEN = {
    "width": 1920, "height": 1080, "avail_width": 1920, "avail_height": 1040, "window_width": 1920,
    "window_height": 1000, "dpr": 1, "touch": False, "coarse": False, "zoom": 1, "simulated": True,
}  # fmt: skip
_WINDOW = {"width": 1920, "height": 1000, "dpr": 1, "zoom": 1, "fullscreen": True, "hidden": False, "blurs": 0}
_AHEAD = 50


@final
class SimulatedClock:
    """Seconds since 1970 that pass when told.

    Parameters
    ----------
    start : float

    >>> clock = SimulatedClock(100.0)
    >>> clock.advance(2.5)
    >>> clock()
    102.5
    """

    def __init__(self, start: float = START_S) -> None:
        self._now = start
        self._lock = threading.Lock()

    def __call__(self) -> float:
        with self._lock:
            return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        with self._lock:
            self._now += seconds


@final
class SeededEntropy:
    """Bytes that follow from a seed, in place of the operating system's; for loopback simulations alone.

    Parameters
    ----------
    seed : int
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._lock = threading.Lock()
        self.restart(0)

    def restart(self, number: int) -> None:
        """Go on with the bytes of a participant, whoever came before."""
        with self._lock:
            self._rng = make_generator(self._seed, "simulated entropy", number)

    def __call__(self, n_bytes: int) -> bytes:
        with self._lock:
            return self._rng.bytes(n_bytes)


@final
@dataclass(frozen=True)
class ParticipantOutcome:
    """How one simulated participant fared.

    Attributes
    ----------
    participant : int
        From 1.
    end : str
        Of the last session: ``done``, ``screened_out``, ….
    n_answers : int
        Main trials answered.
    n_practice : int
        Practice trials answered.
    seconds : float
        Of simulated time, without the days between sessions.
    n_sessions : int
        Sessions begun.
    """

    participant: int
    end: str
    n_answers: int
    n_practice: int
    seconds: float
    n_sessions: int = 1


@final
@dataclass
class ResponseTimes:
    """How long a participant takes for things, drawn from a generator of its own."""

    settings: Settings
    rng: np.random.Generator

    def read_page(self) -> float:
        """Seconds on a page of text."""
        return float(self.rng.uniform(4.0, 9.0))

    def read_instructions(self) -> list[float]:
        """Seconds on each page of the instructions, never less in all than the experiment asks for."""
        pages = [self.read_page() for _ in self.settings.instructions or ("all",)]
        least = self.settings.exclusion.instructions_s_min or 0.0
        return [seconds * max(1.0, 1.2 * least / sum(pages)) for seconds in pages]

    def wait(self, proportion: float, elapsed: float) -> float:
        """Seconds to pause, so that the whole takes no less than the experiment asks for.

        Parameters
        ----------
        proportion : float
            Of the main trials, with the coming one.
        elapsed : float
            Seconds since the first page.
        """
        return max(0.0, 1.1 * (self.settings.exclusion.time_s_min or 0.0) * proportion - elapsed)

    def come_back(self, upcoming: Mapping[str, Any], now: float) -> float:
        """Seconds to stay away until a session that opens later, some hours into the time in which it can be begun.

        Parameters
        ----------
        upcoming : mapping
            ``opens_at`` and ``closes_at`` of the next session, ms since 1970; the latter may be None.
        now : float
            Seconds since 1970.
        """
        opens, closes = upcoming["opens_at"] / 1000, upcoming["closes_at"]
        most = 8 * 3600.0 if closes is None else min(8 * 3600.0, 0.9 * (closes / 1000 - opens))
        return max(0.0, opens - now) + float(self.rng.uniform(0.001, most))

    def answer(self, timing: Mapping[str, Any]) -> float:
        """Milliseconds from the display to the answer."""
        settings = self.settings
        earliest = max(float(timing.get(name) or 0) for name in ("disabled_ms", "response_from_ms"))
        timed = get_task_kind(settings.kind).is_timed_from_stimulus
        shown = float(timing.get("stimulus_ms") or settings.stimulus_ms) if timed else 0.0
        return round(earliest + shown + 1000 * float(self.rng.lognormal(mean=0.3, sigma=0.45)), 1)


@suggest_keywords
def simulate_participant(
    client: ParticipantClient, settings: Settings, observer: Observer, number: int, seed: int, clock: SimulatedClock
) -> ParticipantOutcome:
    """Take an experiment from the first page to the last, with all its sessions.

    Parameters
    ----------
    client : ParticipantClient
        Of somebody who has not joined yet.
    settings : Settings
        Of the experiment, for plausible times; what is answered follows from what the server sends.
    observer : Observer
    number : int
        Which participant, from 1; with the seed it decides everything random.
    seed : int
    clock : SimulatedClock
        The server's.

    Returns
    -------
    ParticipantOutcome
    """
    rng = make_generator(seed, "participant", number)
    tempo = ResponseTimes(settings, make_generator(seed, "tempo", number))
    counts, seconds, n_sessions = {"practice": 0, "main": 0}, 0.0, 0
    screen = {**observer.measures, **_SCREEN}
    client.join(make_recruit(settings, number, seed), screen)
    while True:
        n_sessions += 1
        began = clock()
        state = _take_session(client, observer, rng, tempo, clock, counts)
        seconds += clock() - began
        if state.get("upcoming") is None:
            return ParticipantOutcome(number, state["step"], counts["main"], counts["practice"], seconds, n_sessions)
        clock.advance(tempo.come_back(state["upcoming"], clock()))
        client.begin_next(make_recruit(settings, number, seed), screen)


def _take_session(
    client: ParticipantClient,
    observer: Observer,
    rng: np.random.Generator,
    tempo: ResponseTimes,
    clock: SimulatedClock,
    counts: dict[str, int],
) -> dict[str, Any]:
    """Go from the first page of a session to its end, counting answers; gives the last state."""
    began = clock()
    state = client.read_state()
    while state["step"] not in ENDS:
        step = state["step"]
        if step in ("practice", "trials"):
            answered = _answer_phase(client, state, observer, rng, tempo, clock, began)
            counts["practice" if step == "practice" else "main"] += answered
            state = client.read_state()
        else:
            data, seconds = make_step(step, state, tempo)
            clock.advance(seconds)
            state = client.send_step(step, data, 1000 * clock())
    return state


def make_recruit(settings: Settings, number: int, seed: int) -> dict[str, str]:
    """The parameters that a recruiter would put into the link of a simulated participant."""
    recruiter = get_recruiter(settings.recruiter)
    parameters = {name: f"simulated-{seed}-{name}" for name in recruiter.parameters}
    if recruiter.identity:
        parameters[recruiter.identity] = f"simulated-{seed}-{number}"
    if recruiter.submit_parameter:
        parameters[recruiter.submit_parameter] = recruiter.sites[-1]
    return parameters


@suggest_keywords
def make_observation(
    payload: Mapping[str, Any], state: Mapping[str, Any], fetch: Callable[[str], bytes]
) -> Observation:
    """What a participant perceives of a trial that the server sent."""
    settings = state["settings"]

    def show(address: str) -> Shown:
        return Shown(lambda: fetch(address))

    places = {
        place: tuple(show(each) for each in what) if isinstance(what, list) else (show(what),)
        for place, what in payload["stimuli"].items()
    }
    return Observation(
        payload["kind"], payload["phase"], places, tuple(payload.get("choices") or settings["choices"] or ()),
        settings["rating_steps"], settings["confidence_steps"],
    )  # fmt: skip


def _answer_phase(
    client: ParticipantClient,
    state: Mapping[str, Any],
    observer: Observer,
    rng: np.random.Generator,
    tempo: ResponseTimes,
    clock: SimulatedClock,
    began: float,
) -> int:
    """Answer what is left of a practice block, or of the main trials; gives how many were answered."""
    about = state["practice"] if state["step"] == "practice" else state
    n_done, n_trials = about["n_done"], about["n_trials"]
    ahead: deque[dict[str, Any]] = deque()
    answered = 0
    while n_done < n_trials:
        if not ahead:
            ahead.extend(client.list_trials(n_done + 1, _AHEAD))
            if not ahead:
                raise BeholderError(f"expected trial {n_done + 1} of {n_trials}; got none from the server")
        payload = ahead.popleft()
        timing = payload["timing"]
        if state["step"] == "trials":
            clock.advance(tempo.wait((n_done + 1) / n_trials, clock() - began))
        before = sum(float(timing.get(name) or 0) for name in ("fixation_ms", "gap_ms")) / 1000
        client.announce(payload["id"], n_done)
        response = observer.answer(make_observation(payload, state, client.fetch), rng)
        rt_ms = tempo.answer(timing)
        shown_at = 1000 * (clock() + before)
        clock.advance(before + rt_ms / 1000)
        body = {
            "response": response, "rt_ms": rt_ms, "shown_at": round(shown_at), "window": _WINDOW,
            "evidence": _count_as_mouse(rt_ms),
        }  # fmt: skip
        answer = client.send_answer(payload["id"], body)
        told = "feedback" in answer
        clock.advance((float(timing.get("feedback_delay_ms") or 0) + float(timing["feedback_ms"] or 0)) / 1000 * told)
        n_done += 1
        answered += 1
    return answered


def _count_as_mouse(rt_ms: float) -> dict[str, Any]:
    """What the page would count of a person who answers with the mouse."""
    return {"keys": 0, "presses": 1, "clicks": 1, "moves": 5 + int(rt_ms // 100), "jumps": 0, "webdriver": False}


def make_step(step: str, state: Mapping[str, Any], tempo: ResponseTimes) -> tuple[dict[str, Any], float]:
    """What the page sends at the end of a step, and how long it took."""
    settings = tempo.settings
    if step == "consent":
        return {"version": state["consent"]["version"], "agreed": True}, tempo.read_page() * 2
    if step == "instructions":
        seconds = tempo.read_instructions()
        names = settings.instructions or ("all",)
        pages = {name: round(1000 * each) for name, each in zip(names, seconds, strict=True)}
        return {"pages_ms": pages, "total_ms": round(1000 * sum(seconds))}, sum(seconds)
    if step == "checks":
        data: dict[str, Any] = {"screen": _SCREEN, "fullscreen": settings.fullscreen}
        seconds = 3.0
        if settings.calibration == "card":
            distance = 10 * settings.viewing_distance_cm
            data["calibration"] = {
                "card_px": 324, "px_per_mm": 324 / 85.6, "device_px_per_mm": 324 / 85.6, "distance_mm": distance,
            }  # fmt: skip
            seconds += 20
        if settings.headphone_check:
            data["headphones"] = {"n": settings.headphone_trials, "n_correct": settings.headphone_trials}
            seconds += 6 * settings.headphone_trials
        if settings.level_calibration:
            data["level"] = {"gain": 0.5}
            seconds += 10
        return data, seconds
    if step == "comment":
        return {"text": ""}, 2.0
    return {}, 2.0


def pick_start(seed: int, latest: float | None) -> float:
    """When the clock of a simulation starts: after everything that is in the file already."""
    jitter = derive_seed(seed, "start") % 3600
    return START_S + jitter if latest is None or latest < START_S else latest + 60
