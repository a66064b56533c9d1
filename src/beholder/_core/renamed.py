"""Keywords under the names that they had before."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def accept_old_keywords(**renamed: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a function: a keyword's old name still works, with a :class:`DeprecationWarning`.

    Parameters
    ----------
    **renamed : str
        Old name = the name that took its place.

    >>> @accept_old_keywords(everybody="include_excluded")
    ... def count(*, include_excluded=False): return include_excluded
    >>> count(include_excluded=True)
    True
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def renaming(*args: P.args, **kwargs: P.kwargs) -> R:
            given: dict[str, Any] = dict(kwargs)
            for old, new in renamed.items():
                if old in given:
                    told = f"the keyword {old!r} of {function.__name__}() is now called {new!r}"
                    warnings.warn(told, DeprecationWarning, stacklevel=2)
                    given[new] = given.pop(old)
            return function(*args, **given)  # pyright: ignore[reportCallIssue]

        return renaming

    return decorate
