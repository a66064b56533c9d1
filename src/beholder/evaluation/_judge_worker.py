"""Showing saved metamers to one network, and noting what it says."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from beholder._core.errors import InputError
from beholder.evaluation._outputs import compute_outputs, open_network
from beholder.evaluation._saved_stimuli import prepare_saved
from beholder.evaluation._verdicts import list_vocabularies
from beholder.jobs import Finish, Shard
from beholder.models import Model, ModelWorker


@dataclass
class JudgeWorker(ModelWorker):
    """Shows saved stimuli to a network and collects its verdicts.

    Parameters
    ----------
    folder : path
        ``metamers/{model}``; shards name files relative to it.
    model : Model
        The judge.
    device : str
    batch_size : int
        Stimuli in one pass; the last is padded, so that no verdict depends on what else is judged.
    rule : {"first", "mean", "max", "sum"}
        Of categories.
    """

    folder: Path
    model: Model
    device: str
    batch_size: int
    rule: str = "first"

    @contextlib.contextmanager
    def open(self, n_workers: int) -> Iterator[Callable[[Shard], Finish]]:
        """Load the network."""
        with open_network(self.model, n_workers) as model:
            yield lambda shard: lambda: ({}, self._judge(model, shard.payload["files"]))

    def _judge(self, model: Model, files: list[list[str]]) -> dict[str, Any]:
        """The width of the network's output, and its verdicts on files, a list a decision."""
        verdicts: dict[str, list[str]] = {}
        n_outputs = 0
        for start in range(0, len(files), self.batch_size):
            values = self._run(model, [name for name, _ in files[start : start + self.batch_size]])
            n_outputs = values.shape[1]
            for vocabulary in list_vocabularies(n_outputs, model.classes, model.modality, self.rule):
                verdicts.setdefault(vocabulary.decision, []).extend(vocabulary.decide(values).tolist())
            self.report(len(files[start : start + self.batch_size]))
        return {"n_outputs": n_outputs, "verdicts": verdicts}

    def _run(self, model: Model, names: list[str]) -> np.ndarray:
        """Outputs of the network, (n_files, n_outputs), float32."""
        prepared = [prepare_saved(self.folder / name, model.preprocessing) for name in names]
        values = compute_outputs(model, prepared, self.batch_size)
        if values.ndim != 2 or not list_vocabularies(values.shape[1], model.classes, model.modality):
            raise InputError(
                "judges whose outputs have names", got=f"{model.name}, whose {values.shape[1:]} have none",
                hint="a classifier",
            )  # fmt: skip
        return values
