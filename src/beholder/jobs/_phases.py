"""Work of several outputs in phases, one after the other."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Sequence
from contextvars import ContextVar
from typing import TypeVar

from beholder._core.errors import suggest_keywords
from beholder.jobs._array import PartsMissing, TaskEnded, note_missing, note_more, read_array_task, rotate
from beholder.jobs._dry_run import end_dry_run
from beholder.jobs._dry_run import phase as measure_phase

T = TypeVar("T")

_is_first: ContextVar[bool] = ContextVar("work that other work of a command needs", default=False)


@contextlib.contextmanager
def make_first() -> Generator[None]:
    """Work that the rest of a command needs: a task of a job array waits for the others' parts, and goes on."""
    token = _is_first.set(True)
    try:
        yield
    finally:
        _is_first.reset(token)


def is_needed() -> bool:
    """Whether the rest of the command needs what is made here."""
    return _is_first.get()


@suggest_keywords
def order_phases(items: Sequence[T]) -> list[T]:
    """What there is to do in phases, in an order of its own for each task of an array.

    >>> order_phases("abc")
    ['a', 'b', 'c']
    """
    return rotate(items, read_array_task())


@suggest_keywords
@contextlib.contextmanager
def open_phases(n_phases: int = 1) -> Generator[Callable[[], contextlib.AbstractContextManager[None]]]:
    """Work of several outputs: a task of a job array goes on with the next one where parts of one are left to others.

    A dry run measures about ``n_phases`` one after the other, and ends with the block.

    ::

        with open_phases(len(models)) as phase:
            for model in order_phases(models):
                with phase():
                    extract(model, ...)

    Raises
    ------
    TaskEnded
        At the end of the block, of a task of an array.
    PartsMissing
        At the end of the block, of the job after the array, with what is missing of all.

    Examples
    --------
    >>> with open_phases() as phase:
    ...     with phase():
    ...         pass
    """
    ended: list[TaskEnded] = []
    missing: list[PartsMissing] = []

    @contextlib.contextmanager
    def phase() -> Generator[None]:
        try:
            with measure_phase(n_phases):
                yield
        except TaskEnded as end:
            if end.is_late:
                note_more(read_array_task())
                raise _join([*ended, end]) from None
            ended.append(end)
        except PartsMissing as error:
            missing.append(error)

    yield phase
    end_dry_run()
    if ended:
        raise _join(ended)
    if missing:
        parts: dict[str, list[str]] = {}
        for each in missing:
            for output, keys in each.missing.items():
                parts.setdefault(output, []).extend(keys)
        note_missing(missing[0].task, parts)
        raise PartsMissing(parts, sum(each.n_all for each in missing), missing[0].task)


def _join(ended: Sequence[TaskEnded]) -> TaskEnded:
    return TaskEnded(
        sum(end.n_made for end in ended), sum(end.n_left for end in ended), ended[0].unit,
        is_late=any(end.is_late for end in ended), has_state=any(end.has_state for end in ended),
    )  # fmt: skip
