"""Participants: let in, moved on, kept, let go. Nothing is acknowledged before it is on disk."""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, final

from beholder.experiments.flow._addresses import AddressBook, TrialRef
from beholder.experiments.flow._experiment import Experiment
from beholder.experiments.flow._payloads import gives_feedback, make_timing
from beholder.experiments.flow._position import Position, find_trial, restore_position
from beholder.experiments.flow._showing import announce_trial, count_shown
from beholder.experiments.server._course import end_step, list_consequences, score_answer, skip_trial
from beholder.experiments.server._entrance import Entrance, Entry
from beholder.experiments.server._requests import REASONS, AnswerRequest, Parameters
from beholder.experiments.server._security import Refusal, hash_token
from beholder.responses import (
    NOT_SHOWN,
    PRESENTED,
    Answer,
    Event,
    ResponseStore,
    find_latest_session,
    insert_answer,
    insert_event,
    is_withdrawn,
    read_history,
)

logger = logging.getLogger("beholder")
T = TypeVar("T")

_MOST_KEPT = 4096
_MOST_NOTES = 100
MOST_TRIES = 2
"""A trial that could not be shown so often may be gone on without."""


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
        self._entrance = Entrance(experiment, release_after_s, per_task, fill, entropy)
        self._kept: OrderedDict[int, Position] = OrderedDict()
        self._tokens: dict[bytes, int] = {}
        self._withdrawing: set[asyncio.Task[None]] = set()

    async def join(
        self,
        parameters: Parameters,
        screen: dict[str, Any],
        *,
        token: str | None = None,
        begin: bool = True,
        admit: Callable[[], None] = lambda: None,
    ) -> Entry:
        """Let somebody in. Whom the link names and who is here already goes on, whatever their browser holds.

        Of a new participant, the task taken least is taken, and everything is drawn and stored.

        Parameters
        ----------
        parameters : dict of str to str or list of str
            Of the link.
        screen : dict
        token : str, optional
            What the browser holds; it is given back if it is this person's, and otherwise another one is.
        begin : bool
            Whether somebody new is let in.
        admit : callable
            Called before anything is written; what it raises is raised.

        Raises
        ------
        Refusal
            A preview, a link that names nobody or is damaged, somebody new who shall not begin, or no task left.
        """
        identity, known = self._entrance.identify(parameters)
        now = self.clock()
        if identity is None:
            admit()

        def work(connection: sqlite3.Connection) -> Entry:
            return self._entrance.enter(connection, identity, known, screen, now, token, begin, admit)

        entry = await self._commit(work)
        if entry.follows in self._kept:
            self._drop(self._kept[entry.follows])
        if entry.session in self._kept and not entry.is_repeat:
            self._kept[entry.session].parameters = dict(entry.parameters)
        return entry

    async def begin_next(self, position: Position, parameters: Parameters, screen: dict[str, Any]) -> None:
        """Begin the next session of somebody who is done with one, and whose tokens open it from now on.

        Parameters
        ----------
        position : Position
        parameters : dict of str to str or list of str
            Of the link; those of somebody else are not kept.
        screen : dict

        Raises
        ------
        Refusal
            The session before is not done, no other follows, or the next one is not open.
        """
        async with position.lock:
            now = self.clock()

            def work(connection: sqlite3.Connection) -> Entry:
                return self._entrance.begin_next(connection, position.session, parameters, screen, now)

            try:
                await self._commit(work)
            except sqlite3.IntegrityError:
                raise Refusal(409, "conflict", "This session was begun before, from another window.") from None
            finally:
                self._drop(position)

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
            session = self.store.read(lambda connection: find_latest_session(connection, key))
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
            await self._save(position, [end_step(self.experiment, step, data, self.clock(), position.visit)])

    async def answer(self, position: Position, trial_id: str, sent: AnswerRequest) -> dict[str, Any]:
        """Save an answer; the same one sent again gets the same acknowledgement.

        Raises
        ------
        Refusal
            Not this participant's trial, not the next one, or another answer than before.
        """
        place = self._open_trial(position, trial_id)
        async with position.lock:
            given = position.list_given(place.task)
            if place.n <= len(given):
                if hmac.compare_digest(given[place.n - 1].digest, sent.digest):
                    return self._acknowledge(place, given[place.n - 1].correct)
                raise Refusal(409, "conflict", "This trial has another answer already.")
            if not self._is_next(position, place):
                raise Refusal(409, "order", "This is not the next trial.")
            answer = score_answer(self.experiment, position, place.task, place.n, sent, self.clock())
            await self._save(position, list_consequences(self.experiment, position, answer), answer)
            return self._acknowledge(place, answer.correct)

    async def present(self, position: Position, trial_id: str, key: int) -> dict[str, Any]:
        """Keep that the page is about to show a trial, and say whether it may.

        The same announcement sent again gets the same acknowledgement and counts once.

        Raises
        ------
        Refusal
            Not this participant's trial, or not the next one.
        """
        place = self._open_trial(position, trial_id)
        async with position.lock:
            if not self._is_next(position, place):
                raise Refusal(409, "order", "This is not the next trial.")
            before = position.list_noted(PRESENTED, place.task, place.n)
            known = next((each for each in before if each["key"] == key), None)
            if known is None:
                stimulus_ms = make_timing(self.experiment.settings, position, place.task, place.n)["stimulus_ms"]
                event = announce_trial(
                    self.experiment, position, place.task, place.n, key, stimulus_ms, self.clock()
                )  # fmt: skip
                known = event.data
                if len(before) < _MOST_NOTES:
                    await self._save(position, [event])
                    before = position.list_noted(PRESENTED, place.task, place.n)
            return {"show": known["shown"], "presentations": count_shown(before)}

    async def report(self, position: Position, trial_id: str, addresses: Sequence[str], reason: str) -> None:
        """Keep, and say in the log by the names of the files, that a page cannot show stimuli of its next trial.

        Raises
        ------
        Refusal
            Not this participant's trial or stimuli, or not the next trial.
        """
        place = self._open_trial(position, trial_id)
        stimuli = [self.addresses.open(address.removeprefix("s/")) for address in addresses]
        async with position.lock:
            if not self._is_next(position, place):
                raise Refusal(409, "order", "This is not the next trial.")
            trial = find_trial(self.experiment, position, place.task, position.list_trials(place.task)[place.n - 1][0])
            own = (position.session, 0 if place.task else position.task, trial.n)
            if any(each is None or (each.session, each.task, each.n) != own for each in stimuli):
                raise Refusal(404, "not_found", "There is no such stimulus.")
            slots = sorted({sorted(trial.files)[each.slot] for each in stimuli if each is not None})
            for slot in slots:
                file = trial.files[slot].relative_to(self.experiment.path)
                logger.warning(
                    "a page of session %d cannot show %s of trial %d%s: %s", position.session, file, place.n,
                    " of the practice" if place.task else "", REASONS[reason],
                )  # fmt: skip
            before = position.list_noted(NOT_SHOWN, place.task, place.n)
            if len(before) < _MOST_NOTES:
                data = {"block": place.task, "trial": place.n, "reason": reason, "slots": slots}
                await self._save(position, [Event(self.clock(), NOT_SHOWN, position.step, data)])

    async def skip(self, position: Position, trial_id: str) -> None:
        """Go on without a trial that the page could not show, and could not when it had tried again.

        Raises
        ------
        Refusal
            Not this participant's trial, not the next one, one that was answered, or one that was not tried again.
        """
        place = self._open_trial(position, trial_id)
        async with position.lock:
            given = position.list_given(place.task)
            if place.n <= len(given) and given[place.n - 1].is_skipped:
                return
            if not self._is_next(position, place):
                raise Refusal(409, "order", "This is not the next trial.")
            failures = position.list_noted(NOT_SHOWN, place.task, place.n)
            if len(failures) < MOST_TRIES:
                raise Refusal(409, "not_tried", "This trial may still be shown.")
            events = skip_trial(self.experiment, position, place.task, place.n, failures[-1], self.clock())
            await self._save(position, events)
            position.take_skip(events[0].data)
            logger.warning(
                "session %d went on without trial %d%s, which could not be shown", position.session, place.n,
                " of the practice" if place.task else "",
            )  # fmt: skip

    async def withdraw(self, position: Position) -> None:
        """Delete everything that is known of a participant."""
        async with position.lock:
            now = self.clock()
            gone = await self._wait(self.store.withdraw(position.session, now))
            for session in {position.session, *gone}:
                self._entrance.takers.note(session)
                if session in self._kept:
                    self._drop(self._kept[session])
        flushing = asyncio.create_task(asyncio.to_thread(self.store.flush_deleted))
        self._withdrawing.add(flushing)
        flushing.add_done_callback(self._withdrawing.discard)

    def _open_trial(self, position: Position, trial_id: str) -> TrialRef:
        place = self.addresses.open(trial_id)
        if place is None or place.kind != "trial" or place.session != position.session:
            raise Refusal(404, "not_found", "There is no such trial.")
        return place

    def _is_next(self, position: Position, place: TrialRef) -> bool:
        running = position.step == ("practice" if place.task else "trials") and place.task == position.phase
        return running and place.n == len(position.list_given(place.task)) + 1

    def _acknowledge(self, place: TrialRef, correct: bool | None) -> dict[str, Any]:
        told = gives_feedback(self.experiment.settings, place.task, place.n) and correct is not None
        return {"saved": True, "feedback": {"correct": correct}} if told else {"saved": True}

    async def _save(self, position: Position, events: list[Event], answer: Answer | None = None) -> None:
        session, first = position.session, position.n_events + 1

        def work(connection: sqlite3.Connection) -> None:
            if answer is not None:
                insert_answer(connection, session, answer)
            for seq, event in enumerate(events, start=first):
                insert_event(connection, session, event, seq)
            self._entrance.takers.note(session)

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
            self._entrance.takers.forget()
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
