"""Hashes of settings and of files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any


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
