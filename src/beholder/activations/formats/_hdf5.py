"""HDF5 files that are whole or absent, and whose bytes depend on nothing but their content."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np

from beholder._core.error_sink import ErrorSink
from beholder._core.errors import InputError
from beholder._core.files import open_atomic
from beholder.activations.formats._rows import Rows, iter_row_blocks

if TYPE_CHECKING:
    import h5py


@contextmanager
def create_hdf5(path: Path | str) -> Iterator[Hdf5Writer]:
    """Make a new HDF5 file beside ``path`` and rename it over ``path`` when the block succeeds.

    The HDF5 library crashes when a disk is full, since it tries to write again while it closes. It
    therefore writes through a file that keeps the first error and swallows the rest; the error is
    raised at the next array, or once the library is done. The oldest file version is asked for: it
    opens everywhere, and its bytes do not differ from one process to the next.
    """
    import h5py

    with open_atomic(path, "w+b", buffering=0) as raw:
        sink = ErrorSink(raw)
        file = h5py.File(sink, "w", libver=("earliest", "v110"))
        try:
            yield Hdf5Writer(file, sink)
        except Exception:
            sink.raise_error()
            raise
        finally:
            file.close()
        sink.raise_error()


@final
class Hdf5Writer:
    """Groups and contiguous arrays of a new file, by the library's low level: three times faster."""

    def __init__(self, file: h5py.File, sink: ErrorSink) -> None:
        from h5py import h5d, h5p, h5t  # pyright: ignore[reportAttributeAccessIssue]

        self.file = file
        self._sink = sink
        self._link = h5p.create(h5p.LINK_CREATE)
        self._link.set_char_encoding(h5t.CSET_UTF8)
        self._creation = h5p.create(h5p.DATASET_CREATE)
        self._creation.set_obj_track_times(False)
        self._creation.set_fill_time(h5d.FILL_TIME_NEVER)
        self._creation.set_layout(h5d.CONTIGUOUS)
        self._spaces: dict[tuple[int, ...], Any] = {}
        self._types: dict[np.dtype, Any] = {}

    def create_group(self, parent: Any, name: str) -> Any:
        """Make a group below ``parent`` (an identifier; ``file.id`` for the root)."""
        from h5py import h5g  # pyright: ignore[reportAttributeAccessIssue]

        return h5g.create(parent, name.encode(), self._link)

    def write_array(self, parent: Any, name: str, array: np.ndarray) -> Any:
        """Write a contiguous dataset of plain numbers below ``parent``; returns its identifier."""
        from h5py import h5d, h5s, h5t  # pyright: ignore[reportAttributeAccessIssue]

        array = np.ascontiguousarray(array)
        if array.shape not in self._spaces:
            self._spaces[array.shape] = h5s.create_simple(array.shape)
        if array.dtype not in self._types:
            self._types[array.dtype] = h5t.py_create(array.dtype, logical=True)
        dataset = h5d.create(
            parent, name.encode(), self._types[array.dtype], self._spaces[array.shape], self._creation, self._link
        )
        if array.size:
            dataset.write(h5s.ALL, h5s.ALL, array)
        self._sink.raise_error()
        return dataset

    def write_attributes(self, owner: Any, attributes: Mapping[str, Any]) -> None:
        """Write attributes of a group or dataset (an identifier), in alphabetical order."""
        import h5py

        manager = (h5py.Group(owner) if isinstance(owner, h5py.h5g.GroupID) else h5py.Dataset(owner)).attrs
        for name in sorted(attributes):
            manager[name] = attributes[name]
        self._sink.raise_error()

    def write_rows(self, name: str, values: Rows) -> None:
        """Write a contiguous dataset at the root, block by block."""
        dataset = self.file.create_dataset(
            name, shape=values.shape, dtype=values.dtype, track_times=False, fill_time="never"
        )
        for start, rows in iter_row_blocks(values):
            dataset[start : start + len(rows)] = rows
            self._sink.raise_error()

    def write_strings(self, name: str, texts: Sequence[str]) -> None:
        """Write a dataset of UTF-8 strings at the root."""
        import h5py

        self.file.create_dataset(
            name, data=np.array(list(texts), dtype=object), dtype=h5py.string_dtype(), track_times=False
        )
        self._sink.raise_error()


def open_hdf5(path: Path | str) -> h5py.File:
    """Open an HDF5 file to read; whatever is none is an :class:`InputError` (a ``ValueError``)."""
    import h5py

    path = Path(path)
    if not path.is_file():
        raise InputError("an HDF5 file", got=f"no file at {path}")
    try:
        return h5py.File(path, "r")  # with the library's own locking, as in whatever else has the file open
    except OSError as error:
        reason = "it is truncated" if "truncated" in str(error) else "it is none, or damaged"
        raise InputError("an HDF5 file", got=f"{path} ({reason})") from error


def read_dataset(parent: Any, name: str) -> np.ndarray:
    """Read a dataset below ``parent`` (an identifier), by the library's low level."""
    from h5py import h5d, h5s  # pyright: ignore[reportAttributeAccessIssue]

    dataset = h5d.open(parent, name.encode())
    array = np.empty(dataset.shape, dataset.dtype)
    if array.size:
        dataset.read(h5s.ALL, h5s.ALL, array)
    return array


def list_names(group: h5py.Group | None) -> list[str]:
    """Names of a group's members, alphabetical; none for None."""
    return [] if group is None else sorted(str(name) for name in group)
