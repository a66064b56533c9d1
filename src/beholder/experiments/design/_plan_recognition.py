"""Plans of recognition: every stimulus once a participant, conditions counterbalanced over participants."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED, make_generator
from beholder._core.wording import format_count
from beholder.experiments.adaptive._staircase import make_staircase
from beholder.experiments.design._assignment import (
    assign_decks,
    balance_conditions,
    cut_rows,
    explain_counts,
    interleave,
    show_product,
)
from beholder.experiments.design._plan import CATCH, ExperimentPlan, PlannedTrial, make_task, repeat_tasks
from beholder.experiments.design._stimulus_table import (
    StimulusTable,
    Version,
    is_picture,
    match_choices,
    read_labelled,
    read_stimulus_table,
    take_askable,
)
from beholder.experiments.design._unit_trials import relate
from beholder.experiments.settings._kinds import get_task_kind
from beholder.experiments.settings._presets import make_settings
from beholder.experiments.settings._settings import Adaptive, Settings
from beholder.stimuli import StimulusSet, sort_classes

ICONS = Path(__file__).parents[1] / "static" / "icons"
"""Pictures of the icons of categories, drawn for the answer buttons."""
ICON = "beholder:icons/"
"""How a plan names one of them."""
N_CATCH = 16


@suggest_keywords
def plan_recognition(
    sources: StimulusSet | Path | str | Any,
    folder: Path | str = ".",
    *,
    n_trials: int | None = None,
    n_tasks: int | None = None,
    n_catch: int | None = None,
    layers: Sequence[str] | None = None,
    keep_failed: bool = False,
    adaptive: bool = False,
    catch_source: Path | str | None = None,
    practice_source: Path | str | None = None,
    seed: int = DEFAULT_SEED,
    settings: Settings | None = None,
) -> ExperimentPlan:
    """Plan recognition of pictures among categories, or of words in sounds.

    A participant is shown a stimulus once, in one of its conditions; conditions are spread evenly over the stimuli of
    a participant, within categories as far as possible, and every stimulus goes through all conditions over
    participants, its counts differing by at most one.

    Parameters
    ----------
    sources : path, sequence of path, or whatever holds stimuli
        Folders ``metamers/{model}``: the conditions are the originals and each network's layers; a metamer that is
        missing or did not pass is shown as the original. Or labelled stimuli: a folder, a table whose columns are
        conditions, files, pictures in memory (written beside the plan).
    folder : path
        Where the plan will lie.
    n_trials : int, optional
        Main trials a task; default every stimulus.
    n_tasks : int, optional
        Default as few as show every stimulus equally often in every condition.
    n_catch : int, optional
        Catch trials a task; default 16 where it is known what they show.
    layers, keep_failed, adaptive
        As for :func:`read_stimulus_table`.
    catch_source : path, optional
        Labelled stimuli that everybody recognises; default the icons of the 16 categories.
    practice_source : path, optional
        Labelled stimuli for practice.
    seed : int
    settings : Settings, optional
        Default the preset ``feather-pictures``. Empty ``choices`` stand for the stimuli's labels.

    Raises
    ------
    InputError
        Labels that are no choices; numbers that do not divide, with the nearest that do.

    Notes
    -----
    Source: Feather et al. (2023), Model metamers reveal divergent invariances, Methods, behavioral experiments.
    """
    settings = settings or make_settings("feather-pictures")
    folder = Path(folder).resolve()
    table = read_stimulus_table(sources, layers=layers, keep_failed=keep_failed, adaptive=adaptive, folder=folder)
    _check_files_of_kind(table, settings.kind)
    if not settings.choices:
        settings = settings.replace({"choices": sort_classes(table.labels)})
    table, left_out = take_askable(table, settings.choices)
    answers = match_choices(table, settings.choices)
    n_parts = settings.sessions.n_parts
    n_trials, n_tasks, notes = check_design(len(table), len(table.conditions), n_trials, n_tasks, n_parts)
    shown, conditions = assign_conditions(
        [settings.choices.index(answer) for answer in answers], len(table.conditions), n_trials, n_tasks, seed
    )
    parts = cut_rows(n_tasks, n_trials, n_parts)
    drawn = make_generator(seed, "tasks", "catch")
    catch, more = draw_catch(settings, catch_source, n_catch, len(parts), folder, drawn)
    practice, settings, told = draw_practice(
        settings, practice_source, folder, make_generator(seed, "tasks", "practice")
    )
    settings = _set_adaptive(settings, adaptive)
    if settings.adaptive is not None:
        for levels in {tuple(level for level, _ in version.levels) for version in table.versions.values()} - {()}:
            make_staircase(settings.adaptive, levels)  # a method that cannot choose among these says so before anybody
    n_replaced = sum(version.replaced for version in table.versions.values())
    if n_replaced:
        told = [
            *told,
            f"{n_replaced} of {format_count(len(table.versions), 'stimulus')} x conditions are shown as originals",
        ]
    tasks = []
    for k, (row, own) in enumerate(parts):
        order = make_generator(seed, "tasks", "order", k + 1)
        main = [
            make_stimulus_trial(table, int(i), int(c), answers[i], folder)
            for i, c in zip(shown[row, own], conditions[row, own], strict=True)
        ]
        tasks.append(make_task(k + 1, main, catch[k], order.permutation(len(main) + len(catch[k])).tolist()))
    every = (*left_out, *notes, *more, *told)
    tasks = repeat_tasks(tasks, settings, seed)
    return ExperimentPlan(settings.kind, settings, "document", seed, tasks, tuple(practice), folder, every)


def check_design(
    n_stimuli: int, n_conditions: int, n_trials: int | None, n_tasks: int | None, n_parts: int = 1
) -> tuple[int, int, list[str]]:
    """Trials a participant, and participants; numbers with which stimuli are not shown equally often are refused.

    Parameters
    ----------
    n_stimuli, n_conditions : int
    n_trials, n_tasks : int, optional
        As asked for: trials of a session, and participants.
    n_parts : int
        Sessions into which a participant's trials are cut.

    Examples
    --------
    >>> check_design(40, 5, None, None), check_design(40, 5, 20, None, n_parts=2)
    ((40, 5, []), (40, 5, []))
    """
    asked = n_trials
    n_trials = n_stimuli if asked is None else asked * n_parts
    if not n_parts <= n_trials <= n_stimuli:
        in_parts = f" in each of {format_count(n_parts, 'session')}" if n_parts > 1 else ""
        raise InputError(
            f"-nt from 1 to {n_stimuli // n_parts}{in_parts}, each stimulus once a participant",
            got=format_count(n_stimuli, "stimulus") if asked is None else f"-nt {asked}",
        )
    whole = n_stimuli * n_conditions // math.gcd(n_stimuli * n_conditions, n_trials)
    n_tasks = whole if n_tasks is None else n_tasks
    if n_tasks < 1:
        raise InputError("-nh of at least 1", got=str(n_tasks))
    if n_trials * n_tasks % n_stimuli:
        raise InputError(
            f"every stimulus equally often: -nh x -nt a multiple of the {format_count(n_stimuli, 'stimulus')}",
            got=show_product(n_tasks, n_trials, n_parts),
            hint=explain_counts(("-nt", "-nh", ""), n_trials, n_tasks, n_stimuli, n_stimuli, n_parts),
        )
    notes = []
    if n_tasks % whole:
        near = max(whole, round(n_tasks / whole) * whole)
        notes = [
            "a stimulus is not shown equally often in all "
            f"{format_count(n_conditions, 'condition')}; with -nh {near} it is"
        ]
    return n_trials, n_tasks, notes


def assign_conditions(
    labels: Sequence[int], n_conditions: int, n_trials: int, n_tasks: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Stimulus and condition of every trial.

    Parameters
    ----------
    labels : (n_stimuli,), int
    n_conditions, n_trials, n_tasks, seed : int

    Returns
    -------
    stimuli, conditions : (n_tasks, n_trials), int64
    """
    labels_ = np.asarray(labels)
    rows: list[np.ndarray] = []

    def shuffle(deck: int) -> np.ndarray:
        if deck % n_conditions == 0:
            first = make_generator(seed, "tasks", "conditions", deck // n_conditions)
            rows.append(balance_conditions(labels_, n_conditions, first))
        return interleave(rows[deck // n_conditions], make_generator(seed, "tasks", "deck", deck))

    stimuli, decks = assign_decks(len(labels_), n_trials, n_tasks, shuffle)
    conditions = (np.stack(rows)[decks // n_conditions, stimuli] + decks) % n_conditions
    return stimuli, conditions


def make_stimulus_trial(table: StimulusTable, stimulus: int, condition: int, answer: str, folder: Path) -> PlannedTrial:
    """A trial that shows one stimulus in one condition."""
    version, kind = table.versions[stimulus, condition], table.conditions[condition]
    about: dict[str, Any] = {"stimulus_id": table.ids[stimulus], "condition": kind.name, **kind.about}
    if kind.mode == "metamer":
        about["replaced"] = version.replaced
    if table.decisions:
        about["decision"] = table.decisions[stimulus]
    trial: PlannedTrial = {
        "stimuli": {"stimulus": show_version(version, folder)},
        "mode": kind.mode,
        "correct": answer,
        "conditions": about,
    }
    if version.levels:
        trial["levels"] = [level for level, _ in version.levels]
        about["staircase"] = kind.name
    return trial


def show_version(version: Version, folder: Path) -> str | dict[str, list[str]]:
    """The path of a version, or those of all its levels."""
    if version.levels:
        return {"levels": [relate(path, folder) for _, path in version.levels]}
    return relate(version.path, folder)


def _check_files_of_kind(table: StimulusTable, kind: str) -> None:
    wanted = get_task_kind(kind).modality
    for version in table.versions.values():
        if wanted and is_picture(version.path) != (wanted == "pictures"):
            raise InputError(f"{wanted} for {kind}", got=str(version.path))


def _set_adaptive(settings: Settings, adaptive: bool) -> Settings:
    """Levels that are chosen need to know how often a guess is right: that of two answers is no number for more."""
    if not adaptive or (settings.adaptive is not None and settings.adaptive.guess != Adaptive().guess):
        return settings
    return settings.replace({"adaptive.guess": 1 / len(settings.choices)})


@final
@dataclass(frozen=True)
class _Easy:
    """A labelled stimulus of a folder that is not the experiment's own."""

    path: Path
    answer: str
    stimulus_id: str


def _read_easy(source: Path | str, settings: Settings, folder: Path) -> list[_Easy]:
    table = read_labelled(Path(source), folder=folder)
    _check_files_of_kind(table, settings.kind)
    answers = match_choices(table, settings.choices)
    return [_Easy(table.versions[i, c].path, answers[i], table.ids[i]) for i, c in sorted(table.versions)]


def find_icons(choices: Sequence[str]) -> dict[str, Path]:
    """Pictures of the icons of categories; of those that have one."""
    return {name: path for name in choices if (path := ICONS / f"{name}.png").is_file()}


def draw_catch(
    settings: Settings,
    source: Path | str | None,
    n_catch: int | None,
    n_tasks: int,
    folder: Path,
    generator: np.random.Generator,
) -> tuple[list[list[PlannedTrial]], list[str]]:
    """Catch trials of every task: stimuli of ``source``, or icons; all shown equally often, as far as it goes."""
    icons = find_icons(settings.choices) if get_task_kind(settings.kind).modality == "pictures" else {}
    if source is not None:
        easy = _read_easy(source, settings, folder)
    else:
        easy = [_Easy(path, name, f"icon_{name}") for name, path in icons.items()]
    if not easy and not n_catch:
        notes = [] if n_catch == 0 else ["no catch trials; -sc FOLDER gives stimuli that everybody recognises"]
        return [[] for _ in range(n_tasks)], notes
    if not easy:
        raise InputError("-sc FOLDER, stimuli for catch trials", got=f"-nc {n_catch} without", hint="-sc or -nc 0")
    n_catch = min(N_CATCH, len(easy)) if n_catch is None else n_catch
    if n_catch < 0:
        raise InputError("-nc of at least 0", got=str(n_catch))
    n_whole, n_rest = divmod(n_catch, len(easy))
    rest, _ = assign_decks(len(easy), n_rest, n_tasks, lambda deck: generator.permutation(len(easy)))
    tasks = []
    for row in rest:
        chosen = [*(list(range(len(easy))) * n_whole), *row.tolist()]
        tasks.append([_make_easy_trial(easy[i], CATCH, folder) for i in chosen])
    return tasks, []


def _make_easy_trial(easy: _Easy, mode: str, folder: Path) -> PlannedTrial:
    about: Mapping[str, Any] = {"stimulus_id": easy.stimulus_id}
    return {
        "stimuli": {"stimulus": ICON + easy.path.name if easy.path.parent == ICONS else relate(easy.path, folder)},
        "mode": mode,
        "correct": easy.answer,
        "conditions": dict(about),
    }


def draw_practice(
    settings: Settings, source: Path | str | None, folder: Path, generator: np.random.Generator
) -> tuple[list[PlannedTrial], Settings, list[str]]:
    """Trials for practice, categories equally often; without a source there is no practice."""
    wanted = settings.practice
    n = wanted.n_trials if wanted.repeat_block else wanted.n_trials * wanted.max_blocks
    if source is None or not n:
        if not n:
            return [], settings, []
        return [], drop_practice(settings), ["no practice; --practice FOLDER gives it stimuli of its own"]
    easy = _read_easy(source, settings, folder)
    if len(easy) < n:
        raise InputError(
            f"{format_count(n, 'stimulus')} for practice",
            got=f"{len(easy)} in {source}",
            hint="--set practice.n_without=0",
        )
    kinds = np.array([settings.choices.index(each.answer) for each in easy])
    order = interleave(kinds, generator)[:n]
    order = np.concatenate([generator.permutation(part) for part in np.split(order, [wanted.n_with_feedback])])
    return [_make_easy_trial(easy[i], "practice", folder) for i in order], settings, []


def drop_practice(settings: Settings) -> Settings:
    """The settings without practice."""
    names = ("n_with_feedback", "n_without", "n_obvious", "n_required")
    return settings.replace({f"practice.{name}": 0 for name in names})
