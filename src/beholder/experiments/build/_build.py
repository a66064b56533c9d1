"""Building task folders from a plan: complete in themselves, by rename, continued where they were left."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from beholder._core.errors import ConfigurationChanged, InputError, suggest_keywords
from beholder._core.files import TEMPORARY_PREFIX, explain_write_errors, read_json, write_json
from beholder._core.hashing import hash_bytes, hash_file_fast, hash_settings
from beholder._core.progress import logger
from beholder._core.provenance import FILE_NAME, record_provenance
from beholder._core.settings import refuse_changes
from beholder.experiments.build._trials import TrialFiles, TrialReader, find_size, read_copy, write_copy
from beholder.experiments.design._plan import CATCH, ExperimentPlan, PlannedTask, PlannedTrial, read_plan
from beholder.experiments.design._plan_recognition import ICONS
from beholder.experiments.flow._experiment import EXPERIMENT, INDEX, KEY, PRACTICE, Experiment, read_experiment
from beholder.experiments.settings._settings import complete_settings
from beholder.jobs import (
    JobFolder,
    Output,
    Shard,
    check_source,
    has_content,
    long_work,
    open_output,
    place_output,
    show_work,
)

FORMAT = "beholder-tasks-2"
STATIC = "static"
"""Where pages that need no server lie; they are of one plan."""
_RETRY_SECONDS = 0.2


@final
@dataclass(frozen=True)
class _TaskPart:
    """One folder of trials: a task, or the practice."""

    name: str
    trials: tuple[TrialFiles, ...]


@suggest_keywords
@long_work
def build_tasks(
    plan: ExperimentPlan | Path | str,
    folder: Path | str,
    *,
    n_references: int | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
) -> Experiment:
    """Write the tasks of a plan as folders that hold all that is shown.

    Interrupted at any moment, the same call completes the folder to the same bytes. Runs that build one plan together
    share its tasks: each writes those that no other is writing.

    Parameters
    ----------
    plan : ExperimentPlan or path
    folder : path
        The folder of tasks, ``task_1`` and on.
    n_references : int, optional
        Reference pictures on each side, the strongest ones; default as the plan's settings say.
    overwrite : bool
        Replace tasks that were built from another plan.
    dry_run : bool
        Only say what would be done, written and used.

    Returns
    -------
    Experiment

    Raises
    ------
    InputError
        A stimulus is missing, or there are too few references.
    ConfigurationChanged
        The folder holds tasks of another plan, or something else.
    OutputBusy
        Another run is building there, and this one is to replace what is there.

    Examples
    --------
    >>> build_tasks("plan.json", "exp_data")  # doctest: +SKIP
    """
    if not isinstance(plan, ExperimentPlan):
        plan = read_plan(plan)
    folder = Path(folder)
    folder = place_output(folder, *(folder.iterdir() if folder.is_dir() else ()))
    settings = plan.settings if n_references is None else plan.settings.replace({"n_references_shown": n_references})
    reader = TrialReader(plan.kind, plan.scheme, plan.folder, settings.n_references_shown)
    parts = _read_parts(plan, reader)
    about = {
        "format": FORMAT,
        "kind": plan.kind,
        "scheme": plan.scheme,
        "seed": plan.seed,
        "settings": settings.to_dict(),
        "n_tasks": len(plan.tasks),
        "n_trials": [len(task.trials) for task in plan.tasks],
        "n_practice": len(plan.practice),
        "plan_hash": plan.hash,
        "stimuli_hash": _hash_stimuli(parts),
    }
    jobs = JobFolder(folder / ".jobs", folder)
    with open_output(jobs, shared=not overwrite) as work:
        about = _prepare_folder(work, about, overwrite, plan)
        write_json(folder / EXPERIMENT, about)
        if work.is_alone:
            _drop_damaged(jobs, parts)
        with work.pause():
            _write_parts(jobs, parts)
        with jobs.seal() as sealed:
            places = [folder / name for name in (EXPERIMENT, *(part.name for part in parts))]
            sealed += sorted(p.relative_to(folder).as_posix() for place in places for p in _list_files(place))
        if not (folder / FILE_NAME).exists() or overwrite:
            facts = {"plan": plan.hash, "stimuli": about["stimuli_hash"], "stimulus_folder": str(plan.folder.resolve())}
            record_provenance(
                folder, ".", {name: about[name] for name in ("kind", "scheme", "seed", "settings")}, **facts
            )
    return read_experiment(folder)


def _read_parts(plan: ExperimentPlan, reader: TrialReader) -> list[_TaskPart]:
    parts = [_TaskPart(f"task_{task.index}", _read_task(task, reader)) for task in plan.tasks]
    if plan.practice:
        parts.append(_TaskPart(PRACTICE, tuple(reader.read(trial, "practice") for trial in plan.practice)))
    return parts


def _read_task(task: PlannedTask, reader: TrialReader) -> tuple[TrialFiles, ...]:
    return tuple(reader.read(trial, find_role(trial)) for trial in task.trials)


def find_role(trial: PlannedTrial) -> str:
    """``main``, or ``catch`` for those that everybody gets right."""
    return "catch" if trial.get("mode") == CATCH or trial.get("role") == "catch" else "main"


def _hash_stimuli(parts: Sequence[_TaskPart]) -> str:
    """One hash of what all the files hold, wherever they lie."""
    known: dict[Path, str] = {}
    rows = []
    for part in parts:
        for trial in part.trials:
            for name, path in trial.files.items():
                if path not in known:
                    check_source(path)
                    try:
                        known[path] = hash_file_fast(path)
                    except FileNotFoundError as error:
                        raise InputError("the stimuli that the plan names", got=f"no file at {path}") from error
                rows.append([part.name, name, known[path]])
    return hash_settings(rows)


def _prepare_folder(work: Output, about: dict[str, Any], overwrite: bool, plan: ExperimentPlan) -> dict[str, Any]:
    """Refuse a folder of something else; take away what a killed run or, when asked, another plan left.

    Gives what the folder says of itself: ``about``, or the same in the words of the earlier version that began it.
    """
    folder = work.folder.output
    inside = sorted(child.name for child in folder.iterdir() if not child.name.startswith("."))
    old = read_json(folder / EXPERIMENT) if EXPERIMENT in inside else None
    if old is None and inside and not overwrite:
        raise ConfigurationChanged(
            "an empty folder, or tasks of this plan", got=f"{folder}, which holds {inside[0]!r}", hint="another -t"
        )
    if old is None and not all(map(_is_ours, inside)):
        stranger = next(name for name in inside if not _is_ours(name))
        raise InputError("a folder of tasks to replace", got=f"{folder}, which holds {stranger!r}")
    new = json.loads(json.dumps(about))
    before: Any = None if old is None else _retell(old, new, plan)
    if old is not None and before == new:
        about = old
    elif before is not None and not overwrite:
        refuse_changes(before, new, str(folder), ways=["another -t", "--overwrite to replace it"])
    if old != about:
        work.folder.unseal()
        _remove(folder, [name for name in inside if _is_ours(name)])
    if work.is_alone:
        _remove(folder, [child.name for child in folder.iterdir() if child.name.startswith(TEMPORARY_PREFIX)])
    return about


def _retell(old: Mapping[str, Any], new: Mapping[str, Any], plan: ExperimentPlan) -> dict[str, Any]:
    """What a folder says of itself, in the words of this version, where an earlier one wrote it of the same plan."""
    told = {**old, "settings": complete_settings(old.get("settings", {}))}
    if old.get("plan_hash") == plan.file_hash:
        told["plan_hash"] = new["plan_hash"]
    return json.loads(json.dumps(told))


def _is_ours(name: str) -> bool:
    return name in (EXPERIMENT, PRACTICE, STATIC, FILE_NAME) or name.startswith("task_")


def _remove(folder: Path, names: Sequence[str]) -> None:
    """Remove parts of the folder; the seal first, so that what is left is never taken for whole."""
    for name in sorted(names, key=lambda name: name != EXPERIMENT):
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _drop_damaged(jobs: JobFolder, parts: Sequence[_TaskPart]) -> None:
    """Take away parts in which something is damaged or gone, so that they are written anew."""
    sealed = jobs.read_seal()
    for part in parts:
        place = jobs.output / part.name
        names = [name for name in sealed if name.startswith(f"{part.name}/")]
        if place.exists() and not all(has_content(jobs.output / name, sealed[name]) for name in names):
            logger.warning("%s is damaged; it is made anew", place)
            aside = place.with_name(f"{TEMPORARY_PREFIX}{part.name}")
            os.replace(place, aside)
            shutil.rmtree(aside)


def _list_files(path: Path) -> list[Path]:
    return [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]


def _write_parts(jobs: JobFolder, parts: Sequence[_TaskPart]) -> None:
    """Write what is not there; what another run is writing is waited for."""
    folder = jobs.output
    n_trials = sum(len(part.trials) for part in parts)
    has_icons = any(path.parent == ICONS for part in parts for trial in part.trials for path in trial.files.values())
    icon_size = find_size(trial for part in parts for trial in part.trials) if has_icons else None
    copier = _Copier(icon_size)
    left = [part for part in parts if not (folder / part.name / INDEX).is_file()]
    done = n_trials - sum(len(part.trials) for part in left)
    n_bytes = sum(path.stat().st_size for path in {p for part in left for t in part.trials for p in t.files.values()})
    with show_work(f"build {folder.name}", n_trials, "trials", done, n_bytes=n_bytes) as advance:
        while left:
            busy: list[_TaskPart] = []
            for part in left:
                with jobs.claim(Shard(part.name, len(part.trials))) as is_free:
                    if not is_free:
                        busy.append(part)
                        continue
                    if not (folder / part.name / INDEX).is_file():
                        _write_part(folder, part, copier)
                advance(len(part.trials))
            left = busy
            if left:
                time.sleep(_RETRY_SECONDS)


@final
class _Copier:
    """Copies files; one that was copied before becomes a second name of the copy, where the disk can do that."""

    def __init__(self, icon_size: tuple[int, int] | None) -> None:
        self._icon_size = icon_size
        self._made: dict[tuple[Path, str], Path] = {}
        self._fresh: dict[tuple[Path, str], Path] = {}
        self._hashes: dict[tuple[Path, str], str] = {}

    def put(self, source: Path, target: Path) -> str:
        """Copy ``source`` to ``target``; gives the hash of the copy."""
        key = (source, target.suffix)
        old = self._made.get(key)
        if old is not None:
            target.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(OSError):
                os.link(old, target)
                return self._hashes[key]
        content = read_copy(source, target.suffix, self._icon_size)
        write_copy(target, content)
        self._made[key] = self._fresh[key] = target
        self._hashes[key] = hash_bytes(content)
        return self._hashes[key]

    def move(self, temporary: Path, final: Path) -> None:
        """Rename the folder that the last copies lie in."""
        with explain_write_errors(final.parent):
            os.replace(temporary, final)
        self._made |= {key: final / path.relative_to(temporary) for key, path in self._fresh.items()}
        self._fresh.clear()


def _write_part(folder: Path, part: _TaskPart, copier: _Copier) -> None:
    temporary = folder / f"{TEMPORARY_PREFIX}{part.name}"
    if temporary.exists():
        shutil.rmtree(temporary)
    rows = []
    for n, trial in enumerate(part.trials, start=1):
        hashes = {
            name: copier.put(path, temporary / "trials" / f"trial_{n}" / name) for name, path in trial.files.items()
        }
        rows.append({"n": n, **trial.key, "hashes": hashes})
    write_json(temporary / KEY, {"trials": rows})
    index = {
        "task_name": part.name,
        "n_reference_images": max((trial.n_references for trial in part.trials), default=0),
        "n_trials": len(part.trials),
        "catch_trial_idxs": [row["n"] for row in rows if row["role"] == "catch"],
    }
    write_json(temporary / INDEX, index)
    copier.move(temporary, folder / part.name)
