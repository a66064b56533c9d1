"""The plan of an experiment: which trials each participant is given; a JSON file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from beholder._core.errors import ConfigurationChanged, InputError, suggest_keywords
from beholder._core.files import read_json, refuse_ending, write_json
from beholder._core.hashing import hash_settings
from beholder._core.seeds import make_generator
from beholder._core.settings import compare_settings
from beholder._core.wording import format_count
from beholder.experiments.settings._presets import make_settings
from beholder.experiments.settings._settings import Settings, check_sessions, complete_settings
from beholder.experiments.settings._visits import name_task

CATCH = "catch_trial"
SCHEMES = ("document", "released")

PlannedTrial = dict[str, Any]
"""A trial as the plan has it: ``{"queries", "references", "mode"}``, of other kinds ``{"stimuli", "mode", …}``."""


@final
@dataclass(frozen=True)
class PlannedTask:
    """The trials of one participant, or of one of a participant's sessions.

    Attributes
    ----------
    index : int
        From 1.
    raw_trials, raw_catch_trials : list of dict
        Main and catch trials as they were drawn.
    trials : list of dict
        Both, in the order in which they are shown.
    """

    index: int
    raw_trials: list[PlannedTrial]
    raw_catch_trials: list[PlannedTrial]
    trials: list[PlannedTrial]

    def to_dict(self) -> dict[str, Any]:
        """As the file has it."""
        return {
            "index": self.index,
            "raw_trials": self.raw_trials,
            "raw_catch_trials": self.raw_catch_trials,
            "trials": self.trials,
        }


SECONDS_TO_ANSWER = 4


@final
@dataclass(frozen=True, repr=False)
class ExperimentPlan:
    """Which trials each participant is given.

    Attributes
    ----------
    kind : str
    settings : Settings
    scheme : str
        How trials were drawn: ``document`` or ``released``.
    seed : int
    tasks : tuple of PlannedTask
        Where a participant has several sessions, those of one follow each other.
    practice : tuple of dict
        Trials for practice, shared by all tasks, those with feedback first.
    folder : Path
        What the paths in it are relative to: where the file lies.
    notes : tuple of str
        What was done that the user may want to know. Not part of the file.
    file_hash : str
        sha256 of the plan in the words of the file that it was read from, which may be an earlier version's. Empty: it
        was read from none.
    """

    kind: str
    settings: Settings
    scheme: str
    seed: int
    tasks: tuple[PlannedTask, ...]
    practice: tuple[PlannedTrial, ...]
    folder: Path
    notes: tuple[str, ...] = field(default=(), compare=False)
    file_hash: str = field(default="", compare=False)

    def __repr__(self) -> str:
        first = self.tasks[0]
        trials = format_count(len(first.raw_trials), "trial")
        counts = f"{trials} and {format_count(len(first.raw_catch_trials), 'catch trial')}"
        practice = f", {len(self.practice)} for practice" if self.practice else ""
        n = self.settings.sessions.n
        several = f", {n} a participant" if n > 1 else ""
        return f"ExperimentPlan({self.kind}, {format_count(len(self.tasks), 'task')} of {counts}{several}{practice})"

    def __len__(self) -> int:
        return len(self.tasks)

    @property
    def minutes(self) -> float:
        """About how long the longest task takes, practice included: what is shown, and four seconds an answer."""
        asked = self.settings
        shown = asked.fixation_ms + asked.stimulus_ms + asked.gap_ms + asked.mask_ms
        n = max(len(task.raw_trials) + len(task.raw_catch_trials) for task in self.tasks) + len(self.practice)
        return n * (shown / 1000 + SECONDS_TO_ANSWER) / 60

    def to_dict(self) -> dict[str, Any]:
        """As the file has it."""
        return {
            "kind": self.kind,
            "settings": self.settings.to_dict(),
            "scheme": self.scheme,
            "seed": self.seed,
            "practice": list(self.practice),
            "tasks": [task.to_dict() for task in self.tasks],
        }

    @property
    def hash(self) -> str:
        """sha256 of the plan."""
        return hash_settings(self.to_dict())

    def save(self, path: Path | str, *, overwrite: bool = False) -> Path:
        """Write the plan where its paths lead from: into :attr:`folder`.

        A file in which an earlier version wrote the same plan stays as it is.

        Raises
        ------
        ConfigurationChanged
            The file holds another plan.
        """
        path = Path(path)
        refuse_ending(path, "a name ending in .json", ".json", hint=f"{path.with_suffix('.json')}")
        if path.resolve().parent != self.folder.resolve():
            raise InputError(f"a file in {self.folder}, where the plan's paths lead from", got=str(path))
        if path.exists() and not overwrite:
            old = read_json(path)
            if isinstance(old, dict) and isinstance(old.get("settings"), dict):
                old = {**old, "settings": complete_settings(old["settings"])}
            refuse_other_plan(old, self.to_dict(), path)
            return path
        write_json(path, self.to_dict())
        return path


def refuse_other_plan(old: Any, new: Mapping[str, Any], path: Path) -> None:
    """Raise when a file holds another plan, naming the first differences."""
    if old == new:
        return
    if not isinstance(old, dict) or "tasks" not in old:
        raise ConfigurationChanged("a new file, or a plan", got=f"{path}, which holds something else")
    differences = compare_settings(_drop_trials(old), _drop_trials(new))
    told = "; ".join(differences[:3]) or "other trials: stimuli, counts or -minb/-maxb differ"
    raise ConfigurationChanged(f"the plan that {path} holds", got=told, hint="another -o, or --overwrite to replace it")


def _drop_trials(plan: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in plan.items() if name not in ("tasks", "practice")}
    tasks = plan.get("tasks") or [{}]
    counts = {"n_tasks": len(tasks), "n_trials": len(tasks[0].get("raw_trials", []))}
    return {**kept, **counts, "n_catch_trials": len(tasks[0].get("raw_catch_trials", []))}


@suggest_keywords
def read_plan(path: Path | str) -> ExperimentPlan:
    """Read a plan file; one without ``kind`` and ``settings`` is two-alternative choice with the preset's values.

    Raises
    ------
    InputError
        It is no plan.
    """
    path = Path(path)
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("tasks"), list) or not content["tasks"]:
        raise InputError('a plan, {"tasks": […]}', got=str(path), hint="`beholder tasks plan` first")
    if "settings" in content:
        settings = Settings.from_dict(content["settings"])
    else:
        settings = make_settings(kind=content.get("kind"))
    if content.get("kind", settings.kind) != settings.kind:
        raise InputError(f"settings of the kind {content['kind']}", got=f"{settings.kind} in {path}")
    tasks = tuple(_read_task(each, place, path) for place, each in enumerate(content["tasks"], start=1))
    practice = tuple(_check_trials(content.get("practice", []), path))
    check_sessions(settings, len(tasks), path)
    scheme, seed = content.get("scheme", "document"), content.get("seed", 0)
    return ExperimentPlan(
        settings.kind, settings, scheme, seed, tasks, practice, path.resolve().parent, file_hash=hash_settings(content)
    )


def _read_task(content: Any, place: int, path: Path) -> PlannedTask:
    if not isinstance(content, dict) or content.get("index") != place:
        raise InputError(f"the task with index {place}", got=f"another in {path}")
    names = ("raw_trials", "raw_catch_trials", "trials")
    lists = [_check_trials(content.get(name, []), path) for name in names]
    if not lists[2]:
        raise InputError("a task with trials", got=f"task {place} of {path} without")
    return PlannedTask(place, *lists)


def _check_trials(trials: Any, path: Path) -> list[PlannedTrial]:
    for trial in trials if isinstance(trials, list) else [trials]:
        is_pair = isinstance(trial, dict) and all(isinstance(trial.get(n), str) for n in ("queries", "references"))
        if not isinstance(trial, dict) or not (is_pair or isinstance(trial.get("stimuli"), dict)):
            raise InputError(
                'trials {"queries", "references", "mode"} or {"stimuli", "mode"}', got=f"{str(trial)[:60]!r} in {path}"
            )
    return list(trials)


def make_task(
    index: int, main: Sequence[PlannedTrial], catch: Sequence[PlannedTrial], order: Sequence[int]
) -> PlannedTask:
    """A task of main and catch trials, shown in ``order`` of their concatenation."""
    both = [*main, *catch]
    return PlannedTask(index, list(main), list(catch), [both[i] for i in order])


def repeat_tasks(tasks: Sequence[PlannedTask], settings: Settings, seed: int) -> tuple[PlannedTask, ...]:
    """The tasks of all sessions: where these repeat, each shows the same trials in an order of its own."""
    sessions = settings.sessions
    if sessions.n_parts == sessions.n:
        return tuple(tasks)
    made = []
    for task in tasks:
        for visit in range(1, sessions.n + 1):
            trials = task.trials
            if visit > 1:
                order = make_generator(seed, "tasks", "session", task.index, visit).permutation(len(trials))
                trials = [task.trials[i] for i in order]
            index = name_task(sessions, task.index, visit)
            made.append(PlannedTask(index, task.raw_trials, task.raw_catch_trials, trials))
    return tuple(made)
