"""Arrays of three and more axes as text: one matrix after the other, under a line with the shape.

The format, for a shape (N, C, H, W)::

    # Array shape: (N, C, H, W)
    w00 w01 ...            H lines of W numbers, %-7.5f, one space between
    # New slice            after each of the N C matrices
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import IO, Any

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.files import open_atomic
from beholder.activations.formats._rows import Rows, as_rows, iter_row_blocks
from beholder.activations.formats._text_io import fill_from_text, format_rows

_SPELLINGS = {"document": "fixed5", "exact": "exact"}
_HEADER = re.compile(rb"# Array shape: \(([\d, ]+)\)\s*")
_MARK = b"# New slice\n"
_BLOCK_BYTES = 8 * 2**20


@suggest_keywords
def tensor2slices(PATH: str | Path, file_name: str, features: Any, *, precision: str = "document") -> Path:
    """Write an array of two and more axes as slices of its last two.

    Parameters
    ----------
    PATH : path
        Folder, made if absent.
    file_name : str
        File in it, such as ``activations.txt``.
    features : array-like, (n, ..., height, width)
        Sliced along its first axis block by block, so a store's layer is never whole in memory.
    precision : {"document", "exact"}
        ``document``: ``%-7.5f``, the old format; off by at most 5e-6, and exact for whatever five
        decimals can spell. ``exact``: the fewest digits that read back as equal to the number
        (up to 17); any reader of the old format reads it too.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        For fewer than two axes.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> _ = tensor2slices(folder, "activations.txt", np.ones((5, 2, 3, 3)))
    >>> slices2tensor(folder, "activations.txt").shape
    (5, 2, 3, 3)
    """
    path = Path(PATH) / file_name
    with open_atomic(path) as file:
        write_slices(file, as_rows(features), precision=precision)
    return path


def write_slices(file: IO[bytes], values: Rows, *, precision: str = "document") -> None:
    """Write ``values`` in the slice format to an open file."""
    if precision not in _SPELLINGS:
        raise InputError("precision 'document' or 'exact'", got=repr(precision))
    shape = tuple(int(size) for size in values.shape)
    if len(shape) < 2:
        raise InputError("an array of two or more axes for the slice format", got=f"shape {shape}")
    file.write(f"# Array shape: {shape}\n".encode())
    height, width = shape[-2:]
    for _, rows in iter_row_blocks(values, _BLOCK_BYTES):
        rows = rows.astype(np.float64) if precision == "exact" else rows
        text = format_rows(rows.reshape(-1, width), _SPELLINGS[precision])
        file.write(text if len(shape) == 2 else _mark_slices(text, height, math.prod(rows.shape[:-2])))
    if len(shape) == 2:
        file.write(_MARK)


def _mark_slices(text: bytes, height: int, n_slices: int) -> bytes:
    """Put the mark after every ``height`` lines."""
    if height == 0 or n_slices == 0:
        return _MARK * n_slices
    ends = np.flatnonzero(np.frombuffer(text, dtype=np.uint8) == ord("\n"))[height - 1 :: height] + 1
    starts = [0, *ends[:-1].tolist()]
    return b"".join([text[start:stop] + _MARK for start, stop in zip(starts, ends.tolist(), strict=True)])


@suggest_keywords
def slices2tensor(PATH: str | Path, file: str) -> np.ndarray:
    """Read a file in the slice format, new or old.

    Parameters
    ----------
    PATH : path
        Folder.
    file : str
        File in it.

    Returns
    -------
    ndarray, float64
        Of the shape that the first line says.

    Raises
    ------
    InputError
        When there is no such file, no shape, or more or fewer numbers than the shape asks for.
    """
    path = Path(PATH) / file
    values = np.empty(get_shape(PATH, file))
    with path.open("rb") as stream:
        return fill_from_text(stream, values, str(path))


@suggest_keywords
def get_shape(PATH: str | Path, file: str) -> tuple[int, ...]:
    """Shape of the array in a slice file, from its first line.

    Parameters
    ----------
    PATH : path
        Folder.
    file : str
        File in it.
    """
    path = Path(PATH) / file
    shape = find_shape(path)
    if shape is None:
        raise InputError("a file that begins with '# Array shape: (...)'", got=str(path))
    return shape


def find_shape(path: Path) -> tuple[int, ...] | None:
    """Shape in the first line of ``path``, or None if that line holds none."""
    try:
        with path.open("rb") as stream:
            match = _HEADER.fullmatch(stream.readline(4096))
    except FileNotFoundError as error:
        raise InputError("a text file of activations", got=f"no file at {path}") from error
    return None if match is None else tuple(int(size) for size in match[1].split(b",") if size.strip())
