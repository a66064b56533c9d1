"""RDMs as data: dissimilarities of stimuli that somebody else computed, or people judged."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np

from beholder._core.errors import InputError, suggest_method_keywords
from beholder._core.notebooks import render_table
from beholder._core.wording import format_count
from beholder.recordings._file import Parts, hash_arrays, write_parts
from beholder.recordings._labels import (
    Choice,
    check_ids,
    choose_rows,
    find_positions,
    iter_groups,
    list_names,
    make_table,
)

if TYPE_CHECKING:
    import pandas as pd

_ROUNDING = 1e-4


@suggest_method_keywords
@final
@dataclass(frozen=True, eq=False, repr=False)
class RecordedRDMs:
    """RDMs of subjects, regions, times, over the same stimuli.

    Parameters
    ----------
    values : (n_rdms, n_pairs), (n_rdms, n_stimuli, n_stimuli), or one RDM without the first axis, float
        Condensed in the order of ``scipy.spatial.distance.squareform``, or square and symmetric. NaN for a pair that
        was not measured.
    stimulus_ids : sequence of str, (n_stimuli,)
        Each once.
    table : DataFrame or mapping of columns, n_rdms rows
        ``subject`` and ``region`` (empty where nothing is known), ``time`` in seconds and whatever else is known.
    name : str

    Raises
    ------
    InputError
        Shapes that do not fit, a square that is not symmetric or whose diagonal is not 0, infinite values.

    Examples
    --------
    >>> rdms = RecordedRDMs([[1.0, 2.0, 3.0], [2.0, 2.0, 1.0]], ["a", "b", "c"], {"subject": ["1", "2"]})
    >>> rdms
    RecordedRDMs: 2 RDMs of 3 stimuli; subjects 1, 2
    >>> rdms.to_square()[0].tolist()
    [[0.0, 1.0, 2.0], [1.0, 0.0, 3.0], [2.0, 3.0, 0.0]]
    """

    values: np.ndarray
    stimulus_ids: tuple[str, ...]
    table: pd.DataFrame
    name: str = ""

    def __init__(self, values: Any, stimulus_ids: Sequence[str], table: Any = None, name: str = "") -> None:
        condensed = condense(values)
        n_stimuli = count_stimuli(condensed.shape[1])
        checked = {
            "values": condensed,
            "stimulus_ids": check_ids(stimulus_ids, n_stimuli),
            "table": make_table(table, len(condensed), "RDMs"),
            "name": str(name),
        }
        for field, value in checked.items():
            object.__setattr__(self, field, value)

    def __repr__(self) -> str:
        n = len(self.values)
        text = f"{n} RDM{'' if n == 1 else 's'} of {format_count(len(self.stimulus_ids), 'stimulus')}"
        for column, what in (("subject", "subjects"), ("region", "regions")):
            found = [each for each in dict.fromkeys(self.table[column].tolist()) if each]
            text += f"; {what} {list_names(found, 6)}" if found else ""
        return f"RecordedRDMs{f' {self.name}' if self.name else ''}: {text}"

    def _repr_html_(self) -> str:
        """Its first RDMs, for notebooks."""
        return render_table(repr(self), self.table)

    def to_square(self) -> np.ndarray:
        """As (n_rdms, n_stimuli, n_stimuli), the diagonal 0."""
        n = len(self.stimulus_ids)
        square = np.zeros((len(self.values), n, n), dtype=self.values.dtype)
        first, second = np.triu_indices(n, 1)
        square[:, first, second] = self.values
        square[:, second, first] = self.values
        return square

    def select(
        self, *, subject: Choice = None, region: Choice = None, stimulus_ids: Sequence[str] | None = None
    ) -> RecordedRDMs:
        """Some RDMs, by subject and region, of some stimuli, in the order asked for.

        Raises
        ------
        UnknownNameError
            A subject, region or stimulus that is not there, with the near ones.
        """
        found = self._take(choose_rows(self.table, {"subject": subject, "region": region}, "RDMs"))
        if stimulus_ids is None:
            return found
        rows = find_positions(stimulus_ids, self.stimulus_ids)
        n = len(self.stimulus_ids)
        one, other = (rows[axis] for axis in np.triu_indices(len(rows), 1))
        low, high = np.minimum(one, other), np.maximum(one, other)
        pairs = low * (2 * n - low - 1) // 2 + high - low - 1
        return RecordedRDMs(found.values[:, pairs], stimulus_ids, found.table, self.name)

    def _take(self, chosen: np.ndarray) -> RecordedRDMs:
        return RecordedRDMs(self.values[chosen], self.stimulus_ids, self.table[chosen], self.name)

    def split_by(self, columns: str | Sequence[str] = ("region",)) -> Iterator[tuple[dict[str, Any], RecordedRDMs]]:
        """Each combination of values in columns of :attr:`table`, as a dictionary, with its RDMs."""
        for labels, chosen in iter_groups(self.table, columns):
            yield labels, self._take(chosen)

    def save(self, path: Path | str) -> Path:
        """Write as ``{name}.recordings.npz``, which :func:`open_recordings` and ``beholder.open`` read."""
        return write_parts(path, self.take_apart())

    def take_apart(self) -> Parts:
        """What the file holds: its head, with a hash of each array, and the arrays."""
        head = {"kind": "rdms", "name": self.name}
        return hash_arrays(head, {"values": self.values}, self.stimulus_ids, self.table)


def count_stimuli(n_pairs: int) -> int:
    """How many stimuli have that many pairs.

    >>> count_stimuli(3)
    3
    """
    n = (1 + math.isqrt(1 + 8 * n_pairs)) // 2
    if n_pairs < 1 or n * (n - 1) // 2 != n_pairs:
        raise InputError("as many pairs as n stimuli have, n(n − 1)/2", got=f"{n_pairs}")
    return n


def condense(values: Any) -> np.ndarray:
    """RDMs of any accepted shape as (n_rdms, n_pairs), float32 or float64.

    A matrix is one square RDM where it is square, symmetric and has zeros on its diagonal, else an RDM a row.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise InputError("dissimilarities that are numbers", got=f"an array of {array.dtype}")
    array = array.astype(np.float32 if array.dtype == np.float32 else np.float64)
    if array.ndim not in (1, 2, 3) or not array.size:
        raise InputError("RDMs of shape (n_rdms, n_pairs) or (n_rdms, n_stimuli, n_stimuli)", got=f"{array.shape}")
    if np.isinf(array).any():
        raise InputError("finite dissimilarities, or NaN for missing ones", got=f"{np.isinf(array).sum()} infinite")
    if array.ndim == 1:
        return array[None]
    if array.ndim == 2:
        if array.shape[0] != array.shape[1] or _name_fault(array[None]):
            return array
        array = array[None]
    if array.shape[1] != array.shape[2] or array.shape[1] < 2:
        raise InputError("square RDMs", got=f"{array.shape}")
    fault = _name_fault(array)
    if fault:
        raise InputError(
            "symmetric RDMs with zeros on the diagonal", got=fault, hint="1 - values if these are similarities"
        )
    first, second = np.triu_indices(array.shape[1], 1)
    upper, lower = array[:, first, second], array[:, second, first]
    return np.where(np.isnan(upper), lower, np.where(np.isnan(lower), upper, (upper + lower) / 2))


def _name_fault(square: np.ndarray) -> str:
    """What keeps square matrices from being RDMs; empty where nothing does."""
    scale = float(np.nanmax(np.abs(square))) if not np.isnan(square).all() else 0.0
    diagonal = np.abs(np.diagonal(square, axis1=1, axis2=2))
    n_off = int((diagonal > _ROUNDING * scale).any(axis=1).sum())
    if n_off:
        return f"{n_off} of {len(square)} with other values there, up to {np.nanmax(diagonal):.4g}"
    apart = np.abs(square - square.transpose(0, 2, 1))
    n_off = int((apart > _ROUNDING * scale).any(axis=(1, 2)).sum())
    return f"{n_off} of {len(square)} not symmetric, by up to {np.nanmax(apart):.4g}" if n_off else ""
