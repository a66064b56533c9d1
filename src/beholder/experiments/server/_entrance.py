"""Who comes in: somebody new, or somebody whom the link names and who is here already."""

from __future__ import annotations

import hmac
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from beholder._core.durations import DAY_S
from beholder._core.errors import InputError
from beholder._core.hashing import to_canonical_json
from beholder._core.seeds import derive_seed
from beholder.experiments.flow._experiment import Experiment
from beholder.experiments.flow._flow import ENDS, list_steps
from beholder.experiments.flow._presentation import draw_presentation
from beholder.experiments.server._security import Refusal, hash_token, make_token
from beholder.experiments.settings._recruiters import get_recruiter, is_other_job, is_preview, pick_parameters
from beholder.experiments.settings._visits import Window, find_next
from beholder.responses import (
    Event,
    History,
    Taker,
    TakerLog,
    count_takers,
    find_latest_session,
    has_withdrawn,
    insert_event,
    insert_login,
    insert_recruit,
    insert_session,
    list_sessions,
    read_description,
    read_history,
    read_meta,
    read_progress,
)

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
@dataclass(frozen=True)
class Entry:
    """How somebody came in.

    Attributes
    ----------
    token : str or None
        What opens the session; None for somebody who withdrew.
    parameters : mapping of str to str
        Of the recruiter's link.
    session : int
    is_new : bool
        Whether the session begins.
    is_repeat : bool
        Whether somebody who is through came for another of the recruiter's jobs.
    follows : int
        The session of the same person before one that begins; 0: it is their first.
    """

    token: str | None
    parameters: Mapping[str, str]
    session: int = 0
    is_new: bool = False
    is_repeat: bool = False
    follows: int = 0


@final
class Entrance:
    """Lets people in, and finds those who are here.

    Parameters
    ----------
    experiment, release_after_s, per_task, fill, entropy
        As for :class:`ParticipantBook`.

    Attributes
    ----------
    takers : TakerLog
        Is told of every session that something is saved of.
    """

    def __init__(
        self,
        experiment: Experiment,
        release_after_s: float,
        per_task: int | None,
        fill: str,
        entropy: Callable[[int], bytes],
    ) -> None:
        self.experiment = experiment
        self._release_after_s, self._per_task, self._entropy = release_after_s, per_task, entropy
        if fill not in FILLS:
            raise InputError(f"--fill {'|'.join(FILLS)}", got=repr(fill))
        self._judged: dict[int, bool] | None = {} if fill == "included" else None
        self._recruiter = get_recruiter(experiment.settings.recruiter)
        self.takers = TakerLog()

    def identify(self, parameters: Mapping[str, str | Sequence[str]]) -> tuple[str | None, dict[str, str]]:
        """Whom a link names (None: nobody, where anybody may come), and what of it is kept.

        Raises
        ------
        Refusal
            A preview, or a link that should name somebody and does not, or not in a way that can be told.
        """
        recruiter = self._recruiter
        if is_preview(recruiter, parameters):
            raise Refusal(409, "preview", "This is a preview. Accept the task to take part.")
        known = self._read_link(parameters)
        identity = known.get(recruiter.identity)
        if recruiter.identity and identity is None:
            raise Refusal(422, "recruiter", f"Please open this page by the link at {recruiter.name.capitalize()}.")
        return identity, known

    def _read_link(self, parameters: Mapping[str, str | Sequence[str]]) -> dict[str, str]:
        """What is kept of a link; one whose ids cannot be theirs is refused."""
        try:
            return pick_parameters(self._recruiter, parameters)
        except InputError as error:
            raise Refusal(422, "link", f"This link is damaged: {error}.") from None

    def enter(
        self,
        connection: sqlite3.Connection,
        identity: str | None,
        known: dict[str, str],
        screen: Mapping[str, Any],
        now: float,
        held: str | None,
        begin: bool,
        admit: Callable[[], None],
    ) -> Entry:
        """The work of :meth:`ParticipantBook.join`, in a transaction; ``held`` is the token of the browser."""
        key = read_meta(connection, "key")
        known_as = None if identity is None else name_participant(key, self._recruiter.name, identity)
        if known_as is not None:
            if has_withdrawn(connection, known_as):
                return Entry(None, known)
            sessions = list_sessions(connection, known_as)
            if sessions:
                return self._reopen(connection, sessions[-1], held, known, screen, now, begin, admit)
        if not begin:
            raise Refusal(404, "nobody", "Nobody has begun by this link.")
        if identity is not None:
            admit()
        participant = known_as or "p" + self._entropy(8).hex()
        sessions, since = self.experiment.settings.sessions, now - self._release_after_s
        back_since = None if sessions.days_max is None else now - sessions.days_max * DAY_S
        takers = self.takers.read(connection)
        taken = count_takers(
            takers, since, ENDS, self._find_excluded(connection, takers), n_visits=sessions.n, back_since=back_since
        )
        token = make_token(self._entropy)
        session = self._begin(connection, participant, 1, self._pick_task(taken), token, screen, known, now)
        return Entry(token, known, session, is_new=True)

    def begin_next(
        self,
        connection: sqlite3.Connection,
        session: int,
        parameters: Mapping[str, str | Sequence[str]],
        screen: Mapping[str, Any],
        now: float,
        held: str | None = None,
    ) -> Entry:
        """The session after one whose trials are all answered.

        Parameters
        ----------
        session : int
            The one before.
        parameters : mapping of str to str or sequence of str
            Of the link by which the next one is begun; those of somebody else are not kept.
        screen : mapping
        now : float
            Seconds since 1970.
        held : str, optional
            The token of the browser: one of this person, which opens the new session too.

        Raises
        ------
        Refusal
            The session before is not through, no other follows, or it is too early or too late for it.
        """
        history = read_history(connection, session)
        if history is None:
            raise Refusal(409, "withdrawn", "You have withdrawn; nothing is kept.")
        window = self._find_next(history)
        if window is None:
            raise Refusal(409, "step", "This is not the time for another session.")
        if (state := window.find_state(now)) != "open":
            raise Refusal(409, state, f"The next session cannot be begun: {state}.")
        before, recruiter = history.session, self._recruiter
        told = self._read_link(parameters)
        own = {name: value for name, value in _get_parameters(history).items() if name == recruiter.identity}
        known = told if own.items() <= told.items() else own
        number = self._begin(
            connection, before.participant, before.visit + 1, before.task + 1, None, screen, known, now
        )
        return Entry(held, known, number, is_new=True, follows=session)

    def _begin(
        self,
        connection: sqlite3.Connection,
        participant: str,
        visit: int,
        task: int,
        token: str | None,
        screen: Mapping[str, Any],
        known: dict[str, str],
        now: float,
    ) -> int:
        """A new session: everything that it shows is drawn and stored. Gives its number."""
        key = read_meta(connection, "key")
        path = (key, participant) if visit == 1 else (key, participant, visit)
        seed = derive_seed(self.experiment.settings.seed, *path)
        drawn = to_canonical_json(draw_presentation(self.experiment, self.experiment.get_task(task), seed))
        hashed = None if token is None else hash_token(token)
        session = insert_session(connection, participant, hashed, task, drawn, now, visit)
        step = list_steps(self.experiment, visit)[0]
        insert_event(connection, session, Event(now, "join", step, {"screen": screen}))
        if known:
            insert_recruit(connection, session, self._recruiter.name, known, now)
        self.takers.note(session)
        return session

    def _find_next(self, history: History) -> Window | None:
        """When somebody can begin the session after this one; None where none follows."""
        ended = next((event.at for event in history.events if event.event == "answered_all"), None)
        sessions = self.experiment.settings.sessions
        return find_next(sessions, history.session.visit, ended)

    def _reopen(
        self,
        connection: sqlite3.Connection,
        session: int,
        held: str | None,
        known: dict[str, str],
        screen: Mapping[str, Any],
        now: float,
        begin: bool,
        admit: Callable[[], None],
    ) -> Entry:
        """The session of somebody whom the link names: by the token that the browser holds, or one more.

        Who is through with a session and comes for another of the recruiter's jobs begins the next one, if it is open.
        """
        history = read_history(connection, session)
        assert history is not None
        before = _get_parameters(history)
        window = self._find_next(history)
        is_repeat = False
        if history.events[-1].step in ENDS or window is not None:  # the way back is that of the job that they came for
            is_repeat = is_other_job(self._recruiter, before, known)
            if is_repeat and window is not None and window.find_state(now) == "open":
                if not begin:
                    raise Refusal(404, "nobody", "Nobody has begun the next session by this link.")
                if held is None or find_latest_session(connection, hash_token(held)) != session:
                    admit()
                    held = make_token(self._entropy)
                    insert_login(connection, session, hash_token(held), now)
                return self.begin_next(connection, session, known, screen, now, held)
            known = dict(before) or known
        else:
            insert_recruit(connection, session, self._recruiter.name, known, now)
        if held is not None and find_latest_session(connection, hash_token(held)) == session:
            return Entry(held, known, session, is_repeat=is_repeat)
        admit()
        token = make_token(self._entropy)
        insert_login(connection, session, hash_token(token), now)
        return Entry(token, known, session, is_repeat=is_repeat)

    def _find_excluded(self, connection: sqlite3.Connection, takers: Sequence[Taker]) -> set[int]:
        """Sessions that are through and break a rule, where their places are to be filled; each is judged once."""
        judged = self._judged
        if judged is None:
            return set()
        description = read_description(connection)
        for taker in takers:
            if taker.through is not None and taker.session not in judged:
                broken = (each.exclusions for each in read_progress(connection, description, taker.session))
                judged[taker.session] = any(broken)
        return {session for session, excluded in judged.items() if excluded}

    def _pick_task(self, taken: dict[int, int]) -> int:
        """The task that the fewest take or took, of those that somebody can begin with; of those the first."""
        first = self.experiment.tasks[:: self.experiment.settings.sessions.n]
        task = min(first, key=lambda task: (taken.get(task.index, 0), task.index))
        if self._per_task is not None and taken.get(task.index, 0) >= self._per_task:
            raise Refusal(410, "full", "Everybody whom we needed has taken part. Thank you for your interest.")
        return task.index


def _get_parameters(history: History) -> Mapping[str, str]:
    """Of the recruiter's link by which somebody came to a session."""
    return (history.session.recruit or {}).get("parameters", {})
