"""Reading a built experiment: the one way in which server, page, simulation and export see its folder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, final

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.files import read_json
from beholder._core.wording import format_count
from beholder.experiments.settings._kinds import get_task_kind
from beholder.experiments.settings._presets import make_settings
from beholder.experiments.settings._settings import Settings, check_sessions

EXPERIMENT = "experiment.json"
INDEX = "index.json"
KEY = "key.json"
PRACTICE = "practice"

_TASK = re.compile(r"task_(\d+)")
_NUMBERED = re.compile(r"(.+?)_(\d+)")


MEDIA_TYPES = {
    ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp", ".gif": "image/gif",
    ".wav": "audio/wav", ".flac": "audio/flac", ".mp3": "audio/mpeg", ".ogg": "audio/ogg",
}  # fmt: skip
"""Suffixes of stimuli to their types."""


@final
@dataclass(frozen=True)
class TrialUnit:
    """The unit that a trial is about, and the batch of its exemplars.

    Attributes
    ----------
    model, layer : str
    channel : int
    batch : int or None
    """

    model: str
    layer: str
    channel: int
    batch: int | None = None

    def __str__(self) -> str:
        return f"{self.model}/{self.layer}/{self.channel}"


@final
@dataclass(frozen=True)
class Trial:
    """One trial of a task.

    Attributes
    ----------
    n : int
        From 1, in its task.
    role : {"main", "catch", "practice"}
    mode : str
        ``natural``, ``optimized``, ``catch_trial``, or what the plan calls it.
    unit : TrialUnit or None
    correct : str or None
        The right answer: a slot (``query_max``; ``max`` of counterfactual; ``a`` of odd-one-out), a label, a word,
        ``same`` or ``different``. None where no answer is right.
    conditions : mapping
        What the trial varies: layer, level, …; never shown to participants.
    files : mapping of str to Path
        Slot to picture or sound. 2afc: ``query_min, query_max, reference_min_0, …, reference_max_0, …``, 0 first in
        the file's numbering; counterfactual: ``base, min, max, reference_0, …``; recognition and words: ``stimulus``;
        same/different: ``first, second``; odd-one-out: ``a, b, c``; similarity: ``a, b``. Of an adaptive trial a slot
        has one file a level: ``stimulus_level_0``, ….
    levels : tuple of float
        Of an adaptive trial: the value of each level, in the order of the files.
    hashes : mapping of str to str
        Slot to the hash of what was built; empty in folders that other programs or older versions built.
    """

    n: int
    role: str
    mode: str
    unit: TrialUnit | None
    correct: str | None
    conditions: Mapping[str, Any]
    files: Mapping[str, Path]
    levels: tuple[float, ...] = ()
    hashes: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_sounds(self) -> bool:
        """Whether any of its files is a sound."""
        return any(MEDIA_TYPES.get(path.suffix.lower(), "").startswith("audio/") for path in self.files.values())

    @property
    def is_catch(self) -> bool:
        """Whether everybody who pays attention gets it right."""
        return self.role == "catch"

    def list_files(self, prefix: str) -> tuple[Path, ...]:
        """Files of the slots ``{prefix}_0``, ``{prefix}_1``, … by number: ``reference_max``, ``stimulus_level``."""
        numbered = {int(m[2]): name for name in self.files if (m := _NUMBERED.fullmatch(name)) and m[1] == prefix}
        return tuple(self.files[numbered[k]] for k in sorted(numbered))


@final
@dataclass(frozen=True)
class Task:
    """What one participant is asked.

    Attributes
    ----------
    index : int
        From 1.
    name : str
        ``task_name`` of its ``index.json``.
    n_reference_images : int
    trials : tuple of Trial
        In the order of the plan.
    """

    index: int
    name: str
    n_reference_images: int
    trials: tuple[Trial, ...]

    def __len__(self) -> int:
        return len(self.trials)


@final
@dataclass(frozen=True, repr=False)
class Experiment:
    """A built folder.

    Attributes
    ----------
    path : Path
    kind : str
    settings : Settings
    tasks : tuple of Task
    practice : tuple of Trial
        Shared by all tasks; those with feedback first.
    plan_hash : str
        sha256 of the plan it was built from; empty for folders that other programs built.
    """

    path: Path
    kind: str
    settings: Settings
    tasks: tuple[Task, ...]
    practice: tuple[Trial, ...] = field(default=())
    plan_hash: str = ""

    def __repr__(self) -> str:
        sizes = sorted({len(task) for task in self.tasks})
        span = str(sizes[0]) if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
        counts = f"{format_count(len(self.tasks), 'task')} of {span} trial{'s' * (span != '1')}"
        return f"Experiment({self.kind}, {counts}, {len(self.practice)} for practice)"

    def get_task(self, index: int) -> Task:
        """The task with this number, from 1."""
        for task in self.tasks:
            if task.index == index:
                return task
        raise InputError(f"a task from 1 to {len(self.tasks)}", got=str(index))


@suggest_keywords
def read_experiment(folder: Path | str) -> Experiment:
    """Read a folder that ``beholder tasks build`` wrote; pictures and sounds stay on disk.

    A folder of ``task_{i}`` that has no ``experiment.json`` is read as two-alternative choice with the preset's values.

    Raises
    ------
    InputError
        It is no such folder, or a part of it is missing.

    Examples
    --------
    >>> experiment = read_experiment("exp_data")  # doctest: +SKIP
    >>> experiment.tasks[0].trials[0].files["query_max"]  # doctest: +SKIP
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError("a folder of tasks", got=f"no folder at {folder}", hint="`beholder tasks build` first")
    places = {
        int(match[1]): child for child in sorted(folder.iterdir()) if (match := _TASK.fullmatch(child.name))
    }  # fmt: skip
    top = _read_object(folder / EXPERIMENT) if (folder / EXPERIMENT).is_file() else {}
    settings = Settings.from_dict(top["settings"]) if "settings" in top else make_settings("zimmermann-2afc")
    n_tasks = top.get("n_tasks", len(places))
    missing = [f"task_{i}" for i in range(1, n_tasks + 1) if i not in places]
    has_practice = (folder / PRACTICE / INDEX).is_file()
    if top.get("n_practice") and not has_practice:
        missing.append(PRACTICE)
    if missing or not places:
        raise InputError(
            f"a whole folder of {format_count(n_tasks, 'task')}" if n_tasks else "a folder of tasks, task_1 and on",
            got=f"{folder} without {missing[0]}" if missing else str(folder),
            hint="`beholder tasks build` with the same plan",
        )
    check_sessions(settings, len(places), folder)
    tasks = tuple(_read_task(places[i], i, settings.kind) for i in sorted(places))
    practice: tuple[Trial, ...] = ()
    if has_practice:
        practice = _read_task(folder / PRACTICE, 0, settings.kind).trials
    return Experiment(folder, settings.kind, settings, tasks, practice, str(top.get("plan_hash", "")))


def _read_object(path: Path) -> dict[str, Any]:
    content = read_json(path)
    if not isinstance(content, dict):
        raise InputError("a JSON object", got=f"{path}, which holds {type(content).__name__}")
    return content


def _read_task(folder: Path, index: int, kind: str) -> Task:
    about = _read_object(folder / INDEX)
    try:
        n_trials, catch = int(about["n_trials"]), {int(i) for i in about["catch_trial_idxs"]}
        n_references = int(about["n_reference_images"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            "n_reference_images, n_trials and catch_trial_idxs", got=f"{folder / INDEX} ({error})"
        ) from error
    rows: list[Mapping[str, Any]] = [{"n": n} for n in range(1, n_trials + 1)]
    if (folder / KEY).is_file():
        rows = _read_object(folder / KEY).get("trials", [])
        if [row.get("n") for row in rows] != list(range(1, n_trials + 1)):
            raise InputError(f"a key with the trials 1 to {n_trials}", got=str(folder / KEY))
    trials = tuple(_read_trial(folder / "trials" / f"trial_{row['n']}", row, row["n"] in catch, kind) for row in rows)
    return Task(index, str(about.get("task_name", folder.name)), n_references, trials)


def _read_trial(folder: Path, row: Mapping[str, Any], is_catch: bool, kind: str) -> Trial:
    in_folders = get_task_kind(kind).unit_folders
    files = _find_pair_files(folder) if in_folders else _find_files(folder)
    if not files:
        raise InputError("a trial's pictures or sounds", got=f"none in {folder}")
    if in_folders and not {"query_min", "query_max"} <= set(files):
        raise InputError("queries/min and queries/max", got=str(folder))
    unit = row.get("unit")
    hashes = dict(row.get("hashes", {}))
    places = {slot: path.relative_to(folder).as_posix() for slot, path in files.items()}
    return Trial(
        n=int(row["n"]),
        role=str(row.get("role", "catch" if is_catch else "main")),
        mode=str(row.get("mode", "catch_trial" if is_catch else "")),
        unit=TrialUnit(**unit) if unit else None,
        correct=row.get("correct", "query_max" if in_folders else None),
        conditions=MappingProxyType(dict(row.get("conditions", {}))),
        files=MappingProxyType(files),
        levels=tuple(float(level) for level in row.get("levels", ())),
        hashes={slot: hashes[place] for slot, place in places.items() if place in hashes},
    )


def _find_files(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        return {}
    return {path.stem: path for path in sorted(folder.iterdir()) if path.is_file() and path.name[0] != "."}


def _find_pair_files(folder: Path) -> dict[str, Path]:
    queries, references = (_find_files(folder / name) for name in ("queries", "references"))
    return {
        **{f"query_{name}": path for name, path in queries.items()},
        **{f"reference_{name}": path for name, path in references.items()},
    }
