"""One task of a job array: it makes parts until none is left or its time is nearly over, and puts nothing together.

Every task runs the same command, as does the job after the array, which finds all parts and puts them together. What a
task is it learns from variables that the scripts of ``--cluster script`` set::

    BEHOLDER_ARRAY_TASK     3/16: the fourth of sixteen; merge: the job after the array
    BEHOLDER_ARRAY_FOLDER   where the scripts lie: tasks note there which parts there are
    BEHOLDER_ARRAY_ENDS     seconds since 1970 at which the queue ends the job

A task opens every output beside the others, waits for none of them, and ends where a plain run would put together what
it has made. Work of several outputs is done in phases, see :func:`open_phases`: a task makes parts of the one after the
other.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, final

from beholder._core.errors import BeholderError, InputError
from beholder._core.wording import count_items, format_count
from beholder.jobs._plan import Shard

TASK, FOLDER, ENDS = "BEHOLDER_ARRAY_TASK", "BEHOLDER_ARRAY_FOLDER", "BEHOLDER_ARRAY_ENDS"
MERGE = "merge"
PLANS, MORE, MISSING, COMMAND = "plans", "more", "missing.txt", "command.txt"
LATE = 75
"""Exit code of a task whose time is over while parts are left, and which has got on: to be started again."""
_SPARE_SECONDS = 30.0
_SHOWN = 3

T = TypeVar("T")


@final
@dataclass(frozen=True)
class ArrayTask:
    """A task of a job array, or the job after it.

    Attributes
    ----------
    index, count : int
        Which of how many.
    folder : Path, optional
        Where the scripts lie.
    ends : float, optional
        Time at which the queue ends the job.
    is_merge : bool
        The job after the array, which computes nothing.
    """

    index: int
    count: int
    folder: Path | None = None
    ends: float | None = None
    is_merge: bool = False

    @property
    def name(self) -> str:
        """The same for all tasks of one array."""
        return "array" if self.folder is None else self.folder.name


def read_array_task() -> ArrayTask | None:
    """What the variables say; None for a plain run.

    Raises
    ------
    InputError
        Something else than a script writes.
    """
    told = os.environ.get(TASK)
    if not told:
        return None
    folder = Path(os.environ[FOLDER]) if os.environ.get(FOLDER) else None
    try:
        ends = float(os.environ[ENDS]) if os.environ.get(ENDS) else None
        if told == MERGE:
            return ArrayTask(0, 1, folder, ends, is_merge=True)
        index, count = (int(part) for part in told.split("/"))
    except ValueError:
        index, count, ends = -1, 0, None
    if not 0 <= index < count:
        raise InputError(f"{TASK} of a number and how many there are, 0/16, and {ENDS} of seconds", got=told)
    return ArrayTask(index, count, folder, ends)


def refuse_overwrite() -> InputError:
    """Why what replaces an output is no work for a job array."""
    return InputError(
        "--cluster script with what adds to an output", hint="leaving it out, and another output folder",
        got="--overwrite, with which each job replaces what others make",
    )  # fmt: skip


class TaskEnded(BaseException):
    """A task has made what it could; what comes after is the job after the array's.

    Attributes
    ----------
    n_made : int
        Items that it made.
    n_left : int
        Parts that nobody has made yet.
    unit : str
        What items are, plural.
    is_late : bool
        Its time is over; else other tasks make what is left.
    has_state : bool
        A part that was cut off goes on from its state.
    """

    def __init__(
        self, n_made: int, n_left: int, unit: str = "items", *, is_late: bool = False, has_state: bool = False
    ) -> None:
        super().__init__()
        self.n_made, self.n_left, self.unit, self.is_late, self.has_state = n_made, n_left, unit, is_late, has_state

    def __str__(self) -> str:
        made = f"{count_items(self.n_made, self.unit)} made by this task"
        if not self.n_left:
            return f"{made}; no part is left"
        left = f"{made}; {format_count(self.n_left, 'part')} left"
        if not self.is_late:
            return f"{left}, which other tasks make"
        return f"{left}, and its time is over" + "; one part needs more time" * (self.exit_code == 1)

    @property
    def exit_code(self) -> int:
        """0, :data:`LATE` where it is worth starting again, 1 where another start would get no further."""
        if not (self.is_late and self.n_left):
            return 0
        if signal.SIGTERM in _told:  # the queue itself starts a job again that it stops for another one
            return 128 + signal.SIGTERM
        return LATE if self.n_made or self.has_state else 1


class TimeOver(KeyboardInterrupt):
    """The queue said that it ends the job soon; what was cut off has kept its state, if it has one."""


_told: list[int] = []
"""Signals of the queue that came."""


def listen_to_queue() -> None:
    """Take the signals by which a queue says that it ends a job soon: no part is begun after them.

    What comes when the process is at its end changes no exit code any more.
    """
    numbers = [getattr(signal, name) for name in ("SIGUSR1", "SIGTERM") if hasattr(signal, name)]
    for number in numbers:
        signal.signal(number, lambda number, _frame: _told.append(number))
    atexit.register(lambda: [signal.signal(number, signal.SIG_IGN) for number in numbers])


def is_time_over() -> bool:
    """Whether the queue has said that it ends the job soon."""
    return bool(_told)


def check_time() -> None:
    """Called by work that can be cut off at this place.

    Raises
    ------
    TimeOver
        The queue has said that it ends the job soon.
    """
    if _told:
        raise TimeOver


class PartsMissing(BeholderError):
    """The job after an array found parts that no task has made.

    Attributes
    ----------
    missing : dict of str to list of str
        Keys of the parts, by output.
    """

    def __init__(self, missing: dict[str, list[str]], n_all: int, task: ArrayTask) -> None:
        self.missing, self.n_all, self.task = missing, n_all, task
        n = sum(map(len, missing.values()))
        shown = [f"{key} of {output}" for output, keys in missing.items() for key in keys][:_SHOWN]
        more = ", …" if n > len(shown) else ""
        where = f"; all are in {task.folder / MISSING}" if task.folder is not None and more else ""
        super().__init__(
            f"expected every one of {format_count(n_all, 'part')}; got {n} that no task has made: {', '.join(shown)}"
            f"{more}{where}; try {_read_command(task)} again, which asks for what is missing: "
            "the tasks' logs say what ended them"
        )


def _read_command(task: ArrayTask) -> str:
    with contextlib.suppress(OSError):
        if task.folder is not None:
            return f"`{(task.folder / COMMAND).read_text(encoding='utf-8').strip()}`"
    return "the same command with --cluster script"


@final
class Clock:
    """Whether another part fits into the time that a job has left; without an end everything does.

    A part is taken to last as long as the longest one so far, and as much longer as it has more items.
    """

    def __init__(self, ends: float | None) -> None:
        self._ends = ends
        self._begun: dict[str, float] = {}
        self._seconds, self._per_item = 0.0, 0.0

    def has_time(self, shard: Shard) -> bool:
        """Whether the part fits; the first one does as long as there is any time."""
        if is_time_over():
            return False
        if self._ends is None:
            return True
        lasts = max(self._seconds, self._per_item * shard.size)
        return time.time() + lasts + _SPARE_SECONDS * bool(self._seconds) < self._ends

    def begin(self, shard: Shard) -> None:
        """The part is begun."""
        self._begun[shard.key] = time.monotonic()

    def end(self, shard: Shard) -> None:
        """The part is finished."""
        seconds = time.monotonic() - self._begun.pop(shard.key)
        self._seconds = max(self._seconds, seconds)
        self._per_item = max(self._per_item, seconds / max(1, shard.size))


def rotate(items: Sequence[T], task: ArrayTask | None) -> list[T]:
    """What there is to do from where a task begins, so that tasks do not all begin with the same.

    >>> rotate("abcd", ArrayTask(1, 2)), rotate("abcd", None)
    (['c', 'd', 'a', 'b'], ['a', 'b', 'c', 'd'])
    """
    first = 0 if task is None else len(items) * task.index // task.count
    return [*items[first:], *items[:first]]


def note_more(task: ArrayTask | None) -> None:
    """Note beside the scripts that there are parts which no task has seen yet."""
    if task is not None and task.folder is not None:
        (task.folder / MORE).touch()


def note_missing(task: ArrayTask, missing: dict[str, list[str]]) -> None:
    """Write the list of missing parts beside the scripts."""
    if task.folder is not None:
        lines = [f"{output}\t{key}\n" for output, keys in missing.items() for key in keys]
        (task.folder / MISSING).write_text("".join(lines), encoding="utf-8")
