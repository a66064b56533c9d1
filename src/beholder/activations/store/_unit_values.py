"""The activations of single units out of a store: one value a stimulus."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder.activations.store._lazy import Activations, LayerActivations
from beholder.models import Unit


@suggest_keywords
def iter_unit_values(acts: Activations, units: Sequence[Unit]) -> Iterator[tuple[Unit, np.ndarray]]:
    """The activations of each unit, layer by layer, holding the asked channels of one layer at a time.

    Parameters
    ----------
    acts : Activations
        Values with space, time or tokens are averaged, and so are replicates.
    units : sequence of Unit

    Yields
    ------
    (Unit, (n_stimuli,) array)

    Raises
    ------
    InputError
        A layer that is not stored or has no channels, a channel that it does not have.
    """
    by_layer: dict[str, list[Unit]] = {}
    for unit in units:
        by_layer.setdefault(unit.layer, []).append(unit)
    for name, members in by_layer.items():
        if name not in acts:
            raise InputError(
                f"layers that {acts.path} holds", got=f"{name!r}, which is not recorded there",
                hint="`beholder units record` with these units",
            )  # fmt: skip
        layer = acts[name].with_replicates
        axis = _find_channel_axis(layer, members)
        channels = [unit.channel for unit in members]
        others = tuple(i for i in range(1, layer.ndim) if i != axis)
        columns = np.empty((len(members), len(layer)), np.float32 if layer.dtype.itemsize < 8 else layer.dtype)
        for start, block in layer.iter_blocks():
            chosen = np.take(block, channels, axis=axis)
            plain = chosen.size == len(block) * len(channels)
            rows = chosen.reshape(len(block), -1) if plain else chosen.mean(others, dtype=np.float64)
            columns[:, start : start + len(block)] = rows.T
        yield from zip(members, columns, strict=True)


def _find_channel_axis(layer: LayerActivations, members: Sequence[Unit]) -> int:
    if "channel" not in layer.feature_dims:
        raise InputError("layers with channels", got=f"{layer.layer!r}, whose axes are {', '.join(layer.feature_dims)}")
    axis = layer.dims.index("channel")
    for unit in members:
        if unit.channel >= layer.shape[axis]:
            raise InputError(f"a channel of {layer.layer!r} from 0 to {layer.shape[axis] - 1}", got=str(unit.channel))
    return axis
