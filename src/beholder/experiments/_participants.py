"""Participants: let in, moved on, kept, let go. Nothing is acknowledged before it is on disk."""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
import sqlite3
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar, final

from beholder._core.errors import InputError
from beholder._core.hashing import to_canonical_json
from beholder._core.seeds import derive_seed
from beholder.experiments._addresses import AddressBook, Place
from beholder.experiments._course import end_step, list_consequences, score_answer
from beholder.experiments._experiment import Experiment
from beholder.experiments._flow import ENDS, list_steps
from beholder.experiments._payloads import gives_feedback
from beholder.experiments._position import Position, restore_position
from beholder.experiments._presentation import draw_presentation
from beholder.experiments._recruiters import get_recruiter, is_preview, pick_parameters
from beholder.experiments._requests import AnswerRequest
from beholder.experiments._security import Refusal, hash_token, make_token
from beholder.responses import (
    Answer,
    Event,
    ResponseStore,
    count_takers,
    find_session,
    has_withdrawn,
    insert_answer,
    insert_event,
    insert_recruit,
    insert_session,
    is_withdrawn,
    list_sessions,
    read_description,
    read_history,
    read_progress,
)

logger = logging.getLogger("beholder")
T = TypeVar("T")

_MOST_KEPT = 1024
FILLS = ("finished", "included")
"""Whose places are taken for good: of all who are through, or of those of them who break no rule."""


def name_participant(key: str, recruiter: str, identity: str) -> str:
    """A name that tells nothing: a keyed hash of what a recruiter calls somebody.

    Parameters
    ----------
    key : str
        The file's, hexadecimal.
    """
    text = f"{recruiter}\x1f{identity}".encode()
    return "p" + hmac.digest(bytes.fromhex(key), text, "sha256").hex()[:16]


@final
class ParticipantBook:
    """Everybody who takes part in one experiment.

    Parameters
    ----------
    experiment : Experiment
    store : ResponseStore
    clock : callable
        Seconds since 1970.
    release_after_s : float
        Who does nothing for so long no longer counts as taking the task, which is then given to another; who comes back
        goes on all the same.
    per_task : int, optional
        How many may take a task; then the experiment is full.
    fill : {"finished", "included"}
        Who is through takes a task for good, or only who also breaks no rule of exclusion.
    entropy : callable
        So many random bytes, for names and tokens.
    """

    def __init__(
        self,
        experiment: Experiment,
        store: ResponseStore,
        clock: Callable[[], float],
        release_after_s: float,
        per_task: int | None,
        fill: str = "finished",
        entropy: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self.experiment, self.store, self.clock = experiment, store, clock
        self.addresses = AddressBook(store.read_meta("addresses"))
        self._release_after_s, self._per_task, self._entropy = release_after_s, per_task, entropy
        if fill not in FILLS:
            raise InputError(f"--fill {'|'.join(FILLS)}", got=repr(fill))
        self._judged: dict[int, bool] | None = {} if fill == "included" else None
        self._recruiter = get_recruiter(experiment.settings.recruiter)
        self._kept: OrderedDict[int, Position] = OrderedDict()
        self._tokens: dict[bytes, int] = {}
        self._withdrawing: set[asyncio.Task[None]] = set()

    async def join(self, parameters: dict[str, str], screen: dict[str, Any]) -> str:
        """Let somebody in: the task taken least, everything drawn and stored. Gives the token.

        Raises
        ------
        Refusal
            The same person again, a preview, or no task left.
        """
        recruiter = self._recruiter
        if is_preview(recruiter, parameters):
            raise Refusal(409, "preview", "This is a preview. Accept the task to take part.")
        known = pick_parameters(recruiter, parameters)
        identity = known.get(recruiter.identity)
        if recruiter.identity and identity is None:
            raise Refusal(422, "recruiter", f"Please open this page by the link at {recruiter.name.capitalize()}.")
        token, now = make_token(self._entropy), self.clock()

        def work(connection: sqlite3.Connection) -> None:
            key = connection.execute("SELECT value FROM meta WHERE key = 'key'").fetchone()[0]
            known_as = None if identity is None else name_participant(key, recruiter.name, identity)
            participant = known_as or "p" + self._entropy(8).hex()
            if list_sessions(connection, participant) or has_withdrawn(connection, participant):
                raise Refusal(409, "repeat", "You have taken part already; thank you. It can be done once.")
            since, excluded = now - self._release_after_s, self._find_excluded(connection)
            task = self._pick_task(count_takers(connection, since, ENDS, excluded))
            seed = derive_seed(self.experiment.settings.seed, key, participant)
            presentation = draw_presentation(self.experiment, self.experiment.get_task(task), seed)
            session = insert_session(
                connection, participant, hash_token(token), task, to_canonical_json(presentation), now
            )
            insert_event(connection, session, Event(now, "join", list_steps(self.experiment)[0], {"screen": screen}))
            if known:
                insert_recruit(connection, session, recruiter.name, known, now)

        await self._commit(work)
        return token

    def find(self, token: str) -> Position | None:
        """Where the holder of a token stands; None for one who withdrew.

        Raises
        ------
        Refusal
            Nobody holds this token.
        """
        key = hash_token(token)
        session = self._tokens.get(key)
        if session is None:
            session = self.store.read(lambda connection: find_session(connection, key))
        if session is None:
            if self.store.read(lambda connection: is_withdrawn(connection, key)):
                return None
            raise Refusal(401, "unauthorized", "This link is not known here. Please open the page again.")
        position = self._kept.get(session)
        if position is None:
            history = self.store.read(lambda connection: read_history(connection, session))
            assert history is not None
            position = self._kept[session] = restore_position(history)
            self._forget_some()
        self._tokens[key] = session
        position.keys.add(key)
        self._kept.move_to_end(session)
        return position

    def holds_session(self, session: int) -> bool:
        """Whether a session is there, and not withdrawn."""
        if session in self._kept:
            return True
        sql = "SELECT 1 FROM sessions WHERE session = ?"
        return self.store.read(lambda connection: connection.execute(sql, (session,)).fetchone()) is not None

    async def step(self, position: Position, step: str, data: dict[str, Any]) -> None:
        """End a step of the page's own: consent, instructions, checks, comment, debrief."""
        async with position.lock:
            if position.step != step:
                raise Refusal(409, "step", f"This is not the time for {step}.")
            await self._save(position, [end_step(self.experiment, step, data, self.clock())])

    async def answer(self, position: Position, trial_id: str, sent: AnswerRequest) -> dict[str, Any]:
        """Save an answer; the same one sent again gets the same acknowledgement.

        Raises
        ------
        Refusal
            Not this participant's trial, not the next one, or another answer than before.
        """
        place = self.addresses.open(trial_id)
        if place is None or place.kind != "trial" or place.session != position.session:
            raise Refusal(404, "not_found", "There is no such trial.")
        async with position.lock:
            given = position.list_given(place.task)
            if place.n <= len(given):
                if hmac.compare_digest(given[place.n - 1].digest, sent.digest):
                    return self._acknowledge(place, given[place.n - 1].correct)
                raise Refusal(409, "conflict", "This trial has another answer already.")
            running = position.step == ("practice" if place.task else "trials") and place.task == position.phase
            if not running or place.n != len(given) + 1:
                raise Refusal(409, "order", "This is not the next trial.")
            answer = score_answer(self.experiment, position, place.task, place.n, sent, self.clock())
            await self._save(position, list_consequences(self.experiment, position, answer), answer)
            return self._acknowledge(place, answer.correct)

    async def withdraw(self, position: Position) -> None:
        """Delete everything that is known of a participant."""
        async with position.lock:
            now = self.clock()
            gone = await self._wait(self.store.withdraw(position.session, now))
            for session in {position.session, *gone}:
                if session in self._kept:
                    self._drop(self._kept[session])
        flushing = asyncio.create_task(asyncio.to_thread(self.store.flush_deleted))
        self._withdrawing.add(flushing)
        flushing.add_done_callback(self._withdrawing.discard)

    def _find_excluded(self, connection: sqlite3.Connection) -> set[int]:
        """Sessions that are through and break a rule, where their places are to be filled; each is judged once."""
        judged = self._judged
        if judged is None:
            return set()
        description = read_description(connection)
        for (session,) in connection.execute("SELECT session FROM events WHERE event = 'answered_all'").fetchall():
            if session not in judged:
                judged[session] = any(each.exclusions for each in read_progress(connection, description, session))
        return {session for session, excluded in judged.items() if excluded}

    def _pick_task(self, taken: dict[int, int]) -> int:
        """The task that the fewest take or took; of those the first."""
        task = min(self.experiment.tasks, key=lambda task: (taken.get(task.index, 0), task.index))
        if self._per_task is not None and taken.get(task.index, 0) >= self._per_task:
            raise Refusal(410, "full", "Everybody whom we needed has taken part. Thank you for your interest.")
        return task.index

    def _acknowledge(self, place: Place, correct: bool | None) -> dict[str, Any]:
        told = gives_feedback(self.experiment.settings, place.task, place.n) and correct is not None
        return {"saved": True, "feedback": {"correct": correct}} if told else {"saved": True}

    async def _save(self, position: Position, events: list[Event], answer: Answer | None = None) -> None:
        session, first = position.session, position.n_events + 1

        def work(connection: sqlite3.Connection) -> None:
            if answer is not None:
                insert_answer(connection, session, answer)
            for seq, event in enumerate(events, start=first):
                insert_event(connection, session, event, seq)

        try:
            await self._commit(work)
        except sqlite3.IntegrityError:
            self._drop(position)
            raise Refusal(409, "conflict", "This was saved before, from another window.") from None
        except BaseException:
            self._drop(position)  # what is on disk decides
            raise
        if answer is not None:
            position.take_answer(answer)
        for event in events:
            position.take_event(event)

    async def _commit(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await self._wait(self.store.submit(work))

    async def _wait(self, future: Any) -> Any:
        try:
            return await asyncio.wrap_future(future)
        except sqlite3.IntegrityError:
            raise
        except sqlite3.Error as error:
            logger.error("an answer could not be written to %s: %s", self.store.path, error)
            raise Refusal(503, "not_saved", "This could not be saved. It will be sent again.", 2.0) from error

    def _drop(self, position: Position) -> None:
        self._kept.pop(position.session, None)
        for key in position.keys:
            self._tokens.pop(key, None)

    def _forget_some(self) -> None:
        """Those who have not been heard of for longest are read from disk again when they come back."""
        for position in list(self._kept.values())[: max(0, len(self._kept) - _MOST_KEPT)]:
            if not position.lock.locked():
                self._drop(position)
