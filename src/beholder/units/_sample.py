"""Drawing units: a layer, then a channel of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED, make_generator
from beholder._core.wording import format_count
from beholder.models import Model, Unit, UnitList, load_skeleton
from beholder.units._layers import count_units, list_unit_layers

SAMPLING_SCHEMES = ("document", "released", "uniform")


@suggest_keywords
def sample_units(
    model: Model | str,
    n_units: int = 50,
    *,
    seed: int = DEFAULT_SEED,
    scheme: str = "document",
    layers: Sequence[str] | None = None,
    blacklist: Iterable[UnitList | Unit | Path | str] = (),
) -> UnitList:
    """Draw units of a network.

    Parameters
    ----------
    model : Model or str
        A name is looked at without weights.
    n_units : int
        How many.
    seed : int
        Decides which.
    scheme : {"document", "released", "uniform"}
        ``document``: a layer uniformly, then uniformly one of its channels that is not yet taken.
        ``released``: the same from numpy's legacy random stream, both drawn again if the unit is taken: the lists
        that the released code draws. ``uniform``: every unit with equal chance.
    layers : sequence of str, optional
        Names, patterns, presets and taps to draw from; default the layers of interest of the network's family.
    blacklist : iterable of UnitList, Unit or path
        Units, or files of units, that are not drawn.

    Returns
    -------
    UnitList
        In the order drawn.

    Raises
    ------
    InputError
        More units than there are; a layer or blacklisted unit that the network does not have.

    Examples
    --------
    >>> import beholder as bh
    >>> units = bh.sample_units("beholder:shapes", 2, layers=["block1.conv"])
    >>> len(units), units.layers
    (2, ('block1.conv',))
    """
    skeleton = load_skeleton(model)
    widths = list_unit_layers(skeleton, layers)
    taken = set(_collect(blacklist, skeleton))
    drawn = draw_units(widths, n_units, seed=seed, scheme=scheme, blacklist=taken)
    return UnitList(tuple(drawn), skeleton.name, seed)


def _collect(blacklist: Iterable[UnitList | Unit | Path | str], model: Model) -> Iterable[Unit]:
    for entry in [blacklist] if isinstance(blacklist, str | Path) else blacklist:
        yield from UnitList.collect(entry, model)


@suggest_keywords
def draw_units(
    widths: Mapping[str, int],
    n_units: int,
    *,
    seed: int = DEFAULT_SEED,
    scheme: str = "document",
    blacklist: Collection[Unit] = (),
) -> list[Unit]:
    """Draw units from layers of known widths; :func:`sample_units` without a network.

    Parameters
    ----------
    widths : mapping of str to int
        Layer name to number of channels, in order.
    n_units, seed, scheme, blacklist
        As there.
    """
    if scheme not in SAMPLING_SCHEMES:
        raise InputError(f"--scheme {'|'.join(SAMPLING_SCHEMES)}", got=repr(scheme))
    if n_units < 1:
        raise InputError("at least one unit", got=str(n_units))
    taken = {unit for unit in blacklist if unit.channel < widths.get(unit.layer, 0)}
    n_free = count_units(widths) - len(taken)
    if n_units > n_free:
        without = f", {len(taken)} blacklisted ones left out" if taken else ""
        raise InputError(
            f"at most {format_count(n_free, 'unit')}, which is all that "
            f"{format_count(len(widths), 'layer')} have{without}", got=str(n_units),
            hint="fewer units, or more layers",
        )  # fmt: skip
    draw = {"document": _draw_layer_first, "released": _draw_released, "uniform": _draw_uniform}[scheme]
    return draw(widths, n_units, seed, taken)


def _draw_layer_first(widths: Mapping[str, int], n_units: int, seed: int, taken: set[Unit]) -> list[Unit]:
    generator = make_generator(seed, "sample units", "document")
    used: dict[str, list[int]] = {layer: [] for layer in widths}
    for unit in taken:
        used[unit.layer].append(unit.channel)
    open_layers = [layer for layer, width in widths.items() if len(used[layer]) < width]
    drawn = []
    for _ in range(n_units):
        layer = open_layers[int(generator.integers(len(open_layers)))]
        channel = int(generator.integers(widths[layer] - len(used[layer])))
        for other in sorted(used[layer]):
            channel += other <= channel
        used[layer].append(channel)
        drawn.append(Unit(layer, channel))
        if len(used[layer]) == widths[layer]:
            open_layers.remove(layer)
    return drawn


def _draw_released(widths: Mapping[str, int], n_units: int, seed: int, taken: set[Unit]) -> list[Unit]:
    _check_legacy_seed(seed)
    stream = np.random.RandomState(seed)
    layers = list(widths)
    seen = set(taken)
    drawn: list[Unit] = []
    while len(drawn) < n_units:
        layer = layers[int(stream.choice(len(layers), size=1)[0])]
        unit = Unit(layer, int(stream.randint(0, widths[layer])))
        if unit not in seen:
            seen.add(unit)
            drawn.append(unit)
    return drawn


def _draw_uniform(widths: Mapping[str, int], n_units: int, seed: int, taken: set[Unit]) -> list[Unit]:
    generator = make_generator(seed, "sample units", "uniform")
    free: list[Any] = [
        Unit(layer, channel) for layer, width in widths.items() for channel in range(width)
        if not taken or Unit(layer, channel) not in taken
    ]  # fmt: skip
    return [free[i] for i in generator.choice(len(free), size=n_units, replace=False)]


def _check_legacy_seed(seed: int) -> None:
    if not 0 <= seed < 2**32:
        raise InputError("a seed from 0 to 4294967295 with --scheme released", got=str(seed))
