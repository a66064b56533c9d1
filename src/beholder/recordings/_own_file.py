"""Recordings and RDMs of the file that Beholder writes of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from beholder._core.errors import DamagedOutput, InputError, suggest_keywords
from beholder._core.hashing import hash_array, hash_settings
from beholder._core.narrowing import is_json_object
from beholder.recordings._file import FORMAT, SUFFIX
from beholder.recordings._rdms import RecordedRDMs
from beholder.recordings._recordings import Recordings


@suggest_keywords
def hash_recordings(recordings: Recordings | RecordedRDMs) -> str:
    """What recordings hold, values, ids, table and all, as a hash; their name does not count."""
    head, _ = recordings.take_apart()
    return hash_settings({**head, "name": ""})


def is_own(arrays: Mapping[str, np.ndarray]) -> bool:
    """Whether the arrays of an ``.npz`` file are recordings as they are written here."""
    return "head" in arrays and arrays["head"].dtype.kind == "U" and FORMAT[:-1] in str(arrays["head"])


def read_own(path: Path, arrays: Mapping[str, np.ndarray]) -> Recordings | RecordedRDMs:
    """Recordings or RDMs of the arrays of their file.

    Raises
    ------
    DamagedOutput
        An array does not hold what was written.
    InputError
        The file is of a later version.
    """
    try:
        head: Any = json.loads(str(arrays["head"]))
    except ValueError as error:
        raise DamagedOutput("a file of recordings", got=f"{path}, whose head does not parse") from error
    if not is_json_object(head) or head.get("format") != FORMAT:
        got = head.get("format") if is_json_object(head) else "another head"
        raise InputError(f"recordings of the format {FORMAT}", got=f"{path} ({got})", hint="a newer Beholder")
    for name, digest in head["digests"].items():
        if name not in arrays or hash_array(arrays[name]) != digest:
            raise DamagedOutput("recordings as they were written", got=f"{path}, whose {name!r} has changed")
    import pandas as pd

    name = head["name"] or path.name.removesuffix(SUFFIX)
    columns = {column: _open_column(arrays[f"table/{number}"]) for number, column in enumerate(head["columns"])}
    table = pd.DataFrame(columns)
    ids = [str(each) for each in arrays["stimulus_ids"]]
    if head["kind"] == "rdms":
        return RecordedRDMs(arrays["values"], ids, table, name)
    kept: dict[str, Any] = {"name": name} | {key: head[key] for key in ("volume_shape", "affine")}
    return Recordings(arrays["values"], ids, table, arrays.get("times"), arrays.get("runs"), **kept)


def _open_column(array: np.ndarray) -> np.ndarray:
    return array.astype(object) if array.dtype.kind == "U" else array
