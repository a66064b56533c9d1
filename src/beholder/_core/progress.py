"""Progress on stderr: a bar on a terminal and in a notebook, plain lines elsewhere, nothing when quiet.

No logging has to be set up for it. ``BEHOLDER_PROGRESS=0`` in the environment turns it off everywhere.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Generator

from beholder._core.notebooks import is_notebook, show_bar
from beholder._core.pace import Pace
from beholder._core.wording import word

logger = logging.getLogger("beholder")


def _use_words(record: logging.LogRecord) -> bool:
    record.msg = word(str(record.msg))
    return True


logger.addFilter(_use_words)

Advance = Callable[[float], None]
"""``advance(n)`` says that ``n`` more items are done; parts of items count, too."""

_FIRST_LINE_SECONDS, _LINE_EVERY_SECONDS, _LINE_SHARE = 2.0, 10.0, 0.05
_OFF = ("0", "no", "off", "false")
_quiet = False


def set_quiet(quiet: bool) -> None:
    """Switch bars and stage lines off or on for this process."""
    global _quiet
    _quiet = quiet


def is_shown() -> bool:
    """Whether progress is shown: not when quiet, and not where ``BEHOLDER_PROGRESS`` turns it off."""
    return not _quiet and os.environ.get("BEHOLDER_PROGRESS", "").strip().lower() not in _OFF


@contextlib.contextmanager
def show_progress(label: str, total: int, unit: str = "", done: int = 0) -> Generator[Advance]:
    """Show how far a piece of work is, how fast it goes, how long it has taken and will take.

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
        ``advance(n)``: call it, from any thread, with the number of items just finished; of slow items with the parts
        of them.
    """
    if total <= 0 or not is_shown():
        yield lambda n: None
    elif is_notebook():
        pace = Pace(total, done)
        with show_bar(label, lambda: _describe(pace, unit)):
            yield pace.add
    elif sys.stderr.isatty():
        with _show_bar(label, Pace(total, done), unit) as advance:
            yield advance
    else:
        yield LinePrinter(label, Pace(total, done), unit).advance


def _describe(pace: Pace, unit: str) -> tuple[float, str]:
    """The proportion that is done, and how many of how many, how fast, for how long."""
    return min(pace.count / pace.total, 1.0), f"{pace.describe_count(unit)}, {pace.describe_time()}"


@contextlib.contextmanager
def _show_bar(label: str, pace: Pace, unit: str) -> Generator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
    from rich.text import Text

    class Told(ProgressColumn):
        """What the pace says now."""

        def __init__(self, tell: Callable[[], str]) -> None:
            super().__init__()
            self._tell = tell

        def render(self, task: Task) -> Text:
            return Text(self._tell(), style="progress.percentage")

    count, times = Told(lambda: pace.describe_count(unit)), Told(pace.describe_time)
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=20), count, times)
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(label, total=pace.total, completed=int(pace.count))

        def advance(n: float) -> None:
            pace.add(n)
            progress.update(task, advance=n)

        yield advance


class LinePrinter:
    """Plain progress lines for logs: after two seconds, then every ten or rarer, and one at the end.

    Between two lines lies at least a twentieth of the time that the work has taken so far. They are logged; where a
    script has set up no logging they go to stderr, and there is none of work that is done in two seconds.
    """

    def __init__(self, label: str, pace: Pace, unit: str) -> None:
        self._label, self._pace, self._unit = label, pace, unit
        self._next = _FIRST_LINE_SECONDS
        self._is_ended = pace.is_done
        self._has_told = False

    def advance(self, n: float) -> None:
        """Count items; say how far the work is, where it is time."""
        self._pace.add(n)
        now, is_done = self._pace.elapsed, self._pace.is_done
        if (is_done and not self._is_ended) or (now >= self._next and not is_done):
            self._next = now + max(_LINE_EVERY_SECONDS, _LINE_SHARE * now)
            self._is_ended = is_done
            self._tell(is_done)

    def _tell(self, is_done: bool) -> None:
        words = self._label, self._pace.describe_count(self._unit), self._pace.describe_time()
        if logger.isEnabledFor(logging.INFO):
            logger.info("%s: %s, %s", *words)
        elif logger.level == logging.NOTSET and (self._has_told or not is_done):
            sys.stderr.write("{}: {}, {}\n".format(*words))
        self._has_told = True
