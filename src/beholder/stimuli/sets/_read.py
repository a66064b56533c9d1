"""Stimuli from where a user says that they lie: a folder, a table, shards, an HDF5 file, or a published set by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from beholder._core.addresses import is_address, show_place
from beholder._core.errors import InputError, suggest_keywords
from beholder.stimuli.sets._coerce import as_stimulus_set
from beholder.stimuli.sets._folder import build_from_folder
from beholder.stimuli.sets._parquet import find_tables
from beholder.stimuli.sets._set import StimulusSet
from beholder.stimuli.sets._shards import find_shards


@suggest_keywords
def read_stimuli(
    path: Path | str | Sequence[Path | str] | None = None,
    *,
    image_set: str | None = None,
    layout: Literal["flat", "classes"] | None = None,
    things: bool = False,
    things_behavior: bool = False,
    skip_bad: bool = False,
    ground_truth: Path | str | None = None,
) -> StimulusSet:
    """The stimuli of a folder, files, a table, shards or an HDF5 file, or a named set.

    Parameters
    ----------
    path : path or sequence of path, optional
        Where they lie; several are files; None for a published set that lies where ``beholder assets fetch`` puts it.
    image_set : str, optional
        A name for :meth:`StimulusSet.from_named`.
    layout, things, things_behavior, skip_bad
        As for :meth:`StimulusSet.from_folder`.
    ground_truth : path, optional
        True classes of a named set, if their file is not found by itself.

    Raises
    ------
    InputError
        Nothing is there, or it is not of that form.
    """
    given = {"layout": layout, "things": things, "things_behavior": things_behavior}
    asked = [name for name, value in given.items() if value]
    if isinstance(path, Sequence) and not isinstance(path, str) and len(path) == 1:
        path = path[0]
    if isinstance(path, Sequence) and not isinstance(path, str):
        if image_set or asked:
            raise InputError(f"one folder for {image_set or asked[0]}", got=f"{len(path)} paths")
        return as_stimulus_set(list(path), skip_bad=skip_bad)
    if image_set and asked:
        raise InputError(f"the named set {image_set} without {', '.join(asked)}, which are of folders", got="both")
    if ground_truth is not None and not image_set:
        raise InputError("ground_truth with a named set", got=f"{ground_truth} without", hint="image_set")
    if image_set:
        return StimulusSet.from_named(image_set, path, ground_truth=ground_truth, skip_bad=skip_bad)
    if path is None:
        raise InputError("a folder of stimuli, or the name of a set", got="neither")
    if things or things_behavior:
        return StimulusSet.from_folder(
            path, layout=layout, things=things, things_behavior=things_behavior, skip_bad=skip_bad
        )
    is_folder = Path(path).is_dir()
    if (is_folder and (layout is not None or not is_packed(path))) or (layout is not None and is_address(path)):
        made = StimulusSet.from_manifest(build_from_folder(path, layout=layout))
        return made.drop_bad_files() if skip_bad else made
    if layout is not None:
        raise InputError("a folder, to take it in a layout", got=f"{show_place(path)} with layout={layout!r}")
    return as_stimulus_set(Path(path), skip_bad=skip_bad)


@suggest_keywords
def open_packed(root: Path | str | None) -> StimulusSet | None:
    """The stimuli that lie packed, or at an address, where a result notes that they lay; None for a plain folder."""
    if root is None or not (is_address(root) or is_packed(root)):
        return None
    return as_stimulus_set(Path(root))


@suggest_keywords
def is_packed(folder: Path | str) -> bool:
    """Whether a path names shards, or tables that hold pictures or sounds."""
    return bool(find_shards(folder) or find_tables(folder)[0])


@suggest_keywords
def read_targets(file: Path | str, n_stimuli: int) -> list[int]:
    """Class indices, one a stimulus in order: a line each, or a ``.npy`` array, as ``extract`` writes them.

    Raises
    ------
    InputError
        The file holds other numbers, or another number of them.
    """
    expected, is_array = f"{n_stimuli} class indices, one a stimulus", str(file).endswith(".npy")
    try:
        read = np.load(file, allow_pickle=False) if is_array else np.loadtxt(file, dtype=np.int64, ndmin=1)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(expected, got=f"{file} ({error})") from error
    if read.ndim != 1 or read.dtype.kind not in "iu" or len(read) != n_stimuli:
        raise InputError(expected, got=f"{file}, which holds {read.dtype} of shape {read.shape}")
    return [int(target) for target in read]
