"""Long analyses in parts: shards of a plan where a cluster or a dry run asks for them, else one process as ever."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from beholder._core.errors import InputError
from beholder._core.files import write_bytes
from beholder.jobs import (
    JobFolder,
    Plan,
    Shard,
    Worker,
    get_probe,
    open_output,
    place_output,
    read_array_task,
    read_conditions,
)

FORMAT = "beholder-parts-1"


def is_cut(out_path: Path | str | None) -> bool:
    """Whether work is to be cut into shards: for a cluster, by a task of a job array, to measure it.

    Raises
    ------
    InputError
        Work for a cluster without a folder that all workers see.
    """
    is_spread = read_conditions().cluster is not None or read_array_task() is not None
    if is_spread and out_path is None:
        raise InputError("out_path, a folder that all workers see, with cluster", got="none")
    return out_path is not None and (is_spread or get_probe() is not None)


def run_parts(
    kind: str, shards: Sequence[Shard], make_worker: Callable[[Path], Worker], settings: Mapping[str, Any],
    out_path: Path | str | None, *, overwrite: bool, unit: str,
) -> Path:  # fmt: skip
    """Finish the shards of an analysis; the folder of their files, ``{kind}.parts`` in that of the analysis.

    Parameters
    ----------
    kind : str
        Of the analysis.
    shards : sequence of Shard
    make_worker : callable
        Of that folder, what computes a shard.
    settings : mapping
        Everything that can change a number.
    out_path : path
        The analysis's folder.
    overwrite : bool
        Replace parts of other settings.
    unit : str
        What shards' sizes count, plural.
    """
    own = Path(out_path or "") / f"{kind}.parts"
    place, asked = place_output(own, own), {"format": FORMAT, **settings}
    folder = JobFolder(place.parent / f".{place.name}.jobs", place)
    replace = partial(folder.clear, [place]) if overwrite else None
    with open_output(folder, leftovers=[place], replace=replace) as output:
        output.settle(asked, vacant=[place])
        output.run(Plan(kind, asked, tuple(shards), unit), make_worker(place))
        output.record(place.parent, place.name, {})
    return place


def write_part(place: Path, shard: Shard, arrays: Mapping[str, np.ndarray]) -> dict[str, int]:
    """Write a shard's file; its name and size."""
    if any(array.dtype.hasobject for array in arrays.values()):
        raise TypeError("arrays of Python objects are not written")
    buffer, written = io.BytesIO(), dict[str, Any](arrays)
    np.savez(buffer, **written)
    write_bytes(place / _name(shard), buffer.getvalue())
    return {_name(shard): len(buffer.getvalue())}


def read_part(place: Path, shard: Shard) -> dict[str, np.ndarray]:
    """What a shard's file holds."""
    with np.load(place / _name(shard), allow_pickle=False) as found:
        return {name: found[name] for name in found.files}


def _name(shard: Shard) -> str:
    return f"{shard.key}.npz"
