"""Stimuli made to order, from Python."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from beholder._core.errors import InputError
from beholder._core.progress import show_progress
from beholder._core.seeds import DEFAULT_SEED
from beholder._core.threads import open_threads
from beholder.models import Model, as_model, run_eagerly
from beholder.synthesis.engine._checkpoint import Checkpoint, describe_model, describe_part
from beholder.synthesis.engine._loop import BatchResult, BatchRun, Recipe
from beholder.synthesis.engine._optimizers import Optimizer
from beholder.synthesis.engine._plan import Plan, plan_batches
from beholder.synthesis.engine._recipe import check_count, list_problems, make_recipe
from beholder.synthesis.engine._result import Synthesis
from beholder.synthesis.engine._stopping import StopRule
from beholder.synthesis.engine._validate import (
    check_gradient,
    check_tensors,
    find_input_shape,
    make_example,
    settle_layout,
)
from beholder.synthesis.gradients._network import Network, use_threads
from beholder.synthesis.images._constraints import Constraint
from beholder.synthesis.images._parameterization import Parameterization
from beholder.synthesis.images._transforms import Transform
from beholder.synthesis.objectives._base import Objective, Problem, check_scores

logger = logging.getLogger("beholder")


class _Cancelled(Exception):
    """Another batch failed, or the user interrupted."""


def synthesize(
    model: Model | nn.Module,
    objective: Objective | Problem | Sequence[Objective | Problem],
    *,
    seed: int = DEFAULT_SEED,
    n_images: int = 1,
    parameterization: Parameterization | None = None,
    transforms: Sequence[Transform] | None = None,
    constraints: Sequence[Constraint] = (),
    optimizer: Optimizer | None = None,
    steps: int = 64,
    stop: Sequence[StopRule] = (),
    redirect_steps: int = 16,
    samples: int = 1,
    keep: str = "last",
    transparency: bool = False,
    input_shape: tuple[int, ...] | None = None,
    batch_size: int | None = None,
    threads: int | None = None,
    channels_last: bool = True,
    checkpoint: Path | str | None = None,
    checkpoint_every: int = 50,
) -> Synthesis:
    """Make stimuli that score high on objectives.

    Parameters
    ----------
    model : Model or nn.Module
        The observer, run in eval mode. A plain module takes stimuli as they are, unbounded.
    objective : Objective, Problem, or a sequence of them
        Independent problems. A problem's images do not depend on which others there are (beyond the last bits of
        the network's arithmetic, which depend on the size of the batch).
    seed, n_images : int
        Of those given as bare objectives; a :class:`Problem` has its own.
    parameterization : Parameterization, optional
        Default: :class:`Fourier` for pictures, :class:`Waveform` for sounds, :class:`Raw` for arrays.
    transforms : sequence of Transform, optional
        Augmentations, drawn for each image and step from the image's seed. Default: shift, scale and rotation for a
        parameterisation of pictures that is not direct, none otherwise. ``()``: none.
    constraints : sequence of Constraint
        Applied after each step in order, then the model's range; direct parameterisations only.
    optimizer : Optimizer, optional
        Default: :class:`Adam`.
    steps : int
        At most so many evaluations of each problem.
    stop : sequence of StopRule
        The first that fires ends a problem; the others go on.
    redirect_steps : int
        Steps in which dead rectifiers redirect their gradient; 0 for none.
    samples : int
        Augmented copies of each image at each step; its score is their mean.
    keep : {"last", "best"}
        Which iterate is kept: the last, or each image's best as augmented.
    transparency : bool
        Sum up the sizes of the gradient at each pixel.
    input_shape : tuple of int, optional
        Of one stimulus, for a model that takes any.
    batch_size : int, optional
        Images in one batch at most. Default: 8 on the CPU, 64 elsewhere.
    threads : int, optional
        Cores to use on the CPU. Default: torch's number of threads.
    channels_last : bool
        Lay convolution weights out channels-last while working on the CPU, where that changes nothing but the speed.
    checkpoint : path, optional
        Folder for the state; a call with the same settings goes on from there to the same bytes.
    checkpoint_every : int
        Steps between two writings.

    Returns
    -------
    Synthesis
        ``images``, ``scores``, ``losses``, ``steps``, ``stopped_by``.

    Raises
    ------
    InputError
        The model is not float32, or no gradient reaches its input; a wrong layer, channel or shape; a constraint that
        does not go with the parameterisation or the optimiser.
    ConfigurationChanged
        The checkpoint folder was begun with other settings.

    Examples
    --------
    >>> from beholder.synthesis import Channel
    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).eval()
    >>> synthesize(net, Channel("1", 2), input_shape=(3, 16, 16), steps=8).images.shape
    (1, 3, 16, 16)
    """
    observer = as_model(model)
    check_tensors(observer)
    shape = find_input_shape(observer, input_shape)
    problems = list_problems(objective, seed, n_images)
    recipe = make_recipe(
        observer, shape, parameterization, transforms, constraints, optimizer, steps=check_count(steps, "step"),
        stop=tuple(stop), redirect_steps=redirect_steps, samples=check_count(samples, "sample"), keep=keep,
        transparency=transparency,
    )  # fmt: skip
    plan = plan_batches(
        [problem.n_images for problem in problems],
        [problem.objective.layers for problem in problems],
        cores=check_count(threads or torch.get_num_threads(), "thread"),
        on_cpu=observer.device.type == "cpu",
        batch_size=None if batch_size is None else check_count(batch_size, "image in a batch"),
    )
    names = tuple(dict.fromkeys(name for problem in problems for name in problem.objective.layers))
    channels_last = settle_layout(observer, names, make_example(observer, shape), None, wanted=channels_last)
    settings = {
        "model": describe_model(observer, identify=checkpoint is not None),
        "recipe": describe_part(recipe),
        "problems": describe_part(problems),
        "batches": describe_part(plan.batches),
        "threads": plan.threads,
        "channels_last": channels_last,
        "device": observer.device.type,
    }
    stored = None if checkpoint is None else Checkpoint(checkpoint, settings, check_count(checkpoint_every, "step"))
    with _open_network(observer, problems, shape, channels_last=channels_last, threads=plan.threads) as network:
        done = _run_plan(network, problems, recipe, plan, stored)
        return _collect(network, problems, done, settings)


def score_images(
    model: Model | nn.Module,
    objective: Objective | Sequence[Objective],
    images: np.ndarray | Tensor,
    *,
    batch_size: int = 8,
    channels_last: bool = True,
) -> np.ndarray:
    """Score stimuli without augmentation, each by itself.

    Parameters
    ----------
    model : Model or nn.Module
    objective : Objective or sequence of Objective
        One for all stimuli, or one each.
    images : array, (n, *input_shape)
        As ``model.prepare`` gives them.
    batch_size : int
    channels_last : bool
        As in :func:`synthesize`.

    Returns
    -------
    ndarray, (n,), float32
    """
    observer = as_model(model)
    check_tensors(observer)
    batch = torch.as_tensor(images).float()
    objectives = [objective] * len(batch) if isinstance(objective, Objective) else list(objective)
    if len(objectives) != len(batch):
        raise InputError(f"one objective, or one for each of {len(batch)} stimuli", got=f"{len(objectives)}")
    if len(batch) == 0:
        return np.empty(0, dtype=np.float32)
    problems = [Problem(each) for each in objectives]
    scores = np.empty(len(batch), dtype=np.float32)
    shape = tuple(batch.shape[1:])
    names = tuple(dict.fromkeys(name for each in objectives for name in each.layers))
    channels_last = settle_layout(
        observer, names, make_example(observer, shape), None, wanted=channels_last, gradients=False
    )
    with _open_network(
        observer, problems, shape, channels_last=channels_last, threads=torch.get_num_threads(), check=False
    ) as network:
        for start in range(0, len(batch), batch_size):
            part = slice(start, start + batch_size)
            scores[part] = _score_batch(network, problems[part], batch[part])
    return scores


def _score_batch(network: Network, problems: Sequence[Problem], images: Tensor) -> np.ndarray:
    layers = tuple(dict.fromkeys(name for problem in problems for name in problem.objective.layers))
    network.open(layers)
    sizes = [problem.n_images for problem in problems]
    with torch.no_grad():
        views = network.run(images.to(network.device), sizes, layers, {}).views()
        scores = [
            check_scores(problem.objective.score(view), problem.n_images, problem.objective)
            for problem, view in zip(problems, views, strict=True)
        ]
    return torch.cat(scores).float().cpu().numpy()


@contextlib.contextmanager
def _open_network(
    model: Model,
    problems: Sequence[Problem],
    shape: tuple[int, ...],
    *,
    channels_last: bool,
    threads: int,
    check: bool = True,
) -> Iterator[Network]:
    layers = tuple(dict.fromkeys(name for problem in problems for name in problem.objective.layers))
    with (
        run_eagerly(),
        use_threads(threads) if model.device.type == "cpu" else contextlib.nullcontext(),
    ):
        example = make_example(model, shape)
        with Network(model, layers, example, channels_last=channels_last) as network:
            if check:
                network.open(layers)
                check_gradient(network, layers, example)
            yield network


def _run_plan(
    network: Network, problems: Sequence[Problem], recipe: Recipe, plan: Plan, checkpoint: Checkpoint | None
) -> list[tuple[tuple[int, ...], BatchResult]]:
    cancelled, lock = threading.Event(), threading.Lock()

    def check_cancelled() -> None:
        if cancelled.is_set():
            raise _Cancelled

    for batch in plan.batches:
        network.open([name for i in batch for name in problems[i].objective.layers])
    total = recipe.steps * sum(problem.n_images for problem in problems)
    with show_progress("synthesize", total, "image steps") as show:

        def advance(n: int) -> None:
            with lock:
                show(n)

        def work(job: tuple[int, tuple[int, ...]]) -> list[tuple[tuple[int, ...], BatchResult]]:
            return _run_batch(
                network, problems, recipe, job[1], f"batch_{job[0]}", checkpoint, advance, check_cancelled
            )

        jobs = list(enumerate(plan.batches))
        if plan.n_concurrent_batches <= 1:
            return [item for job in jobs for item in work(job)]
        with open_threads(plan.n_concurrent_batches, "beholder-lane") as pool:
            try:
                futures = [pool.submit(work, job) for job in jobs]
                return [item for future in futures for item in future.result()]
            except BaseException:
                cancelled.set()
                raise


def _run_batch(
    network: Network,
    problems: Sequence[Problem],
    recipe: Recipe,
    members: tuple[int, ...],
    name: str,
    checkpoint: Checkpoint | None,
    advance: Callable[[int], None],
    check_cancelled: Callable[[], None],
) -> list[tuple[tuple[int, ...], BatchResult]]:
    """Run one batch; where memory does not suffice, its halves."""
    counted = 0

    def count(n: int) -> None:
        nonlocal counted
        counted += n
        advance(n)

    try:
        run = BatchRun(network, [problems[i] for i in members], recipe)
        return [(members, run.run(checkpoint=checkpoint, name=name, advance=count, check_cancelled=check_cancelled))]
    except torch.OutOfMemoryError:
        if len(members) == 1:
            raise
        logger.warning("out of memory with %d problems in a batch; redone in halves", len(members))
        advance(-counted)
    half = len(members) // 2
    parts = ((members[:half], f"{name}a"), (members[half:], f"{name}b"))
    return [
        item
        for part, label in parts
        for item in _run_batch(network, problems, recipe, part, label, checkpoint, advance, check_cancelled)
    ]


def _collect(
    network: Network,
    problems: Sequence[Problem],
    done: Sequence[tuple[tuple[int, ...], BatchResult]],
    settings: dict[str, Any],
) -> Synthesis:
    """Put the batches' images into the order of the problems, and score them without augmentation."""
    sizes = [problem.n_images for problem in problems]
    ends = np.cumsum(sizes)
    places = [np.concatenate([np.arange(ends[i] - sizes[i], ends[i]) for i in members]) for members, _ in done]
    first = done[0][1]
    n_images = int(ends[-1])
    images = np.empty((n_images, *first.images.shape[1:]), dtype=np.float32)
    scores = np.empty(n_images, dtype=np.float32)
    losses = np.empty((n_images, first.losses.shape[1]), dtype=np.float32)
    steps = np.zeros(len(problems), dtype=np.int64)
    alpha = None if first.transparency is None else np.empty_like(images)
    stopped_by = [""] * len(problems)
    for (members, result), place in zip(done, places, strict=True):
        images[place] = result.images.cpu().numpy()
        losses[place] = result.losses
        scores[place] = _score_batch(network, [problems[i] for i in members], result.images)
        if alpha is not None and result.transparency is not None:
            alpha[place] = result.transparency.cpu().numpy()
        for i, n_steps, reason in zip(members, result.steps, result.stopped_by, strict=True):
            steps[i], stopped_by[i] = n_steps, reason
    return Synthesis(
        images=images, problems=np.repeat(np.arange(len(problems)), sizes), scores=scores,
        losses=losses[:, : int(steps.max())], steps=steps, stopped_by=tuple(stopped_by),
        batches=tuple(members for members, _ in done), settings=settings, transparency=alpha,
    )  # fmt: skip
