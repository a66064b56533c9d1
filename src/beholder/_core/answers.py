"""Ends of a command before its own: what was asked is answered, and nothing is left to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from beholder._core.errors import BeholderError


class Answered(BaseException):
    """A command is at its end, with something to print.

    Parameters
    ----------
    lines : iterable of str
        For people.
    tables : mapping of str to iterable of mapping
        For ``--json``.
    error : BeholderError, optional
        What speaks against doing it.
    """

    def __init__(
        self,
        lines: Iterable[str],
        tables: Mapping[str, Iterable[Mapping[str, Any]]],
        error: BeholderError | None = None,
    ) -> None:
        super().__init__()
        self.lines, self.tables, self.error = list(lines), tables, error
