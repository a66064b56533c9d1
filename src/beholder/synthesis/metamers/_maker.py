"""Metamers of single layers in an open session: made, begun anew where they are stuck, and measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import torch
from torch import Tensor

from beholder._core.errors import InputError
from beholder._core.progress import logger
from beholder._core.seeds import make_generator
from beholder.models import Model
from beholder.synthesis.engine._checkpoint import Checkpoint
from beholder.synthesis.engine._loop import Advance, Recipe
from beholder.synthesis.engine._session import ProblemResult, SynthesisSession
from beholder.synthesis.engine._stimulus_format import StimulusFormat
from beholder.synthesis.engine._validate import check_gradient
from beholder.synthesis.gradients._network import Network
from beholder.synthesis.gradients._rectifiers import EndRectifiers, find_rectifiers
from beholder.synthesis.images._whitened import whiten_layer
from beholder.synthesis.metamers._measure import Measured, Measurer, Prediction
from beholder.synthesis.metamers._recipe import LOSSES, MetamerRecipe
from beholder.synthesis.objectives._base import Objective, Problem
from beholder.synthesis.objectives._match import CoarseToFine, MatchByParts, MatchRectified, SingleUnitFirst
from beholder.synthesis.objectives._units import MatchTarget


def _tell_nobody(n: int) -> None:
    """Steps that nobody counts."""


_FAKE = ("_fake_relu", "_fakerelu")


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
class FinishedMetamer:
    """A metamer with what is known of it.

    Attributes
    ----------
    task : MetamerTask
    made : ProblemResult
        Of one image; ``losses`` are ‖rep − target‖ / ‖target‖ at each step, of the default recipe before the layer's
        own rectifiers, where it is never smaller, and start after start where there were several. ``steps`` are those
        of all starts.
    unrounded : Measured
        The metamer as it was made.
    original : Prediction
    decision, rule : str or None
        By which original and metamer are held to be the same; None for networks that give no answers.
    """

    task: MetamerTask
    made: ProblemResult
    unrounded: Measured
    original: Prediction
    decision: str | None
    rule: str | None

    @property
    def image(self) -> np.ndarray:
        """(*input_shape), float32."""
        return self.made.images[0]

    @property
    def loss(self) -> float:
        """‖rep − target‖ / ‖target‖ at the matched layer."""
        match = self.unrounded.matches[self.task.layer]
        return match.norm_noise / match.norm_signal


@final
@dataclass(frozen=True, eq=False)
class LayerPlan:
    """How one layer is matched.

    Attributes
    ----------
    layer : str
        As asked for.
    target_layer : str
        The layer of the network that is matched: the same values, mostly the same name.
    recipe : Recipe
        Of the engine, with a parameterisation that suits the layer.
    ends : EndRectifiers or None
        Rectifiers that the layer consists of.
    n_rectifiers : int
        Through how many of the layer's own rectifiers the gradient passes.
    through : bool
        Where ``ends`` is None: pass those that end a part of the layer all the same.
    channel_axis : int
        Of the layer's features.
    """

    layer: str
    target_layer: str
    recipe: Recipe
    ends: EndRectifiers | None
    n_rectifiers: int
    through: bool
    channel_axis: int


@final
class MetamerMaker:
    """Makes and measures metamers.

    Parameters
    ----------
    session : SynthesisSession
        With the layers that :func:`list_target_layers` gives.
    layers, measured : sequence of str
        Matched and measured layers.
    recipe : MetamerRecipe
    rule : {"first", "mean", "max", "sum"}
        How a category follows from classes.

    Raises
    ------
    InputError
        A layer without gradient, not floating, or NaN on a first stimulus.
    """

    def __init__(
        self,
        session: SynthesisSession,
        layers: Sequence[str],
        measured: Sequence[str],
        recipe: MetamerRecipe,
        rule: str = "first",
    ) -> None:
        self._session, self._recipe = session, recipe
        self.plans = {layer: self._plan(layer) for layer in layers}
        self.measurer = Measurer(session, measured, rule)
        self.form = StimulusFormat.of_model(session.model, session.shape)

    def _draw_example(self) -> Tensor:
        """A noise stimulus such as the work begins with, the same for every run."""
        low, high = self._session.model.input_range or (-1.0, 1.0)
        noise = make_generator(0, "metamer example").standard_normal(self._session.shape, dtype=np.float32)
        image = ((low + high) / 2 + (high - low) / 20 * noise).clip(low, high)
        return torch.from_numpy(image)[None].to(self._session.network.device)

    def _plan(self, layer: str) -> LayerPlan:
        model, network, example = self._session.model, self._session.network, self._draw_example()
        published = self._recipe.is_published
        target_layer = layer if published else find_plain_layer(model, network, layer, example)
        check_gradient(network, (target_layer,), example)
        ends = network.find_end_rectifiers(target_layer, example)
        n_own, axes = self._look_at(target_layer, example)
        whitened = None if published else whiten_layer(network, target_layer, example)
        recipe = self._recipe.make_engine_recipe(self._session.shape, model.input_range, whitened)
        through = ends is None and published and n_own > 0
        count = len(ends) if ends is not None else n_own if through else 0
        axis = axes.index("channel") if "channel" in axes else 0
        return LayerPlan(layer, target_layer, recipe, ends, count, through, axis)

    def _look_at(self, layer: str, example: Tensor) -> tuple[int, tuple[str, ...]]:
        """How many rectifiers end any part of a layer; its axes."""
        with torch.enable_grad():
            captured = self._session.network.run(example.clone().requires_grad_(True), [1], (layer,), {})
            return len(find_rectifiers(captured.nodes[layer])), captured.axes[layer]

    def make(
        self, tasks: Sequence[MetamerTask], checkpoint: Checkpoint | None = None, advance: Advance = _tell_nobody
    ) -> tuple[list[FinishedMetamer], list[MetamerTask]]:
        """Make and measure metamers of one layer, in one batch; and those whose target is zero everywhere.

        Parameters
        ----------
        tasks : sequence of MetamerTask
            Of one layer.
        checkpoint : Checkpoint, optional
            Where the state is kept.
        advance : callable, optional
            Is told how many steps of images are done, from the first starts.
        """
        left, empty = [], []
        for task in tasks:
            values, _ = self.measurer.look_at_original(task.stimulus_id, task.original)
            if values[task.layer].is_zero:
                logger.warning("%s: %s is zero everywhere, so there is nothing to match", task.stimulus_id, task.layer)
            (empty if values[task.layer].is_zero else left).append(task)
        pairs = zip(left, self.match(left, checkpoint, advance), strict=True) if left else ()
        return [self._measure(task, made) for task, made in pairs], empty

    def _measure(self, task: MetamerTask, made: ProblemResult) -> FinishedMetamer:
        if made.stopped_by == "not finite":
            logger.warning(
                "%s at %s: the loss was not finite at step %d; the last good state is kept",
                task.stimulus_id, task.layer, made.steps,
            )  # fmt: skip
        measured = self.measurer.compare(task.stimulus_id, task.original, made.images[0])
        _, original = self.measurer.look_at_original(task.stimulus_id, task.original)
        decision, rule = self.measurer.reader.pick(original, task.label, task.says)
        return FinishedMetamer(task, made, measured, original, decision, rule)

    def match(
        self, tasks: Sequence[MetamerTask], checkpoint: Checkpoint | None = None, advance: Advance = _tell_nobody
    ) -> list[ProblemResult]:
        """Make metamers of one layer, in one batch; those that are stuck are begun anew from other noise."""
        made = self._start(tasks, checkpoint, 0, advance)
        for attempt in range(1, self._recipe.starts):
            stuck = [i for i, one in enumerate(made) if self._recipe.is_stuck(find_best_loss(one), one.stopped_by)]
            if not stuck:
                break
            others = self._start([tasks[i] for i in stuck], checkpoint, attempt)
            for i, other in zip(stuck, others, strict=True):
                made[i] = pick_better(made[i], other)
        return made

    def _start(
        self, tasks: Sequence[MetamerTask], checkpoint: Checkpoint | None, attempt: int, advance: Advance = _tell_nobody
    ) -> list[ProblemResult]:
        (layer,) = {task.layer for task in tasks}
        results = self._session.run(
            [self._make_problem(task, attempt) for task in tasks], self.plans[layer].recipe,
            name=f"start{attempt}" if attempt else "batch", checkpoint=checkpoint, what="metamers", advance=advance,
            wanted=[f"one metamer of {layer}"] * len(tasks),
        )  # fmt: skip
        cut = [replace(each, losses=each.losses[:, : each.steps]) for each in results]
        return cut if self._recipe.is_published else [replace(e, losses=np.sqrt(e.losses.clip(0))) for e in cut]

    def _make_problem(self, task: MetamerTask, attempt: int) -> Problem:
        session = self._session
        start = self._recipe.draw_start(session.shape, session.model.input_range, task.seed, task.stimulus_id, attempt)
        return Problem(self._make_objective(task), seed=task.seed, start=start)

    def _make_objective(self, task: MetamerTask) -> Objective:
        plan, recipe, network = self.plans[task.layer], self._recipe, self._session.network
        with torch.no_grad():
            image = torch.from_numpy(task.original)[None].to(network.device)
            (view,) = network.run(image, [1], (plan.target_layer,), {}).views()
            target = view.layer(plan.target_layer).float().cpu()
            before = () if plan.ends is None else view.before_rectifiers(plan.target_layer)
        curriculum = LOSSES[recipe.loss]
        if curriculum is not None:
            filters = curriculum is CoarseToFine
            chosen = find_filters(self._session.model, target.shape[1:]) if filters else SingleUnitFirst()
            return MatchByParts(
                plan.target_layer, target, chosen, recipe.iterations, recipe.repeats, seed=task.seed,
                channel_axis=plan.channel_axis, through_rectifier=plan.n_rectifiers > 0,
            )  # fmt: skip
        if plan.ends is not None:
            kind = "straight" if recipe.is_published else "one-sided"
            return MatchRectified(plan.target_layer, tuple(each.cpu() for each in before), plan.ends, kind)
        return MatchTarget(plan.target_layer, target, through_rectifier=plan.through, squared=not recipe.is_published)


def find_best_loss(made: ProblemResult) -> float:
    """The smallest."""
    finite = made.losses[np.isfinite(made.losses)]
    return float(finite.min()) if len(finite) else np.inf


def pick_better(made: ProblemResult, other: ProblemResult) -> ProblemResult:
    """The better of what came of two starts, with the steps of both."""
    return replace(
        other if find_best_loss(other) < find_best_loss(made) else made,
        losses=np.concatenate([made.losses, other.losses], axis=1),
        steps=made.steps + other.steps,
        is_halved=made.is_halved or other.is_halved,
    )


def list_target_layers(model: Model, layers: Sequence[str]) -> list[str]:
    """The layers; of a network driven through ``with_latent`` also those with the same values, really rectified."""
    plain = [layer.removesuffix(end) for layer in layers for end in _FAKE if layer.endswith(end)]
    known = model.latent.names if plain and model.latent is not None else ()
    return list(dict.fromkeys([*layers, *(name for name in plain if name in known)]))


def find_plain_layer(model: Model, network: Network, layer: str, example: Tensor) -> str:
    """Of a layer whose rectifier is faked, the one with the same values and a real one; else the layer."""
    for name in list_target_layers(model, [layer])[1:]:
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
