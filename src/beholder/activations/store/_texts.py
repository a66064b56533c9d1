"""A column of very many texts, written without the copies that an array of them makes.

zarr holds a million texts five times over while it encodes them. What it writes is simple: the number of texts, then
each one's length and its UTF-8 (``vlen-utf8``, numbers as 32 bits, the lowest byte first), compressed by zstd, and the
crc32c of that. The tests hold the bytes against zarr's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import google_crc32c
from numcodecs.zstd import Zstd
from zarr.storage import LocalStore

from beholder._core.files import write_bytes

MANY = 2**16


def write_texts(array: Any, texts: Sequence[str]) -> None:
    """Write the one chunk of an array of texts on this machine, which was just made, as zarr does.

    Parameters
    ----------
    array : zarr.Array, (n,)
        In one chunk, with the codecs ``vlen-utf8``, ``zstd`` as by default, ``crc32c``.
    texts : sequence of str, (n,)
    """
    packed = bytearray(len(texts).to_bytes(4, "little"))
    n_empty = len(packed) + 4 * len(texts)
    for text in texts:
        data = text.encode()
        packed += len(data).to_bytes(4, "little")
        packed += data
    if len(packed) == n_empty:  # what holds the fill value alone is not written
        return
    store = array.store_path.store
    assert isinstance(store, LocalStore)
    body: Any = Zstd(level=0, checksum=False).encode(packed)
    del packed
    checksum = google_crc32c.value(bytes(body)).to_bytes(4, "little")
    write_bytes(Path(store.root) / array.store_path.path / "c" / "0", bytes(body) + checksum)
