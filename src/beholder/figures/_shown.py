"""Whether a new figure is to appear: in notebooks, and for ``plt.show()`` in scripts, unless a file is made of it."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.notebooks import is_notebook

_FOR_FILES: ContextVar[bool] = ContextVar("figures_for_files", default=False)
_FOR_WINDOW: ContextVar[bool] = ContextVar("figures_for_a_window", default=False)


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
    return is_notebook() or _FOR_WINDOW.get() or _is_in_script()


@suggest_keywords
def show_figure(plot: Callable[[], Any]) -> None:
    """Draw a figure and show it: below the cell of a notebook, in a window from a script, which waits for it to close.

    Parameters
    ----------
    plot : callable
        ``plot()`` draws it.

    Raises
    ------
    InputError
        There is no display for a window.
    """
    if is_notebook():
        plot()  # appears at the end of the cell
        return
    from matplotlib import pyplot
    from matplotlib.backends.registry import BackendFilter, backend_registry

    backend = pyplot.get_backend().lower()
    if backend in backend_registry.list_builtin(BackendFilter.NON_INTERACTIVE):
        raise InputError(
            "a display to open a window on", got=f"matplotlib's backend {backend}, which has none",
            hint='.plot().figure.savefig("picture.png")',
        )  # fmt: skip
    token = _FOR_WINDOW.set(True)
    try:
        plot()
    finally:
        _FOR_WINDOW.reset(token)
    pyplot.show()


def _is_in_script() -> bool:
    pyplot, main = sys.modules.get("matplotlib.pyplot"), sys.modules.get("__main__")
    return pyplot is not None and any(value is pyplot for value in vars(main).values())
