"""What long work will take: shards, bytes, memory, time, from what a short measured probe of it took."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, final

from beholder._core.durations import format_duration
from beholder._core.errors import OutputError, suggest_keywords
from beholder._core.sizes import format_bytes
from beholder._core.wording import count_items, format_count

_MACHINES = (1, 2, 4, 8, 16, 64)


@final
@dataclass(frozen=True)
class Sampled:
    """What a probe took: some items of some shards, done by one worker.

    Attributes
    ----------
    n_items : float
        Items that were done, parts of items too.
    seconds : float
        That they took.
    n_whole : float
        Items of whole shards.
    n_bytes : int or None
        Of the files of these; None where no shard was finished.
    n_noted : int
        Of their receipts.
    opening : float
        Seconds until the worker was ready.
    memory : int or None
        The most that the process held, in bytes.
    """

    n_items: float
    seconds: float
    n_whole: float
    n_bytes: int | None
    opening: float = 0.0
    memory: int | None = None
    n_noted: int = 0


@final
@dataclass(frozen=True)
class PhaseEstimate:
    """One phase of long work: a network of a panel, a judge, a level of attacks.

    Attributes
    ----------
    name, unit : str
        What is done, to what: ``"extract squeezenet1_1"``, ``"stimuli"``.
    n_items, n_left : int
        In all, and those that no earlier run has finished.
    n_shards, n_shards_left : int
    n_bytes : int or None
        To be written; None where that cannot be said before a shard is finished.
    memory : int or None
        Of one worker, in bytes.
    work, start : float
        Seconds of all that is left, done by one worker, and until a worker begins.
    n_local : int
        Workers that this machine runs at full speed at the same time, of those asked for.
    n_measured : float
        Items of the probe, which took ``measured`` seconds.
    is_at_most : bool
        The work may end earlier: items may stop by themselves, of which a part was measured; or fewer may be left.
    """

    name: str
    unit: str
    n_items: int
    n_left: int
    n_shards: int
    n_shards_left: int
    n_bytes: int | None
    memory: int | None
    work: float
    start: float
    n_local: int
    n_measured: float
    measured: float
    is_at_most: bool = False

    def find_seconds(self, n_machines: int = 1) -> float:
        """Seconds on so many machines like this one, each with the workers that were asked for.

        A shard is done by one worker, so that the last round may leave others idle.
        """
        if not self.n_shards_left:
            return self.start
        n = max(1, min(n_machines * self.n_local, self.n_shards_left))
        rounds = math.ceil(self.n_shards_left / n)
        return self.start + self.work * rounds / self.n_shards_left


@suggest_keywords
def estimate_phase(
    name: str,
    unit: str,
    sizes: tuple[int, int],
    n_shards: tuple[int, int],
    measured: Sampled,
    *,
    setup: float = 0.0,
    n_local: int = 1,
    n_bytes: int | None = None,
    may_end_early: bool = False,
    is_at_most: bool = False,
) -> PhaseEstimate:
    """What a phase takes, by what a probe of it took.

    Parameters
    ----------
    name, unit : str
    sizes, n_shards : (int, int)
        Items and shards: in all, and left.
    measured : Sampled
    setup : float
        Seconds before the work began: reading, planning.
    n_local : int
        Workers that run here at full speed.
    n_bytes : int, optional
        To be written, where that is known without a probe.
    may_end_early : bool
        Items may take less than their parts tell.
    is_at_most : bool
        Fewer items may be left when it comes to this phase.

    Examples
    --------
    >>> seen = Sampled(n_items=64, seconds=8.0, n_whole=64, n_bytes=640, opening=1.0)
    >>> phase = estimate_phase("extract", "stimuli", (1000, 800), (16, 13), seen, setup=2.0)
    >>> phase.work, phase.n_bytes, phase.find_seconds()  # 8 s of 64 stimuli, 800 times 1/64
    (100.0, 8000, 103.0)
    """
    total, left = sizes
    if n_bytes is None and measured.n_bytes is not None and measured.n_whole > 0:
        n_bytes = round(measured.n_bytes * left / measured.n_whole)
    if n_bytes is not None and measured.n_whole > 0:
        n_bytes += round(measured.n_noted * left / measured.n_whole)
    per_item = measured.seconds / measured.n_items if measured.n_items > 0 else 0.0
    return PhaseEstimate(
        name=name, unit=unit, n_items=total, n_left=left, n_shards=n_shards[0], n_shards_left=n_shards[1],
        n_bytes=0 if not left else n_bytes, memory=measured.memory, work=per_item * left,
        start=setup + measured.opening, n_local=n_local, n_measured=measured.n_items, measured=measured.seconds,
        is_at_most=is_at_most or (may_end_early and measured.n_whole < 0.999 * measured.n_items),
    )  # fmt: skip


@final
@dataclass(frozen=True)
class DryRun:
    """What long work will take; nothing of it was kept.

    Attributes
    ----------
    phases : tuple of PhaseEstimate
        One after the other.
    n_workers : int
        Processes on this machine that were asked for.
    output : str
        Where it would be written.
    n_free : int or None
        Bytes that are free there.
    memory_here : int or None
        Bytes of memory of this machine that are free.

    Examples
    --------
    >>> found = beholder.extract("alexnet", "images/", ["features.11"], dry_run=True)  # doctest: +SKIP
    >>> found.seconds, found.n_bytes, found.memory  # doctest: +SKIP
    (412.3, 1310720000, 1240000000)
    """

    phases: tuple[PhaseEstimate, ...]
    n_workers: int = 1
    output: str = ""
    n_free: int | None = None
    memory_here: int | None = None

    @property
    def seconds(self) -> float:
        """On this machine, with the workers that were asked for."""
        return self.find_seconds()

    def find_seconds(self, n_machines: int = 1) -> float:
        """On so many machines like this one."""
        return sum(phase.find_seconds(n_machines) for phase in self.phases)

    @property
    def n_bytes(self) -> int | None:
        """To be written; None where one phase cannot say."""
        known = [phase.n_bytes for phase in self.phases if phase.n_bytes is not None]
        return sum(known) if len(known) == len(self.phases) else None

    @property
    def memory(self) -> int | None:
        """Of all workers on one machine, in the phase that takes most."""
        known = [p.memory * min(self.n_workers, max(p.n_shards_left, 1)) for p in self.phases if p.memory is not None]
        return max(known, default=None)

    @property
    def n_shards(self) -> int:
        """That are left."""
        return sum(phase.n_shards_left for phase in self.phases)

    @property
    def fits(self) -> bool:
        """Whether there is room for what is known to be written."""
        known = sum(phase.n_bytes or 0 for phase in self.phases)
        return self.n_free is None or known <= self.n_free

    def check(self) -> None:
        """Refuse work whose files find no room.

        Raises
        ------
        OutputError
            With the bytes that are wanted and those that are free.
        """
        if not self.fits:
            check_room(sum(phase.n_bytes or 0 for phase in self.phases), self.n_free or 0, self.output)

    def to_dict(self) -> dict[str, list[dict[str, Any]]]:
        """Tables of plain values: ``phases``, ``machines``, ``work``."""
        phases = [{**asdict(phase), "seconds": phase.find_seconds()} for phase in self.phases]
        machines = [{"n_machines": n, "seconds": self.find_seconds(n)} for n in self._list_machines()]
        whole = {
            "output": self.output, "n_shards": self.n_shards, "n_bytes": self.n_bytes, "n_free": self.n_free,
            "fits": self.fits, "memory": self.memory, "memory_here": self.memory_here, "seconds": self.seconds,
            "n_workers": self.n_workers,
        }  # fmt: skip
        return {"phases": phases, "machines": machines, "work": [whole]}

    def _list_machines(self) -> list[int]:
        most = max((-(-phase.n_shards_left // max(phase.n_local, 1)) for phase in self.phases), default=1)
        return [n for n in _MACHINES if n == 1 or n <= most]

    def to_lines(self) -> list[str]:
        """A table for people: what is left of each phase, what it takes, on how many machines."""
        lines = [*_align([("", "left", "shards", "to write", "memory", "time"), *map(_tell_phase, self.phases)])]
        if len(self.phases) > 1:
            lines += ["", f"in all: {_tell(self.n_bytes)} to write, {self._tell_time()}"]
        who = "this machine" if self.n_workers == 1 else f"this machine, {format_count(self.n_workers, 'worker')}"
        machines = [(who, format_duration(self.seconds))]
        machines += [
            (f"{format_count(n, 'machine')} like it", format_duration(self.find_seconds(n)))
            for n in self._list_machines()[1:]
        ]
        lines += ["", *_align(machines), ""]
        seen = [phase for phase in self.phases if phase.n_measured]
        if seen:
            took = sum(phase.measured for phase in seen)
            what = ", ".join(_tell_part(phase) for phase in seen[:3])
            rest = f" and {len(seen) - 3} more" if len(seen) > 3 else ""
            lines.append(f"measured on {what}{rest} in {format_duration(took)}; nothing of it was kept")
        if self.memory is not None and self.memory_here is not None and self.memory > self.memory_here:
            lines.append(
                f"memory: {format_bytes(self.memory)} are needed, {format_bytes(self.memory_here)} are free here"
            )
        free = "" if self.n_free is None else f", which has {format_bytes(self.n_free)} free"
        return [*lines, f"into {self.output}{free}"] if self.output else lines

    def _tell_time(self) -> str:
        bound = "at most " if any(phase.is_at_most for phase in self.phases) else "about "
        return bound + format_duration(self.seconds)

    def __repr__(self) -> str:
        return f"DryRun({format_count(self.n_shards, 'shard')}, {_tell(self.n_bytes)}, {self._tell_time()})"


def check_room(n_bytes: int, n_free: int, output: str) -> None:
    """Refuse what clearly finds no room.

    Raises
    ------
    OutputError
    """
    if n_bytes > n_free:
        raise OutputError(
            f"expected room for {format_bytes(n_bytes)} at {output}; got {format_bytes(n_free)} free; "
            "try another output folder, or less at a time: nothing was written"
        )


def _tell(n_bytes: int | None) -> str:
    return "?" if n_bytes is None else format_bytes(n_bytes)


def _tell_part(phase: PhaseEstimate) -> str:
    n = phase.n_measured
    return count_items(round(n), phase.unit) if n >= 10 or n == int(n) else f"{n:.2g} {phase.unit}"


def _tell_phase(phase: PhaseEstimate) -> tuple[str, ...]:
    left = count_items(phase.n_left, phase.unit)
    if phase.n_left < phase.n_items:
        left = f"{phase.n_left:,} of {count_items(phase.n_items, phase.unit)}"
    time = ("at most " if phase.is_at_most else "") + format_duration(phase.find_seconds())
    memory = "?" if phase.memory is None else format_bytes(phase.memory)
    return phase.name, left, f"{phase.n_shards_left:,}", _tell(phase.n_bytes), memory, time


def _align(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines: list[str] = []
    for first, *others in rows:
        cells = [first.ljust(widths[0]), *(cell.rjust(n) for cell, n in zip(others, widths[1:], strict=True))]
        lines.append("  ".join(cells).rstrip())
    return lines
