"""A PyTorch loader over a stimulus set, prepared for one model."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from beholder.activations._batches import name_bad_stimulus
from beholder.models import Model, Preprocessing, collect_stimuli, prepare_stimulus
from beholder.stimuli import StimulusSet


class _PreparedStimuli(Dataset):
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


def dataloader(stimuli: StimulusSet | Any, model: Model, *, batch_size: int = 32, **options: Any) -> DataLoader:
    """A PyTorch loader of (image, target, id), for code of your own.

    Parameters
    ----------
    stimuli : StimulusSet, or whatever holds stimuli
        See :func:`beholder.stimuli.as_stimulus_set`.
    model : Model
        Whose ``prepare`` is applied; ``model(images)`` takes what the loader gives.
    batch_size : int
        Stimuli in a batch.
    **options
        Passed on to :class:`torch.utils.data.DataLoader` (``shuffle``, ``num_workers``, ...).

    Returns
    -------
    DataLoader
        Batches of images (n, *input_shape) float32 in ``input_range``, targets (n,) int64, ids (tuple of str).
    """
    return DataLoader(
        _PreparedStimuli(collect_stimuli(model, stimuli), model.preprocessing), batch_size=batch_size, **options
    )
