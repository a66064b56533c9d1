"""Stimuli made to order, from Python."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.progress import show_progress
from beholder._core.seeds import DEFAULT_SEED
from beholder._core.wording import format_count
from beholder.models import Model, as_model
from beholder.synthesis.engine._checkpoint import Checkpoint, describe_model, describe_part
from beholder.synthesis.engine._loop import Recipe, list_layers
from beholder.synthesis.engine._optimizers import Optimizer
from beholder.synthesis.engine._plan import BatchPlan, plan_batches
from beholder.synthesis.engine._recipe import list_problems, make_recipe
from beholder.synthesis.engine._result import Synthesis
from beholder.synthesis.engine._session import ProblemResult, SynthesisSession, open_session
from beholder.synthesis.engine._stopping import StopRule
from beholder.synthesis.engine._validate import (
    check_count,
    check_gradient,
    check_tensors,
    find_input_shape,
    make_example,
    settle_layout,
)
from beholder.synthesis.images._constraints import Constraint
from beholder.synthesis.images._parameterization import Parameterization
from beholder.synthesis.images._transforms import Transform
from beholder.synthesis.objectives._base import Objective, Problem


@suggest_keywords
def synthesize(
    model: Model | nn.Module,
    objective: Objective | Problem | Sequence[Objective | Problem],
    *,
    seed: int = DEFAULT_SEED,
    n_images: int = 1,
    parameterization: Parameterization | None = None,
    transforms: Sequence[Transform | Callable[[Tensor], Tensor]] | None = None,
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
    transforms : sequence of Transform or function, optional
        Augmentations in their order, drawn for each image and step from the image's seed; a plain
        ``function(images) -> images`` keeps the shape (:class:`FunctionTransform`). Default: shift, scale and rotation
        for a parameterisation of pictures that is not direct, none otherwise. ``()``: none.
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
    names = list_layers(problem.objective for problem in problems)
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
    with open_session(
        observer, names, shape, threads=plan.threads, n_concurrent_batches=plan.n_concurrent_batches,
        channels_last=channels_last, is_exact=False,
    ) as session:  # fmt: skip
        check_gradient(session.network, names, make_example(observer, shape))
        made = _run_batches(session, problems, recipe, plan, stored)
    return _collect(problems, plan, made, settings)


@suggest_keywords
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
        raise InputError(
            f"one objective, or one for each of {format_count(len(batch), 'stimulus')}", got=f"{len(objectives)}"
        )
    if len(batch) == 0:
        return np.empty(0, dtype=np.float32)
    scores = np.empty(len(batch), dtype=np.float32)
    shape = tuple(batch.shape[1:])
    names = list_layers(objectives)
    channels_last = settle_layout(
        observer, names, make_example(observer, shape), None, wanted=channels_last, gradients=False
    )
    with open_session(
        observer, names, shape, threads=torch.get_num_threads(), channels_last=channels_last, is_exact=False
    ) as session:
        for start in range(0, len(batch), batch_size):
            part = slice(start, start + batch_size)
            own = list_layers(objectives[part])
            scores[part] = session.score(objectives[part], batch[part], [1] * len(objectives[part]), own)
    return scores


def _run_batches(
    session: SynthesisSession,
    problems: Sequence[Problem],
    recipe: Recipe,
    plan: BatchPlan,
    checkpoint: Checkpoint | None,
) -> list[list[ProblemResult]]:
    """Results of each batch."""
    lock, total = threading.Lock(), recipe.steps * sum(problem.n_images for problem in problems)
    with show_progress("synthesize", total, "image steps") as show:

        def advance(n: int) -> None:
            with lock:
                show(n)

        started = []
        for i, members in enumerate(plan.batches):
            own = [problems[member] for member in members]
            finish = session.submit(
                session.run, own, recipe, name=f"batch_{i}", checkpoint=checkpoint, advance=advance,
                yardsticks=[problem.objective for problem in own],
            )  # fmt: skip
            started.append(finish)
        return [finish() for finish in started]


def _collect(
    problems: Sequence[Problem], plan: BatchPlan, made: Sequence[Sequence[ProblemResult]], settings: dict[str, Any]
) -> Synthesis:
    """Put the images into the order of the problems."""
    shared: dict[str, list[int]] = {}
    for members, part in zip(plan.batches, made, strict=True):
        for i, each in zip(members, part, strict=True):
            shared.setdefault(each.batch, []).append(i)
    results = plan.sort(made)
    steps = np.array([each.steps for each in results], np.int64)
    alpha = [each.transparency for each in results if each.transparency is not None]
    return Synthesis(
        images=np.concatenate([each.images for each in results]),
        problems=np.repeat(np.arange(len(problems)), [problem.n_images for problem in problems]),
        scores=np.concatenate([each.scores for each in results]),
        losses=np.concatenate([each.losses for each in results])[:, : int(steps.max())],
        steps=steps,
        stopped_by=tuple(each.stopped_by for each in results),
        batches=tuple(tuple(members) for members in shared.values()),
        settings=settings,
        transparency=np.concatenate(alpha) if alpha else None,
    )
