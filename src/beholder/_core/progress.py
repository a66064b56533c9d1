"""Progress on stderr: a bar on a terminal, plain log lines elsewhere, nothing when quiet."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Callable, Generator

from beholder._core.wording import word

logger = logging.getLogger("beholder")


def _use_words(record: logging.LogRecord) -> bool:
    record.msg = word(str(record.msg))
    return True


logger.addFilter(_use_words)

_LINE_EVERY_SECONDS = 10.0
_quiet = False


def set_quiet(quiet: bool) -> None:
    """Switch bars and stage lines off or on for this process."""
    global _quiet
    _quiet = quiet


@contextlib.contextmanager
def show_progress(label: str, total: int, unit: str = "", done: int = 0) -> Generator[Callable[[int], None]]:
    """Show how far a piece of work is.

    Parameters
    ----------
    label : str
        What is being done, such as ``"extract squeezenet1_1"``.
    total : int
        Number of items.
    unit : str
        What an item is, plural: ``"stimuli"``.
    done : int
        Items finished by an earlier run.

    Yields
    ------
    callable
        ``advance(n)``: call it with the number of items just finished.
    """
    if _quiet or total <= 0:
        yield lambda n: None
    elif sys.stderr.isatty():
        with _show_bar(label, total, unit, done) as advance:
            yield advance
    else:
        yield _LinePrinter(label, total, unit, done).advance


@contextlib.contextmanager
def _show_bar(label: str, total: int, unit: str, done: int) -> Generator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    start = time.monotonic()
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(label, total=total, completed=done, rate="")
        count = 0

        def advance(n: int) -> None:
            nonlocal count
            count += n
            rate = count / max(time.monotonic() - start, 1e-9)
            progress.update(task, advance=n, rate=f"{rate:.1f} {unit}/s" if unit else f"{rate:.1f}/s")

        yield advance


class _LinePrinter:
    """Plain progress lines for logs, at most one every ten seconds and one at the end."""

    def __init__(self, label: str, total: int, unit: str, done: int) -> None:
        self._label, self._total, self._unit, self._count, self._first = label, total, unit, done, done
        self._start = self._last = time.monotonic()

    def advance(self, n: int) -> None:
        was_done = self._count >= self._total
        self._count += n
        now = time.monotonic()
        if now - self._last >= _LINE_EVERY_SECONDS or (self._count >= self._total and not was_done):
            self._last = now
            rate = (self._count - self._first) / max(now - self._start, 1e-9)
            logger.info("%s: %d of %d %s, %.1f/s", self._label, self._count, self._total, self._unit, rate)
