"""Telling from its first and last bytes that a file cannot be one of weights, and what it is instead."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from beholder._core.errors import InputError

_PAGES = (b"<!doctype", b"<html", b"<?xml", b"<head", b"<script", b"<!--")
_POINTER = b"version https://git-lfs"
_LONGEST_HEADER = 100_000_000


def describe_damage(path: Path | str) -> str | None:
    """What a file is, where that cannot be weights; None where nothing speaks against it. Nothing in it is run.

    Parameters
    ----------
    path : path
        A file.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile(suffix=".pth") as file:
    ...     describe_damage(file.name)
    'an empty file'
    """
    path = Path(path)
    size = path.stat().st_size
    with open(path, "rb") as file:
        head = file.read(512)
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not size:
        return "an empty file"
    if not head.strip(b"\0"):
        return "a file of zeros, as a power cut leaves"
    if start.startswith(_PAGES):
        return "a web page (HTML), not weights"
    if start.startswith(_POINTER):
        return "a pointer of Git LFS, not the file it stands for"
    if start.startswith((b"{", b"[")) and path.suffix != ".safetensors":
        return "a text (JSON), not weights"
    if path.suffix == ".safetensors":
        return _look_at_safetensors(path, head, size)
    if head.startswith(b"PK\x03\x04") and not zipfile.is_zipfile(path):
        return "a truncated file, whose end is missing"
    return None


def _look_at_safetensors(path: Path, head: bytes, size: int) -> str | None:
    n = int.from_bytes(head[:8], "little")
    if size < 8 or n > _LONGEST_HEADER or head[8:9] not in (b"{", b""):
        return "a file that does not begin as safetensors do"
    if size >= 8 + n:
        with open(path, "rb") as file:
            file.seek(8)
            text = file.read(n)
        try:
            entries = json.loads(text)
            whole = 8 + n + max((e["data_offsets"][1] for k, e in entries.items() if k != "__metadata__"), default=0)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError):
            return "a safetensors file whose header does not parse"
        if size >= whole:
            return None
        return f"a truncated file: {size:,} of {whole:,} bytes"
    return "a truncated file, whose header is cut off"


def check_weights_file(path: Path | str) -> None:
    """Raise :class:`InputError` where a file cannot be one of weights."""
    damage = describe_damage(path) if Path(path).is_file() else None
    if damage:
        raise InputError("a file of weights", got=f"{path}, {damage}", hint="removing it, and fetching it again")
