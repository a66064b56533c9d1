"""Asking one network what stimuli are."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from beholder.activations import compile_whole
from beholder.evaluation._outputs import compute_outputs, open_network
from beholder.evaluation._readouts import Readout
from beholder.evaluation._saved_stimuli import prepare_as_shown
from beholder.jobs import Finish, Plan, Shard, cut_range
from beholder.models import Model, ModelWorker, load_stimulus, name_bad_stimulus
from beholder.stimuli import StimulusSet

_STIMULI_IN_SHARD = 64


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
    readout : Readout
        What is kept of the outputs.
    as_shown : bool
        What has the network's size is neither resized nor cropped, as people are shown it; else the network's own
        preparation of a file.
    compile : bool
        Let ``torch.compile`` make one graph of the network.
    """

    stimuli: StimulusSet
    model: Model
    device: str
    batch_size: int
    readout: Readout
    as_shown: bool = True
    compile: bool = False

    @contextlib.contextmanager
    def open(self, n_workers: int) -> Iterator[Callable[[Shard], Finish]]:
        """Load the network."""
        with open_network(self.model, n_workers) as model:
            run = compile_whole(model) if self.compile else None
            yield lambda shard: lambda: ({}, self._answer(model, run, shard.payload["start"], shard.payload["stop"]))

    def _answer(
        self, model: Model, run: Callable[[Tensor], Tensor] | None, start: int, stop: int
    ) -> dict[str, Any]:  # fmt: skip
        kept: dict[str, list[Any]] = {}
        for first in range(start, stop, self.batch_size):
            part = range(first, min(stop, first + self.batch_size))
            values = compute_outputs(model, [self._prepare(i, model) for i in part], self.batch_size, run)
            for name, answers in self.readout.read(values, first).items():
                kept.setdefault(name, []).extend(answers)
            self.report(len(part))
        return kept

    def _prepare(self, i: int, model: Model) -> np.ndarray:
        if not self.as_shown:
            return load_stimulus(self.stimuli, i, model.preprocessing, None)[0]
        with name_bad_stimulus(self.stimuli, i):
            return prepare_as_shown(self.stimuli, i, model.preprocessing)


def plan_answers(who: str, settings: Mapping[str, Any], n_stimuli: int) -> Plan:
    """The shards of a network's answers."""
    shards = tuple(
        Shard(f"stimuli-{start:06d}", stop - start, {"start": start, "stop": stop})
        for start, stop in cut_range(0, n_stimuli, _STIMULI_IN_SHARD)
    )
    return Plan(f"answers of {who}", settings, shards)


def join_answers(receipts: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """What a readout kept of all stimuli, in their order, out of the shards' receipts."""
    return {key: [each for receipt in receipts for each in receipt["facts"][key]] for key in receipts[0]["facts"]}
