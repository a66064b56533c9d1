"""MATLAB files (version 5) written block by block, with no date in them."""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from beholder._core.errors import InputError
from beholder._core.files import open_atomic
from beholder._core.sizes import format_bytes
from beholder.activations.formats._rows import Rows, iter_row_blocks

MAX_BYTES = 2**31 - 1

_HEADER = b"MATLAB 5.0 MAT-file, written by Beholder".ljust(116) + b"\0" * 8 + struct.pack("<H2s", 0x0100, b"IM")
_CLASSES = {"float32": (7, 7), "float64": (6, 9)}  # mxSINGLE and miSINGLE, mxDOUBLE and miDOUBLE


def write_matlab_file(path: Path, name: str, values: Rows, others: Mapping[str, Any]) -> None:
    """Write one large array and some small variables, by rename.

    Parameters
    ----------
    path : Path
        The ``.mat`` file.
    name : str
        The large array's name in MATLAB.
    values : Rows
        float16 (widened), float32 or float64; read once, block by block.
    others : mapping
        Further variables: arrays, and lists of text, which become cells of one column.

    Raises
    ------
    InputError
        Above 2 GB, which the format cannot hold.
    """
    import scipy.io

    dtype = np.dtype(np.float64 if np.dtype(values.dtype) == np.float64 else np.float32)
    shape = tuple(int(size) for size in values.shape)
    shape += (1,) * (2 - len(shape))
    size = math.prod(shape) * dtype.itemsize
    if size > MAX_BYTES:
        raise InputError(
            "at most 2 GB of activations in a .mat file",
            got=format_bytes(size),
            hint="--file_format h5, which MATLAB reads with h5read",
        )
    small = io.BytesIO()
    write: Any = scipy.io.savemat  # whose types know no files in memory
    write(small, {key: _to_matlab(value) for key, value in others.items()}, oned_as="column")
    head = _make_array_head(name, shape, dtype)
    with open_atomic(path, "w+b") as file:
        file.write(_HEADER)
        file.write(head)
        _fill_columns(file, values, shape, dtype)
        file.write(small.getvalue()[len(_HEADER) :])


def _to_matlab(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    cells = np.empty((len(value), 1), dtype=object)
    cells[:, 0] = value
    return cells


def _make_array_head(name: str, shape: tuple[int, ...], dtype: np.dtype) -> bytes:
    array_class, number_type = _CLASSES[dtype.name]
    size = math.prod(shape) * dtype.itemsize
    body = struct.pack("<IIII", 6, 8, array_class, 0)
    body += struct.pack("<II", 5, 4 * len(shape)) + _pad(struct.pack(f"<{len(shape)}i", *shape))
    body += struct.pack("<II", 1, len(name)) + _pad(name.encode("ascii"))
    body += struct.pack("<II", number_type, size)
    return struct.pack("<II", 14, len(body) + size + -size % 8) + body


def _pad(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 8)


def _fill_columns(file: IO[bytes], values: Rows, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Write ``values`` column-major at the file's end, through a map that is opened anew for each block.

    The room is written first: a full disk is then an error, and not a signal that ends the process.
    """
    start_byte = file.tell()
    size = math.prod(shape) * dtype.itemsize
    left = size + -size % 8
    while left:
        left -= file.write(b"\0" * min(left, 1 << 20))
    file.flush()
    if size:
        for start, rows in iter_row_blocks(values):
            columns = np.memmap(file, dtype, "r+", offset=start_byte, shape=shape, order="F")  # type: ignore[call-overload]
            columns[start : start + len(rows)] = rows.reshape(len(rows), *shape[1:])
            columns.flush()
            del columns
    file.seek(0, io.SEEK_END)
