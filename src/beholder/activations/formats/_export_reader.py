"""Reading exported activations back, whichever format they are in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.tables import read_rows
from beholder.activations.formats._array_files import read_array
from beholder.activations.formats._exports import resolve_export_format
from beholder.activations.formats._hdf5 import open_hdf5
from beholder.activations.formats._text_io import parse_numbers


@dataclass(frozen=True)
class ReadExport:
    """What :func:`read_export` found in a folder.

    Attributes
    ----------
    values : ndarray, (n_stimuli[, n_replicates], *features)
        float64 from ``txt``, float32 from ``csv`` and ``parquet``, the stored type elsewhere.
    targets : ndarray of int64, (n_stimuli,), or None
        Class of each row.
    file_names : tuple of str, or None
        File of each row.
    file : Path
        Where the values were read from.
    """

    values: np.ndarray
    targets: np.ndarray | None
    file_names: tuple[str, ...] | None
    file: Path

    def __repr__(self) -> str:
        return f"ReadExport({self.file}, values {self.values.shape} {self.values.dtype})"


def find_export_file(folder: str | Path, file_format: str | None = None) -> Path:
    """The file of activations in a folder, of the given format or the one that is fastest to read."""
    folder = Path(folder)
    suffixes = ("npy", "h5", "hdf5", "pt", "mat", "parquet", "csv", "txt")
    if file_format is not None:
        suffix = resolve_export_format(file_format)
        suffixes = ("h5", "hdf5") if suffix == "h5" else (suffix,)
    for suffix in suffixes:
        for stem in ("activations", "features"):
            path = folder / f"{stem}.{suffix}"
            if path.is_file():
                return path
    raise InputError(f"a file activations.{{{','.join(suffixes)}}}", got=f"none in {folder}")


@suggest_keywords
def read_export(folder: str | Path, file_format: str | None = None) -> ReadExport:
    """Read what :func:`export_layer`, or the published script, wrote to a folder.

    Parameters
    ----------
    folder : path
        Holds ``activations.*``; ``features.*`` is taken as well.
    file_format : str, optional
        Which file to read where there are several.

    Returns
    -------
    ReadExport

    Raises
    ------
    InputError
        When there is none, or it holds no plain numbers. Nothing is ever unpickled.
    """
    path = find_export_file(folder, file_format)
    targets: np.ndarray | None = None
    for name in ("targets.npy", "targets.txt"):
        if (path.parent / name).is_file():
            targets = read_array(path.parent / name).reshape(-1).astype(np.int64)
            break
    names = path.parent / "file_names.txt"
    file_names = tuple(names.read_text(encoding="utf-8").splitlines()) if names.is_file() else None
    return ReadExport(values=_read_values(path), targets=targets, file_names=file_names, file=path)


def _read_values(path: Path) -> np.ndarray:
    match path.suffix:
        case ".npy" | ".txt":
            return read_array(path)
        case ".pt":
            return _read_tensor(path)
        case ".csv":
            return _read_table(path)
        case ".parquet":
            return _read_parquet(path)
        case ".mat":
            return _read_matlab(path)
        case _:
            with open_hdf5(path) as file:
                return _pick(file, "features", path)[()]


def _read_matlab(path: Path) -> np.ndarray:
    import scipy.io
    from scipy.io.matlab import MatReadError

    try:
        return _pick(scipy.io.loadmat(path, variable_names=["features"]), "features", path)
    except (MatReadError, ValueError, NotImplementedError) as error:
        raise InputError("a MATLAB file with the variable features", got=f"{path} ({error})") from error


def _pick(mapping: Any, name: str, path: Path) -> Any:
    if name not in mapping:
        raise InputError(f"{name!r} in {path}", got=", ".join(mapping) or "nothing")
    return mapping[name]


def _read_tensor(path: Path) -> np.ndarray:
    import pickle
    import warnings

    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the pickle's protocol; what it holds is checked below
            tensor = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise InputError("a tensor in a .pt file", got=f"{path}, which is refused: it holds something else") from error
    if not isinstance(tensor, torch.Tensor):
        raise InputError("a tensor in a .pt file", got=f"{path}, a {type(tensor).__name__}")
    return tensor.numpy()


def _read_parquet(path: Path) -> np.ndarray:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise InputError("a Parquet table of activations", got=f"{path} ({error})") from error
    n_labels = 2 if table.column_names[1:2] == ["replicate"] else 1
    columns = [table.column(i).to_numpy() for i in range(n_labels, table.num_columns)]
    values = np.column_stack(columns) if columns else np.empty((table.num_rows, 0), np.float32)
    if n_labels == 1:
        return values
    n_replicates = 1 + int(table.column(1).to_numpy().max(initial=0))
    return values.reshape(-1, n_replicates, values.shape[1])


def _read_table(path: Path) -> np.ndarray:
    lines = read_rows(path)
    head = next(lines, [])
    n_labels = 2 if head[1:2] == ["replicate"] else 1
    rows, n_replicates = [], 1
    for line in lines:
        rows.append(parse_numbers(",".join(line[n_labels:]).encode(), ","))
        if n_labels == 2:
            n_replicates = max(n_replicates, int(line[1]) + 1)
    values = np.array(rows, dtype=np.float32).reshape(len(rows), len(head) - n_labels)
    return values if n_labels == 1 else values.reshape(-1, n_replicates, values.shape[1])
