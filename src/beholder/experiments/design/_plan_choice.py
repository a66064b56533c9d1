"""Plans of two-alternative choice about units: which unit, batch and kind of reference in which trial."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED, make_generator
from beholder._core.wording import format_count
from beholder.experiments.design._assignment import assign_catch, assign_decks, cut_rows
from beholder.experiments.design._plan import SCHEMES, ExperimentPlan, make_task, repeat_tasks
from beholder.experiments.design._unit_checks import (
    check_batches,
    check_counts,
    check_rules,
    count_batches,
    keep_distinct,
    require_batches,
    require_units,
)
from beholder.experiments.design._unit_folders import UnitFolder, find_easy_units, find_model_folder, find_units
from beholder.experiments.design._unit_trials import Images, find_unit_trials
from beholder.experiments.settings._kinds import get_task_kind
from beholder.experiments.settings._presets import make_settings
from beholder.experiments.settings._settings import Settings


@suggest_keywords
def plan_choice(
    source: Path | str,
    folder: Path | str = ".",
    *,
    n_trials: int | None = None,
    n_tasks: int | None = None,
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
) -> ExperimentPlan:
    """Plan two-alternative choice tasks over the exemplars of a network's units, or the counterfactual variant.

    Every unit is shown equally often, never twice among a task's main trials, and at every boundary between tasks the
    units' counts differ by at most one; the order within a task is drawn.

    Parameters
    ----------
    source : path
        ``stimuli/{model}``; with ``model`` the folder above.
    folder : path
        Where the plan will lie: its paths lead from there.
    n_trials : int, optional
        Main trials a task; default 40, or as many as there are units.
    n_tasks : int, optional
        Tasks, one a participant; default 63, or the nearest number with which units are shown equally often.
    n_catch : int
        Catch trials a task.
    n_batches : int, optional
        Batches 1 to this one are used for main trials; default all that there are.
    min_batch, max_batch : int, optional
        First and last batch; default 1 (``released``: 0) and ``n_batches``.
    images : {"natural", "optimized"}
        What the references are; queries are natural.
    scheme : {"document", "released"}
        ``document``: the k-th task uses one batch, 1 + (k − 1) mod n_batches; catch trials are made of batch 0 and
        differ between tasks. ``released``: each unit goes through the batches by its own count of showings; catch
        trials are those of ``catch_source``, the same in every task.
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
        Default the preset ``zimmermann-2afc``; those of the kind ``counterfactual`` make trials of
        ``counterfactual_images/batch_{b}/{base,min,max}.png``: a picture and two copies of it, occluded where it drives
        the unit most and least.

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
        if value is not None and value < least:
            raise InputError(f"{name} of at least {least}", got=str(value))
    folder = Path(folder).resolve()
    place, base = find_model_folder(source, model, extra_name)
    made = find_unit_trials(get_task_kind(settings.kind))
    found = require_units(find_units(place, base), images, made.folders, place)
    n_parts = settings.sessions.n_parts
    counts = check_counts(n_trials, n_tasks, n_units, len(found), n_parts)
    batches = check_batches(found, scheme, n_batches, min_batch, max_batch)
    distinct, left_out = keep_distinct(found, batches) if made.has_queries else (found, [])
    if left_out:
        found, counts = distinct, check_counts(n_trials, n_tasks, n_units, len(distinct), n_parts)
    n_trials, n_tasks, n_used = counts
    generator = make_generator(seed, "tasks", "choice")
    chosen = sorted(generator.permutation(len(found))[:n_used])
    units = [found[i] for i in chosen]
    spare = [unit for i, unit in enumerate(found) if i not in set(chosen)]
    require_batches(units, batches if scheme == "released" else (0, *batches) if n_catch else batches)

    dealt, _ = assign_decks(n_used, n_trials, n_tasks, lambda deck: generator.permutation(n_used))
    if scheme == "document":
        numbers = np.repeat([[batches[k % len(batches)]] for k in range(n_tasks)], n_trials, axis=1)
    else:
        numbers = count_batches(dealt, n_used, batches)
    practice, easy_practice, notes = plan_practice(
        settings, spare, units, practice_source, images, make_generator(seed, "tasks", "practice")
    )
    parts = cut_rows(n_tasks, n_trials, n_parts)
    easy, more = _choose_catch(
        scheme,
        [dealt[part] for part in parts],
        [dealt[row] for row, _ in parts],
        [*units, *spare],
        n_catch,
        catch_source,
        easy_practice,
        images,
        make_generator(seed, "tasks", "catch"),
    )
    tasks = []
    for k, part in enumerate(parts):
        shown = zip(dealt[part], numbers[part], strict=True)
        main = [made.make_main(units[u], int(b), images, folder) for u, b in shown]
        catch = [made.make_catch(unit, images, scheme, folder) for unit in easy[k]]
        tasks.append(make_task(k + 1, main, catch, generator.permutation(len(main) + len(catch)).tolist()))
    trials = [made.make_practice(unit, images, obvious, folder) for unit, obvious in practice]
    told = (*left_out, *notes, *more, *check_rules(settings, n_trials // n_parts + n_catch))
    every = repeat_tasks(tasks, settings, seed)
    return ExperimentPlan(settings.kind, settings, scheme, seed, every, tuple(trials), folder, told)


def _choose_catch(
    scheme: str,
    dealt: Sequence[np.ndarray],
    whole: Sequence[np.ndarray],
    units: Sequence[UnitFolder],
    n_catch: int,
    source: Path | str | None,
    practice: Sequence[UnitFolder],
    images: Images,
    generator: np.random.Generator,
) -> tuple[list[list[UnitFolder]], list[str]]:
    """Units of each task's catch trials; ``whole``: the main trials of all sessions of the task's participant."""
    n_tasks, n_trials = len(dealt), len(dealt[0])
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
        notes = (
            []
            if len(order) >= n_catch
            else [f"catch trials repeat: {format_count(len(order), 'unit')} for {n_catch} in a task"]
        )
        return [chosen[:n_catch] for _ in range(n_tasks)], notes
    if source is not None:
        raise InputError("-sc with --scheme released", got="-sc with document, whose catch trials are of batch 0")
    usable = np.array([i for i, unit in enumerate(units) if 0 in unit.batches], dtype=np.int64)
    practised = np.array([i for i, unit in enumerate(units) if unit in practice], dtype=np.int64)
    pools = [
        [np.setdiff1d(usable, np.union1d(row, avoided)) for row in rows]
        for rows in (whole, dealt)
        for avoided in (practised, practised[:0])
    ]
    found = next((k for k, pool in enumerate(pools) if min(len(items) for items in pool) >= n_catch), None)
    notes = []
    if found is None:
        if len(usable) < n_catch:
            raise InputError(
                f"at most {format_count(len(usable), 'catch trial')} a task, one a unit", got=f"-nc {n_catch}"
            )
        pools, found = [[usable for _ in dealt]], 0
        notes = [
            f"catch trials show units that a task's main trials show too: {format_count(len(units), 'unit')} for "
            f"{n_trials} + {n_catch} trials; exemplars of "
            f"{format_count(n_trials + n_catch, 'unit')} keep them apart"
        ]
    elif found >= 2:
        notes = [
            "catch trials show units of other sessions of the same "
            f"participant: {format_count(len(units), 'unit')} for "
            f"{len(whole[0])} + {n_catch} trials; exemplars of "
            f"{format_count(len(whole[0]) + n_catch, 'unit')} keep them apart"
        ]
    return [[units[i] for i in row] for row in assign_catch(pools[found], len(units), n_catch, generator)], notes


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
            notes = [
                "practice shows units of the plan, of which there are no others: batch 0; --practice gives it its own"
            ]
    if not pool:
        raise InputError(
            "a batch_0 for practice", got="none", hint="--practice FOLDER or --set practice.n_with_feedback=0"
        )
    order = generator.permutation(len(pool))
    drawn = [pool[order[i % len(pool)]] for i in range(n)]
    obvious = [i % wanted.n_trials < wanted.n_obvious for i in range(n)]
    return list(zip(drawn, obvious, strict=True)), list(dict.fromkeys(drawn)), notes
