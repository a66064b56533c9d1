"""Stimuli that are arrays: in memory; or on disk or computed on demand, and read one by one."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, final, runtime_checkable

import numpy as np

from beholder._core.errors import InputError, UnknownNameError
from beholder.stimuli.images._picture import check_picture, looks_like_pictures
from beholder.stimuli.sets._items import StimulusItems, to_plain
from beholder.stimuli.sets._manifest import Kind, Manifest
from beholder.stimuli.words._labels import number_classes

_CHECKED_ROWS = 64


@final
class HDF5Images:
    """One data set of an HDF5 file as a lazy, picklable array with the stimuli along the first axis.

    Parameters
    ----------
    file : path
        The HDF5 file.
    key : str, optional
        The data set; without it the file's only one with two axes or more.
    rows : numpy.ndarray, optional
        Which stimuli, in which order; all by default.

    Raises
    ------
    InputError
        The file is missing or not HDF5, or has no or several data sets and no key is given.
    UnknownNameError
        The key names no data set.
    """

    def __init__(self, file: Path | str, key: str | None = None, rows: np.ndarray | None = None) -> None:
        self.file = Path(file)
        self._handle: Any = None
        self._owner = -1
        names = self._list_datasets()
        if key is None:
            if len(names) != 1:
                got = f"{len(names)} in {self.file}" + (f" ({', '.join(names[:6])})" if names else "")
                hint = f"{self.file.as_posix()}/{names[0]}" if names else None
                raise InputError("one data set of stimuli, or which", got=got, hint=hint)
            key = names[0]
        if key.strip("/") not in names:
            raise UnknownNameError(f"data set of {self.file}", key, names)
        self.key = key.strip("/")
        dataset = self._open()
        self.dtype = np.dtype(dataset.dtype)
        self.rows = np.arange(dataset.shape[0]) if rows is None else np.asarray(rows, dtype=np.int64)
        self.shape: tuple[int, ...] = (len(self.rows), *dataset.shape[1:])

    @property
    def ndim(self) -> int:
        """Number of axes, the stimuli's included."""
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"HDF5Images({self.file.as_posix()!r}, {self.key!r}, shape={self.shape}, dtype={self.dtype})"

    def __getitem__(self, i: int) -> np.ndarray:
        return self._open()[int(self.rows[i])]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_handle": None, "_owner": -1}

    def take(self, positions: np.ndarray) -> HDF5Images:
        """The same data set with some of its stimuli; reads nothing."""
        taken = copy.copy(self)
        taken.rows = self.rows[positions]
        taken.shape = (len(taken.rows), *self.shape[1:])
        return taken

    def close(self) -> None:
        """Close the file; the next read opens it again."""
        if self._handle is not None and self._owner == os.getpid():
            self._handle.close()
        self._handle = None

    def _open(self) -> Any:
        """The data set, through a handle that belongs to this process."""
        if self._handle is None or self._owner != os.getpid():
            self._handle, self._owner = _open_hdf5(self.file), os.getpid()
        return self._handle[self.key]

    def _list_datasets(self) -> list[str]:
        import h5py

        names: list[str] = []
        with _open_hdf5(self.file) as handle:

            def note(name: str, node: Any) -> None:
                if isinstance(node, h5py.Dataset) and len(node.shape or ()) >= 2:
                    names.append(name)

            handle.visititems(note)
        return names


@runtime_checkable
class _Sliceable(Protocol):
    """What arrays on disk or computed on demand have in common (zarr, h5py, dask, ...)."""

    @property
    def shape(self) -> Any: ...

    @property
    def dtype(self) -> Any: ...

    def __getitem__(self, index: Any) -> Any: ...


@final
class LazyArrays:
    """Someone else's array with the stimuli along the first axis, from which one stimulus is taken at a time.

    Parameters
    ----------
    arrays : array-like
        Has ``shape`` and ``dtype``; ``arrays[i]`` gives what numpy turns into stimulus ``i``.
    rows : numpy.ndarray, optional
        Which stimuli, in which order; all by default.
    """

    def __init__(self, arrays: Any, rows: np.ndarray | None = None) -> None:
        self._arrays = arrays
        self.dtype = np.dtype(arrays.dtype)
        shape = tuple(int(size) for size in arrays.shape)
        self.rows = np.arange(shape[0]) if rows is None else np.asarray(rows, dtype=np.int64)
        self.shape: tuple[int, ...] = (len(self.rows), *shape[1:])

    @property
    def ndim(self) -> int:
        """Number of axes, the stimuli's included."""
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"LazyArrays({type(self._arrays).__name__}, shape={self.shape}, dtype={self.dtype})"

    def __getitem__(self, i: int) -> np.ndarray:
        return np.asarray(self._arrays[int(self.rows[i])])

    def take(self, positions: np.ndarray) -> LazyArrays:
        """The same array with some of its stimuli; reads nothing."""
        return LazyArrays(self._arrays, self.rows[positions])


def _is_lazy(arrays: Any) -> bool:
    """Whether something is an array that is no numpy array, list or tensor."""
    if isinstance(arrays, np.ndarray) or not isinstance(arrays, _Sliceable):
        return False
    try:
        return len(arrays.shape) > 1 and np.dtype(arrays.dtype) != object
    except TypeError:  # a tensor's own kind of dtype
        return False


def _open_hdf5(file: Path) -> Any:
    import h5py

    try:
        return h5py.File(file, "r")
    except FileNotFoundError as error:
        raise InputError("an HDF5 file", got=f"no file at {file}") from error
    except OSError as error:
        raise InputError("an HDF5 file", got=f"{file}, which does not open as one") from error


def take_arrays(arrays: Any, positions: np.ndarray) -> Any:
    """Some rows of an array; a contiguous run of an array in memory is a view."""
    if isinstance(arrays, HDF5Images | LazyArrays | StimulusItems):
        return arrays.take(positions)
    if len(positions) and np.array_equal(positions, np.arange(positions[0], positions[0] + len(positions))):
        return arrays[positions[0] : positions[0] + len(positions)]
    return arrays[positions]


def build_from_arrays(
    arrays: Any,
    ids: Sequence[str] | None = None,
    *,
    labels: Sequence[str] | None = None,
    targets: Sequence[int] | np.ndarray | None = None,
    conditions: Mapping[str, Sequence[Any]] | None = None,
    kind: Kind | None = None,
) -> Manifest:
    """A set of arrays; see :meth:`StimulusSet.from_arrays`."""
    if _is_lazy(arrays) and not isinstance(arrays, HDF5Images | LazyArrays):
        arrays = LazyArrays(arrays)
    if not isinstance(arrays, HDF5Images | LazyArrays | np.memmap):
        try:
            arrays = np.asarray(to_plain(arrays))
        except (TypeError, ValueError, RuntimeError) as error:
            got = f"{type(arrays).__name__} ({' '.join(str(error).split())[:120]})"
            raise InputError("an array, or something numpy turns into one", got=got) from error
        if arrays.dtype == object:
            raise InputError("an array of numbers, all stimuli of one shape", got="an array of Python objects")
    if len(arrays.shape) == 0 or len(arrays) == 0:
        raise InputError("at least one stimulus along the first axis", got=f"shape {arrays.shape}")
    if kind is None:
        kind = "image" if looks_like_pictures(arrays.shape) else "array"
    if kind == "image":
        if not looks_like_pictures(arrays.shape):
            raise InputError("pictures of shape (n, h, w, 3), (n, h, w) or (n, 3, h, w)", got=str(arrays.shape))
        _check_values(arrays)
    return build_from_items(arrays, ids, labels=labels, targets=targets, conditions=conditions, kind=kind)


def build_from_items(
    arrays: Any,
    ids: Sequence[str] | None = None,
    *,
    kind: Kind,
    labels: Sequence[str] | None = None,
    targets: Sequence[int] | np.ndarray | None = None,
    conditions: Mapping[str, Sequence[Any]] | None = None,
    files: Sequence[str] | None = None,
    root: Path | str | None = None,
) -> Manifest:
    """A set of arrays, or of items, that were checked; ``files`` are what they are called, below ``root``."""
    n = len(arrays)
    ids = tuple(f"{i:06d}" for i in range(n)) if ids is None else tuple(str(each) for each in ids)
    names = tuple(str(each) for each in labels) if labels is not None else None
    if targets is None:
        targets = np.arange(n) if names is None else number_classes(names)
    if names is None:
        names = ids
    return Manifest(
        kind=kind,
        ids=ids,
        files=("",) * n if files is None else tuple(files),
        root=None if root is None else Path(root),
        labels=names,
        targets=np.asarray(targets),
        conditions={name: list(column) for name, column in (conditions or {}).items()},
        arrays=arrays,
        layout="arrays",
    )


def _check_values(arrays: Any) -> None:
    """Refuse numbers that are no pictures'; what lies on disk is checked by dtype here and in full when read."""
    if arrays.dtype == np.uint8:
        return
    if isinstance(arrays, HDF5Images | LazyArrays | np.memmap):
        check_picture(np.asarray(arrays[0]))
        return
    for start in range(0, len(arrays), _CHECKED_ROWS):
        check_picture(arrays[start : start + _CHECKED_ROWS])
