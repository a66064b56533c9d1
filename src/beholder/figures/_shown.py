"""Whether a new figure is to appear: in notebooks, and for ``plt.show()`` in scripts, unless a file is made of it."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator
from contextvars import ContextVar

_FOR_FILES: ContextVar[bool] = ContextVar("figures_for_files", default=False)


@contextlib.contextmanager
def draw_for_files() -> Iterator[None]:
    """Figures that are made inside the block go to files, or into pages, and appear nowhere else.

    Examples
    --------
    >>> from beholder.figures import draw_for_files, plot_rdm, save_figure
    >>> with draw_for_files():
    ...     fig = plot_rdm([[0, 1], [1, 0]]).get_figure()
    """
    token = _FOR_FILES.set(True)
    try:
        yield
    finally:
        _FOR_FILES.reset(token)


def is_shown() -> bool:
    """Whether pyplot is to know of a figure that is made now.

    So it is in notebooks, which show what pyplot knows at the end of a cell, and in a script that has imported pyplot
    itself; not where some library has.
    """
    if _FOR_FILES.get() or threading.current_thread() is not threading.main_thread():
        return False
    return is_notebook() or _is_in_script()


def _is_in_script() -> bool:
    pyplot, main = sys.modules.get("matplotlib.pyplot"), sys.modules.get("__main__")
    return pyplot is not None and any(value is pyplot for value in vars(main).values())


def is_notebook() -> bool:
    """Whether a Jupyter kernel runs this code."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None
