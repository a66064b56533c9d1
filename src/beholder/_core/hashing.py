"""Hashes: sha256 of settings and of published files; fast 128-bit hashes of content, named with their algorithm."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xxhash

if TYPE_CHECKING:
    import numpy as np

PREFIX = "xxh128:"
"""What a fast hash begins with: the algorithm (XXH3, 128 bits)."""

_CHUNK = 4 * 2**20


def to_canonical_json(value: Any) -> str:
    """JSON text that is the same for equal values: sorted keys, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def hash_settings(value: Any) -> str:
    """sha256, as hex, of the canonical JSON of ``value``."""
    return hashlib.sha256(to_canonical_json(value).encode()).hexdigest()


def hash_file(path: Path | str) -> str:
    """sha256, as hex, of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_bytes(data: bytes | memoryview) -> str:
    """``"xxh128:"`` and the hash of bytes, or of whatever lies in memory as they do.

    >>> hash_bytes(b"")
    'xxh128:99aa06d3014798d86001c324468d497f'
    """
    return PREFIX + xxhash.xxh3_128_hexdigest(data)


class FastHash:
    """The hash of bytes that come in parts: the same as :func:`hash_bytes` of all of them."""

    def __init__(self) -> None:
        self._digest = xxhash.xxh3_128()

    def update(self, data: bytes | memoryview | np.ndarray) -> None:
        """Take in what comes next."""
        self._digest.update(data)  # pyright: ignore[reportArgumentType]

    def hexdigest(self) -> str:
        """``"xxh128:"`` and the hash of what came."""
        return PREFIX + self._digest.hexdigest()


def hash_array(array: np.ndarray) -> str:
    """``"xxh128:"`` and the hash of an array's dtype, shape and values, however it lies in memory."""
    import numpy as np

    head = f"{array.dtype.str}{array.shape}".encode()
    if array.dtype.hasobject:
        raise TypeError(f"an array of Python objects has no bytes of its own ({array.dtype})")
    digest = xxhash.xxh3_128(head)
    digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return PREFIX + digest.hexdigest()


def hash_file_fast(path: Path | str) -> str:
    """``"xxh128:"`` and the hash of a file's bytes: the same as :func:`hash_bytes` of them."""
    digest = FastHash()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def hash_source(source: Any) -> str:
    """``xxh128:`` and the hash of a stimulus at hand: a file's bytes, an array, or samples with their rate."""
    import numpy as np

    if isinstance(source, bytes):
        return hash_bytes(source)
    whole: Any = source
    if isinstance(source, tuple):
        return hash_bytes(f"{hash_array(np.asarray(whole[0]))} at {int(whole[1])} Hz".encode())
    return hash_array(np.asarray(whole))
