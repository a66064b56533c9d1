"""What is small in a store, its heads and columns: vouched for when a run ends, and made anew where it is damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import zarr

from beholder._core.errors import DamagedOutput, InputError
from beholder._core.files import TEMPORARY_PREFIX, explain_write_errors
from beholder._core.progress import logger
from beholder.activations.store._arrays import job_folder
from beholder.jobs import check_content, refuse_damaged

_HEAD = "zarr.json"


def list_small_files(store: Path) -> list[str]:
    """Every file of a store but its shards, by name below it."""
    names = []
    for path in store.rglob("*"):
        is_shard = path.parent.name == "values" and path.name.startswith("c.")
        is_leftover = path.name.startswith(TEMPORARY_PREFIX) or path.suffix == ".partial"
        if not is_shard and path.is_file() and not is_leftover:
            names.append(path.relative_to(store).as_posix())
    return sorted(names)


def seal_store(store: Path) -> None:
    """Vouch for the heads and columns of a store that is whole."""
    with job_folder(store).seal(*list_small_files(store)):
        pass


def heal_store(store: Path) -> None:
    """Delete heads that are none, so that the run that holds the lock writes them anew. Shards stay as they are."""
    with explain_write_errors(store):
        for path in store.rglob(_HEAD):
            if not _is_head(path):
                logger.warning("%s is damaged; it is made anew", path)
                path.unlink()


def _is_head(path: Path) -> bool:
    try:
        head = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return False
    return isinstance(head, dict) and head.get("zarr_format") == 3 and head.get("node_type") in ("array", "group")


def open_member(root: zarr.Group, store: Path, name: str) -> Any:
    """A group or array of a store whose head is what was written.

    Raises
    ------
    DamagedOutput
        It is there and is something else; names the file.
    """
    check_content(store, store / name / _HEAD)
    try:
        return root[name]
    except KeyError as error:
        raise InputError(
            f"an activation store with {name}", got=f"{store} without it",
            hint="running the extraction again: it writes what is missing",
        ) from error  # fmt: skip
    except Exception as error:  # whatever zarr makes of a head that is none
        raise refuse_damaged(store / name / _HEAD, store) from error


def read_small_column(group: zarr.Group, store: Path, path: str) -> Any:
    """One value a stimulus, or None when the store has no such column.

    Raises
    ------
    DamagedOutput
        The column is there and cannot be read; names it.
    """
    try:
        check_content(store, store / path / _HEAD, *(p for p in (store / path).rglob("*") if p.is_file()))
        column: Any = group.get(Path(path).name)
        return None if column is None else column[:]
    except DamagedOutput:
        raise
    except Exception as error:  # whatever zarr makes of bytes that are none of its own
        raise refuse_damaged(store / path, store) from error
