"""``beholder tasks plan`` and ``build``: who is shown what, and the folders that hold it."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from beholder._core.errors import InputError
from beholder._core.files import explain_write_errors
from beholder._core.progress import logger
from beholder._core.provenance import record_provenance
from beholder._core.wording import format_count
from beholder.cli._flags import OutputFlags, Seed, flags, list_files
from beholder.experiments import list_task_kinds

if TYPE_CHECKING:
    from beholder.experiments import Experiment, ExperimentPlan, Settings

    Kinds = str
else:
    Kinds = Literal[list_task_kinds()]

Count = int | None

IMAGES = ("natural", "optimized")


@flags
class _PlanFlags:
    source: Annotated[list[str] | None, Parameter(name=["-s", "--source"], consume_multiple=True)] = None
    """Folder of stimuli: stimuli/{model}; metamers/{model}, one or more; a folder or table of labelled stimuli."""
    out: Annotated[str, Parameter(name=["-o", "--out"])] = "plan.json"
    """The plan to write; its paths lead from there."""
    kind: Kinds | None = None
    """Kind of task; default that of --preset, or 2afc."""
    preset: str | None = None
    """Timings, counts and rules; default the one of the kind."""
    n_trials: Annotated[Count, Parameter(name=["-nt", "--n-trials"])] = None
    """Main trials a task; default 40 or all units, of other kinds all."""
    n_tasks: Annotated[Count, Parameter(name=["-nh", "--n-tasks"])] = None
    """Tasks, one a participant; default 63 or the nearest that fits, of other kinds as many as balance the design."""
    n_catch: Annotated[Count, Parameter(name=["-nc", "--n-catch"])] = None
    """Catch trials a task."""
    n_batches: Annotated[Count, Parameter(name=["-nb", "--n-batches"])] = None
    """Batches of exemplars used, 1 to this; units exemplars made them with --num_batches one higher."""
    mode: Annotated[str | None, Parameter(name=["-m", "--mode", "--model-name"])] = None
    """natural or optimized references. Beside -c the network whose folder lies in -s, as -m of other commands."""
    images: Annotated[Literal["natural", "optimized"] | None, Parameter(name=["-c", "--images"])] = None
    """natural or optimized references."""
    scheme: Literal["document", "released"] | None = None
    """How batches are dealt to tasks: document, by the text of Stimuli Generation: a batch a task, catch trials of
    batch 0; released, as in the code that was released with it: batches by showing, catch trials of -sc."""
    n_units: Annotated[Count, Parameter(name=["-upm", "--n-units"])] = None
    """Units to use, drawn from those in the folder; default all."""
    min_batch: Annotated[Count, Parameter(name=["-minb", "--min-batch"])] = None
    """First batch in use."""
    max_batch: Annotated[Count, Parameter(name=["-maxb", "--max-batch"])] = None
    """Last batch in use."""
    catch_source: Annotated[str | None, Parameter(name=["-sc", "--catch-source"])] = None
    """Stimuli for catch trials: easy units, icons, clear words."""
    extra_name: str = ""
    """Exemplars lie in {model}_{extra_name}, visualisations in {model}."""
    practice: str | None = None
    """Stimuli for practice."""
    layers: Annotated[list[str] | None, Parameter(name=["--layers", "-mn"], consume_multiple=True)] = None
    """For metamers: only those of these layers."""
    levels: Annotated[Literal["constant", "adaptive"], Parameter(name="--levels")] = "constant"
    """For graded stimuli: each level is a condition, or levels are chosen from the answers."""
    keep_failed: bool = False
    """Show metamers that did not pass too; default their originals in their place."""
    set_: Annotated[list[str] | None, Parameter(name="--set", consume_multiple=True)] = None
    """name=value: other values for settings of the preset."""
    texts: str | None = None
    """File with texts of the pages in another language or other words."""
    seed: Seed = 42
    """Seed of everything random."""

    @property
    def folder(self) -> Path:
        """Where the plan will lie."""
        return Path(self.out).parent

    @property
    def sources(self) -> list[str]:
        """The folders of stimuli."""
        return self.source or []

    def list_common(self, settings: Settings) -> dict[str, Any]:
        """What every kind of task is planned with."""
        counts = {"n_trials": self.n_trials, "n_tasks": self.n_tasks}
        if self.n_catch is not None:
            counts["n_catch"] = self.n_catch
        return {**counts, "practice_source": self.practice, "seed": self.seed, "settings": settings}

    @property
    def only_source(self) -> str:
        """The one source."""
        if len(self.sources) != 1:
            raise InputError("-s FOLDER", got=format_count(len(self.sources), "folder") if self.sources else "none")
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
            if value not in (None, False, "", "constant"):
                flag = _FLAGS[name]
                raise InputError(f"flags of {kind}", got=flag, hint=f"leaving out {flag}")


_KEYWORDS = {
    "n_batches": "n_batches", "mode": "images", "images": "images", "scheme": "scheme", "n_units": "n_units",
    "min_batch": "min_batch", "max_batch": "max_batch", "extra_name": "extra_name", "layers": "layers",
    "levels": "adaptive", "keep_failed": "keep_failed", "catch_source": "catch_source",
}  # fmt: skip
"""Flags that not every kind of task has a use for, and the keyword that a planner takes for each."""

_FLAGS = {
    "n_batches": "-nb", "mode": "-m", "images": "-c", "scheme": "--scheme", "n_units": "-upm", "min_batch": "-minb",
    "max_batch": "-maxb", "extra_name": "--extra_name", "layers": "--layers", "levels": "--levels adaptive",
    "keep_failed": "--keep_failed", "catch_source": "-sc", "practice": "--practice",
}  # fmt: skip


def plan(
    *,
    asked: _PlanFlags = _PlanFlags(),
    overwrite: bool = False,
    output: OutputFlags = OutputFlags(),
) -> None:
    """Plan an experiment: which participant is shown what, in which order.

    Example: beholder stimuli draw shapes
    Example: beholder tasks plan --kind recognition -s images/ -nh 4 --set 'choices=[]'
    Example: beholder units sample beholder:shapes --n_units 2
    Example: beholder units record beholder:shapes --units_file units.json
    Example: beholder units exemplars beholder:shapes --units_file units.json --num_batches 2
    Example: beholder tasks plan -s stimuli/shapes -m natural -nt 2 -nb 1 -nc 1 -nh 4 -o units_plan.json

    Parameters
    ----------
    overwrite
        Replace another plan.
    output.json
        Print one JSON document: tables tasks, files.
    """
    from beholder.experiments import list_size_notes

    settings = _make_settings(asked)
    made = _plan(asked, settings)
    for note in (*made.notes, *list_size_notes(made)):
        logger.warning("%s", note)
    with explain_write_errors(asked.folder):
        asked.folder.mkdir(parents=True, exist_ok=True)
    path = made.save(asked.out, overwrite=overwrite)
    facts = {"sources": asked.sources, "scheme": made.scheme, "seed": asked.seed, "kind": made.kind}
    record_provenance(path.parent, path.name, facts, plan=made.hash)
    rows = [
        {"index": task.index, "n_trials": len(task.raw_trials), "n_catch_trials": len(task.raw_catch_trials)}
        for task in made.tasks
    ]
    if len(made) > 1 and settings.sessions.n == 1:
        logger.info("one participant does one of the %s", format_count(len(made), "task"))
    output.print([_describe(made), str(path)], {"tasks": rows, "files": list_files([path])})


def _make_settings(asked: _PlanFlags) -> Settings:
    """Those of the preset or kind, as the flags change them."""
    from beholder.experiments import make_settings, parse_assignments, read_texts

    changes = parse_assignments(asked.set_ or ())
    settings = make_settings(asked.preset, changes, kind=asked.kind)
    if asked.texts is not None:
        settings = settings.replace({"texts": {**read_texts(asked.texts, settings.kind), **settings.texts}})
    return settings if "seed" in changes else settings.replace({"seed": asked.seed})


def _describe(plan: ExperimentPlan) -> str:
    sizes = sorted({len(task.raw_trials) for task in plan.tasks})
    trials = str(sizes[0]) if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
    practice = f", {len(plan.practice)} for practice" if plan.practice else ""
    n_catch = len(plan.tasks[0].raw_catch_trials)
    n = plan.settings.sessions.n
    several = f"; {format_count(n, 'task')} a participant, one a session" if n > 1 else ""
    counts = f"{trials} trial{'s' * (trials != '1')} and {format_count(n_catch, 'catch trial')}"
    time = f"; about {format_count(max(1, round(plan.minutes)), 'minute')} each at 4 s an answer"
    return f"{plan.kind}: {format_count(len(plan), 'task')} of {counts}{practice}{several}{time}"


def _plan(asked: _PlanFlags, settings: Settings) -> ExperimentPlan:
    """By the planner of the kind, which takes some flags and not others."""
    from beholder.experiments import get_task_kind

    planner = get_task_kind(settings.kind).load_planner()
    keywords = inspect.signature(planner).parameters
    asked.refuse(settings.kind, *(flag for flag, keyword in _KEYWORDS.items() if keyword not in keywords))
    found: dict[str, Any] = {name: getattr(asked, name) for name in _KEYWORDS if name in keywords}
    if "layers" in keywords:
        found["layers"] = asked.layers or None
    if "adaptive" in keywords:
        found["adaptive"] = asked.levels == "adaptive"
    if "images" in keywords:
        found["images"], model = asked.split_mode()
        found["scheme"] = asked.scheme or ("released" if asked.catch_source else "document")
        found["model"] = find_model_name(asked.only_source, model, asked.extra_name)
    sources = asked.only_source if "source" in keywords else asked.sources
    return planner(sources, asked.folder, **found, **asked.list_common(settings))


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


def build(
    *,
    target: Annotated[str, Parameter(name=["-t", "--target"])] = "exp_data",
    plan_file: Annotated[str, Parameter(name=["-i", "--plan"])] = "plan.json",
    n_references: Annotated[Count, Parameter(name=["-nr", "--n-references"])] = None,
    static: bool = False,
    overwrite: bool = False,
    dry_run: bool = False,
    output: OutputFlags = OutputFlags(),
) -> None:
    """Write the folders of a plan's tasks, with all that is shown. Interrupted, it goes on.

    Example: beholder stimuli draw shapes --n_per_category 2
    Example: beholder tasks plan --kind recognition -s images/ -nh 4 --set 'choices=[]'
    Example: beholder tasks build -i plan.json -t exp_data

    Parameters
    ----------
    target
        Folder of the experiment.
    plan_file
        The plan.
    n_references
        References on each side, the strongest ones; default as the plan says.
    static
        Also write each task as one page without a server, for MTurk or JATOS. The weaker form: answers reach the
        browser.
    overwrite
        Replace tasks of another plan.
    dry_run
        Only say what would be done, written and used.
    output.json
        Print one JSON document: table experiment; with --static table pages.
    """
    from beholder.experiments import build_tasks, check_static, read_plan

    plan = read_plan(plan_file)
    if static:
        check_static(plan.settings, any("levels" in trial for task in plan.tasks for trial in task.trials))
    made = build_tasks(plan, target, n_references=n_references, overwrite=overwrite, dry_run=dry_run)
    pages = _write_pages(made) if static else []
    written = [f"{format_count(len(pages), 'page')} in {pages[0].parent}"] if pages else []
    tables = {"tasks": _list_tasks(made), "experiment": [{"folder": str(made.path), "kind": made.kind}]}
    output.print([repr(made), *written, str(made.path)], tables | ({"pages": list_files(pages)} if pages else {}))


def _write_pages(made: Experiment) -> list[Path]:
    from beholder.experiments import WEAKER, write_static_pages

    pages = write_static_pages(made)
    logger.warning("--static is %s", WEAKER)
    return pages


def _list_tasks(made: Experiment) -> list[dict[str, Any]]:
    return [
        {"task": task.index, "n_trials": len(task), "folder": str(made.path / f"task_{task.index}")}
        for task in made.tasks
    ]
