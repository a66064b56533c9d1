"""Shard files against zarr-python's own reader and writer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from zarr.codecs import Crc32cCodec

from beholder._core.hashing import hash_file_fast
from beholder.activations.store._shard_file import (
    CHUNK_KEYS,
    DamagedFile,
    ShardLayout,
    plan_layout,
    read_rows,
    shard_path,
    write_shard,
)


def make_array(path: Path, layout: ShardLayout, n: int, n_replicates: int = 1) -> zarr.Array:
    group = zarr.open_group(path, mode="w")
    return group.create_array(
        "values",
        shape=(n, n_replicates, *layout.features),
        dtype=layout.dtype,
        shards=layout.shape,
        chunks=layout.tile,
        compressors=[Crc32cCodec()],
        filters=None,
        fill_value=np.nan,
        chunk_key_encoding=CHUNK_KEYS,
    )


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize(
    ("features", "tile"),
    [((5,), (5,)), ((6, 4, 4), (6, 4, 4)), ((6, 4, 4), (3, 4, 4)), ((6, 4, 4), (1, 2, 4)), ((), ())],
)
def test_zarr_reads_what_we_write(tmp_path: Path, dtype: str, features: tuple, tile: tuple) -> None:
    rows = 4 if tile == features else 1
    layout = ShardLayout(8, (rows, 1, *tile), features, dtype)
    array = make_array(tmp_path / "a.zarr", layout, 19, 2)
    values = np.random.default_rng(0).normal(size=array.shape).astype(dtype)
    for shard in range(3):
        for replicate in range(2):
            path = shard_path(tmp_path / "a.zarr" / "values", shard, replicate, len(features))
            size, digest = write_shard(path, values[shard * 8 : shard * 8 + 8, replicate], layout)
            assert (size, digest) == (path.stat().st_size, hash_file_fast(path))
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "a.zarr/values")[:], values)
    part = read_rows(shard_path(tmp_path / "a.zarr" / "values", 1, 1, len(features)), layout, 2, 7)
    np.testing.assert_array_equal(part, values[10:15, 1])


def test_missing_rows_are_nan(tmp_path: Path) -> None:
    layout = ShardLayout(8, (4, 1, 3), (3,), "float32")
    array = make_array(tmp_path / "a.zarr", layout, 8)
    write_shard(shard_path(tmp_path / "a.zarr" / "values", 0, 0, 1), np.ones((2, 3), "f4"), layout)
    read: Any = zarr.open_array(tmp_path / "a.zarr/values")[:, 0]
    np.testing.assert_array_equal(read[:2], 1)
    assert np.isnan(read[2:]).all() and array.shape == (8, 1, 3)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 300), st.lists(st.integers(1, 900), max_size=3), st.sampled_from(["float32", "float16"]))
def test_tiles_divide_the_shard_and_stay_near_a_megabyte(rows: int, features: list[int], dtype: str) -> None:
    layout = plan_layout(rows, tuple(features), dtype)
    assert all(size % part == 0 for size, part in zip(layout.shape, layout.tile, strict=True))
    assert np.prod(layout.tile, dtype=np.int64) * np.dtype(dtype).itemsize <= 2**20


@pytest.mark.parametrize(
    ("features", "tile"), [((5,), (5,)), ((6, 4, 4), (3, 4, 4)), ((6, 4, 4), (1, 2, 4))], ids=["rows", "parts", "cut"]
)
def test_no_flipped_byte_is_read(tmp_path: Path, features: tuple, tile: tuple) -> None:
    """By the fast reader and by zarr-python, whichever byte of a shard it is."""
    layout = ShardLayout(4, (2 if tile == features else 1, 1, *tile), features, "float32")
    array = make_array(tmp_path / "a.zarr", layout, 4)
    values = np.random.default_rng(0).normal(size=(4, *features)).astype("f4")
    path = shard_path(tmp_path / "a.zarr" / "values", 0, 0, len(features))
    size, _ = write_shard(path, values, layout)
    table = 16 * int(np.prod([4 // layout.tile[0], *np.array(features) // np.array(tile)])) + 4
    whole = path.read_bytes()
    for place in range(0, size - table, 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(DamagedFile, match=str(path)):
            read_rows(path, layout, 0, 4)
        with pytest.raises(ValueError, match="checksum"):
            array[:]
    path.write_bytes(whole[: size - table - 5])
    with pytest.raises(DamagedFile, match="cut short"):
        read_rows(path, layout, 0, 4)


def test_first_format_is_read_without_checksums(tmp_path: Path) -> None:
    layout = ShardLayout(4, (2, 1, 5), (5,), "float32", has_checksums=False)
    values = np.random.default_rng(0).normal(size=(4, 5)).astype("f4")
    write_shard(tmp_path / "c.0.0.0", values, layout)
    assert (tmp_path / "c.0.0.0").read_bytes()[:80] == values.tobytes()
    np.testing.assert_array_equal(read_rows(tmp_path / "c.0.0.0", layout, 1, 4), values[1:])
