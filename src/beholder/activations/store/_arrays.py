"""The activation store: a Zarr v3 group with one group a layer.

::

    {model}.zarr/
      zarr.json                 attributes: model, weights, preprocessing, pooling, seed, versions, complete
      stimuli/{id,file,label,target,hash}
      stimuli/conditions/{0,1,...}  further columns, whose exact names are in the attribute ``condition``
      {layer}/values            (n_stimuli, n_replicates, *features)
      {layer}/stimulus          ids again, so that xarray labels the first axis

The functions here make and grow the groups; shards are filled by workers, each its own files. What is small, heads and
columns, is vouched for when a run ends, and made anew where it is damaged.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.codecs import Crc32cCodec, ZstdCodec

from beholder._core.addresses import connect, is_address, list_names, repeat, show_place, to_address
from beholder._core.errors import DamagedOutput, InputError, StorageUnreachable
from beholder._core.files import TEMPORARY_PREFIX, explain_write_errors, remove_temporaries, to_path_name
from beholder._core.progress import logger
from beholder._core.provenance import FILE_NAME
from beholder.activations.store._shard_file import CHUNK_KEYS, ShardLayout, plan_layout
from beholder.activations.store._texts import MANY, write_texts
from beholder.jobs import JobFolder, check_content, refuse_damaged

FORMAT = "beholder-activations-2"
COLUMNS = ("id", "file", "label", "target", "hash", "sha256")
"""Columns of the table of stimuli that are no conditions; the hash's was called ``sha256`` in the first version."""
CONDITIONS = "conditions"


@dataclass(frozen=True)
class StoredLayer:
    """One layer of a store: exact name, axes, how its values lie in files, and for a readout what it was made from."""

    name: str
    axes: tuple[str, ...]
    layout: ShardLayout
    origin: str | None = None

    @property
    def path_name(self) -> str:
        """Its group."""
        return to_path_name(self.name)


def job_folder(store: Path) -> JobFolder:
    """Settings, receipts and locks of a store, in a hidden folder beside it."""
    return JobFolder(store.parent / f".{store.name}.jobs", store)


def open_group(store: Path, mode: Any = "r") -> zarr.Group:
    """Open a store's root group; a missing or foreign one is an :class:`InputError`."""
    if is_address(store):
        return _open_remote_group(store)
    with explain_write_errors(store):
        try:
            return zarr.open_group(store, mode=mode, zarr_format=3)
        except Exception as error:  # whatever zarr makes of a head that is none
            if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
                raise
            head = store / "zarr.json"
            if head.is_file() and job_folder(store).path.is_dir():
                raise refuse_damaged(head, store) from error
            raise InputError("an activation store", got=f"{store}, which is none ({type(error).__name__})") from error


def _open_remote_group(store: Path) -> zarr.Group:
    """A store at an address, to be read."""
    connect(store)
    address = to_address(store)
    try:
        return repeat(lambda: zarr.open_group(address, mode="r", zarr_format=3), address)
    except StorageUnreachable:
        raise
    except InputError as error:
        if not isinstance(error.__cause__, FileNotFoundError):
            raise
        raise InputError("an activation store", got=f"{address}, which is none") from error
    except Exception as error:  # whatever zarr makes of a head that is none
        raise InputError("an activation store", got=f"{address}, which is none ({type(error).__name__})") from error


def is_complete(store: Path) -> bool:
    """Whether a store is there and its extraction ended."""
    return (store / "zarr.json").exists() and bool(open_group(store).attrs.get("complete", False))


def create_layer(root: zarr.Group, layer: StoredLayer, n_stimuli: int, n_replicates: int) -> None:
    """Make a layer's group and array, or give it the number of stimuli and at least that of replicates."""
    layout = layer.layout
    shape = (n_stimuli, n_replicates, *layout.features)
    group = root.require_group(layer.path_name)
    if "values" in group:
        values: Any = group["values"]
        shape = (n_stimuli, max(n_replicates, values.shape[1]), *layout.features)
        if values.shape != shape:
            values.resize(shape)
    else:
        values = group.create_array(
            "values",
            shape=shape,
            dtype=layout.dtype,
            shards=layout.shape,
            chunks=layout.tile,
            compressors=[Crc32cCodec()],
            filters=None,
            fill_value=np.nan,
            chunk_key_encoding=CHUNK_KEYS,
            dimension_names=["stimulus", "replicate", *layer.axes],
        )
    put_attributes(group, {"layer": layer.name, "axes": list(layer.axes), "tile_rows": layout.is_rows})


def put_attributes(node: Any, attributes: Mapping[str, Any]) -> None:
    """Give a group or array these attributes and no others; one that has them is left alone."""
    if dict(node.attrs) != attributes:
        node.attrs.put(attributes)


def write_column(group: zarr.Group, name: str, values: Sequence[Any], dimension: str = "stimulus") -> None:
    """Write one value a stimulus as a small array; an equal one is left alone."""
    is_text = any(isinstance(value, str) for value in values)  # spares an array of the widest text's width
    column = np.empty(0, dtype=object) if is_text else np.asarray(values)
    if column.dtype.kind not in "iufb":
        texts = ["" if value is None else str(value) for value in values]
        column = np.array(texts, dtype=object)
    if name in group:
        with contextlib.suppress(Exception):  # a damaged one is written anew
            old: Any = group[name]
            if old.shape == column.shape and np.array_equal(old[:], column):
                return
    is_long = column.dtype == object and len(column) >= MANY
    dtype: Any = "string" if column.dtype == object else column.dtype
    array = group.create_array(
        name, shape=column.shape, chunks=column.shape or (1,), dtype=dtype, dimension_names=[dimension],
        compressors=[ZstdCodec(), Crc32cCodec()], overwrite=True,
    )  # fmt: skip
    if is_long:
        write_texts(array, column)  # type: ignore[arg-type]
    elif column.size:
        array[:] = column


def write_stimuli(root: zarr.Group, columns: Mapping[str, Any], conditions: Mapping[str, Any]) -> None:
    """Write the table of stimuli as a group of columns, and the conditions as a group of its own inside.

    Conditions have the users' names, which may differ in letters that no path can hold, or be those of columns: they
    lie under numbers, with the exact name as an attribute.
    """
    group = root.require_group("stimuli")
    for name, values in columns.items():
        write_column(group, name, values)
    if not conditions and CONDITIONS not in group:
        return
    inside = group.require_group(CONDITIONS)
    for place, (name, values) in enumerate(conditions.items()):
        write_column(inside, str(place), values)
        put_attributes(inside[str(place)], {"condition": name})
    for name in [name for name in inside if not (name.isdecimal() and int(name) < len(conditions))]:
        del inside[name]


def make_arrays(
    root: zarr.Group,
    columns: Mapping[str, Any],
    conditions: Mapping[str, Any],
    layers: Iterable[StoredLayer],
    n_replicates: int,
) -> None:
    """Write the table of stimuli, and make each layer's array, or give it their number."""
    write_stimuli(root, columns, conditions)
    for layer in layers:
        create_layer(root, layer, len(columns["id"]), n_replicates)
        write_column(root[layer.path_name], "stimulus", columns["id"])  # type: ignore[arg-type]


def describe_columns(columns: Iterable[str], conditions: Iterable[str]) -> dict[str, list[str]]:
    """What the root's attributes say of the table of stimuli."""
    return {"stimulus_columns": list(columns), "stimulus_conditions": list(conditions)}


def list_layers(root: zarr.Group, store: Path) -> dict[str, str]:
    """Exact layer name to group name, in the order in which the layers were asked for."""
    order: Any = root.attrs.get("layers", [])
    names = {name: to_path_name(name) for name in order}
    if is_address(store):
        found = list_names(store)
        return {name: group for name, group in names.items() if group in found}
    return {name: group for name, group in names.items() if (store / group / "zarr.json").exists()}


def remove_store(store: Path) -> None:
    """Delete a store with its settings and receipts."""
    with explain_write_errors(store):
        mirror = job_folder(store).mirror
        if mirror is not None:
            mirror.clear()
        job_folder(store).clear()
        if store.exists():
            shutil.rmtree(store)


def remove_partial_files(store: Path) -> None:
    """Delete what a killed run left half-written in a store. Only for the holder of its lock."""
    remove_temporaries(store)
    for path in store.rglob("*.partial"):
        with contextlib.suppress(OSError):
            path.unlink()


def layout_to_dict(layer: StoredLayer) -> dict[str, Any]:
    """JSON-able form of a stored layer."""
    return {
        "name": layer.name,
        "axes": list(layer.axes),
        "features": list(layer.layout.features),
        "rows": layer.layout.rows,
        "dtype": layer.layout.dtype,
        **({"origin": layer.origin} if layer.origin else {}),
    }


def layout_from_dict(record: Mapping[str, Any]) -> StoredLayer:
    """Inverse of :func:`layout_to_dict`."""
    layout = plan_layout(record["rows"], tuple(record["features"]), record["dtype"])
    return StoredLayer(record["name"], tuple(record["axes"]), layout, record.get("origin"))


_HEAD = "zarr.json"


def list_small_files(store: Path) -> list[str]:
    """Every file of a store but its shards, by name below it."""
    names = []
    for path in store.rglob("*"):
        is_shard = path.parent.name == "values" and path.name.startswith("c.")
        is_leftover = path.name.startswith(TEMPORARY_PREFIX) or path.suffix == ".partial"
        if not is_shard and path.is_file() and not is_leftover:
            names.append(path.relative_to(store).as_posix())
    return sorted(names)


def seal_store(store: Path) -> None:
    """Vouch for the heads and columns of a store that is whole."""
    with job_folder(store).seal(*list_small_files(store)):
        pass


def send_store(store: Path) -> None:
    """Put the heads and columns of a store at its address, where it has one: the root's last where it is complete."""
    mirror = job_folder(store).mirror
    if mirror is None:
        return
    names = [name for name in list_small_files(store) if name != _HEAD]
    mirror.check()
    if is_complete(store):
        mirror.send(store, names)
        provenance = store.with_name(FILE_NAME)
        if provenance.is_file():
            mirror.note(FILE_NAME, provenance.read_bytes())
        mirror.send(store, [_HEAD])
    else:
        mirror.send(store, [_HEAD])
        mirror.send(store, names)


def heal_store(store: Path) -> None:
    """Delete heads that are none, so that the run that holds the lock writes them anew. Shards stay as they are."""
    with explain_write_errors(store):
        for path in store.rglob(_HEAD):
            if not _is_head(path):
                logger.warning("%s is damaged; it is made anew", path)
                path.unlink()


def _is_head(path: Path) -> bool:
    try:
        head = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return False
    return isinstance(head, dict) and head.get("zarr_format") == 3 and head.get("node_type") in ("array", "group")


def open_member(root: zarr.Group, store: Path, name: str) -> Any:
    """A group or array of a store whose head is what was written.

    Raises
    ------
    DamagedOutput
        It is there and is something else; names the file.
    """
    check_content(store, store / name / _HEAD)
    try:
        return root[name]
    except KeyError as error:
        raise InputError(
            f"an activation store with {name}", got=f"{store} without it",
            hint="running the extraction again: it writes what is missing",
        ) from error  # fmt: skip
    except Exception as error:  # whatever zarr makes of a head that is none
        raise refuse_damaged(store / name / _HEAD, store) from error


def read_small_column(group: zarr.Group, store: Path, path: str) -> Any:
    """One value a stimulus, or None when the store has no such column.

    Raises
    ------
    DamagedOutput
        The column is there and cannot be read; names it.
    """
    try:
        if is_address(store):
            return repeat(lambda: _read_column(group, path), show_place(store / path))
        check_content(store, store / path / _HEAD, *(p for p in (store / path).rglob("*") if p.is_file()))
        return _read_column(group, path)
    except (DamagedOutput, StorageUnreachable):
        raise
    except Exception as error:  # whatever zarr makes of bytes that are none of its own
        raise refuse_damaged(store / path, store) from error


def _read_column(group: zarr.Group, path: str) -> Any:
    column: Any = group.get(Path(path).name)
    return None if column is None else column[:]


def read_stimuli(root: zarr.Group, store: Path) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The columns of the table of stimuli, and the conditions, each (n_stimuli,).

    Stores of the first version had the conditions among the columns, under names made fit for paths.

    Raises
    ------
    DamagedOutput
        A column cannot be read.
    """
    group = open_member(root, store, "stimuli")
    names: Any = root.attrs.get("stimulus_columns", ["id"])
    columns = {name: read_small_column(group, store, f"stimuli/{to_path_name(name)}") for name in names}
    found = {name: np.asarray(column) for name, column in columns.items() if column is not None}
    told: Any = root.attrs.get("stimulus_conditions")
    if told is None:
        own = {name: column for name, column in found.items() if name in COLUMNS}
        return own, {name: column for name, column in found.items() if name not in own}
    conditions = {}
    for place, name in enumerate(told):
        inside = open_member(root, store, f"stimuli/{CONDITIONS}")
        conditions[str(name)] = np.asarray(read_small_column(inside, store, f"stimuli/{CONDITIONS}/{place}"))
    return found, conditions


def read_labels(store: Path, n_stimuli: int) -> tuple[str, ...]:
    """The class of each stimulus; ``""`` where the store knows none."""
    column = read_small_column(open_member(open_group(store), store, "stimuli"), store, "stimuli/label")
    return ("",) * n_stimuli if column is None else tuple(str(label) for label in column)
