"""Errors that say what was expected, what came and what to try.

The tree, with the exit code that the command line gives each branch::

    BeholderError                     1  the work failed
    ├── InputError (ValueError)       2  what the user gave cannot be used
    │   ├── UnknownNameError          2  no such model, layer, unit, stimulus, ...
    │   │   └── UnknownKeyword (TypeError)  2  a function has no such keyword
    │   ├── ConfigurationChanged      2  an output exists that was made with other settings
    │   │   └── OtherMachine          2  it is made on another kind of machine
    │   ├── DamagedOutput             2  a file of an output does not hold what was written to it
    │   ├── StimulusError             2  a stimulus file cannot be read
    │   ├── WeightsUnavailable        2  the weights are neither here nor to be had
    │   └── MissingExtra              2  an optional dependency is not installed
    ├── OutputBusy                    1  another run holds this output
    ├── StorageUnreachable            1  a server that holds data does not answer
    └── OutputError                   1  a disk is full, a folder cannot be written
"""

from __future__ import annotations

import difflib
import functools
import inspect
import math
from collections.abc import Callable, Iterable
from typing import Any, ParamSpec, TypeVar

from beholder._core.wording import word

P = ParamSpec("P")
R = TypeVar("R")


class BeholderError(Exception):
    """Base of every error that Beholder raises on purpose."""

    exit_code = 1

    def __str__(self) -> str:
        return word(super().__str__())

    def __reduce__(self) -> tuple[Any, ...]:
        return rebuild_error, (type(self), self.args, self.__dict__)


def rebuild_error(kind: type[BaseException], args: tuple[Any, ...], state: dict[str, Any]) -> BaseException:
    """An error from another process, whatever its constructor takes."""
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class InputError(BeholderError, ValueError):
    """The user's input cannot be used: one line with expected, got, try.

    Parameters
    ----------
    expected : str
        What would have been right, completing "expected ...".
    got : str, optional
        What came instead.
    hint : str, optional
        What to try, completing "try ...".
    """

    exit_code = 2

    def __init__(self, expected: str, *, got: str | None = None, hint: str | None = None) -> None:
        self.expected = expected
        self.got = got
        self.hint = hint
        parts = [f"expected {expected}"]
        if got is not None:
            parts.append(f"got {got}")
        if hint:
            parts.append(f"try {hint}")
        super().__init__("; ".join(" ".join(part.split()) for part in parts))


class UnknownNameError(InputError, LookupError):
    """A name that nothing answers to; suggests the nearest ones.

    Parameters
    ----------
    kind : str
        What the name should have named, such as ``"layer of resnet50"``.
    name : str
        The name that came.
    known : iterable of str
        The names that would have done.
    hint : str, optional
        Replaces the suggestion when nothing is near.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], *, hint: str | None = None) -> None:
        self.kind = kind
        self.name = name
        known = list(known)
        self.suggestions = find_near_names(name, known)
        if self.suggestions:
            hint = " or ".join(repr(s) for s in self.suggestions)
        elif hint is None and known:
            shown = ", ".join(known[:8]) + (", ..." if len(known) > 8 else "")
            hint = f"one of {shown}"
        super().__init__(f"the name of {'an' if kind[:1] in 'aeio' else 'a'} {kind}", got=repr(name), hint=hint)


class UnknownKeyword(UnknownNameError, TypeError):
    """A function has no such keyword; also a :class:`TypeError`, as Python's own."""


def suggest_keywords(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function: for a keyword that it does not take, :class:`UnknownKeyword` names the nearest that it does.

    >>> @suggest_keywords
    ... def extract(model, *, batch_size=1, workers=1): ...
    >>> extract("beholder:shapes", batchsize=2)
    Traceback (most recent call last):
    beholder._core.errors.UnknownKeyword: expected the name of a keyword of extract(); got 'batchsize'; try 'batch_size'
    """
    known = inspect.signature(function).parameters

    @functools.wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        for name in kwargs:
            if name not in known:
                raise UnknownKeyword(f"keyword of {function.__name__}()", name, known)
        return function(*args, **kwargs)

    return checked


def format_values(low: float, high: float) -> str:
    """What came in place of values in a range, by the smallest and the largest, which are NaN where any value is.

    >>> format_values(0, 255), format_values(float("nan"), float("nan"))
    ('values from 0 to 255', 'NaN among the values')
    """
    return "NaN among the values" if math.isnan(low) or math.isnan(high) else f"values from {low:.4g} to {high:.4g}"


SKIP_HINT = "moving it away, or --skip_bad of commands and functions that have it"
"""Of files that cannot be read: most places that read them leave nothing out."""


class ConfigurationChanged(InputError):
    """An output exists that was made with other settings."""


class OtherMachine(ConfigurationChanged):
    """An output is made on another kind of machine: new parts would differ in the last bits."""


class DamagedOutput(InputError):
    """A file of an output does not hold what was written to it."""


class StimulusError(InputError):
    """A stimulus file is missing, truncated or not what it claims to be."""


class WeightsUnavailable(InputError):
    """Weights are not on this machine and cannot be fetched."""


class MissingExtra(InputError):
    """A feature needs an optional dependency that is not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"the package {package!r} for {purpose}",
            got="an environment without it",
            hint=f"pip install 'beholder[{extra}]'",
        )


class OutputBusy(BeholderError):
    """Another run is writing to this output."""


class StorageUnreachable(BeholderError):
    """A server that holds data does not answer, or failed on the way; what was done is kept.

    Parameters
    ----------
    address : str
    reason : str
    """

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(
            f"expected an answer from {address}; got {' '.join(reason.split())}; "
            "try the same command again when it can be reached: finished parts are kept"
        )


class OutputError(BeholderError):
    """The output cannot be written: full disk, read-only folder."""


def find_near_names(name: str, known: Iterable[str], n: int = 3) -> list[str]:
    """Names in ``known`` that look like ``name``, nearest first, case ignored."""
    by_lower: dict[str, str] = {}
    for candidate in known:
        by_lower.setdefault(candidate.lower(), candidate)
    near = difflib.get_close_matches(name.lower(), list(by_lower), n=n, cutoff=0.6)
    return [by_lower[match] for match in near]


_OUT_OF_MEMORY = ("not enough memory", "out of memory", "can't allocate memory", "cannot allocate memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an accelerator, torch's CPU allocator or Python itself found no room."""
    text = str(error).lower()
    is_one = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return is_one or any(words in text for words in _OUT_OF_MEMORY)
