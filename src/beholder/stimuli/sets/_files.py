"""A stimulus set of files that are named one by one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from beholder._core.errors import InputError
from beholder.stimuli.sets._folder import build_flat, find_kind
from beholder.stimuli.sets._set import StimulusSet


def collect_files(paths: Sequence[Path | str]) -> StimulusSet:
    """Take files in the order in which they are named; each is its own class.

    Parameters
    ----------
    paths : sequence of path
        All pictures or all sounds.

    Returns
    -------
    StimulusSet
        Its root is the deepest folder that holds all of them. A file named twice is taken once.

    Raises
    ------
    InputError
        A file that is missing or neither picture nor sound, or both kinds.
    """
    files = list(dict.fromkeys(Path(path).absolute() for path in paths))
    if not files:
        raise InputError("at least one file", got="none")
    missing = [path for path in files if not path.is_file()]
    if missing:
        raise InputError("files of stimuli", got=f"no file at {missing[0]}")
    kinds = {path: find_kind(path.name) for path in files}
    strange = [path for path, kind in kinds.items() if kind not in ("image", "sound")]
    if strange:
        raise InputError("pictures or sounds", got=f"{strange[0]}")
    if len(set(kinds.values())) > 1:
        raise InputError("pictures or sounds", got="both")
    root = Path(os.path.commonpath([path.parent for path in files]))
    (kind,) = set(kinds.values())
    names = [path.relative_to(root).as_posix() for path in files]
    return StimulusSet.from_manifest(build_flat(root, names, kind))  # type: ignore[arg-type]
