"""Plans of two-alternative choice between query pictures: which unit, batch and kind of reference in which trial."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from beholder._core.errors import InputError
from beholder._core.seeds import DEFAULT_SEED, make_generator
from beholder.experiments._deal import deal_catch, deal_decks, explain_counts
from beholder.experiments._plan import CATCH, SCHEMES, Plan, PlannedTrial, make_task
from beholder.experiments._presets import make_settings
from beholder.experiments._settings import Settings
from beholder.experiments._unit_folders import NATURAL, UnitFolder, find_easy_units, find_model_folder, find_units

QUERY = 9
"""Number of the query among a batch's pictures."""

Images = Literal["natural", "optimized"]


def plan_choice(
    source: Path | str,
    folder: Path | str = ".",
    *,
    n_trials: int = 40,
    n_tasks: int = 63,
    n_catch: int = 5,
    n_batches: int | None = None,
    min_batch: int | None = None,
    max_batch: int | None = None,
    images: Images = "natural",
    scheme: str = "document",
    n_units: int | None = None,
    catch_source: Path | str | None = None,
    practice_source: Path | str | None = None,
    model: str | None = None,
    extra_name: str = "",
    seed: int = DEFAULT_SEED,
    settings: Settings | None = None,
) -> Plan:
    """Plan two-alternative choice tasks over the exemplars of a network's units.

    Every unit is shown equally often, never twice among a task's main trials, and at every boundary between tasks the
    units' counts differ by at most one; the order within a task is drawn.

    Parameters
    ----------
    source : path
        ``stimuli/{model}``; with ``model`` the folder above.
    folder : path
        Where the plan will lie: its paths lead from there.
    n_trials, n_tasks, n_catch : int
        Main trials a task, tasks (participants), catch trials a task.
    n_batches : int, optional
        Batches 1 to this one are used for main trials; default all that there are.
    min_batch, max_batch : int, optional
        First and last batch; default 1 (``released``: 0) and ``n_batches``.
    images : {"natural", "optimized"}
        What the references are; queries are natural.
    scheme : {"document", "released"}
        ``document``: the k-th task uses one batch, 1 + (k − 1) mod n_batches; catch trials are made of batch 0 and
        differ between tasks. ``released``: each unit goes through the batches by its own count of showings; catch trials
        are those of ``catch_source``, the same in every task.
    n_units : int, optional
        Units, drawn from those that there are; default all.
    catch_source : path, optional
        Of ``released``: a folder of units that are easy to tell.
    practice_source : path, optional
        Units for practice; default units that are not in the plan, else batch 0 of those that are.
    model, extra_name : str, optional
        Exemplars lie in ``{source}/{model}_{extra_name}``, visualisations in ``{source}/{model}``.
    seed : int
    settings : Settings, optional
        Default the preset ``zimmermann-2afc``.

    Raises
    ------
    InputError
        Numbers with which it cannot be done, with the nearest that can; folders or batches that are not there.

    Notes
    -----
    Source: Zimmermann, Klein & Brendel (2023), Scale alone does not improve mechanistic interpretability in vision
    models: 63 tasks × 40 trials over 84 units, 30 showings each.
    """
    settings = settings or make_settings("zimmermann-2afc")
    if scheme not in SCHEMES:
        raise InputError(f"--scheme {'|'.join(SCHEMES)}", got=repr(scheme))
    for name, value, least in (("-nt", n_trials, 1), ("-nh", n_tasks, 1), ("-nc", n_catch, 0)):
        if value < least:
            raise InputError(f"{name} of at least {least}", got=str(value))
    folder = Path(folder)
    place, base = find_model_folder(source, model, extra_name)
    found = [unit for unit in find_units(place, base) if unit.has(images)]
    if not found:
        raise InputError(
            f"units with {images}_images", got=f"none in {place}",
            hint="`beholder units exemplars`" + (" and `beholder units optimize` first" if images != "natural" else " first"),
        )  # fmt: skip
    n_used = check_counts(n_trials, n_tasks, n_units, len(found))
    batches = check_batches(found, scheme, n_batches, min_batch, max_batch)
    generator = make_generator(seed, "tasks", "choice")
    chosen = sorted(generator.permutation(len(found))[:n_used])
    units = [found[i] for i in chosen]
    spare = [unit for i, unit in enumerate(found) if i not in set(chosen)]
    require_batches(units, batches if scheme == "released" else (0, *batches) if n_catch else batches)

    dealt, _ = deal_decks(n_used, n_trials, n_tasks, lambda deck: generator.permutation(n_used))
    dealt = np.stack([generator.permutation(row) for row in dealt])
    if scheme == "document":
        numbers = np.repeat([[batches[k % len(batches)]] for k in range(n_tasks)], n_trials, axis=1)
    else:
        numbers = count_batches(dealt, n_used, batches)
    practice, easy_practice, notes = plan_practice(
        settings, spare, units, practice_source, images, make_generator(seed, "tasks", "practice")
    )
    easy, more = _choose_catch(
        scheme, dealt, [*units, *spare], n_catch, catch_source, easy_practice, images, make_generator(seed, "tasks", "catch")
    )
    tasks = []
    for k in range(n_tasks):
        main = [make_trial(units[u], int(b), images, folder) for u, b in zip(dealt[k], numbers[k], strict=True)]
        catch = [make_catch_trial(unit, images, scheme, folder) for unit in easy[k]]
        tasks.append(make_task(k + 1, main, catch, generator.permutation(len(main) + len(catch)).tolist()))
    trials = [make_practice_trial(unit, images, obvious, folder) for unit, obvious in practice]
    told = (*notes, *more)
    return Plan("2afc", settings, scheme, seed, tuple(tasks), tuple(trials), folder, told)


def check_counts(n_trials: int, n_tasks: int, n_units: int | None, available: int) -> int:
    """How many units there will be; numbers with which units are not shown equally often are refused."""
    n_used = available if n_units is None else n_units
    if n_used > available:
        fits = explain_counts(("", "", "-upm"), n_trials, n_tasks, min(n_used, available), available)
        raise InputError(f"at most {available} units, as many as there are folders", got=f"-upm {n_used}", hint=fits)
    if n_used < n_trials:
        raise InputError(
            f"at least as many units as trials a task (-nt {n_trials})", got=f"{n_used} units",
            hint=f"-nt {n_used}" + (f" or -upm {n_trials}" if available >= n_trials else ""),
        )  # fmt: skip
    if n_trials * n_tasks % n_used:
        raise InputError(
            f"every unit equally often: -nh x -nt a multiple of the {n_used} units",
            got=f"{n_tasks} x {n_trials} = {n_tasks * n_trials}",
            hint=explain_counts(("-nt", "-nh", "-upm"), n_trials, n_tasks, n_used, available),
        )
    return n_used


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
            raise InputError(f"-maxb {first + n_batches - 1} with -nb {n_batches}", got=f"-maxb {last}", hint="one of them")
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


def _choose_catch(
    scheme: str,
    dealt: np.ndarray,
    units: Sequence[UnitFolder],
    n_catch: int,
    source: Path | str | None,
    practice: Sequence[UnitFolder],
    images: Images,
    generator: np.random.Generator,
) -> tuple[list[list[UnitFolder]], list[str]]:
    """Units of each task's catch trials."""
    n_tasks, n_trials = dealt.shape
    if scheme == "released":
        if not n_catch:
            return [[] for _ in range(n_tasks)], []
        if source is None:
            raise InputError("-sc FOLDER, units for catch trials", got="none", hint="-sc, -nc 0 or --scheme document")
        easy = [unit for unit in find_easy_units(source) if images == "natural" or unit.optimized.is_dir()]
        if not easy:
            raise InputError(f"units with {images}_images for catch trials", got=f"none in {source}")
        order = [easy[i] for i in generator.permutation(len(easy))]
        chosen = [*order, *(order[i] for i in generator.integers(len(order), size=max(n_catch - len(order), 0)))]
        notes = [] if len(order) >= n_catch else [f"catch trials repeat: {len(order)} units for {n_catch} in a task"]
        return [chosen[:n_catch] for _ in range(n_tasks)], notes
    if source is not None:
        raise InputError("-sc with --scheme released", got="-sc with document, whose catch trials are of batch 0")
    shown = [set(row.tolist()) for row in dealt]
    usable = [i for i, unit in enumerate(units) if 0 in unit.batches]
    free = [np.array([i for i in usable if i not in row], dtype=np.int64) for row in shown]
    practised = {i for i, unit in enumerate(units) if unit in practice}
    fresh = [items[~np.isin(items, list(practised))] for items in free]
    pool, notes = fresh, []
    if n_catch and min(len(items) for items in fresh) < n_catch:
        pool = free
    if n_catch and min(len(items) for items in pool) < n_catch:
        if len(usable) < n_catch:
            raise InputError(f"at most {len(usable)} catch trials a task, one a unit", got=f"-nc {n_catch}")
        pool = [np.array(usable) for _ in shown]
        notes = [
            f"catch trials show units that a task's main trials show too: {len(units)} units for "
            f"{n_trials} + {n_catch} trials; exemplars of {n_trials + n_catch} units keep them apart"
        ]
    return [[units[i] for i in row] for row in deal_catch(pool, len(units), n_catch, generator)], notes


def plan_practice(
    settings: Settings,
    spare: Sequence[UnitFolder],
    units: Sequence[UnitFolder],
    source: Path | str | None,
    images: Images,
    generator: np.random.Generator,
) -> tuple[list[tuple[UnitFolder, bool]], list[UnitFolder], list[str]]:
    """Units of the practice trials, whether each is obvious, and what to tell of them."""
    wanted = settings.practice
    n = wanted.n_trials if wanted.repeat_block else wanted.n_trials * wanted.max_blocks
    if not n:
        return [], [], []
    notes = []
    pool: list[UnitFolder] = []
    if source is not None:
        pool = [unit for unit in find_easy_units(source) if 0 in unit.batches and unit.has(images)]
        if not pool:
            raise InputError("units with a batch_0 for practice", got=f"none in {source}")
    else:
        pool = [unit for unit in spare if 0 in unit.batches]
        if len(pool) < n:
            own = [unit for unit in units if 0 in unit.batches]
            order = generator.permutation(len(own))
            pool = [*pool, *(own[i] for i in order[: n - len(pool)])]
            notes = ["practice shows units of the plan, of which there are no others: batch 0; --practice gives it its own"]
    if not pool:
        raise InputError(
            "a batch_0 for practice", got="none", hint="--practice FOLDER or --set practice.n_with_feedback=0"
        )
    order = generator.permutation(len(pool))
    drawn = [pool[order[i % len(pool)]] for i in range(n)]
    obvious = [i % wanted.n_trials < wanted.n_obvious for i in range(n)]
    return list(zip(drawn, obvious, strict=True)), list(dict.fromkeys(drawn)), notes


def make_trial(unit: UnitFolder, batch: int, images: Images, folder: Path) -> PlannedTrial:
    """A main trial: natural queries; natural references of the same batch, or visualisations."""
    queries = unit.get_batch(batch)
    references = queries if images == "natural" else unit.optimized
    return {"queries": relate(queries, folder), "references": relate(references, folder), "mode": images}


def make_catch_trial(unit: UnitFolder, images: Images, scheme: str, folder: Path) -> PlannedTrial:
    """A catch trial: queries that lie among the references (document), or those of an easy unit (released)."""
    shown = unit.get_batch(0) if images == "natural" else unit.optimized
    queries = shown
    if scheme == "released":
        direct = unit.path / NATURAL
        queries = unit.get_batch(0) if unit.batches else direct
        shown = queries if images == "natural" else unit.optimized
    return {"queries": relate(queries, folder), "references": relate(shown, folder), "mode": CATCH}


def make_practice_trial(unit: UnitFolder, images: Images, obvious: bool, folder: Path) -> PlannedTrial:
    """A trial for practice: an obvious one is made as a catch trial, the others as main trials, of batch 0."""
    if obvious:
        return make_catch_trial(unit, images, "document", folder)
    return make_trial(unit, 0, images, folder)


def relate(path: Path, folder: Path) -> str:
    """The path from the plan's folder, with forward slashes."""
    return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
