"""Picking stimuli: by position, mask or id, a fraction by chance, the files that can be read."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, final

import numpy as np

from beholder._core.errors import InputError, StimulusError, UnknownNameError, suggest_keywords
from beholder._core.progress import show_progress
from beholder._core.seeds import make_generator
from beholder._core.threads import open_threads

if TYPE_CHECKING:
    from beholder.stimuli.sets._set import StimulusSet

logger = logging.getLogger("beholder")


@final
class BadFile(NamedTuple):
    """A stimulus file that cannot be used, and why."""

    stimulus_id: str
    file: str
    reason: str


def find_positions(ids: Sequence[str], which: Any) -> np.ndarray:
    """Positions, int64, that a slice, integers, a boolean mask, an id or ids pick from ``ids``."""
    n = len(ids)
    if isinstance(which, slice):
        return np.arange(n)[which]
    if isinstance(which, str):
        which = [which]
    if isinstance(which, Sequence) and which and all(isinstance(each, str) for each in which):
        places = {stimulus_id: i for i, stimulus_id in enumerate(ids)}
        for each in which:
            if each not in places:
                raise UnknownNameError("stimulus", each, ids)
        return np.array([places[each] for each in which])
    index = np.atleast_1d(np.asarray(which))
    if index.dtype == bool:
        if index.shape != (n,):
            raise InputError(f"a mask of shape ({n},)", got=str(index.shape))
        return np.flatnonzero(index)
    if index.size == 0:
        return np.array([], dtype=np.int64)
    if index.ndim != 1 or not np.issubdtype(index.dtype, np.integer):
        raise InputError("a slice, integers, a boolean mask or ids", got=f"{type(which).__name__} {which!r:.60}")
    if index.min() < -n or index.max() >= n:
        raise InputError(f"positions below {n}", got=str(int(index.max() if index.max() >= n else index.min())))
    return np.where(index < 0, index + n, index).astype(np.int64)


@suggest_keywords
def find_places(names: Sequence[str], which: Any) -> list[int]:
    """Positions as :func:`find_positions` has them, where several may have one name: a name picks all of them."""
    if isinstance(which, str):
        which = [which]
    if isinstance(which, list | tuple) and which and all(isinstance(each, str) for each in which):
        for each in which:
            if each not in names:
                raise UnknownNameError("stimulus", str(each), list(dict.fromkeys(names)))
        return [i for each in dict.fromkeys(which) for i, name in enumerate(names) if name == each]
    return find_positions([str(i) for i in range(len(names))], which).tolist()


def draw_fraction(targets: np.ndarray, fraction: float, seed: int, *, balanced: bool) -> np.ndarray:
    """Positions of ``int(n_stimuli * fraction)`` stimuli, ascending; see :meth:`StimulusSet.select_fraction`."""
    n = len(targets)
    if not 0 < fraction <= 1:
        raise InputError("a fraction above 0, at most 1", got=str(fraction))
    n_kept = int(n * fraction)
    if n_kept == 0:
        hint = f"at least {1 / n:.4g}" if n else None
        raise InputError("a fraction that keeps a stimulus", got=f"{fraction} of {n}", hint=hint)
    return draw_balanced(targets, fraction, n_kept, seed) if balanced else draw_plain(n, n_kept, seed)


def draw_plain(n_stimuli: int, n_kept: int, seed: int) -> np.ndarray:
    """Positions of ``n_kept`` of ``n_stimuli`` stimuli, ascending, each subset equally likely."""
    order = make_generator(seed, "fraction").permutation(n_stimuli)
    return np.sort(order[:n_kept])


def draw_balanced(targets: np.ndarray, fraction: float, n_kept: int, seed: int) -> np.ndarray:
    """Positions of ``n_kept`` stimuli, ascending, with each class's share rounded down or up.

    Classes first get ``int(n_class * fraction)``; what is missing to ``n_kept`` goes to the largest remainders,
    equal ones in random order.

    Parameters
    ----------
    targets : (n_stimuli,), int64
    fraction : float
        In (0, 1].
    n_kept : int
        ``int(n_stimuli * fraction)``.
    seed : int
    """
    rng = make_generator(seed, "fraction", "balanced")
    classes, sizes = np.unique(targets, return_counts=True)
    quotas = (sizes * fraction).astype(np.int64)
    remainders = sizes * fraction - quotas
    order = np.lexsort((rng.permutation(len(classes)), -np.round(remainders, 9)))
    quotas[order[: n_kept - int(quotas.sum())]] += 1
    kept = [
        rng.permutation(np.flatnonzero(targets == target))[:quota]
        for target, quota in zip(classes, quotas, strict=True)
    ]
    return np.sort(np.concatenate(kept))


def find_bad_files(stimuli: StimulusSet) -> list[BadFile]:
    """Decode every file of a set on several threads; the unreadable ones, in the set's order."""
    from beholder.stimuli.images._image import open_image
    from beholder.stimuli.sounds._sound import load_sound

    if stimuli.arrays is not None and stimuli.packed is None:
        return []

    def check(i: int) -> str | None:
        try:
            source = stimuli.source(i)
            if stimuli.kind == "sound":
                load_sound(source)
            else:
                open_image(source, draft=(1, 1))
        except StimulusError as error:
            return error.got or str(error)
        return None

    bad: list[BadFile] = []
    with (
        open_threads(min(32, os.cpu_count() or 1)) as pool,
        show_progress(f"check {stimuli.kind}s", len(stimuli), "files") as advance,
    ):
        for i, reason in enumerate(pool.map(check, range(len(stimuli)))):
            advance(1)
            if reason is not None:
                name = stimuli.files[i] or stimuli.ids[i]
                bad.append(BadFile(stimuli.ids[i], name, reason))
    for each in bad:
        logger.warning("bad file %s: %s", each.file, each.reason)
    return bad
