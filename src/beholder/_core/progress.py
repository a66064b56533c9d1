"""Progress on stderr: a bar on a terminal and in a notebook, plain lines elsewhere, nothing when quiet.

No logging has to be set up for it. ``BEHOLDER_PROGRESS=0`` in the environment turns it off everywhere.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Callable, Generator

from beholder._core.durations import format_duration
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
_LEAST_WAIT_SECONDS = 0.1
_LONG_SECONDS = 30.0
_SLOW_SECONDS = 3.0
_WIDE = 110
_OFF = ("0", "no", "off", "false")
_quiet = False
_told: set[str] = set()
_relay: Callable[[str, str | None], None] | None = None
_the_bar = threading.Lock()
"""Held by the bar on the terminal, of which there is one at a time."""


def set_quiet(quiet: bool) -> None:
    """Switch bars and stage lines off or on for this process."""
    global _quiet
    _quiet = quiet


def is_shown() -> bool:
    """Whether progress is shown: not when quiet, and not where ``BEHOLDER_PROGRESS`` turns it off."""
    return not _quiet and os.environ.get("BEHOLDER_PROGRESS", "").strip().lower() not in _OFF


def tell(message: str, *args: object) -> None:
    """Say what a result depends on: by the log, or on stderr where a script or notebook has set up none.

    Parameters
    ----------
    message : str
        One line, with flags for keywords, as :func:`beholder._core.wording.word` takes it.
    args
        For its ``%`` places.
    """
    line = message % args if args else message
    if _relay is not None:
        _relay(line, None)
    else:
        _tell_line(word(line))


def tell_once(message: str, *args: object, key: str | None = None) -> None:
    """:func:`tell`, the first time in this process that one of its key, by default the line itself, comes up."""
    line = message % args if args else message
    key = key or line
    if _relay is not None:
        _relay(line, key)
    elif key not in _told:
        _told.add(key)
        tell("%s", line)


def relay_told(relay: Callable[[str, str | None], None] | None) -> None:
    """Hand lines of this process, which works for another one, to that: the line, and its key where once is enough."""
    global _relay
    _relay = relay


@contextlib.contextmanager
def show_progress(
    label: str, total: int, unit: str = "", done: int = 0, *, tells_end: bool = True, steps: int = 0
) -> Generator[Advance]:
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
    tells_end : bool
        Where there is no terminal, also the end of work that took a moment is a line.
    steps : int
        That an item takes, where it takes many: how far few items are is told in steps.

    Yields
    ------
    callable
        ``advance(n)``: call it, from any thread, with the number of items just finished; of slow items with the parts
        of them.
    """
    if total <= 0 or not is_shown():
        yield lambda n: None
    elif is_notebook():
        pace = Pace(total, done, steps=steps)
        with show_bar(label, lambda: _describe(pace, unit)):
            yield pace.add
    elif sys.stderr.isatty():
        if not _the_bar.acquire(blocking=False):  # a part of what the bar that stands there counts
            yield lambda n: None
            return
        try:
            with _show_bar(label, Pace(total, done, steps=steps), unit) as advance:
                yield advance
        finally:
            _the_bar.release()
    else:
        with LinePrinter(label, Pace(total, done, steps=steps), unit, tells_end=tells_end).keep_telling() as advance:
            yield advance


@contextlib.contextmanager
def tell_slow(doing: str) -> Generator[None]:
    """Say what is being done, such as ``"loading resnet50"``, in one line if it takes longer than some seconds."""
    if not is_shown():
        yield
        return
    timer = threading.Timer(_SLOW_SECONDS, _tell_line, (f"{doing} ...",))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def _tell_line(line: str) -> None:
    """To the log; where a script has set up none, to stderr."""
    if logger.isEnabledFor(logging.INFO):
        logger.info("%s", line)
    elif logger.level == logging.NOTSET and is_shown():
        sys.stderr.write(f"{line}\n")


def _describe(pace: Pace, unit: str) -> tuple[float, str]:
    """The proportion that is done, and how many of how many, how fast, for how long."""
    return min(pace.count / pace.total, 1.0), f"{pace.describe_count(unit)}, {pace.describe_time()}"


@contextlib.contextmanager
def _show_bar(label: str, pace: Pace, unit: str) -> Generator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, Task
    from rich.table import Column
    from rich.text import Text

    class Told(ProgressColumn):
        """What the pace says now."""

        def __init__(self, tell: Callable[[], str]) -> None:
            super().__init__(Column(no_wrap=True))
            self._tell = tell

        def render(self, task: Task) -> Text:
            return Text(self._tell(), style="progress.percentage")

    console = Console(stderr=True)
    width = 20 if console.width >= _WIDE else 8

    def tell_label() -> str:
        told = len(pace.describe_count(unit)) + len(pace.describe_time()) + width + 4
        return cut_label(label, console.width - told)

    columns = (
        Told(tell_label), BarColumn(width), Told(lambda: pace.describe_count(unit)), Told(pace.describe_time)
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(label, total=pace.total, completed=int(pace.count))
        is_told = False

        def advance(n: float) -> None:
            nonlocal is_told
            pace.add(n)
            progress.update(task, advance=n)
            if not is_told and pace.elapsed >= _FIRST_LINE_SECONDS:
                is_told = True
                if (rest := pace.find_rest() or 0.0) >= _LONG_SECONDS:
                    logger.info("%s: about %s in all", label, format_duration(pace.elapsed + rest))

        yield advance


def cut_label(label: str, room: int) -> str:
    """A label that leaves room for what stands behind it on one line.

    >>> cut_label("extract squeezenet1_1", 30), cut_label("extract squeezenet1_1", 12)
    ('extract squeezenet1_1', 'extract sq..')
    """
    return label if len(label) <= room else f"{label[: max(room - 2, 4)]}.."


class LinePrinter:
    """Plain progress lines for logs: after two seconds, then every ten or rarer, and one at the end.

    Between two lines lies at least a twentieth of the time that the work has taken so far. Lines come also while
    nothing is counted, so that slow items leave nobody in the dark; as soon as it is known how long it will take, one
    says so. They are logged; where a script has set up no logging they go to stderr, and there is none of work that is
    done in two seconds.
    """

    def __init__(self, label: str, pace: Pace, unit: str, *, tells_end: bool = True) -> None:
        self._label, self._pace, self._unit = label, pace, unit
        self._tells_end = tells_end
        self._next = _FIRST_LINE_SECONDS
        self._is_ended = pace.is_done
        self._has_told = False
        self._is_in_the_dark = False
        self._lock = threading.Lock()

    def advance(self, n: float) -> None:
        """Count items; say how far the work is, where it is time."""
        self._pace.add(n)
        self.look()

    def look(self) -> None:
        """Say how far the work is, where it is time."""
        with self._lock:
            now, is_done, is_known = self._pace.elapsed, self._pace.is_done, self._pace.rate is not None
            is_due = now >= self._next or (self._is_in_the_dark and is_known)
            if self._is_ended if is_done else not is_due:
                return
            self._is_in_the_dark = not is_known
            self._next = now + max(_LINE_EVERY_SECONDS, _LINE_SHARE * now)
            self._is_ended = is_done
            if is_done and not self._tells_end and now < _FIRST_LINE_SECONDS:
                return
            self._tell(is_done)

    def _tell(self, is_done: bool) -> None:
        words = self._label, self._pace.describe_count(self._unit), self._pace.describe_time()
        if logger.isEnabledFor(logging.INFO) or self._has_told or not is_done:
            _tell_line("{}: {}, {}".format(*words))
        self._has_told = True

    @contextlib.contextmanager
    def keep_telling(self) -> Generator[Advance]:
        """Look now and then while the block runs, whether anything is counted or not."""
        is_over = threading.Event()

        def watch() -> None:
            while not is_over.wait(max(self._next - self._pace.elapsed, _LEAST_WAIT_SECONDS)):
                self.look()

        thread = threading.Thread(target=watch, name="beholder-progress", daemon=True)
        thread.start()
        try:
            yield self.advance
        finally:
            is_over.set()
            thread.join()
