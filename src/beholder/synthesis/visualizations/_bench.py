"""Problems of several units worked on side by side in one open network, and scored as their files will be."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor

from beholder._core.errors import BeholderError
from beholder._core.progress import logger
from beholder.models import Unit
from beholder.synthesis.engine._loop import BatchResult, BatchRun, Recipe
from beholder.synthesis.engine._plan import plan_batches
from beholder.synthesis.engine._stimulus_format import StimulusFormat
from beholder.synthesis.gradients._network import Network
from beholder.synthesis.objectives._base import Problem
from beholder.synthesis.objectives._units import Channel


class Cancelled(BaseException):
    """Other work failed, or the user interrupted."""


@final
@dataclass(frozen=True, eq=False)
class UnitProblem:
    """One problem, and the unit whose activation by its images counts."""

    problem: Problem
    unit: Unit


@final
@dataclass(frozen=True, eq=False)
class UnitResult:
    """What came of one order.

    Attributes
    ----------
    images : (n_images, *input_shape), float32
    activations : (n_images,), float32
        Of the images as saved, without augmentation.
    unrounded : (n_images,), float32
        Of the images before they are rounded to what a file holds.
    losses : (n_images, n_steps), float32
        NaN after the end.
    steps : int
        Steps taken.
    stopped_by : str
        ``"steps"`` or ``"not finite"``.
    transparency : (n_images, *input_shape), float32, or None
    is_halved : bool
        Memory did not suffice for the batch that was planned.
    """

    images: np.ndarray
    activations: np.ndarray
    unrounded: np.ndarray
    losses: np.ndarray
    steps: int
    stopped_by: str
    transparency: np.ndarray | None
    is_halved: bool


@final
class Runner:
    """Runs batches of problems, as many side by side as there are lanes.

    Parameters
    ----------
    network : Network
        Open for the layers that :meth:`make` is given.
    recipe : Recipe
    form : StimulusFormat
        How the images will be saved.
    batch_size : int or None
        Images in one batch; fewer are filled up, so that the company changes no bit where the network treats the items
        of a batch alike; a larger problem is a batch of its own. None: so is every problem.
    n_concurrent_batches : int
        Batches side by side.
    """

    def __init__(
        self, network: Network, recipe: Recipe, form: StimulusFormat, batch_size: int | None, n_concurrent_batches: int
    ) -> None:
        self._network, self._recipe, self._form, self._batch_size = network, recipe, form, batch_size
        self._pool = ThreadPoolExecutor(n_concurrent_batches, thread_name_prefix="beholder-lane")
        self._cancelled = threading.Event()
        self._failure: BaseException | None = None

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_error: object) -> None:
        self.cancel()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def cancel(self, reason: BaseException | None = None) -> None:
        """Let what is running end at its next step; the first reason is kept."""
        if self._failure is None and not isinstance(reason, Cancelled):
            self._failure = reason
        self._cancelled.set()

    def explain(self, error: BaseException) -> BaseException:
        """What made work fail: the error itself, or what it was cancelled for."""
        return self._failure or error if isinstance(error, Cancelled) else error

    def make(self, unit_problems: Sequence[UnitProblem], layers: Sequence[str]) -> list[UnitResult]:
        """Work on problems; what comes out of one depends on the others in the last bits at most.

        Parameters
        ----------
        orders : sequence of UnitProblem
            In an order that decides which share a batch.
        layers : sequence of str
            A set that the network was opened for and that holds all layers of the problems.
        """
        sizes = [order.problem.n_images for order in unit_problems]
        keys = [tuple(layers)] * len(unit_problems)
        plan = plan_batches(sizes, keys, cores=1, on_cpu=False, batch_size=self._batch_size or 1)
        futures = [
            self._pool.submit(self._run, [unit_problems[i] for i in batch], layers, False) for batch in plan.batches
        ]
        try:
            made = [future.result() for future in futures]
        except BaseException as error:
            self.cancel(error)
            raise
        found = {i: each for batch, part in zip(plan.batches, made, strict=True) for i, each in zip(batch, part)}  # noqa: B905
        return [found[i] for i in range(len(unit_problems))]

    def score(self, units: Sequence[Unit], image: Tensor, layers: Sequence[str]) -> list[float]:
        """Activations of several units by one image.

        Parameters
        ----------
        units : sequence of Unit
        image : Tensor, (*input_shape)
        layers : sequence of str
            As for :meth:`make`.
        """

        def run() -> list[float]:
            with torch.no_grad():
                (view,) = self._network.run(image[None].to(self._network.device), [1], layers, {}).views()
                return [float(Channel(unit.layer, unit.channel).score(view)[0]) for unit in units]

        return self._pool.submit(run).result()

    def _check_cancelled(self) -> None:
        if self._cancelled.is_set():
            raise Cancelled

    def _run(self, unit_problems: Sequence[UnitProblem], layers: Sequence[str], is_halved: bool) -> list[UnitResult]:
        """One batch; where memory does not suffice, its halves."""
        problems = [order.problem for order in unit_problems]
        try:
            run = BatchRun(
                self._network, [*problems, *([] if is_halved else self._make_filler(unit_problems))], self._recipe
            )
            run.layers = tuple(layers)
            result = run.run(
                checkpoint=None, name="", advance=lambda _n: None, check_cancelled=self._check_cancelled
            )  # fmt: skip
            return self._finish(unit_problems, result, layers, is_halved)
        except (torch.OutOfMemoryError, RuntimeError) as error:
            if not _is_out_of_memory(error):
                raise
            if len(unit_problems) == 1:
                n_images = unit_problems[0].problem.n_images
                raise BeholderError(
                    f"expected {n_images} images of {unit_problems[0].unit} to fit in memory; got "
                    f"{str(error).splitlines()[0][:120]}; try fewer --n_images or --device cpu: finished parts are kept"
                ) from error
            logger.warning("out of memory with %d problems in a batch; redone in halves", len(unit_problems))
        half = len(unit_problems) // 2
        return [made for part in (unit_problems[:half], unit_problems[half:]) for made in self._run(part, layers, True)]

    def _make_filler(self, unit_problems: Sequence[UnitProblem]) -> list[Problem]:
        """Images that nobody wants, so that every batch has the same size."""
        missing = (self._batch_size or 0) - sum(order.problem.n_images for order in unit_problems)
        unit = unit_problems[0].unit
        return [Problem(Channel(unit.layer, unit.channel), n_images=missing)] if missing > 0 else []

    def _finish(
        self, unit_problems: Sequence[UnitProblem], result: BatchResult, layers: Sequence[str], is_halved: bool
    ) -> list[UnitResult]:
        images = result.images.cpu().numpy()
        saved = torch.from_numpy(np.ascontiguousarray(self._form.round(images))).to(result.images.device)
        activations = self._score(unit_problems, saved, layers)
        unrounded = self._score(unit_problems, result.images, layers)
        alpha = None if result.transparency is None else result.transparency.cpu().numpy()
        made, start = [], 0
        for order, steps, stopped_by in zip(
            unit_problems, result.steps, result.stopped_by, strict=False
        ):  # without filler
            rows = slice(start, start + order.problem.n_images)
            start = rows.stop
            made.append(
                UnitResult(
                    images=images[rows], activations=activations[rows], unrounded=unrounded[rows],
                    losses=result.losses[rows], steps=int(steps), stopped_by=stopped_by,
                    transparency=None if alpha is None else alpha[rows], is_halved=is_halved,
                )
            )  # fmt: skip
        return made

    def _score(self, unit_problems: Sequence[UnitProblem], images: Tensor, layers: Sequence[str]) -> np.ndarray:
        sizes = [order.problem.n_images for order in unit_problems]
        filler = len(images) - sum(sizes)
        with torch.no_grad():
            views = self._network.run(images, [*sizes, *([filler] if filler else [])], layers, {}).views()
            scores = [
                Channel(order.unit.layer, order.unit.channel).score(view)
                for order, view in zip(unit_problems, views, strict=False)
            ]
        return torch.cat(scores).float().cpu().numpy()


def _is_out_of_memory(error: BaseException) -> bool:
    text = str(error)
    return isinstance(error, torch.OutOfMemoryError) or "not enough memory" in text or "out of memory" in text
