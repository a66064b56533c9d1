"""Joining stimuli by id, never by position, and reading a store's layers one at a time."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from beholder._core.addresses import is_address
from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.hashing import hash_array, hash_settings
from beholder._core.id_patterns import extract_ids
from beholder.activations import Activations, LayerActivations
from beholder.analysis._behavior import is_behavior, read_behavior
from beholder.recordings import RecordedRDMs, Recordings, hash_recordings, open_recordings


@final
@dataclass(frozen=True, eq=False)
class Joined:
    """Stimuli that two sides have in common.

    Attributes
    ----------
    ids : tuple of str
        Their ids (what the pattern made of them), in the order of the first side.
    rows_a, rows_b : (n_stimuli,), int
        Their places on either side.
    sentence : str
        How many joined, and how many on either side did not.
    """

    ids: tuple[str, ...]
    rows_a: np.ndarray
    rows_b: np.ndarray
    sentence: str

    def __len__(self) -> int:
        return len(self.ids)


@suggest_keywords
def join_stimuli(
    ids_a: Sequence[str],
    ids_b: Sequence[str],
    id_pattern: str | None = None,
    *,
    names: tuple[str, str] = ("the activations", "the recordings"),
) -> Joined:
    r"""Places of the stimuli that two sides have in common, by id.

    Parameters
    ----------
    ids_a, ids_b : sequence of str
    id_pattern : str, optional
        A regular expression that is searched for in the ids of both sides; its first group (without groups, what it
        matches) is the id that is compared. Ids in which it is not found do not join.
    names : (str, str)
        What the sides are called in messages.

    Raises
    ------
    InputError
        No stimulus joins (with a pattern that would, where there is a plain one); an id stands twice on a side.

    Examples
    --------
    >>> joined = join_stimuli(["dog", "cat"], ["cat", "cow"])
    >>> joined.ids, joined.rows_a.tolist(), joined.rows_b.tolist()
    (('cat',), [1], [0])
    >>> join_stimuli(["dog", "cat"], ["s1/cat.png", "s1/cow.png"], r"([^/.]+)(?:\.\w+)?$").sentence
    '1 stimulus in common: 1 of 2 of the activations, 1 of 2 of the recordings.'
    """
    keys_a = _map_ids(ids_a, id_pattern, names[0])
    keys_b = _map_ids(ids_b, id_pattern, names[1])
    common = [key for key in keys_a if key in keys_b]
    if not common:
        raise InputError(
            f"stimuli that {names[0]} and {names[1]} have in common",
            got=f"none: ids such as {_show(ids_a)} and {_show(ids_b)}",
            hint=_suggest(ids_a, ids_b),
        )
    n = len(common)
    sentence = (
        f"{n:,} {'stimulus' if n == 1 else 'stimuli'} in common: "
        f"{n:,} of {len(ids_a):,} of {names[0]}, {n:,} of {len(ids_b):,} of {names[1]}."
    )
    rows_a = np.array([keys_a[key] for key in common], dtype=np.int64)
    rows_b = np.array([keys_b[key] for key in common], dtype=np.int64)
    return Joined(tuple(common), rows_a, rows_b, sentence)


@final
@dataclass(frozen=True, eq=False)
class JoinedMany:
    """Stimuli that several sides have in common.

    Attributes
    ----------
    ids : tuple of str
        In the order of the first side.
    rows : list of (n_stimuli,), int
        Their places on each side.
    sentences : list of str
        How many the first side and each other one have in common.
    """

    ids: tuple[str, ...]
    rows: list[np.ndarray]
    sentences: list[str]

    def __len__(self) -> int:
        return len(self.ids)


@suggest_keywords
def join_many(ids: Sequence[Sequence[str]], id_pattern: str | None = None, *, names: Sequence[str]) -> JoinedMany:
    """Places of the stimuli that all sides have, by id; each side joins with the first as in :func:`join_stimuli`.

    >>> joined = join_many([["a", "b", "c"], ["c", "b"], ["b", "c", "d"]], names=["one", "two", "three"])
    >>> joined.ids, [rows.tolist() for rows in joined.rows]
    (('b', 'c'), [[1, 2], [1, 0], [0, 1]])
    """
    sides = list(zip(ids, names, strict=True))
    joins = [join_stimuli(ids[0], other, id_pattern, names=(names[0], name)) for other, name in sides[1:]]
    shared = set(joins[0].ids).intersection(*(join.ids for join in joins))
    common = [key for key in joins[0].ids if key in shared]
    rows: list[np.ndarray] = []
    for keys, places in [(joins[0].ids, joins[0].rows_a), *((join.ids, join.rows_b) for join in joins)]:
        place = dict(zip(keys, places.tolist(), strict=True))
        rows.append(np.array([place[key] for key in common], dtype=np.int64))
    return JoinedMany(tuple(common), rows, [join.sentence for join in joins])


def _map_ids(ids: Sequence[str], pattern: str | None, name: str) -> dict[str, int]:
    """Compared id to its row."""
    keys = [(key, row) for row, key in enumerate(extract_ids(ids, pattern)) if key is not None]
    twice = [key for key, count in Counter(key for key, _ in keys).items() if count > 1]
    if twice:
        raise InputError(
            f"each stimulus once in {name}", got=f"{len(twice)} ids that are there more than once, {twice[0]!r} first",
            hint="another --id_pattern" if pattern else "one row a stimulus, its repeats along their own axis",
        )  # fmt: skip
    return dict(keys)


_PATTERNS = (r"([^/\\]+?)(?:\.\w+)?$", r"(\d+)(?!.*\d)")


def _suggest(ids_a: Sequence[str], ids_b: Sequence[str]) -> str:
    """A pattern under which the sides join, where a plain one does."""
    for pattern in _PATTERNS:
        found = [[match[1] for match in map(re.compile(pattern).search, ids) if match] for ids in (ids_a, ids_b)]
        if set(found[0]) & set(found[1]) and all(len(set(side)) == len(side) for side in found):
            return f"--id_pattern '{pattern}'"
    return "--id_pattern, a regular expression whose group is what the ids have in common"


def _show(ids: Sequence[str]) -> str:
    return repr(ids[0]) if len(ids) else "none at all"


@final
class LayerRows:
    """Some stimuli of a layer, in an order of their own: (n_stimuli, n_replicates, *features), read when sliced.

    Parameters
    ----------
    layer : LayerActivations, or array, (n_all, n_replicates, *features)
    rows : (n_stimuli,), int
    stimulus_ids : sequence of str, (n_stimuli,)
    """

    def __init__(self, layer: Any, rows: np.ndarray, stimulus_ids: Sequence[str]) -> None:
        layer = layer.with_replicates if isinstance(layer, LayerActivations) else layer
        self._layer = layer
        self._rows = np.asarray(rows, dtype=np.int64)
        self._whole = np.array_equal(self._rows, np.arange(int(layer.shape[0])))
        self.stimulus_ids = tuple(stimulus_ids)
        self.shape: tuple[int, ...] = (len(self._rows), *(int(size) for size in layer.shape[1:]))
        self.dtype: np.dtype[Any] = np.dtype(layer.dtype)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: slice) -> np.ndarray:
        return np.asarray(self._layer[index] if self._whole else self._layer[self._rows[index]])


@final
class ArrayLayers:
    """Layers that are in memory, as a store is read.

    Parameters
    ----------
    layers : mapping of str to array, (n_stimuli, *features)
    stimulus_ids : sequence of str
    model : str
    """

    def __init__(self, layers: Mapping[str, Any], stimulus_ids: Sequence[str], model: str = "") -> None:
        self.model = model
        self.stimulus_ids = tuple(str(each) for each in stimulus_ids)
        self._layers: dict[str, np.ndarray] = {}
        for name, values in layers.items():
            array = np.asarray(values)
            if array.ndim < 2 or len(array) != len(self.stimulus_ids):
                got = f"shape {array.shape} at {name}"
                raise InputError(f"activations of {len(self.stimulus_ids)} stimuli, (n_stimuli, *features)", got=got)
            self._layers[str(name)] = array[:, None]

    @property
    def layers(self) -> list[str]:
        """Names, in the order given."""
        return list(self._layers)

    def __getitem__(self, layer: str) -> np.ndarray:
        return self._layers[layer]


Layers = Activations | ArrayLayers


@suggest_keywords
def open_layers(
    activations: Any, stimulus_ids: Sequence[str] | None = None, *, name: str = "activations"
) -> Layers:  # fmt: skip
    """A store, or arrays in memory, as layers that are read one at a time.

    Parameters
    ----------
    activations : Activations, path, or mapping of str to array, (n_stimuli, *features)
        A store, where it lies, or arrays by layer.
    stimulus_ids : sequence of str, optional
        Of arrays; a store has its own.
    name : str
        What they are called in messages.
    """
    if isinstance(activations, Activations | ArrayLayers):
        return activations
    if isinstance(activations, str | Path):
        return Activations(activations)
    if isinstance(activations, Mapping):
        if stimulus_ids is None:
            raise InputError(f"stimulus_ids beside {name} that are arrays", got="none", hint="stimulus_ids=[...]")
        arrays: Mapping[str, Any] = activations  # pyright: ignore[reportUnknownVariableType]
        return ArrayLayers(arrays, stimulus_ids)
    raise InputError(f"{name} as a store, a path or arrays by layer", got=type(activations).__name__)


@suggest_keywords
def iter_layers(
    activations: Layers, joined_rows: np.ndarray, ids: Sequence[str], layers: Sequence[str] | None = None
) -> Iterator[tuple[str, LayerRows]]:
    """Layers one after the other, each with the joined stimuli alone.

    Parameters
    ----------
    activations : Activations or ArrayLayers
    joined_rows : (n_stimuli,), int
        Places of the stimuli among those of the activations.
    ids : sequence of str, (n_stimuli,)
    layers : sequence of str, optional
        Default all, in their order.

    Raises
    ------
    UnknownNameError
        A layer that is not there; before the first one is read.
    """
    asked = list(activations.layers if layers is None else layers)
    for layer in asked:
        if layer not in activations.layers:
            raise UnknownNameError("layer of the activations", layer, activations.layers)
    return ((layer, LayerRows(activations[layer], joined_rows, ids)) for layer in asked)


@suggest_keywords
def read_condition(activations: Layers, condition: str | Sequence[Any] | np.ndarray, name: str) -> np.ndarray:
    """A value for each stimulus: a column of a store's table of stimuli, or values given in its order.

    Parameters
    ----------
    activations : Activations or ArrayLayers
    condition : str or (n_stimuli,)
    name : str
        What messages call it.

    Raises
    ------
    UnknownNameError
        No such column.
    InputError
        Another number of values than there are stimuli.
    """
    n_stimuli = len(activations.stimulus_ids)
    if isinstance(condition, str):
        table: Any = activations.stimuli if isinstance(activations, Activations) else {}
        known = [str(column) for column in table]
        if condition not in known:
            raise UnknownNameError("column of the stimuli", condition, known)
        return np.asarray(table[condition])
    values: np.ndarray = np.asarray(condition)
    if values.shape != (n_stimuli,):
        raise InputError(f"{name} with a value for each of {n_stimuli} stimuli", got=f"shape {values.shape}")
    return values


def name_class(value: Any) -> str:
    """What a class is called; empty where there is none. Whole numbers have no point.

    >>> name_class(3.0), name_class(None), name_class("cat")
    ('3', '', 'cat')
    """
    if value is None:
        return ""
    if np.asarray(value).dtype.kind != "f":
        return str(value)
    number = float(value)
    return "" if math.isnan(number) else str(int(number)) if number.is_integer() else str(number)


Recorded = Recordings | RecordedRDMs | Activations | ArrayLayers


def identify_input(source: Recorded | np.ndarray) -> str:
    """What was analysed, by content: a hash of values, or of a store's network, settings and stimuli."""
    if isinstance(source, Recordings | RecordedRDMs):
        return hash_recordings(source)
    if isinstance(source, Activations):
        settings: Any = source.attributes.get("settings") or {}
        stimuli = list(source.stimulus_hashes) or list(source.stimulus_ids)
        return hash_settings({"settings": settings, "model": source.model, "stimuli": stimuli})
    if isinstance(source, ArrayLayers):
        arrays = {layer: hash_array(np.asarray(source[layer])) for layer in source.layers}
        return hash_settings({"arrays": arrays, "stimuli": list(source.stimulus_ids)})
    return hash_array(source.astype(np.str_) if source.dtype == object else source)


@suggest_keywords
def open_recorded(recordings: Any, stimulus_ids: Sequence[str] | None = None) -> Recorded:
    """What activations are compared with: recordings, RDMs, or another network's layers.

    Parameters
    ----------
    recordings : Recordings, RecordedRDMs, Activations, path, or mapping of str to array
        A path is an activation store, an export of odd-one-out or similarity trials, or a file that
        :func:`beholder.recordings.open_recordings` reads.
    stimulus_ids : sequence of str, optional
        Of arrays.
    """
    if isinstance(recordings, Recordings | RecordedRDMs):
        return recordings
    if isinstance(recordings, str | Path):
        path = Path(recordings)
        if is_behavior(path):
            return read_behavior(path)
        if not (is_address(path) or (path.is_dir() and (path / "zarr.json").is_file())):
            return open_recordings(path)
    return open_layers(recordings, stimulus_ids, name="recordings")
