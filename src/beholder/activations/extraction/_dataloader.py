"""A PyTorch loader over a stimulus set, prepared for one model."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from beholder._core.errors import suggest_keywords
from beholder.models import Model, Preprocessing, collect_stimuli, name_bad_stimulus, prepare_stimulus
from beholder.stimuli import StimulusSet


class _PreparedStimuli(Dataset[tuple[Tensor, int, str]]):
    """(prepared stimulus, target, id), decoded when asked for; picklable, so loader workers can have it."""

    def __init__(self, stimuli: StimulusSet, preprocessing: Preprocessing) -> None:
        self._stimuli = stimuli
        self._preprocessing = preprocessing

    def __len__(self) -> int:
        return len(self._stimuli)

    def __getitem__(self, index: int) -> tuple[Tensor, int, str]:
        stimuli = self._stimuli
        with name_bad_stimulus(stimuli, index):
            values = prepare_stimulus(self._preprocessing, stimuli, index)
        return torch.from_numpy(np.ascontiguousarray(values)), int(stimuli.targets[index]), stimuli.ids[index]


@suggest_keywords
def dataloader(
    stimuli: StimulusSet | Any,
    model: Model,
    *,
    batch_size: int | None = 32,
    shuffle: bool | None = None,
    sampler: Sampler[int] | Iterable[int] | None = None,
    batch_sampler: Sampler[list[int]] | Iterable[list[int]] | None = None,
    num_workers: int = 0,
    collate_fn: Callable[[list[Any]], Any] | None = None,
    pin_memory: bool = False,
    drop_last: bool = False,
    timeout: float = 0,
    worker_init_fn: Callable[[int], None] | None = None,
    multiprocessing_context: Any = None,
    generator: torch.Generator | None = None,
    prefetch_factor: int | None = None,
    persistent_workers: bool = False,
    in_order: bool = True,
) -> DataLoader[tuple[Tensor, int, str]]:
    """A PyTorch loader of (image, target, id), for code of your own.

    Parameters
    ----------
    stimuli : StimulusSet, or whatever holds stimuli
        See :func:`beholder.stimuli.as_stimulus_set`.
    model : Model
        Whose ``prepare`` is applied; ``model(images)`` takes what the loader gives.
    batch_size : int
        Stimuli in a batch.
    shuffle, sampler, batch_sampler, num_workers, collate_fn, pin_memory, drop_last, timeout, worker_init_fn
        As for :class:`torch.utils.data.DataLoader`.
    multiprocessing_context, generator, prefetch_factor, persistent_workers, in_order
        As for :class:`torch.utils.data.DataLoader`.

    Returns
    -------
    DataLoader
        Batches of images (n, *input_shape) float32 in ``input_range``, targets (n,) int64, ids (tuple of str).

    Examples
    --------
    >>> import beholder as bh
    >>> net = bh.load_model("beholder:shapes", device="cpu")
    >>> pictures, targets, ids = next(iter(bh.dataloader("images", net, batch_size=4)))
    >>> tuple(pictures.shape), len(targets), len(ids)
    ((4, 3, 224, 224), 4, 4)
    """
    return DataLoader(
        _PreparedStimuli(collect_stimuli(model, stimuli), model.preprocessing), batch_size=batch_size,
        shuffle=shuffle, sampler=sampler, batch_sampler=batch_sampler, num_workers=num_workers, collate_fn=collate_fn,
        pin_memory=pin_memory, drop_last=drop_last, timeout=timeout, worker_init_fn=worker_init_fn,
        multiprocessing_context=multiprocessing_context, generator=generator, prefetch_factor=prefetch_factor,
        persistent_workers=persistent_workers, in_order=in_order,
    )  # fmt: skip
