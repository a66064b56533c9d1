"""The one optimiser loop: a batch of independent problems from start to end."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from beholder._core.errors import InputError
from beholder._core.seeds import derive_seed
from beholder.jobs import check_time
from beholder.synthesis.engine._checkpoint import Checkpoint
from beholder.synthesis.engine._optimizers import Optimizer
from beholder.synthesis.engine._stopping import StopRule
from beholder.synthesis.gradients._network import Network
from beholder.synthesis.gradients._redirect import RedirectDeadRectifiers
from beholder.synthesis.gradients._view import Constants
from beholder.synthesis.images._constraints import Constraint
from beholder.synthesis.images._draws import Draws
from beholder.synthesis.images._parameterization import Canvas, Parameterization
from beholder.synthesis.images._transforms import Transform
from beholder.synthesis.objectives._base import Objective, Problem, check_scores

logger = logging.getLogger("beholder")

Advance = Callable[[int], None]


@final
@dataclass(frozen=True)
class Recipe:
    """How all problems of one call are worked on; see :func:`~beholder.synthesis.synthesize`."""

    parameterization: Parameterization
    transforms: tuple[Transform, ...]
    constraints: tuple[Constraint, ...]
    optimizer: Optimizer
    steps: int
    stop: tuple[StopRule, ...]
    redirect_steps: int
    samples: int
    keep: str
    transparency: bool
    input_shape: tuple[int, ...]
    value_range: tuple[float, float] | None

    @property
    def canvas(self) -> Canvas:
        """What the parameterisation draws on: the model's input and the margin that the transforms cut off."""
        margin = max(sum(transform.margin for transform in self.transforms), 0)
        first, *rest = self.input_shape
        return Canvas((first, *(size + 2 * margin for size in rest)) if margin else self.input_shape, self.value_range)


@final
@dataclass
class BatchResult:
    """What one batch of problems gave, images in the order of its problems."""

    images: Tensor
    losses: np.ndarray
    steps: np.ndarray
    stopped_by: list[str]
    transparency: Tensor | None


def list_layers(objectives: Iterable[Objective]) -> tuple[str, ...]:
    """Layers that objectives read, each once."""
    return tuple(dict.fromkeys(name for objective in objectives for name in objective.layers))


def make_image_seeds(problem: Problem) -> list[int]:
    """A seed for each image of a problem, a function of the problem's seed alone."""
    return [derive_seed(problem.seed, "synthesis", i) for i in range(problem.n_images)]


@final
@dataclass
class BatchRun:
    """Works on the problems of one batch.

    Problems that are finished leave: the tensors ``params`` and those of the optimiser hold the rows of the active
    ones only, ``rows`` says which images of the batch these are, ``kept`` holds what finished ones left.
    """

    network: Network
    problems: Sequence[Problem]
    recipe: Recipe
    layers: tuple[str, ...] = ()
    seeds: np.ndarray = field(init=False)
    owners: np.ndarray = field(init=False)
    constants: Constants = field(init=False, default_factory=dict)
    step: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        recipe, device = self.recipe, self.network.device
        self.layers = self.layers or list_layers(problem.objective for problem in self.problems)
        self.seeds = np.array([seed for p in self.problems for seed in make_image_seeds(p)], dtype=np.uint64)
        self.owners = np.repeat(np.arange(len(self.problems)), [p.n_images for p in self.problems])
        self.origins = self._stack_origins().to(device) if any(c.needs_origin for c in recipe.constraints) else None
        self.params = self._make_start().to(device)
        self.before = self.params
        self.kept = torch.zeros_like(self.params)
        self.rows = np.arange(len(self.seeds))
        self.state = recipe.optimizer.start(self.params)
        self.losses = np.full((len(self.seeds), recipe.steps), np.nan, dtype=np.float32)
        self.norms = np.full_like(self.losses, np.nan) if self._needs_norms else np.empty((len(self.seeds), 0))
        self.ended = np.zeros(len(self.problems), dtype=np.int64)
        self.stopped_by = [""] * len(self.problems)
        wants_best = recipe.keep == "best"
        self.best_loss = torch.full((len(self.seeds),), torch.inf, device=device) if wants_best else None
        self.best = self.params.clone() if wants_best else None
        shape = (len(self.seeds), *recipe.canvas.shape)
        self.transparency = torch.zeros(shape, device=device) if recipe.transparency else None

    @property
    def _needs_norms(self) -> bool:
        return any(rule.needs_gradient for rule in self.recipe.stop)

    def _make_start(self) -> Tensor:
        recipe, starts = self.recipe, []
        for problem in self.problems:
            if problem.start is None:
                maker = recipe.parameterization
                starts.extend(maker.start(recipe.canvas, seed) for seed in make_image_seeds(problem))
            else:
                images = read_images(problem.start, problem.n_images, recipe, "start")
                starts.extend(recipe.parameterization.encode(images, recipe.canvas))
        return torch.stack(starts).contiguous()

    def _stack_origins(self) -> Tensor:
        origins = []
        for problem in self.problems:
            origin = problem.start if problem.origin is None else problem.origin
            if origin is None:
                raise InputError(
                    "an origin or a start for each problem", got="a ball around nothing", hint="Problem(origin=image)"
                )
            origins.append(read_images(origin, problem.n_images, self.recipe, "origin"))
        return torch.cat(origins)

    def run(
        self, *, checkpoint: Checkpoint | None, name: str, advance: Advance, check_cancelled: Callable[[], None]
    ) -> BatchResult:
        """From the start, or from where a checkpoint left off, to the end."""
        if checkpoint is not None:
            stored = checkpoint.load(name, self.network.device)
            if stored is not None:
                self._restore(stored)
                advance(self.step * len(self.seeds))
        while self.step < self.recipe.steps and len(self.rows):
            try:
                check_cancelled()
                if checkpoint is not None:  # else there is no state to keep, and what is begun may still be finished
                    check_time()
            except BaseException:
                if checkpoint is not None and self.step:
                    checkpoint.save(name, self._pack())
                raise
            self._take_step()
            self.step += 1
            advance(len(self.seeds))
            if (
                checkpoint is not None
                and len(self.rows)
                and self.step % checkpoint.every == 0
                and self.step < self.recipe.steps
            ):
                checkpoint.save(name, self._pack())
        if len(self.rows):
            if self.best_loss is not None:
                self._note_best(self._evaluate(self.params)[0], self.rows)
            self._end(np.unique(self.owners[self.rows]), "steps", None)
        advance((self.recipe.steps - self.step) * len(self.seeds))
        if checkpoint is not None:
            checkpoint.save(name, self._pack())
        return self._finish()

    def _take_step(self) -> None:
        recipe = self.recipe
        active = self.rows
        losses, grads, image_grads = self._evaluate(self.params)
        values = losses.cpu().numpy()
        fine = np.isfinite(values)
        self.losses[active, self.step] = values
        if self.transparency is not None and image_grads is not None:
            self.transparency[_index(active, grads)] += image_grads.abs()
        if self._needs_norms:
            self.norms[active, self.step] = torch.linalg.vector_norm(grads.flatten(1), dim=1).cpu().numpy()
        if self.best_loss is not None:
            self._note_best(losses, active)
        lost = ~fine
        if lost.any():  # an accelerator is asked only where there is something to ask
            lost &= ~recipe.optimizer.can_back_off(losses, self.state).cpu().numpy()
        if lost.any():
            bad = np.unique(self.owners[active[lost]])
            logger.warning("%d problems stop at step %d: their loss is not finite", len(bad), self.step)
            self._end(bad, "not finite", None)
        done: dict[str, list[int]] = {}
        for problem in np.unique(self.owners[self.rows]):
            for rule in recipe.stop:
                rows = self.owners == problem
                if rule.is_done(self.losses[rows, : self.step + 1], self.norms[rows, : self.step + 1]):
                    done.setdefault(rule.name, []).append(int(problem))
                    break
        for reason, problems in done.items():
            self._end(np.array(problems), reason, losses[_index(np.isin(active, self.rows), losses)])
        if len(self.rows) == 0:
            return
        if len(self.rows) < len(active):
            stay = _index(np.isin(active, self.rows), losses)
            losses, grads = losses[stay], grads[stay]
        fine = torch.isfinite(losses).to(self.params.device).view(-1, *(1,) * (self.params.ndim - 1))
        self.before = torch.where(fine, self.params, self.before)
        params = recipe.optimizer.step(self.params, grads, losses, self.state, self.step)
        origins = None if self.origins is None else self.origins[_index(self.rows, self.origins)]
        for constraint in recipe.constraints:
            params = constraint.project(params, origins)
        self.params = params

    def _evaluate(self, params: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        recipe = self.recipe
        with torch.enable_grad():
            leaf = params.detach().requires_grad_(True)
            images = recipe.parameterization.to_images(leaf, recipe.canvas)
            scores = self._score(self._augment(images), recipe.samples, redirect=self.step < recipe.redirect_steps)
            losses = -scores
            if not losses.requires_grad:
                raise InputError("scores that depend on the images", got="objectives without a gradient")
            wanted = (leaf, images) if recipe.transparency else (leaf,)
            grads = torch.autograd.grad(losses.sum(), wanted)
        return losses.detach(), grads[0], grads[1] if recipe.transparency else None

    def _augment(self, images: Tensor) -> Tensor:
        recipe = self.recipe
        seeds = self.seeds[self.rows]
        if recipe.samples > 1:
            images = images.repeat(recipe.samples, *(1,) * (images.ndim - 1))
            salt = np.repeat(np.arange(recipe.samples, dtype=np.uint64), len(seeds))
            seeds = np.tile(seeds, recipe.samples) + salt * np.uint64(0xD1B54A32D192ED03)
        for stream, transform in enumerate(recipe.transforms):
            images = transform.apply(images, Draws(seeds, self.step, stream))
        if recipe.canvas.shape != recipe.input_shape and not recipe.transforms:
            images = cut_margin(images, recipe.input_shape)
        return images

    def _score(self, images: Tensor, samples: int, *, redirect: bool) -> Tensor:
        """Scores of the active images, mean over their augmented copies."""
        owners = self.owners[self.rows]
        active, sizes = np.unique(owners, return_counts=True)
        mode = RedirectDeadRectifiers(len(images)) if redirect else contextlib.nullcontext()
        with mode:
            captured = self.network.run(images, sizes.tolist() * samples, self.layers, self.constants)
        captured.step = self.step
        objectives = [self.problems[i].objective for i in active]
        views = captured.views()
        scores = torch.cat(
            [
                check_scores(objective.score(view), int(size), objective)
                for objective, size, view in zip(objectives * samples, sizes.tolist() * samples, views, strict=True)
            ]
        )
        return scores if samples == 1 else scores.view(samples, -1).mean(0)

    def _note_best(self, losses: Tensor, active: np.ndarray) -> None:
        assert self.best_loss is not None and self.best is not None
        index = _index(active, losses)
        better = losses < self.best_loss[index]
        self.best_loss[index] = torch.where(better, losses, self.best_loss[index])
        rows = better.view(-1, *(1,) * (self.params.ndim - 1))
        self.best[index] = torch.where(rows, self.params, self.best[index])

    def _end(self, problems: np.ndarray, reason: str, losses: Tensor | None) -> None:
        """Keep the images of some problems and take them out of the batch; ``losses`` are those of ``params``."""
        leave = np.isin(self.owners[self.rows], problems)
        go, stay = _index(leave, self.params), _index(~leave, self.params)
        state = {name: tensor[go.to(tensor.device)] for name, tensor in self.state.items()}
        if reason == "not finite":
            final = self.before[go]
        else:
            final_params = self.recipe.optimizer.final_params
            final = final_params(self.params[go], None if losses is None else losses[go], state)
        self.kept[_index(self.rows[leave], self.kept)] = final
        self.rows = self.rows[~leave]
        self.params, self.before = self.params[stay], self.before[stay]
        self.state = {name: tensor[stay.to(tensor.device)] for name, tensor in self.state.items()}
        for problem in problems:
            self.ended[problem] = self.recipe.steps if reason == "steps" else self.step + 1
            self.stopped_by[problem] = reason

    def _finish(self) -> BatchResult:
        recipe = self.recipe
        params = self.kept
        if self.best is not None and self.best_loss is not None:
            params = self.best
        with torch.no_grad():
            images = cut_margin(recipe.parameterization.to_images(params, recipe.canvas), recipe.input_shape)
            if recipe.value_range is not None:
                images = images.clamp(*recipe.value_range)
        alpha = None if self.transparency is None else cut_margin(self.transparency, recipe.input_shape)
        return BatchResult(images, self.losses, self.ended, self.stopped_by, alpha)

    def _pack(self) -> dict[str, Any]:
        packed: dict[str, Any] = {f"optimizer.{name}": tensor for name, tensor in self.state.items()}
        for name in ("params", "before", "kept", "best", "best_loss", "transparency"):
            packed[name] = getattr(self, name)
        for name in ("rows", "losses", "norms", "ended"):
            packed[name] = torch.from_numpy(np.ascontiguousarray(getattr(self, name)))
        return packed | {"step": self.step, "stopped_by": self.stopped_by}

    def _restore(self, packed: dict[str, Any]) -> None:
        for name in ("params", "before", "kept", "best", "best_loss", "transparency", "step", "stopped_by"):
            setattr(self, name, packed[name])
        for name in ("rows", "losses", "norms", "ended"):
            setattr(self, name, packed[name].cpu().numpy())
        prefix = "optimizer."
        places = {name: tensor.device for name, tensor in self.state.items()}
        self.state = {
            name.removeprefix(prefix): tensor.to(places[name.removeprefix(prefix)])
            for name, tensor in packed.items()
            if name.startswith(prefix)
        }


def _index(rows: np.ndarray, like: Tensor) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(rows)).to(like.device)


def read_images(value: Any, n_images: int, recipe: Recipe, what: str) -> Tensor:
    """Images that a user gives for a problem, one for all or one each, on the canvas."""
    images = value.detach().cpu().float() if isinstance(value, Tensor) else torch.tensor(np.asarray(value)).float()
    if tuple(images.shape) == recipe.input_shape:
        images = images.expand(n_images, *recipe.input_shape)
    if tuple(images.shape) != (n_images, *recipe.input_shape):
        raise InputError(
            f"a {what} of shape {recipe.input_shape} or {(n_images, *recipe.input_shape)}",
            got=f"shape {tuple(images.shape)}", hint="np.stack([model.prepare(file) ...])",
        )  # fmt: skip
    if not bool(torch.isfinite(images).all()):
        raise InputError(f"finite values in the {what}", got="NaN or infinity")
    grow = [(a - b) // 2 for a, b in zip(recipe.canvas.shape[1:], recipe.input_shape[1:], strict=True)]
    if any(grow):
        pads = [pad for size in reversed(grow) for pad in (size, size)]
        images = torch.nn.functional.pad(images, pads, mode="reflect")
    return images.contiguous()


def cut_margin(images: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The middle of each image, of the shape that the model takes."""
    if tuple(images.shape[1:]) == shape:
        return images
    for axis, size in enumerate(shape[1:], 2):
        images = images.narrow(axis, (images.shape[axis] - size) // 2, size)
    return images
