"""Making a stimulus set from whatever names or holds stimuli."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from beholder._core.addresses import hold_listings, is_address, show_place
from beholder._core.errors import InputError, suggest_keywords
from beholder._core.tensors import is_tensor
from beholder.stimuli.images._picture import check_picture, is_transparent, looks_like_pictures
from beholder.stimuli.sets._arrays import build_from_items
from beholder.stimuli.sets._datasets import (
    from_hugging_face,
    from_loader,
    from_torch,
    is_hugging_face,
    is_loader,
    is_torch,
)
from beholder.stimuli.sets._find_packed import is_remote_file
from beholder.stimuli.sets._folder import build_flat, find_kind
from beholder.stimuli.sets._items import StimulusItems, check_item, to_plain
from beholder.stimuli.sets._parquet import find_tables
from beholder.stimuli.sets._remote_files import attach_remote, find_remote
from beholder.stimuli.sets._set import StimulusSet
from beholder.stimuli.sets._shards import find_shards

_HDF5 = frozenset({".h5", ".hdf5", ".hdf"})
_TABLES = frozenset({".csv", ".tsv", ".txt", ".parquet"})
_EXPLICIT = "StimulusSet.from_arrays(x), whose first axis is always the stimuli"


@suggest_keywords
def as_stimulus_set(source: Any, *, skip_bad: bool = False, shape: tuple[int, ...] | None = None) -> StimulusSet:
    """A stimulus set from whatever names or holds stimuli; `docs/stimuli.md` has the table.

    What could be read in two ways is decided by these rules, in this order: an array of ``shape`` is one stimulus, and
    one of ``(n, *shape)`` is n (grey ones may lack the channel's axis); ``(h, w, 3)`` is one picture; any other array
    has its stimuli along the first axis. Arrays ``(3, h, w)`` and ``uint8 (h, w)``, which may be one picture or several
    stimuli, and arrays of one axis are refused unless ``shape`` decides. In a list every item is one stimulus.

    Parameters
    ----------
    source : StimulusSet, path, picture, array, table, data set, or a list or generator of stimuli
        A folder; a picture or sound file; shards (``x.tar``, a folder of them, ``x-{000..099}.tar``); a ``.csv``,
        ``.tsv`` or ``.parquet`` table, or a pandas table with a column of files; an HDF5 file with one data set of
        pictures, or ``file.h5/data/set`` to say which; a PIL picture; arrays or tensors; a list or generator of paths,
        of pictures or of arrays; a torch or torchvision data set, or a loader of one that does not shuffle; a Hugging
        Face data set with a column of images or of sounds.
    skip_bad : bool
        Leave out files of a folder or table that are missing, and what cannot be read.
    shape : tuple of int, optional
        Shape of one prepared stimulus of the network that the stimuli are for.

    Raises
    ------
    InputError
        No stimuli, a mixture, something that could be read in two ways, or a loader that shuffles.

    Examples
    --------
    >>> as_stimulus_set(np.zeros((5, 32, 32, 3), np.uint8))
    StimulusSet(5 images, 5 classes, arrays)
    >>> as_stimulus_set(np.zeros((32, 32, 3), np.uint8))
    StimulusSet(1 image, 1 class, arrays)
    """
    if isinstance(source, StimulusSet):
        return source
    if isinstance(source, (str, os.PathLike)):
        return _from_path(Path(source), skip_bad)
    if isinstance(source, Image.Image):
        return _from_items([source])
    if _is_frame(source):
        return _from_frame(source, skip_bad)
    if is_loader(source):
        return from_loader(source, as_stimulus_set)
    if is_torch(source):
        return from_torch(source, as_stimulus_set)
    if is_hugging_face(source):
        return from_hugging_face(source)
    if is_tensor(source) or isinstance(source, np.ndarray):
        return _from_array(to_plain(source), shape)
    if isinstance(source, (bytes, dict, set, frozenset)):
        raise _explain(source)
    if not isinstance(source, Sequence):
        if getattr(source, "shape", None) is not None:  # zarr, h5py, dask, ...
            return StimulusSet.from_arrays(source)
        if not isinstance(source, Iterable):
            raise _explain(source)
    found = _from_items(list(source))
    return found.drop_bad_files() if skip_bad else found


@suggest_keywords
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
    if paths and any(map(is_address, paths)):
        return _collect_remote(list(dict.fromkeys(map(str, paths))))
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


def _collect_remote(paths: list[str]) -> StimulusSet:
    """Files at addresses, in the order in which they are named."""
    local = next((path for path in paths if not is_address(path)), None)
    if local is not None:
        raise InputError("files at addresses, or files of this machine", got=f"both, such as {local}")
    root, found = find_remote(paths)
    missing = [name for name, entry in found.items() if entry is None]
    if missing:
        raise InputError("files of stimuli", got=f"no file at {show_place(root / missing[0])}")
    kinds = {name: find_kind(name) for name in found}
    strange = next((name for name, kind in kinds.items() if kind is None), None)
    if strange is not None:
        raise InputError("pictures or sounds", got=show_place(root / strange))
    if len(set(kinds.values())) > 1:
        raise InputError("pictures or sounds", got="both")
    (kind,) = set(kinds.values())
    made = build_flat(root, found, kind)  # type: ignore[arg-type]
    return StimulusSet.from_manifest(attach_remote(made, [entry for entry in found.values() if entry is not None]))


def _from_path(path: Path, skip_bad: bool) -> StimulusSet:
    """Whatever lies at a path or an address."""
    with hold_listings():
        return _look(path, skip_bad)


def _look(path: Path, skip_bad: bool) -> StimulusSet:
    found = _open_path(path)
    if found is not None:
        return found.drop_bad_files() if skip_bad else found
    if is_address(path):
        is_table = path.suffix.lower() in _TABLES and is_remote_file(path)
        make = StimulusSet.from_table if is_table else StimulusSet.from_folder
        return make(path, skip_bad=skip_bad)
    if not path.is_file():
        return StimulusSet.from_folder(path, skip_bad=skip_bad)
    return StimulusSet.from_table(path, skip_bad=skip_bad)


def _open_path(path: Path) -> StimulusSet | None:
    """The stimuli of an HDF5 file, of shards, of tables that hold them, or of one file; None for folders and tables."""
    for place in (path, *path.parents):
        if place.suffix.lower() in _HDF5 and not place.is_dir() and (place == path or place.is_file()):
            if is_address(place):
                raise InputError("an HDF5 file of this machine", got=show_place(place), hint="a copy of it, or shards")
            key = path.relative_to(place).as_posix()
            return StimulusSet.from_hdf5(place, None if key == "." else key)
    if find_shards(path):
        return StimulusSet.from_shards(path)
    if find_tables(path)[0]:
        return StimulusSet.from_parquet(path)
    is_one = find_kind(path.name) is not None and (is_address(path) or path.is_file())
    return collect_files([path]) if is_one else None


def _from_array(array: np.ndarray, shape: tuple[int, ...] | None) -> StimulusSet:
    """By the rules that :func:`as_stimulus_set` states."""
    if array.dtype.kind in "USO":
        return _from_items(array.ravel().tolist())
    if array.ndim == 0:
        raise _explain(array)
    if shape is not None and array.shape == tuple(shape):
        return StimulusSet.from_arrays(array[None])
    if shape is not None and array.shape[1:] == tuple(shape):
        return StimulusSet.from_arrays(array)
    grey = tuple(shape[1:]) if shape is not None and len(shape) == 3 and shape[0] == 1 else None
    if array.ndim in (2, 3) and array.shape[-2:] == grey:
        return StimulusSet.from_arrays(array[None] if array.ndim == 2 else array)
    if array.ndim == 3 and array.shape[2] == 3 and min(array.shape[:2]) > 0:
        return StimulusSet.from_arrays(array[None])
    told = f"an array of shape {array.shape}"
    if array.ndim == 3 and array.shape[0] == 3:
        raise InputError("stimuli along the first axis", got=f"{told}: one picture or three grey ones",
                         hint=f"x[None] for one picture, or {_EXPLICIT}")  # fmt: skip
    if array.ndim == 2 and array.dtype == np.uint8:
        raise InputError("stimuli along the first axis", got=f"{told} and uint8: one grey picture or {len(array)} rows",
                         hint=f"x[None] for one picture, or {_EXPLICIT}")  # fmt: skip
    if array.ndim == 1:
        raise InputError("stimuli along the first axis", got=f"{told}: one stimulus or {len(array)} numbers",
                         hint=f"x[None] for one stimulus, or {_EXPLICIT}")  # fmt: skip
    return StimulusSet.from_arrays(array)


def _from_items(items: list[Any]) -> StimulusSet:
    """A set from a list in which every item is one stimulus."""
    if not items:
        raise InputError("at least one stimulus", got="none")
    if all(isinstance(item, (str, os.PathLike)) for item in items):
        return _from_paths([Path(item) for item in items])
    if any(isinstance(item, (str, os.PathLike)) for item in items):
        raise InputError("paths, or pictures and arrays", got="a list of both")
    if any(isinstance(item, StimulusSet) for item in items):
        raise InputError("one stimulus set", got=f"a list of {len(items)}", hint="a folder that holds all of them")
    arrays = [check_item(item, f"item {i}") for i, item in enumerate(items)]
    if len({(array.shape, array.dtype) for array in arrays}) == 1:
        return _from_uneven(arrays) if is_transparent(arrays[0]) else StimulusSet.from_arrays(np.stack(arrays))
    return _from_uneven(arrays)


def _from_uneven(arrays: list[np.ndarray]) -> StimulusSet:
    """A set of arrays of several shapes: all pictures, or all sounds."""
    if all(array.ndim == 1 for array in arrays):
        return StimulusSet.from_manifest(build_from_items(StimulusItems(arrays), kind="sound"))
    wrong = next(
        (array for array in arrays if not (looks_like_pictures((1, *array.shape)) or is_transparent(array))), None
    )
    if wrong is not None:
        shapes = sorted({array.shape for array in arrays})
        got = f"shapes {', '.join(map(str, shapes[:3]))}" if len(shapes) > 1 else f"shape {wrong.shape}"
        raise InputError("stimuli of one shape, or pictures", got=got)
    for array in arrays:
        check_picture(array)
    return StimulusSet.from_manifest(build_from_items(StimulusItems(arrays), kind="image"))


def _from_paths(paths: list[Path]) -> StimulusSet:
    folder = next((path for path in paths if path.is_dir()), None)
    if folder is not None:
        if len(paths) == 1:
            return StimulusSet.from_folder(folder)
        raise InputError("files of stimuli, or one folder", got=f"a list with the folder {folder}")
    seen: set[Path] = set()
    for path in paths:
        if path.absolute() in seen:
            raise InputError("files that differ", got=f"{path} twice")
        seen.add(path.absolute())
    return collect_files(paths)


def _is_frame(source: Any) -> bool:
    import sys

    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(source, (pandas.DataFrame, pandas.Series))


def _from_frame(frame: Any, skip_bad: bool) -> StimulusSet:
    from beholder.stimuli.sets._table import build_from_frame

    if frame.ndim == 1:
        return _from_items(frame.tolist())
    made = StimulusSet.from_manifest(build_from_frame(frame, skip_missing=skip_bad))
    return made.drop_bad_files() if skip_bad else made


def _explain(source: Any) -> InputError:
    return InputError(
        "stimuli: a folder, files, a table, pictures, arrays or a data set", got=f"{type(source).__name__}",
        hint="docs/stimuli.md, which lists all that is taken",
    )  # fmt: skip
