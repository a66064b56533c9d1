"""Whether a notebook runs this code, and what it shows while a cell runs."""

from __future__ import annotations

import contextlib
import html
import sys
import threading
from collections.abc import Callable, Generator
from typing import Any

from beholder._core.wording import format_count, format_number

_FIRST_SECONDS, _EVERY_SECONDS = 0.5, 0.5
_ROWS = 10


def is_notebook() -> bool:
    """Whether a Jupyter kernel runs this code."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None


def render_table(head: str, frame: Any, n_rows: int = _ROWS) -> str:
    """HTML of a few words and a table's first rows.

    Parameters
    ----------
    head : str
        Above the table.
    frame : DataFrame
    n_rows : int
        The most that are shown; how many there are is told.
    """
    left = len(frame) - n_rows
    rest = f"<p>… and {format_count(left, 'more row')}: <code>.to_pandas()</code></p>" if left > 0 else ""
    table = frame.head(n_rows).to_html(index=False, float_format=format_number)
    return f"<p>{html.escape(head)}</p>{table}{rest}"


@contextlib.contextmanager
def show_bar(label: str, tell: Callable[[], tuple[float, str]]) -> Generator[None]:
    """A bar below the cell while the block runs, gone with its end; none where that takes under half a second.

    Parameters
    ----------
    label : str
        What is being done.
    tell : callable
        ``tell()`` gives the proportion that is done, 0 to 1, and a few words; called from a thread.
    """
    shown: Any = sys.modules["IPython.display"]  # which a kernel has loaded
    handle, is_over = shown.DisplayHandle(), threading.Event()

    def draw() -> Any:
        done, words = tell()
        bar = f"<progress value='{done:.4f}' max='1' style='width:12em;vertical-align:middle'></progress>"
        return shown.HTML(f"<code>{html.escape(label)}</code> {bar} <code>{html.escape(words)}</code>")

    def refresh() -> None:
        if is_over.wait(_FIRST_SECONDS):
            return
        handle.display(draw())
        while not is_over.wait(_EVERY_SECONDS):
            handle.update(draw())
        handle.update(shown.HTML(""))

    thread = threading.Thread(target=refresh, name="beholder-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
