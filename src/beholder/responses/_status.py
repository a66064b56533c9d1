"""How an experiment is going, while people take part."""

from __future__ import annotations

import math
import sqlite3
import statistics
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from beholder._core.errors import suggest_keywords
from beholder._core.wording import format_count
from beholder.responses._conduct import Progress, count_visits, read_progress
from beholder.responses._reading import open_for_reading, read_description

ACTIVE_S = 300.0
"""Who did something within so many seconds is here now."""

_MINUTE = 60.0


@final
@dataclass(frozen=True)
class Status:
    """An experiment in numbers, as of one moment.

    Attributes
    ----------
    kind : str
    n_tasks : int
    n_participants, n_finished, n_included, n_active, n_withdrawn : int
        Who came and did not withdraw; of them finished, with all their sessions; of these breaking no rule in any; who
        did something in the last five minutes and is not at the end; who withdrew.
    steps : mapping of str to int
        How many are where, in their latest session; ``between_sessions`` who is done with one that is not the last.
    reasons : mapping of str to int
        How many finished sessions break which rule.
    n_answers : int
        To main and catch trials.
    answers_last_minute : int
        Practice too.
    median_time_s, median_rt_ms : float or None
        Of those who finished; of all answers.
    tasks_finished : tuple of int
        How many finished the task that fewest finished, and the one that most did.
    visits : tuple of (int, int, int)
        Of the first, second, … sessions of participants: how many were begun, finished, and break no rule.
    n_skipped : int
        Main and catch trials that participants went on without, since a stimulus could not be shown to them.
    answers_ahead : int
        Dated later than now, as where a clock was set back: of the last minute they are not, and who gave them does not
        count as active.
    """

    kind: str
    n_tasks: int
    n_participants: int
    n_finished: int
    n_included: int
    n_active: int
    n_withdrawn: int
    steps: Mapping[str, int]
    reasons: Mapping[str, int]
    n_answers: int
    answers_last_minute: int
    median_time_s: float | None
    median_rt_ms: float | None
    tasks_finished: tuple[int, int]
    visits: tuple[tuple[int, int, int], ...] = ()
    answers_ahead: int = 0
    n_skipped: int = 0

    def to_lines(self) -> list[str]:
        """For people."""
        low, high = self.tasks_finished
        steps = ", ".join(f"{n} {step.replace('_', ' ')}" for step, n in self.steps.items()) or "nobody yet"
        broken = ", ".join(f"{n} {rule}" for rule, n in self.reasons.items()) or "none"
        lines = [
            f"participants  {self.n_participants} came, {self.n_active} active, {self.n_finished} finished, "
            f"{self.n_included} included, {self.n_withdrawn} withdrew",
            f"where         {steps}",
            f"tasks         {self.n_tasks}, each finished by {low if low == high else f'{low} to {high}'}",
            f"answers       {self.n_answers}; in the last minute {self.answers_last_minute}, practice too",
            f"exclusions    {broken}",
        ]
        if self.n_skipped:
            lines.append(
                f"not shown     {format_count(self.n_skipped, 'trial')} left out, whose stimuli could not be shown"
            )
        if self.answers_ahead:
            ahead = format_count(self.answers_ahead, "answer")
            lines.insert(4, f"clock         {ahead} dated later than now, by this machine's clock")
        if len(self.visits) > 1:
            told = (f"{k}: {n[0]} begun, {n[1]} finished, {n[2]} included" for k, n in enumerate(self.visits, start=1))
            lines.insert(1, f"sessions      {'; '.join(told)}")
        if self.median_rt_ms is not None:
            of = "session" if len(self.visits) > 1 else "participant"
            took = "" if self.median_time_s is None else f"; {self.median_time_s / 60:.1f} min a {of}"
            lines.append(f"speed         {self.median_rt_ms / 1000:.2f} s a trial{took}, medians")
        return lines

    def to_tables(self) -> dict[str, list[dict[str, Any]]]:
        """Named lists of records."""
        plain = {
            name: getattr(self, name)
            for name in (
                "kind", "n_tasks", "n_participants", "n_finished", "n_included", "n_active", "n_withdrawn",
                "n_answers", "answers_last_minute", "answers_ahead", "n_skipped", "median_time_s", "median_rt_ms",
            )
        }  # fmt: skip
        plain["least_finished_of_a_task"], plain["most_finished_of_a_task"] = self.tasks_finished
        tables = {
            "status": [plain],
            "steps": [{"step": step, "n": n} for step, n in self.steps.items()],
            "exclusions": [{"rule": rule, "n": n} for rule, n in self.reasons.items()],
        }
        if len(self.visits) > 1:
            tables["sessions"] = [
                {"visit": visit, "n": n, "n_finished": n_finished, "n_included": n_included}
                for visit, (n, n_finished, n_included) in enumerate(self.visits, start=1)
            ]
        return tables


@suggest_keywords
def read_status(path: Path | str, now: float | None = None) -> Status:
    """Count, without getting into a server's way.

    Parameters
    ----------
    path : path
        The file of answers.
    now : float, optional
        Seconds since 1970; default now.
    """
    now = time.time() if now is None else now
    with open_for_reading(path) as connection:
        description = read_description(connection)
        progress = read_progress(connection, description)
        recent, ahead = (_count_between(connection, *span) for span in ((now - _MINUTE, now), (now, math.inf)))
        rts = [rt for (rt,) in connection.execute("SELECT rt_ms FROM answers")]
        n_withdrawn = connection.execute("SELECT count(*) FROM withdrawals WHERE visit = 1").fetchone()[0]
    tasks = [name for name in description["tasks"] if name.startswith("task_")]
    n_visits = count_visits(description)
    latest = {each.participant: each for each in sorted(progress, key=lambda each: each.visit)}
    through = [each for each in latest.values() if each.conduct.finished and each.visit >= n_visits]
    broken = {each.participant for each in progress if each.exclusions}
    finished = [each for each in progress if each.conduct.finished]
    taken = Counter(each.task for each in finished)
    counts = [taken[int(name.removeprefix("task_"))] for name in tasks]
    times = [each.conduct.time_s for each in finished if each.conduct.time_s is not None]
    return Status(
        kind=description["kind"],
        n_tasks=len(tasks),
        n_participants=len(latest),
        n_finished=len(through),
        n_included=sum(1 for each in through if each.participant not in broken),
        n_active=sum(1 for each in progress if each.step not in _OVER and 0 <= now - each.last < ACTIVE_S),
        n_withdrawn=n_withdrawn,
        steps=dict(sorted(Counter(_name_place(each, n_visits) for each in latest.values()).items())),
        reasons=dict(sorted(Counter(rule for each in finished for rule in each.exclusions).items())),
        n_answers=len(rts),
        answers_last_minute=recent,
        answers_ahead=ahead,
        n_skipped=sum(len(each.skipped) for each in progress),
        median_time_s=statistics.median(times) if times else None,
        median_rt_ms=statistics.median(rts) if rts else None,
        tasks_finished=(min(counts), max(counts)),
        visits=tuple(_count_visit([each for each in progress if each.visit == k + 1]) for k in range(n_visits)),
    )


def _count_between(connection: sqlite3.Connection, after: float, until: float) -> int:
    """Answers, of practice too, later than one moment and no later than another."""
    sql = "SELECT count(*) FROM {} WHERE at > ? AND at <= ?"
    counts = (connection.execute(sql.format(table), (after, until)) for table in ("answers", "practice"))
    return sum(n for rows in counts for (n,) in rows)


def _name_place(session: Progress, n_visits: int) -> str:
    return "between_sessions" if session.step == "done" and session.visit < n_visits else session.step


def _count_visit(sessions: Sequence[Progress]) -> tuple[int, int, int]:
    finished = [each for each in sessions if each.conduct.finished]
    return len(sessions), len(finished), sum(1 for each in finished if not each.exclusions)


_OVER = ("screened_out", "declined", "done")
