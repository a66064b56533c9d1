"""Making metamers of single layers in one open network."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import torch
from torch import Tensor

from beholder._core.errors import BeholderError, InputError
from beholder._core.progress import logger
from beholder._core.seeds import make_generator
from beholder.models import Model
from beholder.synthesis.engine._checkpoint import Checkpoint
from beholder.synthesis.engine._loop import BatchResult, BatchRun, Recipe
from beholder.synthesis.engine._validate import check_gradient
from beholder.synthesis.gradients._network import Network
from beholder.synthesis.gradients._rectifiers import EndRectifiers
from beholder.synthesis.gradients._straight import find_rectifiers
from beholder.synthesis.images._whitened import Whitened, whiten_layer
from beholder.synthesis.metamers._recipe import LOSSES, MetamerRecipe
from beholder.synthesis.objectives._base import Objective, Problem
from beholder.synthesis.objectives._match import CoarseToFine, MatchByParts, MatchRectified, SingleUnitFirst
from beholder.synthesis.objectives._units import MatchTarget

_FAKE = ("_fake_relu", "_fakerelu")


class Cancelled(BaseException):
    """Other work failed, or the user interrupted."""


@final
@dataclass(frozen=True, eq=False)
class MetamerTask:
    """One metamer to be made.

    Attributes
    ----------
    layer : str
    stimulus_id : str
    seed : int
    original : ndarray, (*input_shape), float32
        As ``model.prepare`` gives it.
    label, says : str
        Its class, and the decision that its set asks for; empty where there is none.
    """

    layer: str
    stimulus_id: str
    seed: int
    original: np.ndarray
    label: str = ""
    says: str = ""


@final
@dataclass(frozen=True, eq=False)
class MetamerResult:
    """What came of one task.

    Attributes
    ----------
    image : ndarray, (*input_shape), float32
    losses : ndarray, (n_steps,), float32
        ‖rep − target‖ / ‖target‖ at each step; of the default recipe before the layer's own rectifiers, where it is
        never smaller, and start after start where there were several.
    steps : int
        Evaluations, of all starts.
    stopped_by : str
        ``"steps"``, ``"target"``, ``"plateau"`` or ``"not finite"``.
    is_halved : bool
        Memory did not suffice for the batch that was planned.
    """

    image: np.ndarray
    losses: np.ndarray
    steps: int
    stopped_by: str
    is_halved: bool

    @property
    def best_loss(self) -> float:
        """The smallest."""
        finite = self.losses[np.isfinite(self.losses)]
        return float(finite.min()) if len(finite) else np.inf

    def or_better(self, other: MetamerResult) -> MetamerResult:
        """The better of this and what came of another start, with the steps of both."""
        return replace(
            other if other.best_loss < self.best_loss else self,
            losses=np.concatenate([self.losses, other.losses]),
            steps=self.steps + other.steps,
            is_halved=self.is_halved or other.is_halved,
        )


@final
@dataclass(frozen=True, eq=False)
class LayerPlan:
    """How one layer is matched.

    Attributes
    ----------
    layer : str
        As asked for.
    worked : str
        The layer of the network that is matched: the same values, mostly the same name.
    ends : EndRectifiers or None
        Rectifiers that the layer consists of.
    n_rectifiers : int
        Through how many of the layer's own rectifiers the gradient passes.
    through : bool
        Where ``ends`` is None: pass those that end a part of the layer all the same.
    whitened : Whitened or None
    channel_axis : int
        Of the layer's features.
    """

    layer: str
    target_layer: str
    ends: EndRectifiers | None
    n_rectifiers: int
    through: bool
    whitened: Whitened | None
    channel_axis: int


@final
class MetamerRunner:
    """Runs batches of metamers.

    Parameters
    ----------
    model : Model
    network : Network
        With all layers, and those that :func:`list_worked_layers` adds.
    layers : sequence of str
    recipe : MetamerRecipe
    shape : tuple of int
        Of one stimulus.

    Raises
    ------
    InputError
        A layer without gradient, not floating, or NaN on a first stimulus.
    """

    def __init__(
        self, model: Model, network: Network, layers: Sequence[str], recipe: MetamerRecipe, shape: tuple[int, ...]
    ) -> None:
        self._model, self._network, self._recipe, self._shape = model, network, recipe, shape
        self._cancelled = threading.Event()
        self.plans = {layer: self._plan(layer) for layer in layers}
        self._engine: dict[str, Recipe] = {
            layer: recipe.make_engine_recipe(shape, model.input_range, plan.whitened)
            for layer, plan in self.plans.items()
        }

    def cancel(self) -> None:
        """Let what is running end at its next step."""
        self._cancelled.set()

    def _draw_example(self) -> Tensor:
        """A noise stimulus such as the work begins with, the same for every run."""
        low, high = self._model.input_range or (-1.0, 1.0)
        noise = make_generator(0, "metamer example").standard_normal(self._shape, dtype=np.float32)
        image = ((low + high) / 2 + (high - low) / 20 * noise).clip(low, high)
        return torch.from_numpy(image)[None].to(self._network.device)

    def _plan(self, layer: str) -> LayerPlan:
        network, example = self._network, self._draw_example()
        target_layer = layer if self._recipe.is_published else find_plain_layer(self._model, network, layer, example)
        network.open((target_layer,))
        check_gradient(network, (target_layer,), example)
        ends = network.find_end_rectifiers(target_layer, example)
        n_own, axes = self._look_at(target_layer, example)
        whitened = None if self._recipe.is_published else whiten_layer(network, target_layer, example)
        through = ends is None and self._recipe.is_published and n_own > 0
        count = len(ends) if ends is not None else n_own if through else 0
        axis = axes.index("channel") if "channel" in axes else 0
        return LayerPlan(layer, target_layer, ends, count, through, whitened, axis)

    def _look_at(self, layer: str, example: Tensor) -> tuple[int, tuple[str, ...]]:
        """How many rectifiers end any part of a layer; its axes."""
        with torch.enable_grad():
            captured = self._network.run(example.clone().requires_grad_(True), [1], (layer,), {})
            return len(find_rectifiers(captured.nodes[layer])), captured.axes[layer]

    def make(self, tasks: Sequence[MetamerTask], checkpoint: Checkpoint | None = None) -> list[MetamerResult]:
        """Make metamers of one layer, in one batch; those that are stuck are begun anew from other noise.

        Parameters
        ----------
        tasks : sequence of MetamerTask
            Of one layer.
        checkpoint : Checkpoint, optional
            Where the state is kept.
        """
        (layer,) = {task.layer for task in tasks}
        made = self._run(layer, tasks, "batch", checkpoint, 0, is_halved=False)
        for attempt in range(1, self._recipe.starts):
            stuck = [i for i, one in enumerate(made) if self._recipe.is_stuck(one.best_loss, one.stopped_by)]
            if not stuck:
                break
            others = self._run(
                layer, [tasks[i] for i in stuck], f"start{attempt}", checkpoint, attempt, is_halved=False
            )
            for i, other in zip(stuck, others, strict=True):
                made[i] = made[i].or_better(other)
        return made

    def _check_cancelled(self) -> None:
        if self._cancelled.is_set():
            raise Cancelled

    def _run(
        self,
        layer: str,
        tasks: Sequence[MetamerTask],
        name: str,
        checkpoint: Checkpoint | None,
        attempt: int,
        *,
        is_halved: bool,
    ) -> list[MetamerResult]:
        """One batch; where memory does not suffice, its halves."""
        try:
            problems = [self._make_problem(task, attempt) for task in tasks]
            result = BatchRun(self._network, problems, self._engine[layer]).run(
                checkpoint=checkpoint, name=name, advance=_ignore, check_cancelled=self._check_cancelled
            )
            return self._finish(result, is_halved=is_halved)
        except torch.OutOfMemoryError as error:
            if len(tasks) == 1:
                raise BeholderError(
                    f"expected one metamer of {layer} to fit in memory; got {str(error).splitlines()[0][:120]}; "
                    "try --device cpu: finished parts are kept"
                ) from error
            logger.warning("out of memory with %d metamers in a batch; redone in halves", len(tasks))
        half = len(tasks) // 2
        parts = ((tasks[:half], f"{name}a"), (tasks[half:], f"{name}b"))
        return [
            made for part, label in parts for made in self._run(layer, part, label, checkpoint, attempt, is_halved=True)
        ]

    def _make_problem(self, task: MetamerTask, attempt: int) -> Problem:
        start = self._recipe.draw_start(self._shape, self._model.input_range, task.seed, task.stimulus_id, attempt)
        return Problem(self._make_objective(task), seed=task.seed, start=start)

    def _make_objective(self, task: MetamerTask) -> Objective:
        plan, published = self.plans[task.layer], self._recipe.is_published
        with torch.no_grad():
            image = torch.from_numpy(task.original)[None].to(self._network.device)
            (view,) = self._network.run(image, [1], (plan.target_layer,), {}).views()
            target = view.layer(plan.target_layer).float().cpu()
            before = () if plan.ends is None else view.before_rectifiers(plan.target_layer)
        curriculum = LOSSES[self._recipe.loss]
        if curriculum is not None:
            filters = curriculum is CoarseToFine
            chosen = find_filters(self._model, target.shape[1:]) if filters else SingleUnitFirst()
            return MatchByParts(
                plan.target_layer, target, chosen, self._recipe.iterations, self._recipe.repeats, seed=task.seed,
                channel_axis=plan.channel_axis, through_rectifier=plan.n_rectifiers > 0,
            )  # fmt: skip
        if plan.ends is not None:
            kind = "straight" if published else "one-sided"
            return MatchRectified(plan.target_layer, tuple(each.cpu() for each in before), plan.ends, kind)
        return MatchTarget(plan.target_layer, target, through_rectifier=plan.through, squared=not published)

    def _finish(self, result: BatchResult, *, is_halved: bool) -> list[MetamerResult]:
        images = result.images.cpu().numpy()
        made = []
        for i, (steps, stopped_by) in enumerate(zip(result.steps, result.stopped_by, strict=True)):
            losses = result.losses[i, : int(steps)].astype(np.float32)
            losses = losses if self._recipe.is_published else np.sqrt(losses.clip(0))
            made.append(MetamerResult(images[i], losses, int(steps), stopped_by, is_halved))
        return made


def _ignore(_n: int) -> None:
    """Progress is counted in metamers."""


def list_target_layers(model: Model, layers: Sequence[str]) -> list[str]:
    """The layers; of a network driven through ``with_latent`` also those with the same values, really rectified."""
    known = () if model.latent is None else model.latent.names
    plain = [layer.removesuffix(end) for layer in layers for end in _FAKE if layer.endswith(end)]
    return list(dict.fromkeys([*layers, *(name for name in plain if name in known)]))


def find_plain_layer(model: Model, network: Network, layer: str, example: Tensor) -> str:
    """Of a layer whose rectifier is faked, the one with the same values and a real one; else the layer."""
    for name in list_target_layers(model, [layer])[1:]:
        network.open((layer, name))
        with torch.no_grad():
            captured = network.run(example, [1], (layer, name), {})
        if torch.equal(captured.tensors[layer], captured.tensors[name]):
            return name
    return layer


def find_filters(model: Model, shape: Sequence[int]) -> CoarseToFine:
    """The curriculum for a layer of a network of spectrotemporal filters: rate and scale of each channel."""
    from beholder.models import RippleFilterbank

    for part in model.module.modules():
        if isinstance(part, RippleFilterbank) and len(part.ripples) == shape[0]:
            rates, scales = zip(*part.ripples, strict=True)
            return CoarseToFine(rates, scales)
    raise InputError(
        "a layer of spectrotemporal filters, such as filtered_signal of audio:spectemp",
        got=f"a layer of shape {tuple(shape)} of {model.name}", hint="-L inversion_loss_layer",
    )  # fmt: skip
