"""The panel's HDF5 file: one dataset a model, stimulus and layer.

``/{model}/{stimulus}/{layer}``, float32, (n_replicates, feature_dim). A model's group has the attributes
``model`` and ``layers`` (exact names, JSON), ``n_replicates``, ``average_replicates``. The root holds model
groups only. The file's bytes depend on its content alone: members are written in alphabetical order,
without times, and an addition writes the whole file anew before it takes the old one's place.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.files import to_path_name
from beholder.activations.formats._hdf5 import Hdf5Writer, create_hdf5, list_names, open_hdf5, read_dataset
from beholder.activations.formats._rows import LayerValues, with_replicates

if TYPE_CHECKING:
    import h5py

_BLOCK_BYTES = 128 * 2**20


@suggest_keywords
def write_panel_file(
    path: str | Path,
    models: Mapping[str, Mapping[str, LayerValues]],
    *,
    average_replicates: bool = False,
    attributes: Mapping[str, Mapping[str, Any]] | None = None,
    replace: bool = False,
) -> Path:
    """Write models' activations to a panel file, or add them to one.

    What the file already holds stays, unless the same model, stimulus and layer are written again. The
    file is replaced by rename, once the new one is whole.

    Parameters
    ----------
    path : path
        The ``.h5`` file.
    models : mapping of str to mapping of str to LayerValues
        Per model and layer the values, a store's layer or (n_stimuli, n_replicates, *features) with
        ``stimulus_ids``; all layers of a model have the same stimuli. Read by blocks of stimuli; feature axes are
        joined.
    average_replicates : bool
        Write the mean over replicates, as one row.
    attributes : mapping, optional
        Further attributes of models' groups: text, numbers, or what JSON can spell; ``model`` may give
        the full name.
    replace : bool
        Drop what the file holds of these models, instead of adding to it; other models stay.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        When names cannot stand in the file, layers have different stimuli or replicates, or the
        existing file is not a panel file.
    """
    path = Path(path)
    plans: dict[str, _ModelPlan] = {}
    for model, layers in models.items():
        layers = {layer: with_replicates(values) for layer, values in layers.items()}
        plan = _plan_model(model, layers, average_replicates, (attributes or {}).get(model, {}))
        if plan.group in plans:
            raise InputError("models with names of their own", got=f"two called {plan.group!r}")
        plans[plan.group] = plan
    with create_hdf5(path) as writer, contextlib.ExitStack() as stack:
        old = stack.enter_context(open_hdf5(path)) if path.exists() else None
        if old is not None:
            _check_layout(old, path)
        for name in sorted({*plans, *list_names(old)}):
            kept = None if replace and name in plans else _get_group(old, name)
            _write_model(writer, name, plans.get(name), kept)
    return path


@dataclass(frozen=True)
class _ModelPlan:
    """A model to write: its group's name and attributes, its layers by the names of their datasets."""

    group: str
    layers: dict[str, LayerValues]
    names: list[str]
    rows: dict[str, int]
    average: bool
    attributes: dict[str, Any]


def to_dataset_name(layer: str) -> str:
    """A layer's name in the file: its own, but for slashes."""
    return layer.replace("/", "_")


def _plan_model(
    model: str, layers: Mapping[str, LayerValues], average: bool, attributes: Mapping[str, Any]
) -> _ModelPlan:
    if not layers:
        raise InputError(f"at least one layer of {model}", got="none")
    by_name = {to_dataset_name(layer): values for layer, values in layers.items()}
    if len(by_name) < len(layers):
        raise InputError(f"layers of {model} with names of their own", got=", ".join(layers))
    first = next(iter(layers.values()))
    ids = [str(name) for name in first.stimulus_ids]
    rows = {name: row for row, name in enumerate(ids)}
    if len(rows) < len(ids):
        raise InputError("stimulus ids of their own", got=f"{len(ids) - len(rows)} twice for {model}")
    for name in (*rows, *by_name):
        if "/" in name or name in ("", ".", "..") or "\0" in name:
            raise InputError("names that can stand in an HDF5 file", got=repr(name))
    for layer, values in layers.items():
        if [str(name) for name in values.stimulus_ids] != ids:
            raise InputError(f"the same stimuli at every layer of {model}", got=f"others at {layer}")
        if values.shape[1] != first.shape[1]:
            expected = f"{first.shape[1]} replicates at every layer of {model}"
            raise InputError(expected, got=f"{values.shape[1]} at {layer}")
    more = {key: item if isinstance(item, str | int | float) else json.dumps(item) for key, item in attributes.items()}
    own = {
        "model": model,
        "n_replicates": np.int64(1 if average else first.shape[1]),
        "average_replicates": np.bool_(average),
    }
    return _ModelPlan(to_path_name(model), by_name, list(layers), rows, average, {**own, **more})


def _check_layout(file: h5py.File, path: Path) -> None:
    import h5py

    for name, model in file.items():
        if not isinstance(model, h5py.Group) or not all(isinstance(s, h5py.Group) for s in model.values()):
            got = f"{path}, where /{name} is something else"
            raise InputError("a panel file /model/stimulus/layer to add to", got=got)


def _write_model(writer: Hdf5Writer, name: str, plan: _ModelPlan | None, old: h5py.Group | None) -> None:
    group = writer.create_group(writer.file.id, name)
    stimuli = sorted({*(plan.rows if plan else ()), *list_names(old)})
    for stimulus, fresh in _iter_stimuli(stimuli, plan):
        below = writer.create_group(group, stimulus)
        kept = _get_group(old, stimulus)
        for layer in sorted({*fresh, *list_names(kept)}):
            if layer in fresh:
                writer.write_array(below, layer, fresh[layer])
            else:
                assert kept is not None
                _copy_dataset(writer, below, kept, layer)
        if kept is not None:
            writer.write_attributes(below, dict(kept.attrs))
    writer.write_attributes(group, _join_attributes(plan, old))


def _get_group(parent: h5py.Group | None, name: str) -> h5py.Group | None:
    group: Any = None if parent is None else parent.get(name)
    return group


def _copy_dataset(writer: Hdf5Writer, parent: Any, source: h5py.Group, name: str) -> None:
    import h5py

    item = source[name]
    if not isinstance(item, h5py.Dataset):
        raise InputError("a panel file /model/stimulus/layer to add to", got=f"a group at {item.name}")
    dataset = writer.write_array(parent, name, read_dataset(source.id, name))
    if len(item.attrs):
        writer.write_attributes(dataset, dict(item.attrs))


def _join_attributes(plan: _ModelPlan | None, old: h5py.Group | None) -> dict[str, Any]:
    before = {} if old is None else dict(old.attrs)
    if plan is None:
        return before
    names = read_layer_names(old) if old is not None else []
    names = [*(name for name in names if name not in plan.names), *plan.names]
    return {**before, **plan.attributes, "layers": json.dumps(names, ensure_ascii=False)}


def read_layer_names(model: h5py.Group) -> list[str]:
    """Exact layer names of a model's group: the recorded ones, else those of its first stimulus."""
    if "layers" in model.attrs:
        return list(json.loads(str(model.attrs["layers"])))
    stimuli = list_names(model)
    return list_names(_get_group(model, stimuli[0])) if stimuli else []


def _iter_stimuli(stimuli: Sequence[str], plan: _ModelPlan | None) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Yield each stimulus with its new datasets, reading a block of stimuli at a time."""
    if plan is None:
        yield from ((stimulus, {}) for stimulus in stimuli)
        return
    row_bytes = 4 * sum(math.prod(values.shape[1:]) for values in plan.layers.values())
    step = max(1, _BLOCK_BYTES // max(1, row_bytes))
    for start in range(0, len(stimuli), step):
        chunk = stimuli[start : start + step]
        rows = [plan.rows[stimulus] for stimulus in chunk if stimulus in plan.rows]
        blocks = {layer: _read_rows(values, rows, plan.average) for layer, values in plan.layers.items()}
        place = 0
        for stimulus in chunk:
            if stimulus in plan.rows:
                yield stimulus, {layer: block[place] for layer, block in blocks.items()}
                place += 1
            else:
                yield stimulus, {}


def _read_rows(values: LayerValues, rows: list[int], average: bool) -> np.ndarray:
    """Rows of a layer as float32, (n, n_replicates, n_features)."""
    n_replicates, n_features = int(values.shape[1]), math.prod(values.shape[2:])
    if rows and rows == list(range(rows[0], rows[0] + len(rows))):
        block = np.asarray(values[rows[0] : rows[0] + len(rows)])
    else:
        block = np.empty((len(rows), *values.shape[1:]), dtype=np.float32)
        for place, row in enumerate(rows):
            block[place] = values[row : row + 1][0]
    block = block.reshape(len(rows), n_replicates, n_features)
    if average:
        block = block.mean(axis=1, keepdims=True, dtype=np.float64)
    return block.astype(np.float32, copy=False)
