"""Which stimuli validate."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from beholder._core.errors import InputError, UnknownNameError

_RANGE = re.compile(r"(\d+)-(\d+)")


def rank_ids(ids: Sequence[str]) -> np.ndarray:
    """A number in [0, 1) a stimulus, float64, that its id alone decides, as if drawn uniformly."""
    digests = [hashlib.sha256(b"validation\x1f" + each.encode()).digest()[:8] for each in ids]
    numbers = np.frombuffer(b"".join(digests), dtype=">u8")
    return (numbers >> np.uint64(11)).astype(np.float64) / 2.0**53


def choose_held_out(ids: Sequence[str], labels: np.ndarray, part: float) -> np.ndarray:
    """Which stimuli validate, bool: those whose id's number is below ``part``, in every class.

    A stimulus stays on its side whatever is added or taken away. In a class of several stimuli at least one is held
    out and one trained on: where the numbers leave a side empty, the lowest or the highest changes sides.

    Parameters
    ----------
    ids : (n_stimuli,) of str
    labels : (n_stimuli,), int64
    part : float
        In [0, 1).
    """
    numbers = rank_ids(ids)
    held = numbers < part
    if part == 0:
        return held
    order = np.lexsort((numbers, labels))
    starts = np.flatnonzero(np.diff(labels[order], prepend=labels[order[0]] - 1)) if len(order) else np.array([], int)
    for members in np.split(order, starts[1:]):
        if len(members) > 1 and not held[members].any():
            held[members[0]] = True
        elif len(members) > 1 and held[members].all():
            held[members[-1]] = False
        elif len(members) == 1:
            held[members] = False
    return held


def select_where(columns: Mapping[str, Sequence[Any]], where: str) -> np.ndarray:
    """Which stimuli have a column's value, bool: ``"take=0-4"``, ``"split=val,test"``.

    Parameters
    ----------
    columns : mapping of str to sequence
        (n_stimuli,) each.
    where : str
        A column, ``=``, and values with commas between; ``0-4`` takes whole numbers from 0 to 4.

    Raises
    ------
    UnknownNameError
        There is no such column.
    InputError
        No such form, or a value that no stimulus has.
    """
    name, sign, text = where.partition("=")
    name = name.strip()
    wanted = [each.strip() for each in text.split(",") if each.strip()]
    if not sign or not wanted:
        raise InputError("a column and its values, such as take=0-4 or split=val,test", got=repr(where))
    if name not in columns:
        raise UnknownNameError("column", name, columns)
    texts = np.array([str(each) for each in columns[name]])
    chosen = np.zeros(len(texts), bool)
    for each in wanted:
        hits = texts == each
        span = _RANGE.fullmatch(each)
        if span and not hits.any():
            low, high = int(span[1]), int(span[2])
            different = {value for value in set(texts.tolist()) if value.isdecimal() and low <= int(value) <= high}
            hits = np.isin(texts, sorted(different))
        if not hits.any():
            raise UnknownNameError(f"value of {name}", each, sorted(set(texts.tolist())))
        chosen |= hits
    return chosen
