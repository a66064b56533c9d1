"""What a file holds, told without reading its data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from beholder._core.addresses import is_address, show_place
from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.files import explain_read_errors, to_path_name
from beholder._core.tables import read_rows
from beholder.activations.formats._array_files import read_array_shape
from beholder.activations.formats._hdf5 import list_names, open_hdf5
from beholder.activations.formats._panel import read_layer_names, to_dataset_name
from beholder.activations.formats._slices import find_shape
from beholder.activations.formats._splits import find_parts
from beholder.activations.show._training import describe_checkpoint, describe_run, is_run
from beholder.activations.show._units import describe_stimuli, describe_units
from beholder.jobs import find_job_folders
from beholder.stimuli import is_model_stimuli

_SUFFIXES = (".npy", ".h5", ".hdf5", ".pt", ".mat", ".csv", ".parquet", ".txt")
_MOST_SHARDS = 8


@dataclass(frozen=True)
class FileSummary:
    """What :func:`describe_file` found.

    Attributes
    ----------
    path : str
    kind : str
        ``panel``, ``store``, ``export``, ``table``, ``units``, ``stimuli``, ``recordings``, ``checkpoint``,
        ``training``, ``hdf5`` or ``folder``.
    facts : dict
        Single things worth knowing, such as the model.
    tables : dict of str to list of dict
        ``models``, ``layers``, ``columns``, ``files``, ``epochs``, ``accuracies``, ``tensors``: a record each.
    """

    path: str
    kind: str
    facts: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, list[dict[str, Any]]]:
        """The tables, and one more, ``file``, with the facts: JSON-able."""
        return {"file": [{"path": self.path, "kind": self.kind, **self.facts}], **self.tables}

    def to_lines(self) -> list[str]:
        """The same as aligned text."""
        lines = [f"{self.path}: {self.kind}"]
        lines += [f"  {name}: {_to_text(value)}" for name, value in self.facts.items() if value is not None]
        for records in self.tables.values():
            lines += _align(records)
        return lines


def _align(records: Sequence[dict[str, Any]]) -> list[str]:
    if not records:
        return []
    rows = [list(records[0]), *([_to_text(value) for value in record.values()] for record in records)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    padded = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows]
    return [("  " + "  ".join(cells)).rstrip() for cells in padded]


def _to_text(value: Any) -> str:
    if isinstance(value, list | tuple) and all(isinstance(item, int) for item in value):
        return " x ".join(str(item) for item in value)
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, ensure_ascii=False)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


@suggest_keywords
def describe_file(path: str | Path, model: str | None = None, show_layers: bool = False) -> FileSummary:
    """Say what a store, panel file, export folder or table holds, from its heads alone.

    Parameters
    ----------
    path : path
        A ``.zarr`` store, an HDF5 file, a folder of exports or of stores, ``results.parquet`` or another
        Parquet or CSV table, a ``.json`` file of units, their stimuli in ``stimuli/{model}``, or a single ``.npy``,
        ``.txt``, ``.mat`` or ``.pt`` file, a ``.safetensors`` checkpoint, the folder of a training run; of
        ``.recordings.npz`` the data are read and checked.
    model : str, optional
        Only this model of a panel file; lists its layers.
    show_layers : bool
        List the layers of every model, or the tensors of a checkpoint, with their shapes.

    Returns
    -------
    FileSummary
        With ``to_lines()`` and ``to_dict()``.

    Raises
    ------
    InputError
        When there is nothing at the path, or nothing that is known.
    """
    path = Path(path)
    if is_address(path):
        return replace(_describe_store(path, model), path=show_place(path))
    if not path.exists():
        raise InputError("a file or folder", got=f"nothing at {path}")
    with explain_read_errors(path, "a file or folder of results"):
        describe = _describe_folder if path.is_dir() else _describe_single
        found = describe(path, model, show_layers)
    machines = [share.to_text(_MOST_SHARDS) for folder in find_job_folders(path) for share in folder.list_machines()]
    return replace(found, facts={**found.facts, "machines": "; ".join(machines)}) if machines else found


def _describe_single(path: Path, model: str | None, show_layers: bool) -> FileSummary:
    match path.suffix.lower():
        case ".h5" | ".hdf5":
            return _describe_hdf5(path, model, show_layers)
        case ".parquet":
            return _describe_parquet(path)
        case ".csv":
            return _describe_csv(path)
        case ".npy" | ".txt" | ".mat" | ".pt":
            return FileSummary(str(path), "export", tables={"files": [_describe_array(path)]})
        case ".npz" if path.name.endswith(".recordings.npz"):
            return _describe_recordings(path)
        case ".safetensors":
            facts, tables = describe_checkpoint(path)
            if tables.get("accuracies") is not None and not show_layers:
                del tables["tensors"]
            return FileSummary(str(path), "checkpoint", facts, tables)
        case ".json" if path.name == "settings.json" and is_run(path.parent):
            return _describe_folder(path.parent, model, show_layers)
        case ".json":
            facts, rows = describe_units(path)
            return FileSummary(str(path), "units", facts, {"units": rows})
        case _:
            raise InputError("a .zarr store, HDF5 file, table, checkpoint or folder of exports", got=str(path))


def _describe_recordings(path: Path) -> FileSummary:
    from beholder.recordings import open_recordings, summarize_recordings

    facts, regions = summarize_recordings(open_recordings(path))
    return FileSummary(str(path), "recordings", facts, {"regions": regions})


def _describe_hdf5(path: Path, model: str | None, show_layers: bool) -> FileSummary:
    import h5py

    with open_hdf5(path) as file:
        members = {name: file[name] for name in list_names(file)}
        groups = {name: item for name, item in members.items() if isinstance(item, h5py.Group)}
        if len(groups) < len(members):
            records: list[dict[str, Any]] = [
                {"dataset": name, "shape": list(item.shape), "dtype": str(item.dtype)}
                for name, item in members.items()
                if isinstance(item, h5py.Dataset)
            ]
            return FileSummary(str(path), "hdf5", tables={"datasets": records})
        if model is not None:
            name = next((n for n in (model, to_path_name(model)) if n in groups), None)
            if name is None:
                raise UnknownNameError(f"model in {path.name}", model, list(groups))
            groups = {name: groups[name]}
        models, layers = [], []
        for name, group in groups.items():
            stimuli = list_names(group)
            names = read_layer_names(group)
            first: Any = group[stimuli[0]] if stimuli else {}
            found = [{"model": name, "layer": layer, **_describe_dataset(first, layer)} for layer in names]
            rows = {record["shape"][0] for record in found if record["shape"]}
            models.append(
                {
                    "model": name,
                    "name": str(group.attrs.get("model", name)),
                    "stimuli": len(stimuli),
                    "layers": len(names),
                    "replicates": rows.pop() if len(rows) == 1 else None,
                    "averaged": bool(group.attrs.get("average_replicates", False)),
                }
            )
            layers += found
        tables = {"models": models}
        if show_layers or model is not None:
            tables["layers"] = layers
        return FileSummary(str(path), "panel", {"bytes": path.stat().st_size}, tables)


def _describe_dataset(group: Any, layer: str) -> dict[str, Any]:
    name = to_dataset_name(layer)
    if name not in group:
        return {"shape": [], "dtype": "missing"}
    return {"shape": list(group[name].shape), "dtype": str(group[name].dtype)}


def _describe_folder(path: Path, model: str | None, show_layers: bool) -> FileSummary:
    if (path / "zarr.json").exists():
        return _describe_store(path, model)
    if is_model_stimuli(path):
        facts, rows = describe_stimuli(path)
        return FileSummary(str(path), "stimuli", facts, {"units": rows})
    if is_run(path):
        facts, tables = describe_run(path)
        return FileSummary(str(path), "training", facts, tables)
    files = [path / f"{stem}{suffix}" for stem in ("activations", "features") for suffix in _SUFFIXES]
    files = [file for file in files if file.is_file()] + find_parts(path)
    if files:
        extras = ["targets.npy", "targets.txt", "file_names.txt"]
        records = [_describe_array(file) for file in files]
        records += [_describe_array(path / name) for name in extras if (path / name).is_file()]
        return FileSummary(str(path), "export", tables={"files": records})
    inside = sorted([*path.glob("*.zarr"), *path.glob("*.h5"), *path.glob("*.parquet"), *path.glob("*.csv")])
    inside += sorted(item for item in path.iterdir() if item.is_dir() and is_model_stimuli(item))
    if not inside:
        raise InputError(
            "a store, a panel file, exports, a table or stimuli of units", got=f"{path}, a folder without any of them"
        )
    if len(inside) == 1:
        return describe_file(inside[0], model, show_layers)
    return FileSummary(str(path), "folder", tables={"files": [{"file": item.name} for item in inside]})


def _describe_store(path: Path, model: str | None) -> FileSummary:
    from beholder.activations.store._lazy import Activations

    acts = Activations(path, partial=True)
    names = [str(acts.attributes.get("path_name", "")), acts.model]
    if model is not None and model not in names and to_path_name(model) not in names:
        raise UnknownNameError(f"model in {path.name}", model, names)
    layers = []
    for name in acts.layers:
        values = acts[name].with_replicates
        record = {"layer": name, "shape": list(values.shape), "axes": ", ".join(values.dims)}
        layers.append({**record, "dtype": str(values.dtype), "bytes": values.nbytes})
    facts = {
        "model": acts.model,
        "stimuli": len(acts.stimulus_ids),
        "layers": len(layers),
        "complete": bool(acts.attributes.get("complete", False)),
    }
    conditions = acts.attributes.get("stimulus_conditions")
    if conditions:
        facts["conditions"] = ", ".join(conditions)
    return FileSummary(str(path), "store", facts, {"layers": layers})


def _describe_parquet(path: Path) -> FileSummary:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            schema, n_rows = file.schema_arrow, file.metadata.num_rows
    except pa.ArrowInvalid as error:
        raise InputError("a Parquet file", got=f"{path}, which is none") from error
    columns = [{"column": name, "type": str(schema.field(name).type)} for name in schema.names]
    return FileSummary(str(path), "table", {"rows": n_rows, "columns": len(columns)}, {"columns": columns})


def _describe_csv(path: Path) -> FileSummary:
    names = next(read_rows(path), [])
    n_rows = max(0, _count_lines(path) - 1)
    facts = {"rows": n_rows, "columns": len(names)}
    shown = names if len(names) <= 50 else [*names[:4], "...", names[-1]]
    return FileSummary(str(path), "table", facts, {"columns": [{"column": name} for name in shown]})


def _count_lines(path: Path) -> int:
    n_lines, last = 0, b"\n"
    with path.open("rb") as file:
        while chunk := file.read(1 << 22):
            n_lines += chunk.count(b"\n")
            last = chunk[-1:]
    return n_lines + (last != b"\n")


def _describe_array(path: Path) -> dict[str, Any]:
    shape, dtype = _find_head(path)
    return {"file": path.name, "shape": list(shape), "dtype": dtype, "bytes": path.stat().st_size}


def _find_head(path: Path) -> tuple[Sequence[int], str]:
    """Shape and type of the array in an exported file."""
    match path.suffix:
        case ".npy":
            shape, dtype = read_array_shape(path)
            return shape, str(dtype)
        case ".txt" if path.name == "file_names.txt":
            return [_count_lines(path)], "text"
        case ".txt":
            slices = find_shape(path)
            shape = slices or read_array_shape(path)[0]
            return shape, "text (slices)" if slices else "text"
        case ".csv":
            summary = _describe_csv(path)
            return [summary.facts["rows"], summary.facts["columns"]], "text"
        case ".parquet":
            summary = _describe_parquet(path)
            return [summary.facts["rows"], summary.facts["columns"]], "table"
        case ".pt":
            return _find_tensor_head(path)
        case ".mat":
            return _find_matlab_head(path)
        case _:
            with open_hdf5(path) as file:
                dataset: Any = file.get("features")
                return ([], "no dataset features") if dataset is None else (dataset.shape, str(dataset.dtype))


def _find_tensor_head(path: Path) -> tuple[Sequence[int], str]:
    import pickle
    import warnings

    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tensor = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise InputError("a tensor in a .pt file", got=f"{path}, which is refused: it holds something else") from error
    if not isinstance(tensor, torch.Tensor):
        return [], type(tensor).__name__
    return list(tensor.shape), str(tensor.dtype).removeprefix("torch.")


def _find_matlab_head(path: Path) -> tuple[Sequence[int], str]:
    import scipy.io
    from scipy.io.matlab import MatReadError

    try:
        variables = {name: (shape, kind) for name, shape, kind in scipy.io.whosmat(path)}
    except (MatReadError, ValueError, NotImplementedError) as error:
        raise InputError("a MATLAB file", got=f"{path} ({error})") from error
    shape, kind = variables.get("features", ((), ", ".join(variables)))
    return [int(size) for size in shape], kind
