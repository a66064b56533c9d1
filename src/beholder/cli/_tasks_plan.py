"""What ``beholder tasks plan`` and ``beholder tasks build`` do with their flags."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from beholder._core.errors import InputError
from beholder._core.progress import logger
from beholder._core.provenance import record_provenance
from beholder._core.wording import tell_count
from beholder.cli._units_run import Summary

if TYPE_CHECKING:
    from beholder.experiments import Plan, Settings

IMAGES = ("natural", "optimized")


@dataclass(frozen=True)
class PlanFlags:
    """Flags of ``tasks plan``."""

    sources: tuple[str, ...]
    out: str
    kind: str | None
    preset: str | None
    n_trials: int | None
    n_tasks: int | None
    n_catch: int | None
    n_batches: int | None
    mode: str | None
    images: str | None
    scheme: str | None
    n_units: int | None
    min_batch: int | None
    max_batch: int | None
    catch_source: str | None
    extra_name: str
    practice: str | None
    layers: tuple[str, ...] | None
    adaptive: bool
    keep_failed: bool
    changes: tuple[str, ...]
    texts: str | None
    seed: int
    overwrite: bool

    @property
    def folder(self) -> Path:
        """Where the plan will lie."""
        return Path(self.out).parent

    @property
    def source(self) -> str:
        """The one source."""
        if len(self.sources) != 1:
            raise InputError("-s FOLDER", got=f"{len(self.sources)} folders" if self.sources else "none")
        return self.sources[0]

    def split_mode(self) -> tuple[str, str | None]:
        """Which references, and the model: ``-m`` is one or, beside ``-c``, the other."""
        if self.images is None:
            if self.mode in (None, *IMAGES):
                return self.mode or "natural", None
            raise InputError(
                "-m natural|optimized, or -c natural|optimized with -m MODEL", got=f"-m {self.mode} without -c",
                hint=f"-c natural -m {self.mode}",
            )  # fmt: skip
        if self.mode in IMAGES and self.mode != self.images:
            raise InputError("one kind of references", got=f"-c {self.images} and -m {self.mode}")
        return self.images, None if self.mode in IMAGES else self.mode

    def refuse(self, kind: str, *names: str) -> None:
        """Raise where a flag was given that the kind of task has no use for."""
        for name in names:
            value = getattr(self, name)
            if value not in (None, False, ""):
                flag = _FLAGS[name]
                raise InputError(f"flags of {kind}", got=flag, hint=f"leaving out {flag}")


_FLAGS = {
    "n_batches": "-nb", "mode": "-m", "images": "-c", "scheme": "--scheme", "n_units": "-upm", "min_batch": "-minb",
    "max_batch": "-maxb", "extra_name": "--extra_name", "layers": "--layers", "adaptive": "--levels adaptive",
    "keep_failed": "--keep_failed", "catch_source": "-sc", "practice": "--practice",
}  # fmt: skip


def run_plan(flags: PlanFlags) -> Summary:
    """Plan and write the file."""
    from beholder.experiments import list_size_notes, make_settings, parse_assignments, read_texts

    kind = flags.kind if flags.preset is None else flags.kind or None
    settings = make_settings(flags.preset, parse_assignments(flags.changes), kind=kind)
    if flags.texts is not None:
        settings = settings.replace({"texts": {**read_texts(flags.texts), **settings.texts}})
    settings = settings.replace({"seed": flags.seed}) if "seed" not in parse_assignments(flags.changes) else settings
    plan = _PLANNERS[settings.kind](flags, settings)
    for note in (*plan.notes, *list_size_notes(plan)):
        logger.warning("%s", note)
    flags.folder.mkdir(parents=True, exist_ok=True)
    path = plan.save(flags.out, overwrite=flags.overwrite)
    record_provenance(
        path.parent, path.name,
        {"sources": list(flags.sources), "scheme": plan.scheme, "seed": flags.seed, "kind": plan.kind}, plan=plan.hash,
    )  # fmt: skip
    return Summary(
        [_describe(plan), str(path)],
        {
            "tasks": [
                {"index": task.index, "n_trials": len(task.raw_trials), "n_catch_trials": len(task.raw_catch_trials)}
                for task in plan.tasks
            ],
            "files": [{"file": str(path)}],
        },
    )


def _describe(plan: Plan) -> str:
    sizes = sorted({len(task.raw_trials) for task in plan.tasks})
    trials = str(sizes[0]) if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
    practice = f", {len(plan.practice)} for practice" if plan.practice else ""
    n_catch = len(plan.tasks[0].raw_catch_trials)
    n = plan.settings.sessions.n
    several = f"; {n} tasks a participant, one a session" if n > 1 else ""
    counts = f"{trials} trial{'s' * (trials != '1')} and {tell_count(n_catch, 'catch trial')}"
    return f"{plan.kind}: {tell_count(len(plan), 'task')} of {counts}{practice}{several}"


def _plan_choice(flags: PlanFlags, settings: Settings) -> Plan:
    from beholder.experiments import plan_choice

    flags.refuse(settings.kind, "layers", "adaptive", "keep_failed")
    images, model = flags.split_mode()
    scheme = flags.scheme or ("released" if flags.catch_source else "document")
    return plan_choice(
        flags.source,
        flags.folder,
        n_trials=flags.n_trials,
        n_tasks=flags.n_tasks,
        n_catch=5 if flags.n_catch is None else flags.n_catch,
        n_batches=flags.n_batches,
        min_batch=flags.min_batch,
        max_batch=flags.max_batch,
        images=images,  # type: ignore[arg-type]
        scheme=scheme,
        n_units=flags.n_units,
        catch_source=flags.catch_source,
        practice_source=flags.practice,
        model=find_model_name(flags.source, model, flags.extra_name),
        extra_name=flags.extra_name,
        seed=flags.seed,
        settings=settings,
    )


def find_model_name(source: str, model: str | None, extra_name: str) -> str | None:
    """What a model is called in paths, where no folder of the name as it was given is there."""
    from beholder.models import resolve_model

    ending = f"_{extra_name}" if extra_name else ""
    if model is None or (Path(source) / (model + ending)).is_dir():
        return model
    try:
        return resolve_model(model, check_file=False).path_name
    except InputError:
        return model


_OF_UNITS = ("n_batches", "mode", "images", "scheme", "n_units", "min_batch", "max_batch", "extra_name")


def _plan_recognition(flags: PlanFlags, settings: Settings) -> Plan:
    from beholder.experiments import plan_recognition

    flags.refuse(settings.kind, *_OF_UNITS)
    return plan_recognition(
        flags.sources,
        flags.folder,
        n_trials=flags.n_trials,
        n_tasks=flags.n_tasks,
        n_catch=flags.n_catch,
        layers=flags.layers,
        keep_failed=flags.keep_failed,
        adaptive=flags.adaptive,
        catch_source=flags.catch_source,
        practice_source=flags.practice,
        seed=flags.seed,
        settings=settings,
    )


def _plan_groups(flags: PlanFlags, settings: Settings) -> Plan:
    from beholder.experiments import plan_pairs, plan_similarity

    flags.refuse(settings.kind, *_OF_UNITS, "adaptive", "catch_source")
    plan = plan_pairs if settings.kind == "same_different" else plan_similarity
    return plan(
        flags.sources,
        flags.folder,
        n_trials=flags.n_trials,
        n_tasks=flags.n_tasks,
        n_catch=flags.n_catch,
        layers=flags.layers,
        keep_failed=flags.keep_failed,
        practice_source=flags.practice,
        seed=flags.seed,
        settings=settings,
    )


_PLANNERS: dict[str, Callable[[PlanFlags, Settings], Plan]] = {
    "2afc": _plan_choice,
    "counterfactual": _plan_choice,
    "recognition": _plan_recognition,
    "words": _plan_recognition,
    "same_different": _plan_groups,
    "odd_one_out": _plan_groups,
    "similarity": _plan_groups,
}


def run_build(
    target: str, plan_file: str, n_references: int | None, overwrite: bool, *, static: bool = False
) -> Summary:
    """Build the tasks, and with ``static`` a page of each."""
    from beholder.experiments import build_tasks, check_static, read_plan

    plan = read_plan(plan_file)
    if static:
        check_static(plan.settings, any("levels" in trial for task in plan.tasks for trial in task.trials))
    made = build_tasks(plan, target, n_references=n_references, overwrite=overwrite)
    rows = [
        {"task": task.index, "n_trials": len(task), "folder": str(made.path / f"task_{task.index}")}
        for task in made.tasks
    ]
    lines, tables = [repr(made)], {"tasks": rows, "experiment": [{"folder": str(made.path), "kind": made.kind}]}
    if static:
        from beholder.experiments import WEAKER, write_static_pages

        pages = write_static_pages(made)
        logger.warning("--static is %s", WEAKER)
        lines.append(f"{tell_count(len(pages), 'page')} in {pages[0].parent}")
        tables["pages"] = [{"file": str(page)} for page in pages]
    return Summary([*lines, str(made.path)], tables)
