"""One Zarr v3 shard as one file: written in one go, read without decoding, checked as it is read.

A shard of uncompressed tiles is the tiles' bytes, each followed by its crc32c, one after the other, then a table of
their offsets and lengths, then the table's crc32c (Zarr v3 specification, codecs ``crc32c`` and ``sharding_indexed``).
Where a tile spans all features the tiles are simply the rows in C order, so they can be written and read at the
disk's speed; the tests hold the bytes against zarr-python's reader.
"""

from __future__ import annotations

import errno
import io
import math
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np

from beholder._core.addresses import is_address, read_range
from beholder._core.files import explain_write_errors, open_atomic
from beholder._core.hashing import FastHash

TILE_BYTES = 2**20
_CHECKSUM_BYTES = 4
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
    has_checksums : bool
        Whether each tile is followed by its crc32c; false in stores of the first format.
    """

    rows: int
    tile: tuple[int, ...]
    features: tuple[int, ...]
    dtype: str
    has_checksums: bool = True

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a shard."""
        return (self.rows, 1, *self.features)

    @property
    def row_bytes(self) -> int:
        """Bytes of one stimulus."""
        return math.prod(self.features) * np.dtype(self.dtype).itemsize

    @property
    def tile_bytes(self) -> int:
        """Bytes of the values of a tile."""
        return math.prod(self.tile) * np.dtype(self.dtype).itemsize

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


class DamagedFile(Exception):
    """A file whose bytes are not those that were written."""


def write_shard(path: Path, values: np.ndarray, layout: ShardLayout) -> tuple[int, str]:
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
    size, digest : int, str
        Of the file, in bytes; and the hash of its content.
    """
    counts = [-(-size // part) for size, part in zip(layout.shape, layout.tile, strict=True)]
    n_tiles = -(-len(values) // layout.tile[0]) * math.prod(counts[1:])
    step = layout.tile_bytes + (_CHECKSUM_BYTES if layout.has_checksums else 0)
    index = np.full((math.prod(counts), 2), np.iinfo(np.uint64).max, "<u8")
    index[:n_tiles, 0] = np.arange(n_tiles, dtype="<u8") * step
    index[:n_tiles, 1] = step
    table = index.tobytes()
    values = np.ascontiguousarray(values, np.dtype(layout.dtype).newbyteorder("<"))
    hashed = FastHash()
    with open_atomic(path) as file:
        _reserve_space(file.fileno(), n_tiles * step + len(table) + _CHECKSUM_BYTES)
        for part in _iter_parts(values, layout, table):
            hashed.update(part)
            file.write(part)
        return file.tell(), hashed.hexdigest()


def _iter_parts(values: np.ndarray, layout: ShardLayout, table: bytes) -> Iterator[Any]:
    """The bytes of a shard file, in order."""
    for tile in _iter_tiles(values, layout):
        yield tile
        if layout.has_checksums:
            yield _sum(tile)
    yield table
    yield _sum(table)


def _iter_tiles(values: np.ndarray, layout: ShardLayout) -> Iterator[np.ndarray]:
    """The bytes of each tile of ``values``, uint8; a part-filled one ends in NaN."""
    size = layout.tile_bytes
    if not size:
        return
    if not layout.is_rows:
        for row in values:
            flat = _cut_tiles(row, layout.tile[2:]).reshape(-1).view(np.uint8)
            yield from flat.reshape(-1, size)
        return
    flat = values.reshape(-1).view(np.uint8)
    whole = len(flat) // size * size
    yield from flat[:whole].reshape(-1, size)
    if whole < len(flat):
        rest = flat[whole:].view(values.dtype)
        last = np.full(size // values.itemsize, np.nan, values.dtype)
        last[: len(rest)] = rest
        yield last.view(np.uint8)


def _sum(data: bytes | np.ndarray) -> bytes:
    return int(google_crc32c.value(data)).to_bytes(_CHECKSUM_BYTES, "little")  # pyright: ignore[reportArgumentType]


def _reserve_space(descriptor: int, n_bytes: int) -> None:
    """Ask the file system for the whole file at once: a third of the time of a large write, where it can be asked."""
    if sys.platform != "linux":
        return
    try:
        os.posix_fallocate(descriptor, 0, n_bytes)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
            raise


def _cut_tiles(row: np.ndarray, tile: tuple[int, ...]) -> np.ndarray:
    split = [n for size, part in zip(row.shape, tile, strict=True) for n in (size // part, part)]
    order = [*range(0, len(split), 2), *range(1, len(split), 2)]
    return np.ascontiguousarray(row.reshape(split).transpose(order))


def read_rows(path: Path, layout: ShardLayout, start: int, stop: int, out: np.ndarray | None = None) -> np.ndarray:
    """Read rows ``[start, stop)`` of a shard file; tiles that they lie in are read whole and checked.

    Parameters
    ----------
    path : path
        A file that :func:`write_shard` wrote.
    out : array, (stop - start, *features), optional
        C-contiguous, of the layout's dtype.

    Raises
    ------
    DamagedFile
        The file is cut short, or a tile's checksum does not hold; names the file.
    """
    values = np.empty((stop - start, *layout.features), layout.dtype) if out is None else out
    if not values.size:
        return values
    with _open_part(path, layout, start, stop) as file:
        if layout.is_rows:
            _read_bytes(file, path, layout, start * layout.row_bytes, values.reshape(-1).view(np.uint8))
            return values
        flat = np.empty(layout.row_bytes, np.uint8)
        for i in range(stop - start):
            _read_bytes(file, path, layout, (start + i) * layout.row_bytes, flat)
            values[i] = _join_tiles(flat.view(layout.dtype), layout.features, layout.tile[2:])
    return values


def _open_part(path: Path, layout: ShardLayout, start: int, stop: int) -> Any:
    """A shard file; of one at an address the tiles in which rows ``[start, stop)`` lie, read at once."""
    if not is_address(path):
        with explain_write_errors(path):
            return open(path, "rb", buffering=0)
    if not layout.has_checksums:
        low, high = start * layout.row_bytes, stop * layout.row_bytes
    else:
        size = layout.tile_bytes
        low = start * layout.row_bytes // size * (size + _CHECKSUM_BYTES)
        high = -(-stop * layout.row_bytes // size) * (size + _CHECKSUM_BYTES)
    return _Part(read_range(path, low, high), low)


class _Part(io.BytesIO):
    """Bytes of a file from ``start`` on, sought in as the whole file is."""

    def __init__(self, content: bytes, start: int) -> None:
        super().__init__(content)
        self._start = start

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a place of the whole file."""
        return super().seek(offset - self._start, whence)


def _read_bytes(file: Any, path: Path, layout: ShardLayout, start: int, out: np.ndarray) -> None:
    """Fill ``out``, uint8, with the values' bytes from ``start`` on, which run through the tiles."""
    size, stop = layout.tile_bytes, start + len(out)
    if not layout.has_checksums:
        file.seek(start)
        _fill(file, path, out)
        return
    first = start // size
    file.seek(first * (size + _CHECKSUM_BYTES))
    checksum, spare = np.empty(_CHECKSUM_BYTES, np.uint8), None
    for tile in range(first, -(-stop // size)):
        low, high = max(start, tile * size), min(stop, (tile + 1) * size)
        if high - low == size:
            data = out[low - start : high - start]
        else:
            data = spare = np.empty(size, np.uint8) if spare is None else spare
        _fill(file, path, data)
        _fill(file, path, checksum)
        if _sum(data) != checksum.tobytes():
            raise DamagedFile(f"{path} is damaged")
        if high - low < size:
            out[low - start : high - start] = data[low - tile * size : high - tile * size]


def _fill(file: Any, path: Path, out: np.ndarray) -> None:
    view = out.data
    while len(view):
        n = file.readinto(view)
        if not n:
            raise DamagedFile(f"{path} is cut short")
        view = view[n:]


def _join_tiles(flat: np.ndarray, features: tuple[int, ...], tile: tuple[int, ...]) -> np.ndarray:
    counts = [size // part for size, part in zip(features, tile, strict=True)]
    n = len(counts)
    order = [axis for i in range(n) for axis in (i, n + i)]
    return flat.reshape([*counts, *tile]).transpose(order).reshape(features)
