"""What a job folder holds: receipts, which vouch for finished work and for themselves, and records, written twice.

``settings.json`` is for people and programs; ``settings.json.copy`` holds the same bytes below a line with their hash,
and is written first: where its hash holds, it is what was recorded last.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.files import format_json, read_json, write_bytes
from beholder._core.hashing import hash_bytes, hash_file_fast, hash_settings, to_canonical_json
from beholder._core.narrowing import is_json_object
from beholder._core.progress import logger

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


def count_receipt_bytes(payload: Mapping[str, Any], files: Files, facts: Mapping[str, Any]) -> int:
    """Bytes of a receipt, without writing it."""
    sizes = {name: mark[0] if isinstance(mark, tuple) else mark for name, mark in files.items()}
    marks = dict.fromkeys(files, hash_bytes(b""))
    record = {"settings": hash_settings({}), "payload": dict(payload), "files": sizes, "digests": marks}
    return len(format_json({**record, "facts": dict(facts), "digest": hash_bytes(b"")}).encode())


@suggest_keywords
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


COPY_SUFFIX = ".copy"


@suggest_keywords
def write_record(path: Path, data: bytes) -> None:
    """Write a record and its copy, so that they outlive a power cut."""
    write_bytes(path.with_name(path.name + COPY_SUFFIX), f"{hash_bytes(data)}\n".encode() + data, durable=True)
    write_bytes(path, data, durable=True)


def write_json_record(path: Path, value: Any) -> None:
    """Write a record that is JSON."""
    write_record(path, format_json(value).encode())


@suggest_keywords
def read_record(path: Path, parse: Callable[[bytes], Any], hint: str = "--overwrite to make the output anew") -> Any:
    """What was recorded last, or None; a damaged file is written anew from its copy.

    Parameters
    ----------
    path : path
        The record.
    parse : callable
        Makes a value of its bytes; a ``ValueError``, ``KeyError`` or ``RecursionError`` says that they are none.
    hint : str
        What to try when neither can be read.

    Raises
    ------
    InputError
        Neither the record nor its copy can be read; names the file.
    """
    copied = read_copy(path)
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        data = None
    except OSError as error:
        raise InputError("a record of what was made", got=f"{path} ({error.strerror})", hint=hint) from error
    if copied is not None:
        if copied != data:
            logger.warning("%s was missing or damaged; it is written anew from its copy", path)
            write_bytes(path, copied, durable=True)
        data = copied
    if data is None:
        return None
    try:
        value = parse(data)
        if copied is None and path.with_name(path.name + COPY_SUFFIX).exists():
            write_record(path, data)
        return value
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError("a record of what was made", got=f"{path}, which is damaged ({error})", hint=hint) from error


def read_json_record(path: Path, hint: str = "--overwrite to make the output anew") -> dict[str, Any] | None:
    """What was recorded last as a JSON object, or None."""
    return read_record(path, _parse_object, hint)


def read_copy(path: Path) -> bytes | None:
    """The bytes that a record's copy vouches for, or None."""
    try:
        head, _, data = path.with_name(path.name + COPY_SUFFIX).read_bytes().partition(b"\n")
    except OSError:
        return None
    return data if head == hash_bytes(data).encode() else None


def _parse_object(data: bytes) -> dict[str, Any]:
    value = json.loads(data.decode("utf-8"))
    if not is_json_object(value):
        raise ValueError("not an object")
    return value
