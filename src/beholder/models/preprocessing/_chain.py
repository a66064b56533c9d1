"""Functions of the user's own, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

from beholder._core.errors import InputError


@final
@dataclass(frozen=True)
class FunctionChain:
    """Calls functions in their order, each with what the one before gave.

    Parameters
    ----------
    functions : tuple of callable
    """

    functions: tuple[Callable[[Any], Any], ...]

    def __call__(self, value: Any) -> Any:
        """The last one's value."""
        for function in self.functions:
            value = function(value)
        return value


def as_chain(given: Any) -> Any:
    """A list of functions as one function; everything else as it is.

    >>> as_chain([abs, float])(-2)
    2.0
    """
    if not isinstance(given, list | tuple):
        return given
    wrong = next((each for each in given if not callable(each)), None)
    if wrong is not None or not given:
        raise InputError("a list of functions", got="an empty one" if wrong is None else repr(wrong))
    return FunctionChain(tuple(given))
