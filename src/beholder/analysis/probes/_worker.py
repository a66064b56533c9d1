"""Probes of layers as work that is interrupted and continued: a shard a layer."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from beholder._core.files import write_bytes
from beholder.analysis._join import Layers
from beholder.analysis.probes._probe import LayerProbe, ProbeSettings, probe_layer
from beholder.analysis.probes._table import measure_probe
from beholder.jobs import Finish, Shard, Worker
from beholder.models import ModelCard, encode_checkpoint


@dataclass
class ProbeWorker(Worker):
    """Probes layers of a store.

    Parameters
    ----------
    store : Activations or ArrayLayers
    rows : list of (n_rows,), int
        Places of the three parts among the store's stimuli.
    labels : (n_stimuli,), int
    classes : tuple of str
    how : ProbeSettings
    about : mapping
        ``model``, ``network``, ``pool``, ``data`` for the cards of read-outs.
    out_path : Path or None
        Where read-outs go, if anywhere.
    """

    store: Layers
    rows: list[np.ndarray]
    labels: np.ndarray
    classes: tuple[str, ...]
    how: ProbeSettings
    about: Mapping[str, Any]
    out_path: Path | None

    @contextlib.contextmanager
    def open(self, n_workers: int) -> Generator[Callable[[Shard], Finish]]:
        """Nothing to get ready."""
        del n_workers
        yield lambda shard: lambda: self.probe(str(shard.payload["layer"]), str(shard.payload["file"]))

    def probe(self, layer: str, file: str) -> tuple[dict[str, int], dict[str, Any]]:
        """Probe one layer: the file of its read-out with its size, and what its table is made of."""
        found = probe_layer(self.store[layer], layer, self.rows, self.labels, len(self.classes), self.how)
        facts = measure_probe(found.scores, self.labels[self.rows[2]]) | {
            "penalty": found.penalty, "path": found.path.tolist(), "converged": found.fit.converged,
            "validation": None if np.isnan(found.validation) else found.validation,
            "n_features": found.fit.weights.shape[1],
        }  # fmt: skip
        if self.out_path is None:
            return {}, facts
        data = encode_checkpoint(_list_tensors(found), self._make_card(layer, found, facts))
        write_bytes(self.out_path / file, data, durable=True)
        return {file: len(data)}, facts

    def _make_card(self, layer: str, found: LayerProbe, facts: Mapping[str, Any]) -> ModelCard:
        n = int(np.sum(facts["confusions"]))
        top1 = float(np.trace(np.array(facts["confusions"]))) / n
        readout = {
            "layer": layer, **{name: self.about[name] for name in ("pool", "pool_tokens", "reduce", "network")},
            "n_features": facts["n_features"], "n_classes": len(self.classes),
        }  # fmt: skip
        asked: dict[str, Any] = {"scale": self.how.scale, "seed": self.how.seed, "penalty": found.penalty}
        return ModelCard(
            model=self.about["model"],
            classes=self.classes,
            readout=readout,
            preset=f"probe, {self.how.recipe}",
            settings=asked,
            data=dict(self.about["data"]),
            accuracies=({"part": "test", "attack": "none", "eps": 0, "accuracy_top1": top1, "n": n},),
            versions=dict(self.about["versions"]),
        )


def _list_tensors(found: LayerProbe) -> dict[str, torch.Tensor]:
    return {
        "readout.weight": torch.tensor(found.fit.weights, dtype=torch.float32),
        "readout.bias": torch.tensor(found.fit.bias, dtype=torch.float32),
    }
