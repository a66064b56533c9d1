"""Layers scored for participants, one after the other, or as shards on a cluster."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, final

import numpy as np

from beholder._core.threads import hold_products
from beholder.analysis._features import read_features
from beholder.analysis._join import Layers, iter_layers
from beholder.analysis._parts import is_cut, read_part, run_parts, write_part
from beholder.analysis.encoding._participants import Participant
from beholder.analysis.encoding._predict import predict_splits
from beholder.analysis.encoding._refit import plan_refits
from beholder.analysis.encoding._settings import EncodeSettings
from beholder.analysis.encoding._splits import Split
from beholder.analysis.encoding._summary import RegionScore, Resampling, Tested
from beholder.analysis.encoding._uncertainty import Spread
from beholder.jobs import Finish, Shard, Worker, show_work

Scored = tuple[str, int, Tested, list[np.ndarray]]
"""A layer, a participant's place, its scores, and predictions of each split's test stimuli."""


@final
@dataclass(frozen=True, eq=False)
class LayerScores:
    """What is asked of each layer and participant.

    Attributes
    ----------
    store : Activations or ArrayLayers
    rows : (n_stimuli,), int
        Places of the joined stimuli in the store.
    ids : sequence of str
    layers : sequence of str
    people : sequence of Participant
    plans : sequence of list of Split
        Of each participant.
    draws : sequence of Resampling
    options : EncodeSettings
    """

    store: Layers
    rows: np.ndarray
    ids: Sequence[str]
    layers: Sequence[str]
    people: Sequence[Participant]
    plans: Sequence[Sequence[Split]]
    draws: Sequence[Resampling]
    options: EncodeSettings

    def read(self, layer: str) -> np.ndarray:
        """A layer's features, (n_stimuli, n_features)."""
        ((name, rows),) = iter_layers(self.store, self.rows, self.ids, [layer])
        return read_features(rows, name)

    def score(self, features: np.ndarray, place: int) -> tuple[Tested, list[np.ndarray]]:
        """Scores of a participant, and predictions of each split's test stimuli."""
        person, splits, how = self.people[place], list(self.plans[place]), self.options.procedure
        own = features[person.rows]
        fitted = predict_splits(own, person.responses, person.runs, splits, how)
        tested = self.options.score(fitted, person, splits, partial(plan_refits, own, how=how), self.draws[place])
        return tested, fitted.predicted


def iter_scores(
    asked: LayerScores, settings: Mapping[str, Any], out_path: Path | str | None, *, overwrite: bool, keep: bool
) -> Iterator[Scored]:
    """Score every layer for every participant.

    Parameters
    ----------
    asked : LayerScores
    settings, out_path, overwrite
        As for :func:`~beholder.analysis._parts.run_parts`.
    keep : bool
        Whether predictions are wanted; on a cluster they are left out else.
    """
    n = len(asked.people)
    iter_layers(asked.store, asked.rows, asked.ids, asked.layers)  # a name that is not there is refused first
    if not is_cut(out_path):
        with show_work("encode", len(asked.layers) * n, "fits", n_bytes=0) as advance:
            for layer in asked.layers:
                features = asked.read(layer)
                for place in range(n):
                    yield layer, place, *asked.score(features, place)
                    advance(1)
        return
    shards = [
        Shard(f"{number}-{place}", 1, {"layer": layer, "participant": place})
        for number, layer in enumerate(asked.layers)
        for place in range(n)
    ]
    place = run_parts(
        "encode", shards, partial(ScoreWorker, asked, keep), {**settings, "predictions": keep}, out_path,
        overwrite=overwrite, unit="fits",
    )  # fmt: skip
    for shard in shards:
        yield shard.payload["layer"], shard.payload["participant"], *unpack_scores(read_part(place, shard))


@dataclass
class ScoreWorker(Worker):
    """Scores a layer for a participant, each a file.

    Parameters
    ----------
    asked : LayerScores
    keep : bool
        Also predictions.
    place : path
        Folder of the files.
    """

    asked: LayerScores
    keep: bool
    place: Path

    @contextlib.contextmanager
    def open(self, n_workers: int) -> Generator[Callable[[Shard], Finish]]:
        """Hold one thread for products; the layer that was read last is kept for the next shard."""
        del n_workers
        read: dict[str, np.ndarray] = {}

        def score(shard: Shard) -> tuple[dict[str, int], dict[str, Any]]:
            layer = str(shard.payload["layer"])
            if layer not in read:
                read.clear()
                read[layer] = self.asked.read(layer)
            tested, predicted = self.asked.score(read[layer], shard.payload["participant"])
            return write_part(self.place, shard, pack_scores(tested, predicted if self.keep else [])), {}

        with hold_products():
            yield lambda shard: partial(score, shard)


_SPREAD, _REGIONS, _PREDICTED = "spread", "regions", "predicted"


def pack_scores(tested: Tested, predicted: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Scores as arrays by name."""
    packed = {each.name: np.asarray(getattr(tested, each.name)) for each in fields(Tested) if each.name != _REGIONS}
    packed[_REGIONS] = np.array(list(tested.regions), dtype=np.str_)
    for number, region in enumerate(tested.regions.values()):
        for each in fields(RegionScore):
            if each.name != _SPREAD:
                packed[f"{number}.{each.name}"] = np.asarray(getattr(region, each.name))
        for each in fields(Spread):
            packed[f"{number}.{_SPREAD}.{each.name}"] = getattr(region.spread, each.name)
    return packed | {f"{_PREDICTED}.{split}": values for split, values in enumerate(predicted)}


def unpack_scores(packed: Mapping[str, np.ndarray]) -> tuple[Tested, list[np.ndarray]]:
    """What :func:`pack_scores` packed."""

    def take(name: str) -> Any:
        value = packed[name]
        return value if value.ndim else value.item()

    regions: dict[str, RegionScore] = {}
    for number, name in enumerate(packed[_REGIONS].tolist()):
        spread = Spread(*(packed[f"{number}.{_SPREAD}.{each.name}"] for each in fields(Spread)))
        own = {each.name: take(f"{number}.{each.name}") for each in fields(RegionScore) if each.name != _SPREAD}
        regions[str(name)] = RegionScore(spread=spread, **own)
    tested = {each.name: take(each.name) for each in fields(Tested) if each.name != _REGIONS}
    n_predicted = sum(name.startswith(f"{_PREDICTED}.") for name in packed)
    return Tested(regions=regions, **tested), [packed[f"{_PREDICTED}.{split}"] for split in range(n_predicted)]
