"""A whole simulation: a loopback server of its own, one participant after the other, and how they fared."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.interruptions import tell_kept
from beholder._core.notebooks import render_table
from beholder._core.progress import logger, show_progress
from beholder._core.seeds import DEFAULT_SEED
from beholder._core.wording import format_count, format_share
from beholder.experiments.flow._experiment import Experiment, read_experiment
from beholder.experiments.flow._flow import ENDS
from beholder.experiments.server._server import RELEASE_AFTER_S, open_server, open_store
from beholder.experiments.simulation._observers import Observer, parse_observer
from beholder.experiments.simulation._participant_client import ParticipantClient
from beholder.experiments.simulation._simulate import (
    ParticipantOutcome,
    SeededEntropy,
    SimulatedClock,
    pick_start,
    simulate_participant,
)
from beholder.responses import Event, insert_event

if TYPE_CHECKING:
    import pandas as pd

TakePart = Callable[[str, Observer, int, SimulatedClock], ParticipantOutcome]
"""Goes through the experiment at an address as the participant of a number."""
Way = Callable[[Experiment, int], AbstractContextManager[TakePart]]
"""Given the experiment and the seed, gets ready for participants."""


@final
@dataclass(frozen=True, repr=False)
class Simulation:
    """What came of simulated participants.

    Attributes
    ----------
    db : Path
        The file of answers.
    observer : str
    outcomes : tuple of ParticipantOutcome
        Of those who took part now.
    n_before : int
        Who had finished before, in the same file.
    n_answers, n_correct : int
        Main and catch trials of all in the file with a right answer; and right ones.
    """

    db: Path
    observer: str
    outcomes: tuple[ParticipantOutcome, ...]
    n_before: int
    n_answers: int
    n_correct: int

    def __repr__(self) -> str:
        right = f", {format_share(self.n_correct / self.n_answers)} right" if self.n_answers else ""
        people = format_count(len(self.outcomes), "participant")
        return f"Simulation({self.observer}, {people}, {self.count('done')} done{right})"

    def count(self, end: str) -> int:
        """How many ended in a way: ``done``, ``screened_out``."""
        return sum(outcome.end == end for outcome in self.outcomes)

    def _repr_html_(self) -> str:
        """Its first rows, for notebooks."""
        return render_table(repr(self), self.to_pandas())

    def to_pandas(self) -> pd.DataFrame:
        """A row a participant."""
        import pandas as pd

        return pd.DataFrame([asdict(outcome) for outcome in self.outcomes])


@suggest_keywords
def simulate_participants(
    experiment: Experiment | Path | str,
    db: Path | str,
    n_participants: int,
    observer: Observer | str = "ideal",
    *,
    seed: int = DEFAULT_SEED,
    take_part: Way | None = None,
) -> Simulation:
    """Have observers take an experiment as people do: over HTTP, from consent to debrief.

    A server of its own is started on this machine, and stopped at the end. Its clock is simulated: reading and
    answering take as long as they plausibly do, and no time passes. Each participant gets the task taken least, as
    people do. The file of answers is as any other, but its sessions are marked as simulated; one that holds people's
    answers is refused. Done again, it goes on until ``n_participants`` have finished.

    Parameters
    ----------
    experiment : Experiment or path
        A built folder.
    db : path
        The file of answers.
    n_participants : int
        How many there shall be in the file, at least 1.
    observer : Observer or str
        An observer, or words that name one (:func:`parse_observer`).
    seed : int
        Decides answers and times.
    take_part : callable, optional
        How participants go through it: :func:`take_part_over_http`, the default, or :func:`take_part_in_browser`.

    Returns
    -------
    Simulation

    Raises
    ------
    InputError
        The file holds people's answers; numbers out of their range.
    ConfigurationChanged
        The file has answers to another experiment.

    Examples
    --------
    >>> made = simulate_participants("exp_data", "answers.sqlite", 50, "lapse:0.1")  # doctest: +SKIP
    """
    if n_participants < 1:
        raise InputError("at least 1 participant", got=str(n_participants))
    if not isinstance(experiment, Experiment):
        experiment = read_experiment(experiment)
    watcher = parse_observer(observer, experiment) if isinstance(observer, str) else observer
    name = observer if isinstance(observer, str) else type(observer).__name__
    outcomes: list[ParticipantOutcome] = []
    entropy = SeededEntropy(seed)
    with open_store(experiment, db, entropy=entropy) as store:
        before, number, latest = store.read(lambda connection: _look_at(connection, experiment.settings.sessions.n))
        clock = SimulatedClock(pick_start(seed, None if latest is None else latest + RELEASE_AFTER_S))
        if before >= n_participants:
            logger.info("%d participants are there already", before)
        left = max(0, n_participants - before)
        with (
            (take_part or take_part_over_http)(experiment, seed) as go,
            open_server(experiment, store, clock=clock, limits=None, entropy=entropy) as server,
            show_progress("simulate", left, "participants") as advance,
            tell_kept(),
        ):
            for _ in range(left):
                number += 1
                entropy.restart(number)
                outcomes.append(go(server.url, watcher, number, clock))
                if watcher.names:
                    store.write(partial(_keep_names, names=dict(watcher.names)))
                clock.advance(60.0)
                advance(1)
        n_answers, n_correct = store.read(_count_right)
    return Simulation(Path(db), name, tuple(outcomes), before, n_answers, n_correct)


@suggest_keywords
@contextlib.contextmanager
def take_part_over_http(experiment: Experiment, seed: int) -> Iterator[TakePart]:
    """Participants without a browser."""

    def go(url: str, observer: Observer, number: int, clock: SimulatedClock) -> ParticipantOutcome:
        with ParticipantClient(url) as client:
            return simulate_participant(client, experiment.settings, observer, number, seed, clock)

    yield go


def _look_at(connection: sqlite3.Connection, n_visits: int) -> tuple[int, int, float | None]:
    """Who has come to the end of all sessions, how many began, and the latest time; people's answers are refused."""
    joins = "SELECT count(*) FROM events WHERE event = 'join'"
    (n_real,) = connection.execute(f"{joins} AND json_extract(data, '$.screen.simulated') IS NOT 1").fetchone()
    if n_real:
        raise InputError(
            "a file of simulated answers, or a new one",
            got=f"one with {format_count(n_real, 'person')}'s",
            hint="another --db",
        )
    marks = ", ".join("?" for _ in ENDS)
    sql = (
        "SELECT count(DISTINCT participant) FROM sessions JOIN events USING (session) "
        f"WHERE step IN ({marks}) AND (step <> 'done' OR visit = ?)"
    )
    (n_ended,) = connection.execute(sql, (*ENDS, n_visits)).fetchone()
    (number,) = connection.execute("SELECT count(*) FROM sessions WHERE visit = 1").fetchone()
    (latest,) = connection.execute("SELECT max(at) FROM events").fetchone()
    return int(n_ended), int(number), latest


def _keep_names(connection: sqlite3.Connection, names: Mapping[str, str]) -> None:
    """What an observer tells of itself, with the sessions of the participant who came last."""
    sql = "SELECT session FROM sessions WHERE participant = (SELECT participant FROM sessions ORDER BY session DESC)"
    for (session,) in connection.execute(sql).fetchall():
        last = "SELECT at, step FROM events WHERE session = ? ORDER BY seq DESC LIMIT 1"
        at, step = connection.execute(last, (session,)).fetchone()
        insert_event(connection, session, Event(at, "observer", step, names))


def _count_right(connection: sqlite3.Connection) -> tuple[int, int]:
    """Answers to main trials that can be right, and those that are."""
    row: Any = connection.execute("SELECT count(correct), coalesce(sum(correct), 0) FROM answers").fetchone()
    return int(row[0]), int(row[1])
