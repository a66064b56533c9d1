"""Networks whose layers are decoded: one store or several, with the same stimuli in the same order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast, final

import numpy as np

from beholder._core.errors import InputError
from beholder._core.wording import format_count
from beholder.activations import Activations
from beholder.analysis._join import Layers, join_stimuli, open_layers, read_condition


@final
@dataclass(frozen=True, eq=False)
class LabelledStore:
    """A network's layers.

    Attributes
    ----------
    store : Activations or ArrayLayers
    name : str
        Tells sources apart; empty where there is one.
    rows : (n_stimuli,), int
        Places of the stimuli that all sources have.
    ids : list of str
        Of those.
    layers : list of str
    """

    store: Layers
    name: str
    rows: np.ndarray
    ids: list[str]
    layers: list[str]

    @property
    def model(self) -> str:
        """The network's name."""
        return str(self.store.model)


def open_sources(
    activations: Any, stimulus_ids: Sequence[str] | None, layers: Sequence[str] | None
) -> tuple[list[LabelledStore], str]:
    """Sources with the stimuli that all of them have, in the order of the first, and a sentence where some do not.

    Parameters
    ----------
    activations : Activations, path, mapping of str to array, or a list of these
    stimulus_ids : sequence of str, optional
        Of arrays.
    layers : sequence of str, optional
        Of several sources those that each has.
    """
    several: list[Any] = list(cast(Any, activations)) if isinstance(activations, list | tuple) else [activations]
    if not several:
        raise InputError("activations", got="an empty list")
    stores = [open_layers(each, stimulus_ids) for each in several]
    ids = [str(each) for each in stores[0].stimulus_ids]
    for other in stores[1:]:
        names = ("the first activations", "others")
        ids = list(join_stimuli(ids, other.stimulus_ids, names=names).ids)
    note = ""
    if any(len(ids) < len(store.stimulus_ids) for store in stores):
        note = f"{format_count(len(ids), 'stimulus')} are in all activations; the others were left out."
    found: list[LabelledStore] = []
    for store, name in zip(stores, _name_stores(stores), strict=True):
        place = {str(each): row for row, each in enumerate(store.stimulus_ids)}
        rows = np.array([place[each] for each in ids], dtype=np.int64)
        found.append(LabelledStore(store, name, rows, ids, _choose_layers(store, layers, several=len(stores) > 1)))
    return found, note


def _choose_layers(store: Layers, layers: Sequence[str] | None, *, several: bool) -> list[str]:
    known = list(store.layers)
    if layers is None or not several:
        return list(layers or known)
    own = [name for name in layers if name in known]
    if not own:
        raise InputError(f"a layer of {store.model or 'each network'} among those named", got=", ".join(layers))
    return own


def _name_stores(stores: Sequence[Layers]) -> list[str]:
    """The model's name of each, the store's or the number where that does not tell them apart; nothing for one."""
    if len(stores) == 1:
        return [""]
    models = [str(store.model) for store in stores]
    stems = [
        store.path.stem if isinstance(store, Activations) else model
        for store, model in zip(stores, models, strict=True)
    ]
    for names in (models, stems):
        if len(set(names)) == len(names) and all(names):
            return names
    return [f"{name or 'network'} ({place + 1})" for place, name in enumerate(stems)]


def read_shared(sources: Sequence[LabelledStore], condition: Any, name: str) -> np.ndarray:
    """A value for each shared stimulus: of the first source, with which others that have the column must agree.

    Raises
    ------
    InputError
        Stimuli of one id with unlike values.
    """
    first = sources[0]
    values = read_condition(first.store, condition, name)[first.rows]
    for other in sources[1:] if isinstance(condition, str) else ():
        table: Any = other.store.stimuli if isinstance(other.store, Activations) else {}
        if condition in list(table):
            unlike = np.flatnonzero(values.astype(str) != np.asarray(table[condition])[other.rows].astype(str))
            if len(unlike):
                place = int(unlike[0])
                raise InputError(
                    f"the same {condition} of a stimulus in {first.name} and {other.name}",
                    got=f"{len(unlike)} that differ, {first.ids[place]!r} first",
                )
    return values


def weigh_bins(n_layers: int, n_bins: int) -> list[np.ndarray]:
    """Weights of the mean over layers in each bin of relative depth, (n_layers,); all 0 where a bin has none.

    >>> [weights.tolist() for weights in weigh_bins(3, 2)]
    [[1.0, 0.0, 0.0], [0.0, 0.5, 0.5]]
    """
    depth = np.arange(n_layers) / max(n_layers - 1, 1)
    bins = np.minimum((depth * n_bins).astype(int), n_bins - 1)
    found: list[np.ndarray] = []
    for number in range(n_bins):
        inside = (bins == number).astype(np.float64)
        found.append(inside / max(1.0, inside.sum()))
    return found
