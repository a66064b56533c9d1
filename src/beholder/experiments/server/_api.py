"""The routes: what a browser can ask for, and nothing else."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any, final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from beholder.experiments.flow._addresses import TrialRef
from beholder.experiments.flow._experiment import MEDIA_TYPES, Experiment
from beholder.experiments.flow._payloads import (
    describe_visit,
    list_payloads,
    make_greeting,
    make_state,
    make_withdrawn_state,
)
from beholder.experiments.flow._position import Position
from beholder.experiments.server._participants import ParticipantBook
from beholder.experiments.server._requests import (
    MAX_ANSWER_BYTES,
    MAX_FAILURE_BYTES,
    MAX_JOIN_BYTES,
    MAX_PRESENTATION_BYTES,
    MAX_STEP_BYTES,
    parse_answer,
    parse_failure,
    parse_join,
    parse_presentation,
    parse_skip,
    parse_step,
)
from beholder.experiments.server._security import NO_PAGE, Limits, RateLimiter, Refusal, read_json_body

logger = logging.getLogger("beholder")

_MOST_TRIALS = 1000
_MOST_TOKEN = 200
_MOST_INLINE_BYTES = 1 << 20


@final
class Api:
    """Handlers over a :class:`ParticipantBook`.

    Parameters
    ----------
    book : ParticipantBook
    limits : Limits or None
        None: no limits.
    """

    def __init__(self, book: ParticipantBook, limits: Limits | None) -> None:
        self._book = book
        self._requests = self._stimuli = self._joins = None
        if limits is not None:
            self._requests = RateLimiter(limits.requests_per_s, limits.request_burst, book.clock)
            self._stimuli = RateLimiter(limits.stimuli_per_s, limits.stimulus_burst, book.clock)
            self._joins = RateLimiter(limits.joins_per_s, limits.join_burst, book.clock)

    @property
    def experiment(self) -> Experiment:
        """What is served."""
        return self._book.experiment

    def list_routes(self) -> list[BaseRoute]:
        """Every route under ``/api`` and ``/s``."""
        return [
            Route("/api/greeting", self.greeting, methods=["GET"]),
            Route("/api/join", self.join, methods=["POST"]),
            Route("/api/state", self.state, methods=["GET"]),
            Route("/api/step", self.step, methods=["POST"]),
            Route("/api/next", self.next, methods=["POST"]),
            Route("/api/trials", self.trials, methods=["GET"]),
            Route("/api/trials/{trial_id}", self.answer, methods=["PUT"]),
            Route("/api/presentations", self.present, methods=["POST"]),
            Route("/api/failures", self.report, methods=["POST"]),
            Route("/api/skips", self.skip, methods=["POST"]),
            Route("/api/withdraw", self.withdraw, methods=["POST"]),
            Route("/api/beat", self.beat, methods=["POST"]),
            Route("/s/{address}", self.stimulus, methods=["GET"]),
        ]

    async def greeting(self, request: Request) -> Response:
        """``GET /api/greeting``: what the page shows before anybody has begun."""
        return JSONResponse(make_greeting(self.experiment))

    async def join(self, request: Request) -> Response:
        """``POST /api/join``: a new participant, or one whom the link names and who is here already."""
        parameters, screen, begin = parse_join(await read_json_body(request, MAX_JOIN_BYTES))
        held = _read_token(request) or None
        entry = await self._book.join(
            parameters, screen, token=held, begin=begin, admit=lambda: _take(self._joins, "all")
        )
        if entry.token is None:
            return JSONResponse({"token": None, "state": make_withdrawn_state(self.experiment, entry.parameters)})
        reply: dict[str, Any] = {"token": entry.token, "repeat": entry.is_repeat}
        position = self._book.find(entry.token) if entry.is_repeat else None
        if position is not None and self.experiment.settings.sessions.n > 1:
            reply |= describe_visit(self.experiment.settings, position, self._book.clock())
        return JSONResponse(reply, 201 if entry.is_new else 200)

    async def state(self, request: Request) -> Response:
        """``GET /api/state``: where the participant stands."""
        return self._send_state(self._find(request))

    async def step(self, request: Request) -> Response:
        """``POST /api/step``: the end of a step; gives the new state."""
        position = self._find_active(request)
        step, data = parse_step(await read_json_body(request, MAX_STEP_BYTES), self.experiment.settings)
        await self._book.step(position, step, data)
        return self._send_state(position)

    async def next(self, request: Request) -> Response:
        """``POST /api/next``: the next session, once it is open; gives the new state."""
        position = self._find_active(request)
        parameters, screen, _ = parse_join(await read_json_body(request, MAX_JOIN_BYTES))
        await self._book.begin_next(position, parameters, screen)
        return self._send_state(self._find(request))

    async def trials(self, request: Request) -> Response:
        """``GET /api/trials``: trials of the running phase."""
        position = self._find_active(request)
        if position.step not in ("practice", "trials"):
            raise Refusal(409, "step", "This is not the time for trials.")
        start = _read_count(request, "from", len(position.list_given()) + 1)
        count = _read_count(request, "count", _MOST_TRIALS)
        return JSONResponse(list_payloads(self.experiment, position, self._book.addresses, start, count))

    async def answer(self, request: Request) -> Response:
        """``PUT /api/trials/{id}``: an answer, acknowledged once it is on disk."""
        position = self._find_active(request)
        sent = parse_answer(await read_json_body(request, MAX_ANSWER_BYTES), self.experiment.settings)
        return JSONResponse(await self._book.answer(position, request.path_params["trial_id"], sent))

    async def present(self, request: Request) -> Response:
        """``POST /api/presentations``: a trial is about to be shown; acknowledged once that is on disk."""
        position = self._find_active(request)
        trial_id, key = parse_presentation(await read_json_body(request, MAX_PRESENTATION_BYTES))
        return JSONResponse(await self._book.present(position, trial_id, key))

    async def report(self, request: Request) -> Response:
        """``POST /api/failures``: the page cannot show a stimulus; the log says which file it is."""
        position = self._find_active(request)
        trial_id, stimuli, reason = parse_failure(await read_json_body(request, MAX_FAILURE_BYTES))
        await self._book.report(position, trial_id, stimuli, reason)
        return JSONResponse({"told": True})

    async def skip(self, request: Request) -> Response:
        """``POST /api/skips``: go on without a trial that cannot be shown; acknowledged once that is on disk."""
        position = self._find_active(request)
        await self._book.skip(position, parse_skip(await read_json_body(request, MAX_PRESENTATION_BYTES)))
        return JSONResponse({"saved": True})

    async def withdraw(self, request: Request) -> Response:
        """``POST /api/withdraw``: everything is deleted. Again: nothing more to delete, the same answer."""
        position = self._find(request)
        if position is None:
            return self._send_state(None)
        await self._book.withdraw(position)
        return JSONResponse(make_withdrawn_state(self.experiment, position.parameters))

    async def beat(self, request: Request) -> Response:
        """``POST /api/beat``: the page is there."""
        self._find(request)
        return Response(status_code=204)

    async def stimulus(self, request: Request) -> Response:
        """``GET /s/{address}``: a picture or sound, without a word about where it comes from."""
        place = self._book.addresses.open(request.path_params["address"])
        if place is None or place.kind != "stimulus" or not self._book.holds_session(place.session):
            raise Refusal(404, "not_found", NO_PAGE)
        _take(self._stimuli, place.session)
        trials = self.experiment.get_task(place.task).trials if place.task else self.experiment.practice
        files = trials[place.n - 1].files
        path = files[sorted(files)[place.slot]]
        content = await _read(path)
        kind = MEDIA_TYPES.get(path.suffix.lower(), "application/octet-stream")
        return Response(content, media_type=kind, headers={"Cache-Control": "private, max-age=86400, immutable"})

    def _find(self, request: Request) -> Position | None:
        token = _read_token(request)
        if not token:
            raise Refusal(401, "unauthorized", "This needs a link of your own. Please open the page again.")
        position = self._book.find(token)
        if position is not None:
            _take(self._requests, position.session)
        return position

    def _find_active(self, request: Request) -> Position:
        position = self._find(request)
        if position is None:
            raise Refusal(409, "withdrawn", "You have withdrawn; nothing is kept.")
        return position

    def _send_state(self, position: Position | None) -> Response:
        if position is None:
            return JSONResponse(make_withdrawn_state(self.experiment, {}))
        name = self._book.addresses.encrypt(TrialRef("session", position.session))
        return JSONResponse({**make_state(self.experiment, position, self._book.clock()), "session": name})


async def refuse(request: Request, error: Exception) -> Response:
    """A :class:`Refusal` as a response."""
    assert isinstance(error, Refusal)
    return error.to_response(request.headers)


async def refuse_http(request: Request, error: Exception) -> Response:
    """No such address, or no such method."""
    assert isinstance(error, HTTPException)
    code = {404: "not_found", 405: "method"}.get(error.status_code, "error")
    text = NO_PAGE if error.status_code == 404 else error.detail
    response = Refusal(error.status_code, code, text).to_response(request.headers)
    response.headers.update(error.headers or {})
    return response


def _read_token(request: Request) -> str:
    """What the browser holds; empty where it holds nothing."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" and len(token) <= _MOST_TOKEN else ""


def _take(limiter: RateLimiter | None, name: Any) -> None:
    wait = 0.0 if limiter is None else limiter.find_wait(name)
    if wait:
        raise Refusal(429, "rate", "That is faster than anybody can answer. Please wait a moment.", wait)


def _read_count(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()) or not 1 <= (value := int(text[:9])) <= 10**6 or len(text) > 9:
        raise Refusal(422, "invalid", f"{name}: a whole number from 1.")
    return min(value, _MOST_TRIALS) if name == "count" else value


async def _read(path: Path) -> bytes:
    """Small files at once, which is faster than handing them to a thread; large ones in a thread."""
    try:
        if path.stat().st_size <= _MOST_INLINE_BYTES:
            return path.read_bytes()
        return await asyncio.to_thread(path.read_bytes)
    except OSError as error:
        logger.error("a stimulus cannot be read: %s", error)
        raise Refusal(503, "stimulus", "A file of the experiment cannot be read.", 5.0) from None
