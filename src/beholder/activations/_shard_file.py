"""One Zarr v3 shard as one file: written in one go, read without decoding.

A shard of uncompressed tiles is the tiles' bytes, one after the other, then a table of their
offsets and lengths, then the table's crc32c (Zarr v3 specification, ``sharding_indexed`` codec).
Where a tile spans all features the file is simply the rows in C order, so it can be written and
read at the disk's speed; the tests hold the bytes against zarr-python's reader.
"""

from __future__ import annotations

import errno
import math
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np

from beholder._core.files import explain_write_errors, open_atomic

TILE_BYTES = 2**20
CHUNK_KEYS: Any = {"name": "default", "separator": "."}
"""Shard files lie flat in the array's folder (``c.0.0.0``): no folder to make for each."""


@dataclass(frozen=True)
class ShardLayout:
    """How the values of one layer lie in shard files.

    Attributes
    ----------
    rows : int
        Stimuli in a shard.
    tile : tuple of int
        Shape of a tile, (stimuli, replicates = 1, *features); each size divides the shard's.
    features : tuple of int
        Feature axes.
    dtype : str
        ``float32`` or ``float16``.
    """

    rows: int
    tile: tuple[int, ...]
    features: tuple[int, ...]
    dtype: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a shard."""
        return (self.rows, 1, *self.features)

    @property
    def row_bytes(self) -> int:
        """Bytes of one stimulus."""
        return math.prod(self.features) * np.dtype(self.dtype).itemsize

    @property
    def is_rows(self) -> bool:
        """Whether a shard's bytes are its rows in C order: tiles are whole rows, or a row cut along one axis only."""
        parts, sizes = self.tile[2:], self.features
        cut = next((i for i, (part, size) in enumerate(zip(parts, sizes, strict=True)) if part != size), None)
        if cut is None:
            return True
        return self.tile[0] == 1 and set(parts[:cut]) <= {1} and parts[cut + 1 :] == sizes[cut + 1 :]


def plan_layout(rows: int, features: tuple[int, ...], dtype: str) -> ShardLayout:
    """Choose tiles of at most about 1 MB: whole rows where they fit, else parts of one row."""
    row_bytes = math.prod(features) * np.dtype(dtype).itemsize
    if row_bytes <= TILE_BYTES or not features:
        tile_rows = _largest_divisor(rows, max(1, TILE_BYTES // max(row_bytes, 1)))
        return ShardLayout(rows, (tile_rows, 1, *features), features, dtype)
    tile, left = [], row_bytes
    for size in features:
        inner = left // size
        part = _largest_divisor(size, max(1, TILE_BYTES // inner)) if left > TILE_BYTES else size
        tile.append(part)
        left = inner if part == 1 else inner * part
    return ShardLayout(rows, (1, 1, *tile), features, dtype)


def _largest_divisor(n: int, limit: int) -> int:
    return max(d for d in range(1, min(n, limit) + 1) if n % d == 0)


def shard_path(values: Path, index: int, replicate: int, n_features: int) -> Path:
    """File of one shard below an array's folder."""
    return values / ".".join(["c", str(index), str(replicate), *["0"] * n_features])


def write_shard(path: Path, values: np.ndarray, layout: ShardLayout) -> int:
    """Write a shard by rename.

    Parameters
    ----------
    path : path
        Its file.
    values : array, (n, *features)
        At most ``layout.rows`` rows; tiles without any row are marked missing, a part-filled tile
        ends in NaN.
    layout : ShardLayout

    Returns
    -------
    int
        Size of the file in bytes.
    """
    counts = [-(-size // part) for size, part in zip(layout.shape, layout.tile, strict=True)]
    n_tile_rows = -(-len(values) // layout.tile[0])
    tile_bytes = math.prod(layout.tile) * np.dtype(layout.dtype).itemsize
    tiles_a_row = math.prod(counts[1:])
    n_tiles = n_tile_rows * tiles_a_row
    index = np.full((math.prod(counts), 2), np.iinfo(np.uint64).max, "<u8")
    index[:n_tiles, 0] = np.arange(n_tiles, dtype="<u8") * tile_bytes
    index[:n_tiles, 1] = tile_bytes
    table = index.tobytes()
    missing = n_tile_rows * layout.tile[0] - len(values)
    values = np.ascontiguousarray(values, np.dtype(layout.dtype).newbyteorder("<"))
    with open_atomic(path) as file:
        _reserve_space(file.fileno(), n_tiles * tile_bytes + len(table) + 4)
        if layout.is_rows:
            file.write(_view_bytes(values))
            file.write(np.full(missing * math.prod(layout.features), np.nan, values.dtype).tobytes())
        else:
            for row in values:
                file.write(_view_bytes(_cut_tiles(row, layout.tile[2:])))
        file.write(table)
        file.write(int(google_crc32c.value(table)).to_bytes(4, "little"))
        return file.tell()


def _reserve_space(descriptor: int, n_bytes: int) -> None:
    """Ask the file system for the whole file at once: a third of the time of a large write, where it can be asked."""
    if sys.platform != "linux":
        return
    try:
        os.posix_fallocate(descriptor, 0, n_bytes)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
            raise


def _view_bytes(values: np.ndarray) -> memoryview:
    return memoryview(values.view(np.uint8).data).cast("B")  # type: ignore[arg-type]


def _cut_tiles(row: np.ndarray, tile: tuple[int, ...]) -> np.ndarray:
    split = [n for size, part in zip(row.shape, tile, strict=True) for n in (size // part, part)]
    order = [*range(0, len(split), 2), *range(1, len(split), 2)]
    return np.ascontiguousarray(row.reshape(split).transpose(order))


def read_rows(path: Path, layout: ShardLayout, start: int, stop: int, out: np.ndarray | None = None) -> np.ndarray:
    """Read rows ``[start, stop)`` of a shard file.

    Parameters
    ----------
    path : path
        A file that :func:`write_shard` wrote.
    out : array, (stop - start, *features), optional
        C-contiguous, of the layout's dtype.
    """
    shape = (stop - start, *layout.features)
    values = np.empty(shape, layout.dtype) if out is None else out
    with explain_write_errors(path), open(path, "rb", buffering=0) as file:
        file.seek(start * layout.row_bytes)
        if layout.is_rows:
            view = _view_bytes(values)
            while len(view):
                n = file.readinto(view)
                if not n:
                    raise EOFError(f"{path} is cut short")
                view = view[n:]
            return values
        for i in range(stop - start):
            flat = np.frombuffer(file.read(layout.row_bytes), layout.dtype)
            values[i] = _join_tiles(flat, layout.features, layout.tile[2:])
    return values


def _join_tiles(flat: np.ndarray, features: tuple[int, ...], tile: tuple[int, ...]) -> np.ndarray:
    counts = [size // part for size, part in zip(features, tile, strict=True)]
    n = len(counts)
    order = [axis for i in range(n) for axis in (i, n + i)]
    return flat.reshape([*counts, *tile]).transpose(order).reshape(features)
