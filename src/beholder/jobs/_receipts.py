"""Receipts: what vouches for finished work, and for itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from beholder._core.files import format_json, read_json, write_bytes
from beholder._core.hashing import hash_bytes, hash_file_fast, to_canonical_json
from beholder._core.narrowing import is_json_object

Files = Mapping[str, int | tuple[int, str]]
"""Files by name below the output: size, or size and hash where the writer has hashed what it wrote."""

_PARTS = {"settings": str, "payload": dict, "files": dict, "digests": dict, "facts": dict}


def mark_files(files: Files, root: Path) -> tuple[dict[str, int], dict[str, str]]:
    """Sizes and hashes of files; those that came without one are read."""
    sizes: dict[str, int] = {}
    digests: dict[str, str] = {}
    for name, mark in files.items():
        sizes[name], digests[name] = mark if isinstance(mark, tuple) else (mark, hash_file_fast(root / name))
    return sizes, digests


def has_content(path: Path, digest: str) -> bool:
    """Whether a file is there and holds what was hashed when it was written."""
    try:
        return hash_file_fast(path) == digest
    except OSError:
        return False


def write_signed(path: Path, record: Mapping[str, Any]) -> None:
    """Write a JSON object with the hash of its content, so that it outlives a power cut."""
    plain = json.loads(to_canonical_json({key: value for key, value in record.items() if key != "digest"}))
    write_bytes(path, format_json({**plain, "digest": _sign(plain)}).encode(), durable=True)


def read_signed(path: Path) -> dict[str, Any] | None:
    """A JSON object whose hash holds, or None for one that is damaged, foreign or absent."""
    try:
        record = read_json(path)
    except ValueError:
        return None
    if not is_json_object(record) or not isinstance(record.get("digest"), str):
        return None
    digest = record.pop("digest")
    return record if digest == _sign(record) else None


def read_receipt_file(path: Path) -> dict[str, Any] | None:
    """A receipt that is whole, or None."""
    record = read_signed(path)
    whole = record is not None and all(isinstance(record.get(key), kind) for key, kind in _PARTS.items())
    return record if whole else None


def _sign(record: Mapping[str, Any]) -> str:
    return hash_bytes(to_canonical_json(record).encode())
