"""Keywords and fields under the names that they had before."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C")


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
            name = renaming.__name__
            for old, new in renamed.items():
                if old in given:
                    told = f"the keyword {old!r} of {name}() is now called {new!r}"
                    warnings.warn(told, DeprecationWarning, stacklevel=2)
                    given[new] = given.pop(old)
            return function(*args, **given)  # pyright: ignore[reportCallIssue]

        return renaming

    return decorate


def accept_old_fields(**renamed: str) -> Callable[[type[C]], type[C]]:
    """Decorate a dataclass: a field's old name still works, to make one and to read it, with a warning as above.

    Parameters
    ----------
    **renamed : str
        Old name = the name that took its place.
    """

    def decorate(cls: type[C]) -> type[C]:
        plain: Callable[..., None] = cls.__init__
        renaming: Any = accept_old_keywords(**renamed)(plain)
        renaming.__name__ = cls.__name__
        setattr(cls, "__init__", renaming)  # noqa: B010 - pyright takes no assignment to it
        for old, new in renamed.items():
            setattr(cls, old, property(functools.partial(_read_renamed, old=old, new=new)))
        return cls

    return decorate


def _read_renamed(made: object, *, old: str, new: str) -> Any:
    warnings.warn(f"{type(made).__name__}.{old} is now called {new}", DeprecationWarning, stacklevel=2)
    return getattr(made, new)
