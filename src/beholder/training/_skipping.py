"""Data of which stimuli that cannot be read are left out."""

from __future__ import annotations

import threading
from typing import final

import numpy as np
import torch
from torch import Tensor

from beholder._core.errors import StimulusError
from beholder._core.progress import logger
from beholder.training.data._protocol import TrainingData


@final
class SkippingData:
    """Data that read a batch with a bad stimulus one by one, and leave that one out with a word.

    Parameters
    ----------
    data : TrainingData

    Attributes
    ----------
    skipped : dict of str to str
        Names of what was left out so far, and why.
    """

    def __init__(self, data: TrainingData) -> None:
        self._data = data
        self.skipped: dict[str, str] = {}
        self._lock = threading.Lock()

    @property
    def classes(self) -> tuple[str, ...]:
        """As the data's."""
        return self._data.classes

    @property
    def n_stimuli(self) -> int:
        """As the data's."""
        return self._data.n_stimuli

    @property
    def fingerprint(self) -> str:
        """As the data's."""
        return self._data.fingerprint

    def name_stimulus(self, index: int) -> str:
        """As the data do."""
        return self._data.name_stimulus(index)

    def read_batch(self, indices: np.ndarray, epoch: int, seed: int) -> tuple[Tensor, Tensor]:
        """Those that can be read, which may be none; see :class:`TrainingData`."""
        try:
            return self._data.read_batch(indices, epoch, seed)
        except StimulusError:
            pass
        parts: list[tuple[Tensor, Tensor]] = []
        for index in indices:
            try:
                parts.append(self._data.read_batch(np.asarray([index]), epoch, seed))
            except StimulusError as error:
                self._note(self._data.name_stimulus(int(index)), error)
        if not parts:
            return torch.empty(0), torch.empty(0, dtype=torch.int64)
        return torch.cat([x for x, _ in parts]), torch.cat([y for _, y in parts])

    def _note(self, name: str, error: StimulusError) -> None:
        with self._lock:
            if name not in self.skipped:
                self.skipped[name] = error.got or str(error)
                logger.warning("left out: %s", self.skipped[name])
