"""A matrix of activations in several files, and back.

Parts are called ``activations_01``, ``activations_02``, ... and read by number, so sets written by
the published script (``n_splits - 1`` files, unequal parts) are read as well.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any, final

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder.activations.formats._array_files import read_array, read_array_shape, write_array
from beholder.activations.formats._rows import Rows, as_rows

logger = logging.getLogger("beholder")

_PART = re.compile(r"act\D*(\d+)\.(txt|npy)")


@suggest_keywords
def split_activations(PATH: str | Path, features: Any, file_format: str, n_splits: int = 10) -> list[Path]:
    """Write activations in ``n_splits`` files of nearly equal numbers of rows.

    Parameters
    ----------
    PATH : path
        Folder, made if absent. Parts of an earlier set in it are replaced.
    features : array-like, (n, ...)
        Two axes and more; sliced along the first one block by block.
    file_format : {".txt", ".npy", "txt", "npy"}
        ``txt`` is :func:`numpy.savetxt`'s ``%.18e`` for matrices and the slice format with all digits
        for more axes. Both are read back exactly.
    n_splits : int
        Number of parts; with fewer rows than that, one row a part.

    Returns
    -------
    list of Path
        ``activations_01``, ``activations_02``, ...

    Raises
    ------
    InputError
        For an unknown format, no parts, or fewer than two axes.
    """
    suffix = file_format.removeprefix(".")
    if suffix not in ("txt", "npy"):
        raise InputError("file_format .txt or .npy", got=repr(file_format))
    values = as_rows(features)
    shape = tuple(int(size) for size in values.shape)
    if len(shape) < 2:
        raise InputError("activations of two or more axes, rows first", got=f"shape {shape}")
    if n_splits < 1:
        raise InputError("n_splits of at least 1", got=str(n_splits))
    n_parts = max(1, min(n_splits, shape[0]))
    if n_parts < n_splits:
        logger.warning("%d rows make %d parts, not %d: no part is empty", shape[0], n_parts, n_splits)
    for old in find_parts(PATH):
        old.unlink()
    bounds = [shape[0] * i // n_parts for i in range(n_parts + 1)]
    paths = []
    for i in range(n_parts):
        path = Path(PATH) / f"activations_{i + 1:02d}.{suffix}"
        write_array(path, _FilePart(values, bounds[i], bounds[i + 1]))
        paths.append(path)
    return paths


@suggest_keywords
def merge_activations(PATH: str | Path, file_format: str | None = None) -> np.ndarray:
    """Read the parts that :func:`split_activations`, or the published script, wrote.

    Parameters
    ----------
    PATH : path
        Folder of the parts.
    file_format : {".txt", ".npy"}, optional
        Which set to read where both are present.

    Returns
    -------
    ndarray, (n, ...)
        float64 from text, the stored type from ``.npy``.

    Raises
    ------
    InputError
        When there are no parts, two sets, a missing part, or parts that do not fit together.
    """
    paths = find_parts(PATH)
    if file_format is not None:
        paths = [path for path in paths if path.suffix == f".{file_format.removeprefix('.')}"]
    if not paths:
        raise InputError("parts such as activations_01.txt or .npy", got=f"none in {PATH}")
    if len({path.suffix for path in paths}) > 1:
        raise InputError("parts of one format", got=f".txt and .npy in {PATH}", hint="file_format='.npy'")
    numbers = [_read_number(path) for path in paths]
    if numbers != list(range(numbers[0], numbers[0] + len(paths))):
        raise InputError("consecutive numbers of parts", got=", ".join(path.name for path in paths))
    heads = [read_array_shape(path) for path in paths]
    full = [(path, shape) for path, (shape, _) in zip(paths, heads, strict=True) if shape[0]]
    if len({shape[1:] for _, shape in full}) > 1:
        raise InputError("parts with equal columns", got=", ".join(f"{path.name} {shape}" for path, shape in full))
    n_rows = sum(shape[0] for _, shape in full)
    columns = full[0][1][1:] if full else heads[0][0][1:]
    merged = np.empty((n_rows, *columns), dtype=np.result_type(*(dtype for _, dtype in heads)))
    start = 0
    for path, shape in full:
        read_array(path, out=merged[start : start + shape[0]])
        start += shape[0]
    return merged


def find_parts(folder: str | Path) -> list[Path]:
    """Files of a folder that are parts of a split, by number."""
    parts = [path for path in Path(folder).glob("act*") if _PART.fullmatch(path.name)]
    return sorted(parts, key=lambda path: (_read_number(path), path.name))


def _read_number(path: Path) -> int:
    match = _PART.fullmatch(path.name)
    assert match is not None
    return int(match[1])


@final
class _FilePart:
    """Rows ``start`` to ``stop`` of an array, still unread."""

    def __init__(self, values: Rows, start: int, stop: int) -> None:
        self.shape = (stop - start, *(int(size) for size in values.shape[1:]))
        self.dtype = values.dtype
        self._values, self._start = values, start

    def __getitem__(self, index: slice) -> np.ndarray:
        start, stop, _ = index.indices(self.shape[0])
        return np.asarray(self._values[self._start + start : self._start + stop])
