"""Dry runs: a command goes its usual way in a scratch folder, and where its work would begin, it is measured instead.

::

    output = place_output(Path(out_path) / name)     # where the output is; in a dry run a shadow of it
    with open_output(folder) as work:
        work.run(plan, worker)                       # the end of a dry run, or of one phase of it

    for network in networks:
        with phase(len(networks)):                   # phases that are measured each by itself
            ...

Long work without shards is counted in ``with show_work(…) as advance``, as in
:func:`~beholder._core.progress.show_progress`.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Generator, Iterable
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import final

from beholder._core.answers import Answered
from beholder._core.errors import OutputError, suggest_keywords
from beholder._core.interruptions import tell_kept
from beholder._core.progress import Advance, logger, show_progress
from beholder._core.sizes import format_bytes
from beholder._core.wording import count_items, format_count, is_at_command_line
from beholder.jobs._estimate import DryRun, PhaseEstimate, Sampled, check_room, estimate_phase
from beholder.jobs._folder import JobFolder
from beholder.jobs._measure import HARD_SECONDS, SOFT_SECONDS, measure_shards, measure_work, read_free_memory
from beholder.jobs._plan import Plan, Shard
from beholder.jobs._shadow import Shadows, find_free, open_shadows
from beholder.jobs._work import Worker

_LEAST_SECONDS, _ALL_SECONDS = 2.0, 60.0


class PhaseMeasured(BaseException):
    """A phase of a dry run is at its end."""


@final
class Probe:
    """A dry run in work; use :func:`run_dry`."""

    def __init__(self, shadows: Shadows) -> None:
        self.shadows = shadows
        self.phases: list[PhaseEstimate] = []
        self.share = 1
        self.is_at_most = False
        self._begun = time.monotonic()
        self._n_workers = 1

    @property
    def limits(self) -> tuple[float, float]:
        """Soft and hard limit of seconds for one phase."""
        soft = min(SOFT_SECONDS, max(_LEAST_SECONDS, _ALL_SECONDS / self.share))
        return soft, HARD_SECONDS * soft / SOFT_SECONDS

    def measure_plan(self, plan: Plan, worker: Worker, folder: JobFolder, n_workers: int) -> None:
        """Measure a plan.

        Raises
        ------
        PhaseMeasured
            Always, when that is done.
        """
        todo = folder.list_unfinished(plan)
        shown = find_counted(plan, todo)
        n_workers = max(1, min(n_workers, len(todo)))
        setup, n_planned = time.monotonic() - self._begun, self.shadows.count_new()
        seen = Sampled(0, 0, 0, None)
        if todo:
            logger.info("%s: measuring some of it", plan.name)
            soft, hard = self.limits
            seen = measure_shards(todo, worker, n_workers, soft=soft, hard=hard)
        sizes = sum(shard.size for shard in shown), sum(shard.size for shard in todo)
        known = count_known_bytes(todo, worker)
        estimate = estimate_phase(
            plan.name, plan.unit, sizes, (len(shown), len(todo)), seen, setup=setup,
            n_local=min(n_workers, os.cpu_count() or 1), n_bytes=known, may_end_early=worker.may_end_early,
            is_at_most=self.is_at_most,
        )  # fmt: skip
        self.shadows.count_new()
        if todo and estimate.n_bytes is not None:
            estimate = replace(estimate, n_bytes=estimate.n_bytes + n_planned)
        self._add(estimate, n_workers)
        raise PhaseMeasured

    @contextlib.contextmanager
    def measure_work(self, label: str, total: int, unit: str, done: int, n_bytes: int | None) -> Generator[Advance]:
        """Measure work that has no shards; the block is left when enough of it is done, and so is the phase."""
        setup = time.monotonic() - self._begun
        with measure_work(soft=self.limits[0]) as meter:
            yield meter.advance
        left = total - done
        self._add(
            estimate_phase(label, unit, (total, left), (1, int(left > 0)), meter.tell(), setup=setup, n_bytes=n_bytes),
            1,
        )
        raise PhaseMeasured

    def add_work(self, name: str, unit: str, n_items: int, n_bytes: int, seconds: float) -> None:
        """A phase whose cost follows from those before it."""
        seen = Sampled(0, 0, 0, None)
        estimate = estimate_phase(name, unit, (n_items, n_items), (1, 1), seen, setup=seconds, n_bytes=n_bytes)
        self._add(estimate, self._n_workers)

    def _add(self, estimate: PhaseEstimate, n_workers: int) -> None:
        self.phases.append(estimate)
        self._n_workers = max(self._n_workers, n_workers)
        self._begun = time.monotonic()

    def begin(self) -> None:
        """What was done since the last phase is no phase's."""
        self._begun = time.monotonic()

    def tell(self) -> DryRun:
        """What was found."""
        outputs = self.shadows.outputs
        free = None if not outputs else find_free(outputs[0])
        places = list(dict.fromkeys(str(each) for each in outputs))
        where = "" if not places else places[0] if len(places) == 1 else os.path.commonpath(outputs) or "."
        return DryRun(tuple(self.phases), self._n_workers, where, free, read_free_memory())


_now: ContextVar[Probe | None] = ContextVar("dry run", default=None)


@suggest_keywords
def run_dry(work: Callable[[], object]) -> DryRun:
    """Let long work go its way up to where it would begin; what it would take."""
    with open_shadows() as shadows:
        probe = Probe(shadows)
        token = _now.set(probe)
        try:
            with contextlib.suppress(PhaseMeasured):
                work()
        finally:
            _now.reset(token)
        return probe.tell()


def answer(found: DryRun) -> DryRun:
    """Hand over what a dry run found; at the command line it ends the command.

    Raises
    ------
    OutputError
        There is no room for what would be written.
    Answered
        At the command line.
    """
    refusal: OutputError | None = None
    try:
        found.check()
    except OutputError as error:
        refusal = error
    if is_at_command_line():
        raise Answered(found.to_lines(), found.to_dict(), refusal)
    if refusal is not None:
        raise refusal
    return found


def get_probe() -> Probe | None:
    """The dry run that this is; None in any other run."""
    return _now.get()


@suggest_keywords
def place_output(output: Path, *also: Path) -> Path:
    """Where an output is written: there; in a dry run in a shadow, which knows what is finished.

    Parameters
    ----------
    output : path
        A folder or file that job folders lie beside or in.
    also : path
        Files and folders of it that decide what is left, and that no receipt names.
    """
    probe = _now.get()
    return output if probe is None else probe.shadows.place(output, also)


@suggest_keywords
def find_placed(path: Path) -> Path:
    """The path that one in a shadow stands for."""
    probe = _now.get()
    return path if probe is None else probe.shadows.find_real(path)


@suggest_keywords
@contextlib.contextmanager
def phase(n_phases: int = 1, *, is_at_most: bool = False) -> Generator[None]:
    """A phase of work of about ``n_phases``: in a dry run each is measured, and the next begins.

    ``is_at_most``: what the phases before it find may leave less to do.
    """
    probe = _now.get()
    if probe is None:
        yield
        return
    before, probe.share, probe.is_at_most = probe.share, probe.share * max(1, n_phases), is_at_most
    try:
        with contextlib.suppress(PhaseMeasured):
            yield
    finally:
        probe.share, probe.is_at_most = before, False


def end_dry_run() -> None:
    """A dry run is at its end here: what follows needs what its phases would have made."""
    if _now.get() is not None:
        raise PhaseMeasured


@suggest_keywords
@contextlib.contextmanager
def show_work(
    label: str, total: int, unit: str = "", done: int = 0, *, n_bytes: int | None = None, steps: int = 0
) -> Generator[Advance]:
    """Show how far long work without shards is; in a dry run the block is left after some of it.

    Parameters
    ----------
    label, total, unit, done, steps
        As for :func:`show_progress`.
    n_bytes : int, optional
        That will be written, where that is known.
    """
    probe = _now.get()
    how = show_progress(label, total, unit, done, steps=steps) if probe is None else None
    with how or probe.measure_work(label, total, unit, done, n_bytes) as advance:  # type: ignore[union-attr]
        yield advance


def find_counted(plan: Plan, todo: Iterable[Shard]) -> list[Shard]:
    """Shards that progress counts: those of the parts in which something is left; all where nothing is."""
    parts = {shard.part for shard in todo}
    return [shard for shard in plan.shards if not parts or shard.part in parts]


def count_known_bytes(shards: Iterable[Shard], worker: Worker) -> int | None:
    """Bytes that shards will have, where the worker knows before they are done."""
    known = [worker.count_bytes(shard) for shard in shards]
    sizes = [size for size in known if size is not None]
    return sum(sizes) if len(sizes) == len(known) else None


def refuse_full_disk(worker: Worker, todo: list[Shard], folder: JobFolder) -> int | None:
    """Refuse work that clearly does not fit before it begins; the bytes that it will write, where they are known.

    Raises
    ------
    OutputError
    """
    output = folder.output
    n_bytes, free = count_known_bytes(todo, worker), find_free(output) if folder.mirror is None else None
    if n_bytes is not None and free is not None:
        check_room(n_bytes, free, str(output))
    return n_bytes


def tell_start(plan: Plan, todo: list[Shard], total: int, n_workers: int, n_bytes: int | None) -> None:
    """Say what is about to be done: items, shards, bytes, workers."""
    left = sum(shard.size for shard in todo)
    told = count_items(left, plan.unit) if left == total else f"{left:,} of {total:,} {plan.unit} are left"
    told += f", in {format_count(len(todo), 'shard')}"
    told += f", {format_bytes(n_bytes)} to write" if n_bytes else ""
    told += f", {format_count(n_workers, 'worker')}" if n_workers > 1 else ""
    logger.info("%s: %s", plan.name, told)


@contextlib.contextmanager
def note_interruption() -> Generator[None]:
    """Say of Ctrl-C in the block that what is finished is kept; a dry run keeps nothing."""
    with contextlib.nullcontext() if get_probe() is not None else tell_kept():
        yield
