"""How a check says what it found."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from beholder._core.errors import BeholderError, InputError


def fail(expected: str, *, got: str, hint: str | None = None) -> AssertionError:
    """The error of a check, in one line: expected, got, try."""
    return AssertionError(str(InputError(expected, got=got, hint=hint)))


def expect(holds: bool, expected: str, *, got: str, hint: str | None = None) -> None:
    """Raise the error of a check unless something holds."""
    if not holds:
        raise fail(expected, got=got, hint=hint)


@contextlib.contextmanager
def explain(expected: str, *, hint: str | None = None) -> Iterator[None]:
    """Whatever is raised inside becomes the error of a check; those of checks inside pass as they are."""
    try:
        yield
    except AssertionError:
        raise
    except Exception as error:
        said = str(error) if isinstance(error, BeholderError) else f"{type(error).__name__}: {error}"
        raise fail(expected, got=said, hint=hint) from error
