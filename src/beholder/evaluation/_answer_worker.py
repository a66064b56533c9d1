"""Asking one network what stimuli are."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from beholder.evaluation._decide import decide
from beholder.evaluation._outputs import compute_outputs, open_network
from beholder.evaluation._saved_stimuli import prepare_as_shown
from beholder.jobs import Finish, Shard
from beholder.models import Model, ModelWorker
from beholder.stimuli import StimulusSet


@dataclass
class AnswerWorker(ModelWorker):
    """Shows stimuli to a network and collects its answers.

    Parameters
    ----------
    stimuli : StimulusSet
        Pinned; shards name positions in it.
    model : Model
    device : str
    batch_size : int
        Stimuli in one pass; the last is padded, so that no answer depends on what else is asked.
    categories : dict of str to list of int
        Outputs of each category.
    rule : {"first", "mean", "max", "sum"}
    """

    stimuli: StimulusSet
    model: Model
    device: str
    batch_size: int
    categories: dict[str, list[int]]
    rule: str

    @contextlib.contextmanager
    def open(self, n_workers: int) -> Iterator[Callable[[Shard], Finish]]:
        """Load the network."""
        with open_network(self.model, n_workers) as model:
            yield lambda shard: lambda: ({}, self._answer(model, shard.payload["start"], shard.payload["stop"]))

    def _answer(self, model: Model, start: int, stop: int) -> dict[str, Any]:
        answers: list[str] = []
        for first in range(start, stop, self.batch_size):
            part = range(first, min(stop, first + self.batch_size))
            prepared = [prepare_as_shown(self.stimuli, i, model.preprocessing) for i in part]
            values = compute_outputs(model, prepared, self.batch_size)
            answers += decide(values, self.categories, self.rule).tolist()
            self.report(len(part))
        return {"answers": answers}
