"""An open network and the batches that run through it.

The one way in which visualisations, metamers, null distributions and :func:`~beholder.synthesis.synthesize` work::

    make_metamers, optimize_units, null_distribution     settle the settings, plan shards
        SessionWorker.open  ->  open_session             in each process: threads, copies of the network, a pool
            worker.prepare(session)                      what is looked at once, before the first shard
            session.submit(make, shard)                  as many side by side as there are cores for
                session.run(problems, recipe)            one batch; its halves where memory does not suffice
                    BatchRun                             the optimiser's loop
"""

from __future__ import annotations

import abc
import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ParamSpec, TypeVar, final

import numpy as np
import torch
from torch import Tensor

from beholder._core import cores
from beholder._core.errors import BeholderError, is_out_of_memory
from beholder._core.progress import logger
from beholder._core.threads import open_threads
from beholder.activations import use_exact_math, use_threads
from beholder.jobs import Files, Finish, Shard
from beholder.models import Model, ModelWorker, run_eagerly
from beholder.synthesis.engine._checkpoint import Checkpoint
from beholder.synthesis.engine._loop import Advance, BatchRun, Recipe
from beholder.synthesis.engine._stimulus_format import StimulusFormat
from beholder.synthesis.engine._validate import check_count, make_example
from beholder.synthesis.gradients._network import Network
from beholder.synthesis.objectives._base import Objective, Problem, check_scores

P = ParamSpec("P")
R = TypeVar("R")
Made = tuple[Files, Mapping[str, Any]]
"""Sizes of a shard's files, and the facts of its receipt."""


class Cancelled(BaseException):
    """Other work failed, or the user interrupted."""


@final
@dataclass(frozen=True, eq=False)
class ProblemResult:
    """What came of one problem.

    Attributes
    ----------
    images : ndarray, (n_images, *input_shape), float32
    losses : ndarray, (n_images, n_steps), float32
        NaN after the end.
    steps : int
        Steps taken.
    stopped_by : str
        ``"steps"``, the name of a stopping rule, or ``"not finite"``.
    transparency : ndarray, (n_images, *input_shape), float32, or None
    scores, saved_scores : ndarray, (n_images,), float32
        By the yardstick, without augmentation: of the images, and of the images as their files hold them. Empty where
        nobody asked.
    batch : str
        In which batch it was made.
    is_halved : bool
        Memory did not suffice for the batch that was planned.
    """

    images: np.ndarray
    losses: np.ndarray
    steps: int
    stopped_by: str
    transparency: np.ndarray | None = None
    scores: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))
    saved_scores: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))
    batch: str = "batch"
    is_halved: bool = False


@final
class SynthesisSession:
    """A network that is open for work, as many batches side by side as were asked for; use :func:`open_session`.

    Attributes
    ----------
    model : Model
    shape : tuple of int
        Of one stimulus.
    network : Network
        With the layers that the session was opened for.
    n_concurrent_batches : int
    """

    def __init__(
        self,
        model: Model,
        shape: tuple[int, ...],
        layers: Sequence[str],
        pool: ThreadPoolExecutor | None,
        n_concurrent_batches: int,
        *,
        channels_last: bool,
    ) -> None:
        self.model, self.shape, self.n_concurrent_batches = model, shape, n_concurrent_batches
        self._pool, self._channels_last = pool, channels_last
        self._cancelled = threading.Event()
        self.network = self.open_network(layers)

    def open_network(self, layers: Sequence[str]) -> Network:
        """Copies of the model with hooks on some layers."""
        example = make_example(self.model, self.shape)
        return Network(self.model, layers, example, channels_last=self._channels_last)

    def submit(self, work: Callable[P, R], *args: P.args, **options: P.kwargs) -> Callable[[], R]:
        """Begin work beside what is running; what comes back waits for it. One by one, it is done then."""
        if self._pool is None:
            return partial(work, *args, **options)
        return self._pool.submit(work, *args, **options).result

    def share(self, work: Callable[[Any], R], items: Sequence[Any]) -> list[R]:
        """Work that was submitted hands parts of itself to those who are free, and does the others itself."""
        if self._pool is None:
            return [work(item) for item in items]
        futures = [self._pool.submit(work, item) for item in items[1:]]
        made = [work(item) for item in items[:1]]
        for item, future in zip(items[1:], futures, strict=True):
            made.append(work(item) if future.cancel() else future.result())
        return made

    def cancel(self) -> None:
        """Let what is running end at its next step."""
        self._cancelled.set()

    def check_cancelled(self) -> None:
        """Called by what runs at each of its steps.

        Raises
        ------
        Cancelled
            It is to end.
        """
        if self._cancelled.is_set():
            raise Cancelled

    def run(
        self,
        problems: Sequence[Problem],
        recipe: Recipe,
        *,
        name: str = "batch",
        layers: Sequence[str] = (),
        checkpoint: Checkpoint | None = None,
        advance: Advance = lambda _n: None,
        yardsticks: Sequence[Objective] = (),
        form: StimulusFormat | None = None,
        fill_to: int = 0,
        what: str = "problems",
        wanted: Sequence[str] = (),
        ways: str = "--device cpu",
        is_halved: bool = False,
    ) -> list[ProblemResult]:
        """Work on problems in one batch; where memory does not suffice, in its halves.

        Parameters
        ----------
        problems : sequence of Problem
        recipe : Recipe
        name : str
            Of the batch, and of its state in the checkpoint.
        layers : sequence of str
            Read in every pass, whatever the problems read; default what they do.
        checkpoint : Checkpoint, optional
            Where the state is kept.
        advance : callable, optional
            Is told how many steps of images are done, and taken back.
        yardsticks : sequence of Objective
            One a problem, that finished images are scored by.
        form : StimulusFormat, optional
            As their files will hold them, they are scored too.
        fill_to : int
            A batch of fewer images is filled up with images that nobody wants, so that the company changes no bit
            where the network treats the items of a batch alike.
        what : str
            What problems are called in a warning.
        wanted : sequence of str
            What each problem is called where it does not fit in memory by itself.
        ways : str
            What to try then.
        """
        counted = 0

        def count(n: int) -> None:
            nonlocal counted
            counted += n
            advance(n)

        try:
            filler = [] if is_halved else _make_filler(problems, yardsticks, fill_to)
            batch = [*problems, *filler]
            return self._run_batch(batch, recipe, name, layers, checkpoint, count, yardsticks, form, is_halved)[
                : len(problems)
            ]
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error) or (len(problems) == 1 and not wanted):
                raise
            if len(problems) == 1:
                raise BeholderError(
                    f"expected {wanted[0]} to fit in memory; got {str(error).splitlines()[0][:120]}; "
                    f"try {ways}: finished parts are kept"
                ) from error
            logger.warning("out of memory with %d %s in a batch; redone in halves", len(problems), what)
            advance(-counted)
        half = len(problems) // 2
        return [
            made
            for part, letter in ((slice(half), "a"), (slice(half, None), "b"))
            for made in self.run(
                problems[part], recipe, name=name + letter, layers=layers, checkpoint=checkpoint, advance=advance,
                yardsticks=yardsticks[part], form=form, what=what, wanted=wanted[part], ways=ways, is_halved=True,
            )
        ]  # fmt: skip

    def _run_batch(
        self,
        problems: Sequence[Problem],
        recipe: Recipe,
        name: str,
        layers: Sequence[str],
        checkpoint: Checkpoint | None,
        advance: Advance,
        yardsticks: Sequence[Objective],
        form: StimulusFormat | None,
        is_halved: bool,
    ) -> list[ProblemResult]:
        """One batch as it is; nothing of it is held when it fails."""
        run = BatchRun(self.network, problems, recipe, tuple(layers))
        result = run.run(checkpoint=checkpoint, name=name, advance=advance, check_cancelled=self.check_cancelled)
        images, sizes = result.images.cpu().numpy(), [problem.n_images for problem in problems]
        scores = saved = np.empty(0, np.float32)
        if form is not None:
            rounded = torch.from_numpy(np.ascontiguousarray(form.round(images)))
            saved = self.score(yardsticks, rounded, sizes, run.layers)
        if yardsticks:
            scores = self.score(yardsticks, result.images, sizes, run.layers)
        alpha = None if result.transparency is None else result.transparency.cpu().numpy()
        rows = [slice(end - size, end) for size, end in zip(sizes, np.cumsum(sizes), strict=True)]
        return [
            ProblemResult(
                images=images[own], losses=result.losses[own], steps=int(steps), stopped_by=stopped_by,
                transparency=None if alpha is None else alpha[own], scores=scores[own], saved_scores=saved[own],
                batch=name, is_halved=is_halved,
            )
            for own, steps, stopped_by in zip(rows, result.steps, result.stopped_by, strict=True)
        ]  # fmt: skip

    def score(
        self, objectives: Sequence[Objective], images: Tensor, sizes: Sequence[int], layers: Sequence[str]
    ) -> np.ndarray:
        """Scores of images by the objectives of their problems, without augmentation: (n_images,), float32.

        Images beyond those of the objectives are company.
        """
        with torch.no_grad():
            views = self.network.run(images.to(self.network.device), sizes, layers, {}).views()
            scores = [
                check_scores(objective.score(view), size, objective)
                for objective, view, size in zip(objectives, views, sizes, strict=False)
            ]
        return torch.cat(scores).float().cpu().numpy()


def _make_filler(problems: Sequence[Problem], yardsticks: Sequence[Objective], fill_to: int) -> list[Problem]:
    missing = fill_to - sum(problem.n_images for problem in problems)
    return [Problem(yardsticks[0], n_images=missing)] if missing > 0 else []


@contextlib.contextmanager
def open_session(
    model: Model,
    layers: Sequence[str],
    shape: tuple[int, ...],
    *,
    threads: int = 1,
    n_concurrent_batches: int = 1,
    channels_last: bool = False,
    is_exact: bool = True,
) -> Iterator[SynthesisSession]:
    """Copy a network a thread, with hooks on the copies; set the threads; at the end, let nothing go on.

    Parameters
    ----------
    model : Model
    layers : sequence of str
        All that passes will read, ``"output"`` what the model returns.
    shape : tuple of int
        Of one stimulus.
    threads : int
        Inside one operation, on the CPU.
    n_concurrent_batches : int
        Batches side by side.
    channels_last : bool
        Lay convolution weights out channels-last.
    is_exact : bool
        Without TF32, whatever the user has set.
    """
    with run_eagerly(), contextlib.ExitStack() as stack:
        if is_exact:
            stack.enter_context(use_exact_math("fp32"))
        if model.device.type == "cpu":
            stack.enter_context(use_threads(threads))
        pool = None
        if n_concurrent_batches > 1:
            pool = stack.enter_context(open_threads(n_concurrent_batches, "beholder-batch"))
        session = SynthesisSession(
            model, shape, layers, pool, max(1, n_concurrent_batches), channels_last=channels_last
        )
        stack.callback(session.cancel)
        yield session


@dataclass
class SessionWorker(ModelWorker, abc.ABC):
    """A worker that makes or measures stimuli in a session; also what a run in memory works with.

    Parameters
    ----------
    model : Model
        Reaches worker processes as it is in memory.
    shape : tuple of int
        Of one stimulus.
    settings : mapping
        Of the output: ``intra_threads``, ``channels_last``, and what else decides a byte.
    cores : int
    """

    model: Model
    shape: tuple[int, ...]
    settings: Mapping[str, Any]
    cores: int
    device: str = field(init=False)
    lookahead: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.device = str(self.model.device)

    @abc.abstractmethod
    def list_layers(self) -> Sequence[str]:
        """All layers that passes read."""

    @abc.abstractmethod
    def prepare(self, session: SynthesisSession) -> Callable[[Shard], Made]:
        """What is looked at once; then what makes a shard and commits its files."""

    def count_steps(self, shard: Shard, most: int) -> Advance:
        """What counts steps of images as parts of a shard's items, of which it has at most ``most``."""
        part = shard.size / max(1, most)
        return lambda n: self.report(n * part, shard)

    @contextlib.contextmanager
    def open_session(self, n_workers: int = 1) -> Iterator[SynthesisSession]:
        """A session with this process's part of the cores."""
        n_batches = count_concurrent_batches(self.cores, self.settings["intra_threads"], self.model) // n_workers
        self.lookahead = n_batches if n_batches > 1 else 0
        with open_session(
            self.model, self.list_layers(), self.shape, threads=self.settings["intra_threads"],
            n_concurrent_batches=n_batches, channels_last=self.settings["channels_last"],
        ) as session:  # fmt: skip
            yield session

    @contextlib.contextmanager
    def open(self, n_workers: int) -> Iterator[Callable[[Shard], Finish]]:
        """Open the session, and start shards in it."""
        with self.open_session(n_workers) as session:
            yield partial(session.submit, self.prepare(session))


def count_cores(threads: int | None) -> int:
    """Cores to use: as many as were asked for, else all."""
    if threads is None:
        return cores.count_cores()
    return check_count(threads, "thread")


def count_threads(cores: int, n_batches: int, model: Model) -> int:
    """Threads in an operation: one, unless the CPU has more cores than there are batches."""
    return max(1, cores // n_batches) if model.device.type == "cpu" else 1


def count_concurrent_batches(cores: int, intra_threads: int, model: Model) -> int:
    """Batches side by side: an accelerator runs one at a time."""
    return max(1, cores // intra_threads) if model.device.type == "cpu" else 1
