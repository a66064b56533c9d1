"""Whether tasks over units can be made with the numbers that were asked for; if not, with which."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from beholder._core.errors import InputError
from beholder._core.wording import format_count
from beholder.experiments.design._assignment import explain_counts, show_product
from beholder.experiments.design._unit_folders import NATURAL, OPTIMIZED, UnitFolder
from beholder.experiments.settings._settings import Settings

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
            hint="`beholder units exemplars --num_batches 2`, or more, first",
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
                hint=f"{fits}`beholder units exemplars --num_batches {max(batches) + 1}`",
            )


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
