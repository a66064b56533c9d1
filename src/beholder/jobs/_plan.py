"""A plan: resolved settings and the shards that a pure function cuts the work into."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from beholder._core.errors import suggest_keywords
from beholder._core.hashing import hash_settings


@dataclass(frozen=True)
class Shard:
    """One piece of the work, done by one worker and committed as a whole.

    Attributes
    ----------
    key : str
        Unique in the plan, safe in a file name; the same for the same piece in every run.
    size : int
        Number of items, for progress.
    payload : dict
        JSON-able description of the piece. A receipt counts only for an equal payload.
    part : str
        Of an output that is made in several parts, one after the other: progress counts those that are not finished.
    """

    key: str
    size: int
    payload: Mapping[str, Any] = field(default_factory=dict[str, Any])
    part: str = ""


@dataclass(frozen=True)
class Plan:
    """Resolved settings and the shards they cut the work into.

    Attributes
    ----------
    name : str
        What is being done, for progress and messages: ``"extract squeezenet1_1"``.
    settings : dict
        JSON-able. Everything that can change a byte of a finished shard, and nothing else.
    shards : tuple of Shard
    unit : str
        What the shards' sizes count, plural.
    steps : int
        That an item takes, where it takes many: progress tells few items in steps.
    """

    name: str
    settings: Mapping[str, Any]
    shards: tuple[Shard, ...]
    unit: str = "stimuli"
    steps: int = 0

    @cached_property
    def hash(self) -> str:
        """sha256 of the settings."""
        return hash_settings(self.settings)


@suggest_keywords
def cut_range(start: int, stop: int, size: int) -> Iterator[tuple[int, int]]:
    """Cut ``[start, stop)`` at the multiples of ``size``.

    >>> list(cut_range(0, 10, 4))
    [(0, 4), (4, 8), (8, 10)]
    """
    while start < stop:
        end = min(stop, (start // size + 1) * size)
        yield start, end
        start = end
