"""How many a network has right of a validation part."""

from __future__ import annotations

import torch
from torch.nn import functional

from beholder._core.errors import StimulusError
from beholder._core.seeds import derive_seed
from beholder.synthesis import hold_still
from beholder.training._data import iter_batches
from beholder.training._learner import Sums, count_right, seed_everything
from beholder.training._order import cut_batches
from beholder.training._processes import Processes
from beholder.training._space import LearningSpace, Perturb
from beholder.training.data._protocol import TrainingData


def measure_accuracy(
    space: LearningSpace, data: TrainingData, processes: Processes, *, batch_size: int, seed: int,
    perturb: Perturb | None = None, n_stimuli: int | None = None,
) -> Sums:  # fmt: skip
    """Loss and right answers in eval mode, over all processes.

    Parameters
    ----------
    space : LearningSpace
        Of the network, which is left in the mode that it is in.
    data : TrainingData
    processes : Processes
        Each takes every n-th batch.
    batch_size : int
    seed : int
        Of ``perturb``.
    perturb : callable, optional
    n_stimuli : int, optional
        The first so many only.

    Raises
    ------
    StimulusError
        None of them can be read.
    """
    n = data.n_stimuli if n_stimuli is None else min(n_stimuli, data.n_stimuli)
    own = cut_batches(n, batch_size)[processes.rank :: processes.n]
    sums = Sums()
    with hold_still(space.model.module):
        for i, (x, labels) in enumerate(iter_batches(data, own, epoch=0, seed=seed)):
            if not len(x):
                continue
            x, labels = x.to(space.model.device), labels.to(space.model.device)
            number = derive_seed(seed, "evaluation", i * processes.n + processes.rank)
            seed_everything(number)
            y = space.enter(x)
            if perturb is not None:
                y = perturb(y, labels, number)
            with torch.no_grad():
                logits = space.compute_logits(y)
                loss = functional.cross_entropy(logits, labels, reduction="sum")
            sums.add(Sums(float(loss), int(count_right(logits, labels)), len(labels)))
    loss, n_right, count = processes.sum_numbers(sums.loss, sums.n_right, sums.n)
    if not count:
        raise StimulusError("stimuli that can be read", got=f"none of {n:,} that validate")
    return Sums(loss, int(n_right), int(count))
