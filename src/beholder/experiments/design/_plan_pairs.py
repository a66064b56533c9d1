"""Plans of same/different pairs: originals and metamers, levels of a stimulus, or stimuli among themselves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED, make_generator
from beholder._core.wording import format_count
from beholder.experiments.design._assignment import cut_rows
from beholder.experiments.design._plan import CATCH, ExperimentPlan, PlannedTrial, make_task, repeat_tasks
from beholder.experiments.design._plan_recognition import assign_conditions, check_design, drop_practice
from beholder.experiments.design._stimulus_table import StimulusTable, read_labelled, read_stimulus_table
from beholder.experiments.design._unit_trials import relate
from beholder.experiments.settings._presets import make_settings
from beholder.experiments.settings._settings import Settings
from beholder.stimuli import StimulusSet

SAME, DIFFERENT = "same", "different"
ORDERS = ((0, 1), (1, 0), (0, 0), (1, 1))
"""Of reference and version, what is shown first and second: half of the pairs are the same."""


@suggest_keywords
def plan_pairs(
    sources: StimulusSet | Path | str | Any,
    folder: Path | str = ".",
    *,
    n_trials: int | None = None,
    n_tasks: int | None = None,
    n_catch: int | None = None,
    layers: Sequence[str] | None = None,
    keep_failed: bool = False,
    practice_source: Path | str | None = None,
    seed: int = DEFAULT_SEED,
    settings: Settings | None = None,
) -> ExperimentPlan:
    """Plan pairs of stimuli of which participants say whether they are the same.

    With metamers, a pair is made of a stimulus and its metamer of one layer, in either order, or of one of them twice;
    with a table that has conditions, of its first condition and another. A participant is shown a stimulus in one pair,
    half of the pairs are the same, and every stimulus goes through all conditions and orders over participants. Where
    stimuli have one version only, they are paired among themselves, so that one can also be the second of a pair.

    Parameters
    ----------
    sources, folder, n_trials, n_tasks, layers, keep_failed, practice_source, seed
        As for :func:`plan_recognition`; a metamer that is missing makes a pair of the same.
    n_catch : int, optional
        Catch trials a task, two stimuli or one twice by turns; default 8, or as many as there are other stimuli.
    settings : Settings, optional
        Default the preset ``same-different``.

    Raises
    ------
    InputError
        Fewer than two stimuli; numbers that do not divide, with the nearest that do.
    """
    settings = settings or make_settings("same-different")
    folder = Path(folder).resolve()
    table = read_stimulus_table(sources, layers=layers, keep_failed=keep_failed, folder=folder)
    if len(table) < 2:
        raise InputError("two stimuli or more", got=str(len(table)))
    n_versions = max(len(table.conditions) - 1, 0)
    n_conditions = n_versions * len(ORDERS) or 2
    n_parts = settings.sessions.n_parts
    n_trials, n_tasks, notes = check_design(len(table), n_conditions, n_trials, n_tasks, n_parts)
    labels = [sorted(set(table.labels)).index(label) for label in table.labels]
    shown, dealt = assign_conditions(labels, n_conditions, n_trials, n_tasks, seed)
    n_catch = min(8, len(table) // 2) if n_catch is None else n_catch
    if not 0 <= n_catch <= len(table):
        raise InputError(f"-nc from 0 to {len(table)}", got=str(n_catch))
    tasks = []
    for k, (row, part) in enumerate(cut_rows(n_tasks, n_trials, n_parts)):
        order = make_generator(seed, "tasks", "pairs", k + 1)
        own, kinds = shown[row, part], dealt[row, part]
        if n_versions:
            main = [_pair_versions(table, int(i), int(c), folder) for i, c in zip(own, kinds, strict=True)]
        else:
            main = _pair_stimuli(table, own, kinds % 2 == 1, folder, order)
        catch = _draw_easy_pairs(table, n_catch, folder, order, CATCH)
        tasks.append(make_task(k + 1, main, catch, order.permutation(len(main) + len(catch)).tolist()))
    practice: list[PlannedTrial] = []
    n_practice = settings.practice.n_trials * (1 if settings.practice.repeat_block else settings.practice.max_blocks)
    if practice_source is None and n_practice:
        settings = drop_practice(settings)
        notes = [*notes, "no practice; --practice FOLDER gives it stimuli of its own"]
    elif n_practice:
        easy = read_labelled(Path(str(practice_source)), folder=folder)
        practice = _draw_easy_pairs(easy, n_practice, folder, make_generator(seed, "tasks", "practice"), "practice")
    n_replaced = sum(version.replaced for version in table.versions.values())
    if n_replaced:
        notes = [*notes, f"{format_count(n_replaced, 'metamer')} are missing or did not pass: their pairs are the same"]
    every = repeat_tasks(tasks, settings, seed)
    return ExperimentPlan(settings.kind, settings, "document", seed, every, tuple(practice), folder, tuple(notes))


def _pair_versions(table: StimulusTable, stimulus: int, dealt: int, folder: Path) -> PlannedTrial:
    """A stimulus's reference and one of its versions, or one of them twice."""
    condition, order = 1 + dealt // len(ORDERS), ORDERS[dealt % len(ORDERS)]
    both = table.versions[stimulus, 0], table.versions[stimulus, condition]
    first, second = (both[i] for i in order)
    kind = table.conditions[condition]
    same = order[0] == order[1] or both[1].replaced
    about: dict[str, Any] = {"stimulus_id": table.ids[stimulus], "condition": kind.name, **kind.about}
    about["shown"] = ", ".join(table.conditions[0].mode if i == 0 else kind.mode for i in order)
    if kind.mode == "metamer":
        about["replaced"] = both[1].replaced
    return _make_pair(first.path, second.path, same, kind.mode, about, folder)


def _pair_stimuli(
    table: StimulusTable, shown: np.ndarray, different: np.ndarray, folder: Path, generator: np.random.Generator
) -> list[PlannedTrial]:
    """Each stimulus with itself, or with another of those that have a partner, in a ring."""
    ring = generator.permutation(shown[different])
    partner = dict(zip(ring.tolist(), np.roll(ring, 1).tolist(), strict=True))
    if len(ring) == 1:
        others = [i for i in range(len(table)) if i != int(ring[0])]
        partner[int(ring[0])] = others[int(generator.integers(len(others)))]
    trials = []
    for i in shown.tolist():
        j = partner.get(i, i)
        about = {"stimulus_id": table.ids[i], "second_id": table.ids[j]}
        paths = (table.versions[i, 0].path, table.versions[j, 0].path)
        trials.append(_make_pair(*paths, i == j, table.conditions[0].mode, about, folder))
    return trials


def _draw_easy_pairs(
    table: StimulusTable, n: int, folder: Path, generator: np.random.Generator, mode: str
) -> list[PlannedTrial]:
    """Pairs that are easy: two stimuli, of two labels if possible, or one twice, by turns."""
    order = generator.permutation(len(table)).tolist()
    trials = []
    for k in range(n):
        i = order[k % len(order)]
        others = [j for j in order if j != i]
        far = [j for j in others if table.labels[j] != table.labels[i]] or others
        j = i if k % 2 or not far else far[int(generator.integers(len(far)))]
        about = {"stimulus_id": table.ids[i], "second_id": table.ids[j]}
        trials.append(_make_pair(table.versions[i, 0].path, table.versions[j, 0].path, i == j, mode, about, folder))
    return trials


def _make_pair(first: Path, second: Path, same: bool, mode: str, about: dict[str, Any], folder: Path) -> PlannedTrial:
    return {
        "stimuli": {"first": relate(first, folder), "second": relate(second, folder)},
        "mode": mode,
        "correct": SAME if same else DIFFERENT,
        "conditions": about,
    }
