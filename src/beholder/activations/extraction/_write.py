"""Values computed from activations, such as predicted responses, written as a store of their own."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, final

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.files import explain_write_errors
from beholder._core.provenance import read_versions
from beholder.activations.forward._targets import check_path_names
from beholder.activations.store._arrays import (
    FORMAT,
    StoredLayer,
    describe_columns,
    heal_store,
    job_folder,
    make_arrays,
    open_group,
    remove_partial_files,
    remove_store,
    seal_store,
)
from beholder.activations.store._lazy import Activations
from beholder.activations.store._shard_file import plan_layout, shard_path, write_shard
from beholder.jobs import Finish, Output, Plan, Shard, Worker, cut_range, open_output

_SHARD_BYTES = 32 * 2**20

Compute = Callable[[str, int, int], np.ndarray]
"""``compute(layer, start, stop)`` gives rows (n, n_replicates, n_features), float32."""


@suggest_keywords
def write_activations(
    path: Path | str,
    layers: Mapping[str, np.ndarray],
    stimulus_ids: Sequence[str],
    *,
    model: str,
    settings: Mapping[str, Any],
    axis: str = "unit",
    overwrite: bool = False,
) -> Activations:
    """Write values of stimuli as a store, which every command reads as it reads a network's.

    Parameters
    ----------
    path : path
        The store, ending in ``.zarr``.
    layers : mapping of str to array, (n_stimuli, n_units)
        Written as float32; NaN for what there is not.
    stimulus_ids : sequence of str, (n_stimuli,)
    model : str
        What the values are called where a network's name would stand.
    settings : mapping
        Plain JSON: what decides the values. The same settings are taken as done, others are refused.
    axis : str
        What a column is.
    overwrite : bool
        Replace a store that was made with other settings.

    Returns
    -------
    Activations

    Raises
    ------
    InputError
        A layer with another number of rows than there are ids.
    ConfigurationChanged
        The store is there and was made with other settings.
    """
    store, ids = Path(path), [str(name) for name in stimulus_ids]
    if store.suffix != ".zarr":
        raise InputError("a store's name ending in .zarr", got=str(path), hint=f"{store.name}.zarr")
    check_path_names(list(layers))
    for name, values in layers.items():
        if values.ndim != 2 or len(values) != len(ids):
            raise InputError(f"({len(ids)}, n_units) values at {name}", got=f"shape {values.shape}")
    whole = {"format": FORMAT, "written": dict(settings), "layers": list(layers)}
    with open_store(store, whole, overwrite=overwrite) as output:
        stored = {name: plan_rows(name, axis, values.shape[1]) for name, values in layers.items()}
        _make_groups(store, stored, ids, {"model": model, "settings": whole, "layers": list(layers)})

        def compute(name: str, start: int, stop: int) -> np.ndarray:
            return layers[name][start:stop, None].astype(np.float32)

        fill_store(output, store, f"write {store.stem}", stored, compute, len(ids), {})
    return Activations(store)


def _make_groups(
    store: Path, layers: Mapping[str, StoredLayer], ids: Sequence[str], attributes: dict[str, Any]
) -> None:
    job_folder(store).unseal()
    columns = {"id": ids}
    with explain_write_errors(store):
        root = open_group(store, "a")
        root.attrs.put(
            {
                "format": FORMAT, **attributes, **describe_columns(columns, ()), "n_replicates": 1,
                "versions": read_versions(), "complete": False,
            }
        )  # fmt: skip
        make_arrays(root, columns, {}, layers.values(), 1)


@contextlib.contextmanager
def open_store(store: Path, settings: Mapping[str, Any], *, overwrite: bool) -> Iterator[Output]:
    """A store of computed values, in which one run works at a time."""
    replace = partial(remove_store, store) if overwrite else None
    with open_output(job_folder(store), replace=replace, wait=True) as output:
        remove_partial_files(store)
        heal_store(store)
        output.settle(settings)
        yield output


def fill_store(
    output: Output,
    store: Path,
    what: str,
    layers: Mapping[str, StoredLayer],
    compute: Compute,
    n_stimuli: int,
    facts: Mapping[str, Any],
) -> None:
    """Compute the rows of all layers, and vouch for the store; ``what`` is said of the progress."""
    plan = Plan(what, output.settings, cut_rows(layers.values(), n_stimuli))
    output.run(plan, RowWorker(store, layers, compute))
    open_group(store, "a").attrs["complete"] = True
    seal_store(store)
    output.record(store.parent, store.name, facts)


def plan_rows(name: str, axis: str, n_features: int, n_widest: int | None = None) -> StoredLayer:
    """A layer of rows (n_features,), float32, in shards of about 32 MB of the widest that is held on the way."""
    rows = max(1, min(256, _SHARD_BYTES // (4 * (n_widest or n_features))))
    return StoredLayer(name, (axis,), plan_layout(rows, (n_features,), "float32"))


def cut_rows(layers: Iterable[StoredLayer], n_stimuli: int) -> tuple[Shard, ...]:
    """The shards of layers that :class:`RowWorker` writes."""
    return tuple(
        Shard(f"{layer.path_name}-{start:08d}", stop - start, {"layer": layer.name, "start": start, "stop": stop})
        for layer in layers
        for start, stop in cut_range(0, n_stimuli, layer.layout.rows)
    )


@final
@dataclass
class RowWorker(Worker):
    """Computes rows of layers and writes them, inline.

    Attributes
    ----------
    store : Path
    layers : mapping of str to StoredLayer
    compute : callable
    """

    store: Path
    layers: Mapping[str, StoredLayer]
    compute: Compute
    lookahead: int = 0

    @contextlib.contextmanager
    def open(self, n_workers: int) -> Iterator[Callable[[Shard], Finish]]:
        """Nothing to get ready."""
        yield self._start

    def _start(self, shard: Shard) -> Finish:
        def finish() -> tuple[dict[str, tuple[int, str]], dict[str, Any]]:
            name, start, stop = shard.payload["layer"], shard.payload["start"], shard.payload["stop"]
            values, layer = self.compute(name, start, stop), self.layers[name]
            files = {}
            for replicate in range(values.shape[1]):
                path = shard_path(self.store / layer.path_name / "values", start // layer.layout.rows, replicate, 1)
                files[path.relative_to(self.store).as_posix()] = write_shard(path, values[:, replicate], layer.layout)
            return files, {}

        return finish
