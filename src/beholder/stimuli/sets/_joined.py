"""Several stimulus sets as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder.stimuli.sets._items import StimulusItems
from beholder.stimuli.sets._packed import JoinedFiles
from beholder.stimuli.words._labels import number_classes

if TYPE_CHECKING:
    from beholder.stimuli.sets._set import StimulusSet


@suggest_keywords
def join_sets(sets: Sequence[StimulusSet]) -> StimulusSet:
    """Sets one after the other, such as one at levels of blur and one at levels of noise: also ``one + other``.

    Parameters
    ----------
    sets : sequence of StimulusSet
        Of one kind, all of files, of packed files, or of arrays of one shape and type; no id in two of them. A column
        that a set does not have is empty there.

    Returns
    -------
    StimulusSet
        Class indices follow the names of all classes.

    Raises
    ------
    InputError
        Sets of several kinds; some of files and some of arrays, or packed; an id in two of them.
    """
    if not sets:
        raise InputError("at least one stimulus set", got="none")
    if len(sets) == 1:
        return sets[0]
    kinds = sorted({each.kind for each in sets})
    packed = [each.packed for each in sets if each.packed is not None]
    if len(kinds) > 1:
        raise InputError("sets of one kind", got=", ".join(kinds))
    if packed and len(packed) < len(sets):
        raise InputError("sets that are all files of this machine, or all packed or at addresses", got="both")
    arrays = _join_packed(sets) if packed else _join_arrays([each.arrays for each in sets])
    known = any(each.hashes for each in sets)
    seen: dict[str, int] = {}
    for place, each in enumerate(sets):
        for stimulus_id in each.ids:
            if seen.setdefault(stimulus_id, place) != place:
                raise InputError("ids that are in one set each", got=f"{stimulus_id!r} in two of them")
    names = list(dict.fromkeys(str(name) for each in sets for name in each.conditions))
    conditions: dict[str, list[Any]] = {
        name: [value for each in sets for value in each.conditions.get(name, [None] * len(each))] for name in names
    }
    labels = tuple(label for each in sets for label in each.labels)
    return replace(
        sets[0],
        ids=tuple(seen),
        files=_list_files(sets),
        arrays=arrays,
        root=None,
        labels=labels,
        targets=np.asarray(number_classes(labels)),
        conditions=conditions,
        layout="table" if packed or arrays is None else "arrays",
        selection={},
        hashes=tuple(digest for each in sets for digest in each.hashes or ("",) * len(each)) if known else (),
    )


def _list_files(sets: Sequence[StimulusSet]) -> tuple[str, ...]:
    if sets[0].arrays is not None:
        return tuple(file for each in sets for file in each.files)
    return tuple(each.path(i).absolute().as_posix() for each in sets for i in range(len(each)))


def _join_packed(sets: Sequence[StimulusSet]) -> StimulusItems:
    source = JoinedFiles([each.packed for each in sets if each.packed is not None])
    starts = np.cumsum([0, *(len(each) for each in source.sources)])
    rows = [each.arrays.rows + start for each, start in zip(sets, starts[:-1], strict=True)]
    return StimulusItems(source, rows=np.concatenate(rows))


def _join_arrays(arrays: Sequence[Any]) -> np.ndarray | None:
    if all(each is None for each in arrays):
        return None
    told = [
        f"{each.dtype} {each.shape[1:]}" if isinstance(each, np.ndarray) else "files" if each is None else "lazy arrays"
        for each in arrays
    ]
    if len(set(told)) > 1 or not isinstance(arrays[0], np.ndarray):
        got = " and ".join(dict.fromkeys(told))
        raise InputError("sets of files, or sets of arrays of one shape and type", got=got)
    return np.concatenate(arrays)
