"""A layer's activations in files that other programs open.

``activations.{npy,txt,mat,pt,csv,parquet,h5}``, beside them ``targets.{npy,txt}`` and ``file_names.txt``. Every
format is written block by block, so memory does not grow with the number of stimuli.
"""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from beholder._core.error_sink import ErrorSink
from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.files import TEMPORARY_PREFIX, explain_write_errors, open_atomic, write_text
from beholder.activations.formats._array_files import write_array
from beholder.activations.formats._hdf5 import create_hdf5
from beholder.activations.formats._matlab_file import write_matlab_file
from beholder.activations.formats._rows import LayerValues, Rows, RowView, iter_row_blocks
from beholder.activations.formats._splits import find_parts, split_activations
from beholder.activations.formats._text_io import format_rows

FORMATS = ("npy", "txt", "mat", "pt", "csv", "parquet", "h5")

_ALIASES = {"hdf5": "h5", "pth": "pt"}
_TEXT = ("txt", "csv")
_TABLES = ("csv", "parquet")


@suggest_keywords
def resolve_export_format(file_format: str) -> str:
    """The suffix of a format given with or without the dot, in any case, ``hdf5`` for ``h5``."""
    name = file_format.lower().removeprefix(".")
    name = _ALIASES.get(name, name)
    if name not in FORMATS:
        raise UnknownNameError("file format", file_format, [*FORMATS, "hdf5"])
    return name


@suggest_keywords
def export_layer(
    values: Rows,
    folder: str | Path,
    file_format: str,
    *,
    targets: Any = None,
    file_names: Sequence[str] | None = None,
    stimulus_ids: Sequence[str] | None = None,
    flatten: bool = False,
    n_splits: int | None = None,
    precision: str = "document",
) -> list[Path]:
    """Write one layer's activations for other programs.

    Parameters
    ----------
    values : Rows, (n_stimuli, n_replicates, *features), or a store's layer
        Activations. The replicate axis is left out when it is 1.
    folder : path
        Made if absent.
    file_format : str
        ``npy``: the array as it is. ``txt``: a matrix as :func:`numpy.savetxt` writes it, more axes as
        slices. ``mat``: ``features``, ``stimulus``, ``file_names``, ``targets``; at most 2 GB. ``pt``: one
        tensor; written by way of an unnamed file of the same size. ``csv``: ``stimulus`` and a column
        a feature, flat, the fewest digits that give the same float32. ``parquet``: the same columns, for R, pandas and
        polars. ``h5``: ``features`` and ``stimulus``.
        With or without the dot.
    targets : array-like of int, (n_stimuli,), optional
        Written to ``targets.txt`` beside text, to ``targets.npy`` beside the others.
    file_names : sequence of str, optional
        Written to ``file_names.txt``, a line a row.
    stimulus_ids : sequence of str, optional
        Default: the ids that ``values`` carry, the file names, or row numbers.
    flatten : bool
        Join the feature axes, row-major.
    n_splits : int, optional
        Write ``activations_01`` ... instead of one file; ``npy`` and ``txt`` only.
    precision : {"document", "exact"}
        Digits of the slice format.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    UnknownNameError
        For a format that is none of these.
    InputError
        When the numbers of rows differ, or the format cannot hold the array.
    """
    suffix = resolve_export_format(file_format)
    folder = Path(folder)
    view = RowView(values, flatten=flatten or suffix in _TABLES)
    ids = _find_ids(values, stimulus_ids, file_names)
    targets = None if targets is None else np.asarray(targets, dtype=np.int64)
    for name, rows in (("targets", targets), ("file names", file_names), ("stimulus ids", ids)):
        if rows is not None and len(rows) != len(view):
            raise InputError(f"{len(view)} {name}, one a row", got=str(len(rows)))
    if n_splits is None:
        written = [folder / f"activations.{suffix}"]
        _write_values(written[0], view, ids, targets, file_names, precision)
        for part in find_parts(folder):  # of an earlier export that this one replaces
            if part.suffix == f".{suffix}":
                part.unlink()
    elif suffix in ("npy", "txt"):
        written = split_activations(folder, view, suffix, n_splits)
        (folder / f"activations.{suffix}").unlink(missing_ok=True)
    else:
        raise InputError("file format npy or txt for splits", got=suffix)
    if targets is not None:
        written.append(folder / f"targets.{'txt' if suffix in _TEXT else 'npy'}")
        write_array(written[-1], targets)
    if file_names is not None:
        written.append(folder / "file_names.txt")
        write_text(written[-1], "".join(f"{name}\n" for name in file_names))
    return written


def export_file(values: Rows, path: str | Path) -> Path:
    """Write one layer's activations to one file, whose suffix chooses the format; see :func:`export_layer`."""
    path = Path(path)
    suffix = resolve_export_format(path.suffix)
    view = RowView(values, flatten=suffix in _TABLES)
    if path.suffix != f".{suffix}":
        path = path.with_suffix(f".{suffix}")
    _write_values(path, view, _find_ids(values, None, None), None, None, "exact")
    return path


def _find_ids(values: Rows, stimulus_ids: Sequence[str] | None, file_names: Sequence[str] | None) -> list[str]:
    if stimulus_ids is None and isinstance(values, LayerValues):
        stimulus_ids = values.stimulus_ids
    if stimulus_ids is None:
        stimulus_ids = file_names
    if stimulus_ids is None:
        return [str(row) for row in range(int(values.shape[0]))]
    return [str(name) for name in stimulus_ids]


def _write_values(
    path: Path,
    view: RowView,
    ids: list[str],
    targets: np.ndarray | None,
    file_names: Sequence[str] | None,
    precision: str,
) -> None:
    match path.suffix:
        case ".npy" | ".txt":
            write_array(path, view, precision=precision)
        case ".mat":
            others: dict[str, Any] = {"stimulus": ids}
            if file_names is not None:
                others["file_names"] = list(file_names)
            if targets is not None:
                others["targets"] = targets
            write_matlab_file(path, "features", view, others)
        case ".pt":
            _write_tensor(path, view)
        case ".csv":
            with open_atomic(path) as file:
                _write_table(file, view, ids)
        case ".parquet":
            with open_atomic(path) as file:
                _write_parquet(file, view, ids)
        case _:
            with create_hdf5(path) as writer:
                writer.write_rows("features", view)
                writer.write_strings("stimulus", ids)


def _write_tensor(path: Path, view: RowView) -> None:
    """Save a tensor that lies in an unnamed file beside ``path``, so that it need not fit the memory."""
    import torch

    with explain_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(prefix=TEMPORARY_PREFIX, dir=path.parent) as raw:
            for _, rows in iter_row_blocks(view):
                raw.write(np.ascontiguousarray(rows).data)
            raw.flush()
            if raw.tell() == 0:
                mapped = np.empty(view.shape, view.dtype)
            else:
                mapped = np.memmap(raw, view.dtype, "c", shape=view.shape)  # type: ignore[call-overload]
            with open_atomic(path, "w+b", buffering=0) as file:
                sink: Any = ErrorSink(file)  # torch turns a full disk into an error of its own
                torch.save(torch.from_numpy(mapped), sink)
                sink.raise_error()


def _write_table(file: IO[bytes], view: RowView, ids: list[str]) -> None:
    replicated = len(view.shape) == 3
    n_columns = view.shape[-1]
    head = ["stimulus", *(["replicate"] if replicated else []), *(str(column) for column in range(n_columns))]
    file.write((",".join(head) + "\n").encode())
    for start, rows in iter_row_blocks(view, 8 * 2**20):
        lines = format_rows(rows.reshape(-1, n_columns).astype(np.float32), "exact", ",").split(b"\n")[:-1]
        n_replicates = len(lines) // len(rows)
        for i, line in enumerate(lines):
            row, replicate = divmod(i, n_replicates)
            label = _quote(ids[start + row]) + (f",{replicate}" if replicated else "")
            file.write(label.encode() + b"," + line + b"\n")


def _write_parquet(file: IO[bytes], view: RowView, ids: list[str]) -> None:
    """The columns of :func:`_write_table`, a group of rows at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    n_columns = view.shape[-1]
    n_replicates = view.shape[1] if len(view.shape) == 3 else None
    labels = [pa.field("stimulus", pa.string()), *([pa.field("replicate", pa.int64())] if n_replicates else [])]
    schema = pa.schema([*labels, *(pa.field(str(column), pa.float32()) for column in range(n_columns))])
    sink: Any = ErrorSink(file)
    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        for start, rows in iter_row_blocks(view):
            values = rows.reshape(-1, n_columns).astype(np.float32)
            own = np.repeat(np.array(ids[start : start + len(rows)], dtype=object), n_replicates or 1)
            columns: list[Any] = [pa.array(own, pa.string())]
            columns += [pa.array(np.tile(np.arange(n_replicates), len(rows)))] if n_replicates else []
            columns += [pa.array(np.ascontiguousarray(values[:, column])) for column in range(n_columns)]
            writer.write_table(pa.table(columns, schema=schema))
    sink.raise_error()


def _quote(text: str) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="").writerow([text])
    return buffer.getvalue()
