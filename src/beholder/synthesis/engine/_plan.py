"""Which problems share a batch: a pure function of their sizes and layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar, final

from beholder._core.errors import suggest_keywords

R = TypeVar("R")

CPU_BATCH, DEVICE_BATCH = 8, 64


@final
@dataclass(frozen=True)
class BatchPlan:
    """How the work is cut.

    Attributes
    ----------
    batches : tuple of tuple of int
        Indices of the problems of each batch.
    threads : int
        Threads inside one operation; part of what decides the last bits.
    n_concurrent_batches : int
        Batches that run side by side; changes nothing.
    """

    batches: tuple[tuple[int, ...], ...]
    threads: int
    n_concurrent_batches: int

    def sort(self, made: Sequence[Sequence[R]]) -> list[R]:
        """What came of each batch's problems, in the order of the problems."""
        pairs = (zip(members, part, strict=True) for members, part in zip(self.batches, made, strict=True))
        found = {i: each for pair in pairs for i, each in pair}
        return [found[i] for i in range(len(found))]


@suggest_keywords
def plan_batches(
    sizes: Sequence[int],
    layers: Sequence[tuple[str, ...]],
    *,
    cores: int,
    on_cpu: bool,
    batch_size: int | None = None,
) -> BatchPlan:
    """Cut problems into batches; a problem is never cut.

    On the CPU problems of different layers never share a batch, so that none runs deeper than it must, and every
    core takes whole batches, unless there are fewer problems than cores.

    Parameters
    ----------
    sizes : sequence of int
        Images of each problem.
    layers : sequence of tuple of str
        Layers that each problem reads.
    cores : int
    on_cpu : bool
    batch_size : int, optional
        Images in one batch at most (a larger problem is a batch of its own).

    Examples
    --------
    >>> plan_batches([1, 1, 1], [("a",), ("b",), ("a",)], cores=1, on_cpu=True).batches
    ((0, 2), (1,))
    """
    n_concurrent_batches = cores if on_cpu and len(sizes) >= cores else 1
    groups: dict[tuple[str, ...], list[int]] = {}
    for i, names in enumerate(layers):
        groups.setdefault(tuple(sorted(names)) if on_cpu else (), []).append(i)
    limit = batch_size or (CPU_BATCH if on_cpu else DEVICE_BATCH)
    batches: list[tuple[int, ...]] = []
    for members in groups.values():
        share = -(-sum(sizes[i] for i in members) // n_concurrent_batches) if batch_size is None else limit
        batches.extend(_pack(members, sizes, min(limit, max(share, 1))))
    return BatchPlan(
        tuple(batches),
        threads=1 if n_concurrent_batches > 1 or not on_cpu else cores,
        n_concurrent_batches=min(n_concurrent_batches, len(batches)),
    )


def _pack(members: Sequence[int], sizes: Sequence[int], limit: int) -> list[tuple[int, ...]]:
    batches: list[list[int]] = []
    room = 0
    for i in members:
        if not batches or sizes[i] > room:
            batches.append([])
            room = limit
        batches[-1].append(i)
        room -= sizes[i]
    return [tuple(batch) for batch in batches]
