"""Plans of odd-one-out triplets and of pairs that are rated: what a behavioural RDM is made of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, final

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED, make_generator
from beholder._core.wording import format_count
from beholder.experiments.design._assignment import assign_decks, cut_rows, explain_counts, show_product
from beholder.experiments.design._designs import assign_triplets, count_together, order_pairs
from beholder.experiments.design._plan import CATCH, ExperimentPlan, PlannedTrial, make_task, repeat_tasks
from beholder.experiments.design._stimulus_table import StimulusTable, read_stimulus_table
from beholder.experiments.design._unit_trials import relate
from beholder.experiments.settings._kinds import get_task_kind
from beholder.experiments.settings._presets import make_settings
from beholder.experiments.settings._settings import Settings
from beholder.responses import get_answer_form
from beholder.stimuli import StimulusSet

SIDES = ("a", "b", "c")
_MOST_TRIALS = 120
_SHOWINGS = 3


@final
@dataclass(frozen=True)
class _Item:
    """One stimulus in one condition."""

    name: str
    path: Path
    about: dict[str, Any]


@suggest_keywords
def plan_similarity(
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
    """Plan odd-one-out triplets, or pairs whose similarity is rated, over all stimuli in all their conditions.

    Pairs: every pair equally often, never twice in a task, and stimuli spread evenly over a task. Triplets: every
    stimulus equally often to within one, every pair as nearly so as can be found, no triplet twice in a task.

    Parameters
    ----------
    sources, folder, layers, keep_failed, seed
        As for :func:`plan_recognition`; metamers that are missing are left out.
    n_trials : int, optional
        Default all pairs or triplets, at most 120.
    n_tasks : int, optional
        Default as many as show every pair three times on average (of ratings: equally often, once or more).
    n_catch : int, optional
        Catch trials a task, in which two stimuli are one; default 4.
    practice_source : path, optional
        Default the stimuli themselves.
    settings : Settings, optional
        Default the preset ``similarity``; those of the kind ``odd_one_out`` make triplets.

    Raises
    ------
    InputError
        Too few stimuli; numbers that do not divide, with the nearest that do.
    """
    settings = settings or make_settings("similarity")
    folder = Path(folder).resolve()
    items = _list_items(read_stimulus_table(sources, layers=layers, keep_failed=keep_failed, folder=folder))
    size = len(get_task_kind(settings.kind).slots)
    if len(items) < size + 1:
        raise InputError(f"{size + 1} stimuli or more", got=str(len(items)))
    generator = make_generator(seed, "tasks", settings.kind)
    deal, n_parts = _assign_pairs if size == 2 else _assign_triplets, settings.sessions.n_parts
    groups, notes = deal(len(items), n_trials, n_tasks, n_parts, generator)
    n_catch = min(4, len(items)) if n_catch is None else n_catch
    if not 0 <= n_catch <= len(items):
        raise InputError(f"-nc from 0 to {len(items)}", got=str(n_catch))
    parts = cut_rows(len(groups), groups.shape[1], n_parts)
    twice, _ = assign_decks(len(items), n_catch, len(parts), lambda deck: generator.permutation(len(items)))
    tasks = []
    for k, part in enumerate(parts):
        main = [_make_group([items[i] for i in group], None, settings.kind, folder) for group in groups[part].tolist()]
        catch = [_make_catch(items, int(i), settings, folder, generator) for i in twice[k]]
        tasks.append(make_task(k + 1, main, catch, generator.permutation(len(main) + n_catch).tolist()))
    n_practice = settings.practice.n_trials * (1 if settings.practice.repeat_block else settings.practice.max_blocks)
    own = _list_items(read_stimulus_table([practice_source], folder=folder)) if practice_source is not None else items
    drawn = make_generator(seed, "tasks", "practice")
    practice = [
        _make_group([own[i] for i in drawn.permutation(len(own))[:size]], None, "practice", folder)
        for _ in range(n_practice)
    ]
    every = repeat_tasks(tasks, settings, seed)
    return ExperimentPlan(settings.kind, settings, "document", seed, every, tuple(practice), folder, tuple(notes))


def _list_items(table: StimulusTable) -> list[_Item]:
    several = len(table.conditions) > 1
    items = []
    for c, condition in enumerate(table.conditions):
        for i, stimulus_id in enumerate(table.ids):
            version = table.versions[i, c]
            if not version.replaced:
                name = f"{stimulus_id}/{condition.name}" if several else stimulus_id
                items.append(_Item(name, version.path, {"stimulus_id": stimulus_id, **condition.about}))
    return items


def _count_trials(n_trials: int | None, n_parts: int, default: int, n_all: int, what: str) -> int:
    """Trials of all sessions of a participant; more than there are pairs or triplets are refused."""
    n = default if n_trials is None else n_trials * n_parts
    if not n_parts <= n <= n_all:
        in_parts = f" in each of {format_count(n_parts, 'session')}" if n_parts > 1 else ""
        got = f"{n_all} for {format_count(n_parts, 'session')}" if n_trials is None else str(n_trials)
        raise InputError(f"-nt from 1 to {n_all // n_parts}{in_parts}, the {what} stimuli", got=got)
    return n


def _assign_pairs(
    n_items: int, n_trials: int | None, n_tasks: int | None, n_parts: int, generator: np.random.Generator
) -> tuple[np.ndarray, list[str]]:
    n_pairs = math.comb(n_items, 2)
    default = _find_divisor(n_pairs, n_parts * _MOST_TRIALS)
    n_trials = _count_trials(n_trials, n_parts, default, n_pairs, f"pairs of {n_items}")
    n_tasks = n_pairs // math.gcd(n_pairs, n_trials) if n_tasks is None else n_tasks
    if n_tasks < 1:
        raise InputError("-nh of at least 1", got=str(n_tasks))
    if n_trials * n_tasks % n_pairs:
        raise InputError(
            "every pair equally often: -nh x -nt a multiple of the "
            f"{format_count(n_pairs, 'pair')} of {format_count(n_items, 'stimulus')}",
            got=show_product(n_tasks, n_trials, n_parts),
            hint=explain_counts(("-nt", "-nh", ""), n_trials, n_tasks, n_pairs, n_pairs, n_parts),
        )
    pairs = order_pairs(n_items, generator)
    first = {tuple(sorted(pair)): i for i, pair in enumerate(pairs.tolist())}

    def shuffle(deck: int) -> np.ndarray:
        own = order_pairs(n_items, generator)
        return np.array([first[tuple(sorted(pair))] for pair in own.tolist()])

    dealt, decks = assign_decks(n_pairs, n_trials, n_tasks, shuffle)
    groups = pairs[dealt]
    turned = decks % 2 == 1  # the other way round in every second deck
    groups[turned] = groups[turned][:, ::-1]
    return groups, []


def _find_divisor(n_pairs: int, most: int) -> int:
    """Trials a participant by default: all pairs, or the largest proportion of them that is not too long."""
    return max(n for n in range(1, min(n_pairs, most) + 1) if n_pairs % n == 0)


def _assign_triplets(
    n_items: int, n_trials: int | None, n_tasks: int | None, n_parts: int, generator: np.random.Generator
) -> tuple[np.ndarray, list[str]]:
    n_all = math.comb(n_items, 3)
    default = min(n_all, n_parts * _MOST_TRIALS)
    n_trials = _count_trials(n_trials, n_parts, default, n_all, f"triplets of {n_items}")
    n_tasks = math.ceil(_SHOWINGS * math.comb(n_items, 2) / 3 / n_trials) if n_tasks is None else n_tasks
    if n_tasks < 1:
        raise InputError("-nh of at least 1", got=str(n_tasks))
    if n_trials * n_tasks % n_all == 0 or 2 * n_trials > n_all:
        every = np.array(list(combinations(range(n_items), 3)))
        dealt, _ = assign_decks(n_all, n_trials, n_tasks, lambda deck: generator.permutation(n_all))
        groups = generator.permuted(every[dealt], axis=2)
    else:
        groups = assign_triplets(n_items, n_trials, n_tasks, generator)
    together = count_together(groups, n_items)
    counts = together[np.triu_indices(n_items, 1)]
    notes = []
    if counts.min() == 0:
        notes = [
            f"{int((counts == 0).sum())} of {format_count(len(counts), 'pair')} "
            "of stimuli never meet; more -nh lets them"
        ]
    return groups, notes


def _make_group(group: Sequence[_Item], correct: str | None, mode: str, folder: Path) -> PlannedTrial:
    about: dict[str, Any] = {f"{side}_id": item.name for side, item in zip(SIDES, group, strict=False)}
    for side, item in zip(SIDES, group, strict=False):
        about.update({f"{side}_{name}": value for name, value in item.about.items() if name != "stimulus_id"})
    return {
        "stimuli": {side: relate(item.path, folder) for side, item in zip(SIDES, group, strict=False)},
        "mode": mode if mode in (CATCH, "practice") else "natural",
        "correct": correct,
        "conditions": about,
    }


def _make_catch(
    items: Sequence[_Item], twice: int, settings: Settings, folder: Path, generator: np.random.Generator
) -> PlannedTrial:
    """One stimulus twice: of ratings the highest is right, of triplets the third is odd."""
    same = items[twice]
    if get_answer_form(settings.kind).name == "rating":
        return _make_group([same, same], str(settings.rating_steps), CATCH, folder)
    odd = items[int(generator.choice([i for i in range(len(items)) if i != twice]))]
    place = int(generator.integers(3))
    group = [same, same]
    group.insert(place, odd)
    return _make_group(group, SIDES[place], CATCH, folder)
