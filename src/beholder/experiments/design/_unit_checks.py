"""Whether tasks over units can be made with the numbers that were asked for; if not, with which."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from beholder._core.errors import InputError
from beholder._core.tables import read_records
from beholder._core.wording import format_count
from beholder.experiments.design._assignment import explain_counts, show_product
from beholder.experiments.design._unit_folders import NATURAL, OPTIMIZED, QUERY, UnitFolder
from beholder.experiments.settings._settings import Settings
from beholder.stimuli import are_alike

N_TRIALS, N_TASKS = 40, 63
"""Main trials a task, and tasks, where nothing else is asked for."""


def require_units(units: Sequence[UnitFolder], images: str, folders: tuple[str, ...], place: Path) -> list[UnitFolder]:
    """The units that have what the trials show, ``folders`` besides exemplars; none at all is refused."""
    found = [unit for unit in units if unit.has(images) and unit.holds(folders)]
    if found:
        return found
    needed = [*([] if images == "natural" else [OPTIMIZED]), *folders]
    if not units or not needed:
        raise InputError(f"units with {NATURAL}", got=f"none in {place}", hint="`beholder units exemplars` first")
    hint = "`beholder units optimize` first" if needed == [OPTIMIZED] else None
    raise InputError(f"units with {' and '.join(needed)}", got=f"none in {place}", hint=hint)


def check_counts(
    n_trials: int | None, n_tasks: int | None, n_units: int | None, available: int, n_parts: int = 1
) -> tuple[int, int, int]:
    """Trials a participant, participants and units; numbers with which units are not shown equally often are refused.

    Parameters
    ----------
    n_trials, n_tasks, n_units : int, optional
        As asked for: trials of a session, participants, units.
    available : int
        Units that there are.
    n_parts : int
        Sessions into which a participant's trials are cut.

    Examples
    --------
    >>> check_counts(None, None, None, 84), check_counts(None, None, None, 50)
    ((40, 63, 84), (40, 65, 50))
    """
    n_used = available if n_units is None else n_units
    n_trials = min(N_TRIALS * n_parts, n_used) if n_trials is None else n_trials * n_parts
    in_parts = f" x {n_parts} sessions" if n_parts > 1 else ""
    if n_tasks is None:
        step = n_used // math.gcd(n_used, n_trials)
        n_tasks = max(1, round(N_TASKS / step)) * step
    if n_used > available:
        fits = explain_counts(("", "", "-upm"), n_trials, n_tasks, min(n_used, available), available, n_parts)
        raise InputError(f"at most {available} units, as many as there are folders", got=f"-upm {n_used}", hint=fits)
    if n_used < n_trials:
        raise InputError(
            f"at least as many units as trials a task (-nt {n_trials // n_parts}{in_parts})",
            got=format_count(n_used, "unit"),
            hint=f"-nt {n_used // n_parts}" + (f" or -upm {n_trials}" if available >= n_trials else ""),
        )  # fmt: skip
    if n_trials < n_parts:
        raise InputError(f"at least {n_parts} units, one a session", got=str(n_used), hint=f"--set sessions.n={n_used}")
    if n_trials * n_tasks % n_used:
        raise InputError(
            f"every unit equally often: -nh x -nt a multiple of the {n_used} units",
            got=show_product(n_tasks, n_trials, n_parts),
            hint=explain_counts(("-nt", "-nh", "-upm"), n_trials, n_tasks, n_used, available, n_parts),
        )
    return n_trials, n_tasks, n_used


def check_rules(settings: Settings, n_trials: int) -> list[str]:
    """What to tell of exclusion rules that no participant of so few trials can meet."""
    least = settings.exclusion.row_choices_min
    if least is None or 2 * least <= n_trials:
        return []
    return [
        f"exclusion.row_choices_min {least} excludes everybody, since a task has {n_trials} trials of two choices; "
        f"--set exclusion.row_choices_min={n_trials // 8 or 'null'}"
    ]


def check_batches(
    units: Sequence[UnitFolder], scheme: str, n_batches: int | None, min_batch: int | None, max_batch: int | None
) -> tuple[int, ...]:
    """Batches of main trials, in the order in which they are used."""
    first = min_batch if min_batch is not None else 1 if scheme == "document" else 0
    if scheme == "document" and first == 0:
        raise InputError(
            "-minb of at least 1, batch 0 being kept for catch trials", got="0", hint="-minb 1 or --scheme released"
        )
    last = max_batch
    if n_batches is not None:
        if n_batches < 1:
            raise InputError("-nb of at least 1", got=str(n_batches))
        if last is not None and last != first + n_batches - 1:
            raise InputError(
                f"-maxb {first + n_batches - 1} with -nb {n_batches}", got=f"-maxb {last}", hint="one of them"
            )
        last = first + n_batches - 1
    if last is None:
        common = frozenset.intersection(*(unit.batches for unit in units))
        last = max(common, default=-1)
    if first < 0 or last < first:
        raise InputError(
            f"batches from {max(first, 0)} on", got=f"none up to {last}",
            hint="`beholder units exemplars --num_batches 2`, or more, of at least 43 stimuli first",
        )  # fmt: skip
    return tuple(range(first, last + 1))


def require_batches(units: Sequence[UnitFolder], batches: Sequence[int]) -> None:
    """Raise where a unit lacks a batch, with the number that all have."""
    for unit in units:
        missing = sorted(set(batches) - unit.batches)
        if missing:
            common = frozenset.intersection(*(each.batches for each in units))
            whole = next((n for n in range(len(common) + 1) if n not in common), len(common)) - 1
            fits = f"-nb {whole} or " if whole >= 1 else ""
            raise InputError(
                f"batches 0 to {max(batches)} of every unit" if 0 in batches else f"batches up to {max(batches)}",
                got=f"{unit.path / NATURAL} without batch_{missing[0]}",
                hint=f"{fits}`beholder units exemplars --num_batches {max(batches) + 1:d}`",
            )


def keep_distinct(units: Sequence[UnitFolder], batches: Sequence[int]) -> tuple[list[UnitFolder], list[str]]:
    """Units whose two queries differ, as far as their manifests tell; what is left out is told.

    Parameters
    ----------
    units : sequence of UnitFolder
    batches : sequence of int
        Those of main trials.

    Raises
    ------
    InputError
        Queries that drive a unit nearly alike by where they were drawn from; no unit whose queries differ.
    """
    kept, equal = [], []
    for unit in units:
        same = False
        for batch, (low, high) in _iter_queries(unit, batches):
            n_stimuli = low.n_stimuli
            if n_stimuli and are_alike(low.rank, high.rank, n_stimuli):
                raise InputError(
                    "queries that drive a unit differently",
                    got=f"ranks {low.rank} and {high.rank} of {n_stimuli} stimuli in batch {batch} of {unit.name}, of "
                    "which nobody could tell the stronger",
                    hint=f"`beholder units exemplars` with fewer --num_batches, or with more than {n_stimuli} stimuli",
                )  # fmt: skip
            same = same or low.activation >= high.activation
        (equal if same else kept).append(unit)
    if not equal:
        return kept, []
    few = ", ".join(unit.name for unit in equal[:3]) + (", …" if len(equal) > 3 else "")
    if not kept:
        raise InputError(
            "units whose two queries differ in activation", got=f"none of {len(equal)}, such as {few}",
            hint="other units, or queries of other ranks (--percentile)",
        )  # fmt: skip
    return kept, [f"{len(equal)} of {len(units)} units are left out, whose two queries have one activation: {few}"]


@dataclass(frozen=True)
class _Query:
    """What a manifest tells of a query; ``n_stimuli`` is 0 where it does not say how many were recorded."""

    rank: int
    activation: float
    n_stimuli: int


def _iter_queries(unit: UnitFolder, batches: Sequence[int]) -> Iterator[tuple[int, tuple[_Query, _Query]]]:
    """The two queries of each batch, min and max; none where no manifest tells of both."""
    manifest = unit.path / NATURAL / "manifest.csv"
    rows = read_records(manifest) if manifest.is_file() else []
    queries = [row for row in rows if row.get("role") == "query"]
    if any("role" in row for row in rows) and not queries:
        raise InputError(
            "exemplars with queries", got=f"{unit.path / NATURAL}, which has references alone",
            hint="`beholder units exemplars` without --top",
        )  # fmt: skip
    told: dict[str, _Query] = {}
    for row in queries:
        with contextlib.suppress(ValueError, KeyError, TypeError):  # of tables that others wrote
            n_stimuli = int(json.loads(row.get("settings") or "{}").get("n_stimuli", 0))
            query = _Query(int(row["rank"]), float(row["activation"]), n_stimuli)
            told[Path(row["file"]).with_suffix("").as_posix()] = query
    for batch in batches:
        low, high = (told.get(f"batch_{batch}/{sign}_{QUERY}") for sign in ("min", "max"))
        if low is not None and high is not None:
            yield batch, (low, high)


def count_batches(dealt: np.ndarray, n_units: int, batches: Sequence[int]) -> np.ndarray:
    """Batches of the released scheme: each unit goes through them by its own count of showings.

    Parameters
    ----------
    dealt : (n_tasks, n_trials), int
        Unit of each trial.
    n_units : int
    batches : sequence of int

    Returns
    -------
    (n_tasks, n_trials), int64

    Examples
    --------
    >>> count_batches(np.array([[0, 1], [0, 2]]), 3, (0, 1)).tolist()
    [[0, 0], [1, 0]]
    """
    shown = np.zeros(n_units, dtype=np.int64)
    numbers = np.zeros_like(dealt)
    for task, row in enumerate(dealt):
        numbers[task] = np.asarray(batches)[shown[row] % len(batches)]
        shown[row] += 1
    return numbers
