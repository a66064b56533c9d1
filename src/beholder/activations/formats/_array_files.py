"""One array a file: ``.npy``, and text as a matrix or as slices. Written and read block by block."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import numpy as np

from beholder._core.errors import InputError
from beholder._core.files import open_atomic
from beholder.activations.formats._rows import Rows, iter_row_blocks
from beholder.activations.formats._slices import find_shape, write_slices
from beholder.activations.formats._text_io import fill_from_text, format_rows, parse_numbers

_TEXT_BLOCK_BYTES = 8 * 2**20


def write_array(path: Path, values: Rows, *, precision: str = "exact") -> None:
    """Write rows as ``.npy`` or ``.txt``, by rename.

    Parameters
    ----------
    path : Path
        Its suffix chooses the format. Text of one or two axes is :func:`numpy.savetxt`'s; text of
        more is the slice format.
    values : Rows
        Read block by block.
    precision : {"exact", "document"}
        Digits of the slice format.
    """
    with open_atomic(path) as file:
        if path.suffix == ".npy":
            write_npy_header(file, values.shape, values.dtype)
            for _, rows in iter_row_blocks(values):
                file.write(np.ascontiguousarray(rows).data)
        elif len(values.shape) > 2:
            write_slices(file, values, precision=precision)
        else:
            for _, rows in iter_row_blocks(values, _TEXT_BLOCK_BYTES):
                file.write(format_rows(rows.reshape(len(rows), -1), "e18"))


def write_npy_header(file: IO[bytes], shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Write the head of an ``.npy`` file."""
    description = {
        "descr": np.lib.format.dtype_to_descr(np.dtype(dtype)),
        "fortran_order": False,
        "shape": tuple(int(size) for size in shape),
    }
    np.lib.format.write_array_header_1_0(file, description)


def read_array_shape(path: Path) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of the array in a ``.npy`` or ``.txt`` file, without reading its numbers."""
    if path.suffix == ".npy":
        array = _load_npy(path)
        return array.shape, array.dtype
    return find_shape(path) or count_text(path), np.dtype(np.float64)


def read_array(path: Path, out: np.ndarray | None = None) -> np.ndarray:
    """Read a ``.npy`` (never pickled) or ``.txt`` file, into ``out`` if given."""
    if path.suffix == ".npy":
        array = _load_npy(path)
        if out is None:
            return np.array(array)
        out[...] = array
        return out
    if out is None:
        out = np.empty(read_array_shape(path)[0])
    with path.open("rb") as file:
        return fill_from_text(file, out, str(path))


def _load_npy(path: Path) -> np.ndarray:
    try:
        empty = path.stat().st_size == 0
        return np.load(path, mmap_mode=None if empty else "r", allow_pickle=False)
    except FileNotFoundError as error:
        raise InputError("an .npy file", got=f"no file at {path}") from error
    except (ValueError, EOFError) as error:
        raise InputError("an .npy file of plain numbers", got=f"{path} ({error})") from error


def count_text(path: Path) -> tuple[int, int]:
    """Rows and columns of a text matrix, without reading its numbers."""
    with path.open("rb") as file:
        first = file.readline()
        if not first.strip():
            return 0, 0
        n_rows, last = 1, b"\n"
        while chunk := file.read(1 << 22):
            n_rows += chunk.count(b"\n")
            last = chunk[-1:]
    return n_rows + (last != b"\n"), parse_numbers(first).size
