"""RDMs of a network's layers: one pass over each layer, replicates averaged or crossed, stimuli pooled by condition."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, cast, final

import numpy as np

from beholder._core.errors import InputError, UnknownNameError
from beholder.activations import Activations, LayerActivations
from beholder.analysis._join import ArrayLayers, LayerRows, read_condition
from beholder.analysis.distances._registry import DISTANCES

Layers = Activations | ArrayLayers
Replicates = Literal["average", "cross"]
REPLICATES = ("average", "cross")
_BLOCK_BYTES = 64 * 2**20


def compute_layer_rdm(values: Any, distance: str, replicates: Replicates) -> np.ndarray:
    """The condensed RDM of one layer.

    Parameters
    ----------
    values : (n_stimuli, n_replicates, *features)
        Read when sliced.
    distance : str
        A name of :data:`~beholder.analysis.DISTANCES`.
    replicates : {"average", "cross"}
        The distance between mean activations; or, for ``correlation`` and ``cosine``, one minus the mean similarity
        of a stimulus in one replicate and another stimulus in *another* replicate, in which what the stimuli of one
        replicate share does not count.
    """
    if replicates == "cross":
        return cross_replicates(values, distance)
    return DISTANCES[distance].compute(values)


def cross_replicates(values: Any, distance: str) -> np.ndarray:
    """One minus the mean similarity between stimuli over all pairs of unlike replicates, (n_pairs,).

    Parameters
    ----------
    values : (n_stimuli, n_replicates, *features)
    distance : {"correlation", "cosine"}
    """
    if distance not in ("correlation", "cosine"):
        raise InputError(
            "correlation or cosine, to cross replicates", got=f"--distance {distance}",
            hint="--distance crossnobis, which crosses repeats by itself",
        )  # fmt: skip
    n, n_replicates = int(values.shape[0]), int(values.shape[1])
    if n_replicates < 2:
        raise InputError("two replicates or more, to cross them", got="1", hint="--replicates average")
    row_bytes = 8 * max(1, math.prod(int(size) for size in values.shape[1:]))
    step = max(1, _BLOCK_BYTES // row_bytes)
    products = np.empty((n, n))
    for start in range(0, n, step):
        left = _normalize(np.asarray(values[start : start + step]), distance)
        for low in range(0, start + 1, step):
            right = left if low == start else _normalize(np.asarray(values[low : low + step]), distance)
            all_pairs = left.sum(axis=1) @ right.sum(axis=1).T
            own = np.einsum("irf,jrf->ij", left, right)
            block = (all_pairs - own) / (n_replicates * (n_replicates - 1))
            products[start : start + len(left), low : low + len(right)] = block
            products[low : low + len(right), start : start + len(left)] = block.T
    return 1 - products[np.triu_indices(n, 1)]


def _normalize(values: np.ndarray, distance: str) -> np.ndarray:
    rows = values.reshape(*values.shape[:2], -1).astype(np.float64)
    if distance == "correlation":
        size = np.abs(rows).max(axis=2, keepdims=True, initial=0)
        rows = rows - rows.mean(axis=2, keepdims=True)
        rows[np.abs(rows).max(axis=2, initial=0) <= 4 * np.finfo(np.float32).eps * size[..., 0]] = np.nan
    lengths = np.sqrt((rows**2).sum(axis=2, keepdims=True))
    return rows / np.where(lengths > 0, lengths, np.nan)


@final
class ConditionRows:
    """A layer's mean activations by condition: (n_conditions, n_replicates, *features), computed in one pass.

    Parameters
    ----------
    layer : LayerActivations, or array, (n_stimuli, n_replicates, *features)
    labels : (n_stimuli,), str
        The condition of each stimulus.
    conditions : sequence of str
        Those wanted, in order.
    """

    def __init__(self, layer: Any, labels: Sequence[str], conditions: Sequence[str]) -> None:
        layer = layer.with_replicates if isinstance(layer, LayerActivations) else layer
        place = {name: row for row, name in enumerate(conditions)}
        rows = np.array([place.get(label, -1) for label in labels])
        sums = np.zeros((len(conditions), *layer.shape[1:]))
        step = max(1, _BLOCK_BYTES // (8 * max(1, math.prod(int(size) for size in layer.shape[1:]))))
        for start in range(0, len(rows), step):
            block, wanted = np.asarray(layer[start : start + step], dtype=np.float64), rows[start : start + step]
            np.add.at(sums, wanted[wanted >= 0], block[wanted >= 0])
        counts = np.bincount(rows[rows >= 0], minlength=len(conditions))
        self.values = sums / counts.reshape(-1, *[1] * (sums.ndim - 1))


def read_conditions(activations: Layers, column: str) -> tuple[str, ...]:
    """The condition of each stimulus, a column of the store's table: ``label`` is the folder of each picture."""
    return tuple(str(each) for each in read_condition(activations, column, "--conditions"))


def compute_rdms(
    activations: Layers,
    rows: np.ndarray,
    ids: Sequence[str],
    *,
    layers: Sequence[str],
    distance: str,
    replicates: Replicates,
    labels: Sequence[str] | None = None,
) -> np.ndarray:
    """RDMs of layers over some stimuli or conditions, (n_layers, n_pairs); each layer is read once.

    Parameters
    ----------
    activations : Activations or ArrayLayers
    rows : (n_stimuli,), int
        Places of the stimuli among those of the activations; not looked at for conditions.
    ids : sequence of str, (n_stimuli,)
        Stimuli or conditions.
    layers, distance, replicates
        As for :func:`compute_layer_rdm`.
    labels : sequence of str, optional
        The condition of each of the activations' stimuli.
    """
    found: list[np.ndarray] = []
    for layer in layers:
        if labels is None:
            values: Any = LayerRows(activations[layer], rows, ids)
        else:
            values = ConditionRows(activations[layer], labels, ids).values
        found.append(compute_layer_rdm(values, distance, replicates))
    return np.stack(found)


def list_layers(activations: Layers, layers: Sequence[str] | None) -> list[str]:
    """Layers that are asked for, in the order of the activations; default all.

    Raises
    ------
    UnknownNameError
        A layer that is not there.
    """
    known = list(activations.layers)
    for layer in layers or ():
        if layer not in known:
            raise UnknownNameError("layer of the activations", layer, known)
    return known if layers is None else [layer for layer in known if layer in set(layers)]


def describe_model(activations: Layers) -> str:
    """The network's name."""
    return activations.model or "the network"


def check_same_stimuli(one: Layers, two: Layers, rows_1: np.ndarray, rows_2: np.ndarray) -> None:
    """Refuse two stores whose stimuli have the same ids and other content.

    Raises
    ------
    InputError
        How many, and the first.
    """
    if not isinstance(one, Activations) or not isinstance(two, Activations):
        return
    hashes: tuple[Any, Any] = one.stimulus_hashes, two.stimulus_hashes
    if not all(hashes):
        return
    pairs = zip(rows_1, rows_2, strict=True)
    other = [int(a) for a, b in pairs if hashes[0][a] != hashes[1][b] and _alike(hashes[0][a], hashes[1][b])]
    if other:
        raise InputError(
            f"the same stimuli under the same ids in {one.path.name} and {two.path.name}",
            got=f"{len(other)} with other content, {cast(Any, one).stimulus_ids[other[0]]!r} first",
        )


def _alike(one: str, two: str) -> bool:
    """Whether two hashes are of one kind, so that they can be compared."""
    return len(one) == len(two) and bool(one)
