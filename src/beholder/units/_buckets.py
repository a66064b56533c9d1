"""The bucket scheme: from ranks to batches of nine references and one query.

Source: Zimmermann et al. 2023, "Scale alone does not improve mechanistic interpretability in vision
models", and the stimulus code released with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.seeds import make_generator
from beholder.models import Unit
from beholder.units._windows import N_POSITIONS, N_REFERENCES, Windows

SIGNS = ("min", "max")


@suggest_keywords
def rank_stimuli(values: np.ndarray, stimulus_ids: Sequence[str]) -> np.ndarray:
    """Order stimuli by activation, ties by id, whatever order they come in.

    Parameters
    ----------
    values : (n_stimuli,), float
        Activations of one unit, without NaN.
    stimulus_ids : sequence of str
        (n_stimuli,).

    Returns
    -------
    (n_stimuli,), int64
        ``order[rank]`` is the position of the stimulus of that rank, the weakest first.
    """
    by_id = np.argsort(np.asarray(stimulus_ids, dtype=np.str_), kind="stable")
    return order_by_value(values, by_id)


def order_by_value(values: np.ndarray, by_id: np.ndarray) -> np.ndarray:
    """:func:`rank_stimuli` with the order of the ids at hand."""
    return by_id[np.argsort(values[by_id], kind="stable")]


@suggest_keywords
def assign_unit(windows: Windows, unit: Unit, seed: int) -> np.ndarray:
    """Ranks of one unit's exemplars.

    The references of a sign, from weakest to strongest, are cut into nine buckets of B; the B queries, drawn
    without replacement from the window, are the tenth. Each bucket is shuffled, and batch b takes the b-th of each.

    Parameters
    ----------
    windows : Windows
        Valid ones.
    unit : Unit
        Only its name matters: a unit's batches do not depend on the other units.
    seed : int

    Returns
    -------
    (2, n_batches, 10), int64
        Ranks in ascending order of activation, for min and max; the last position is the query.

    Examples
    --------
    >>> from beholder.units import plan_windows
    >>> assign_unit(plan_windows(20, num_batches=1), Unit("conv1", 0), seed=42)[1]
    array([[11, 12, 13, 14, 15, 16, 17, 18, 19, 10]])
    """
    dealt = np.empty((2, windows.num_batches, N_POSITIONS), np.int64)
    for which, sign in enumerate(SIGNS):
        generator = make_generator(seed, "exemplars", unit.layer, unit.channel, sign)
        size = windows.num_batches
        for position, bucket in enumerate(_iter_buckets(windows, sign)):
            dealt[which, :, position] = generator.permutation(bucket)
        start, stop = _get_window(windows, sign)
        dealt[which, :, N_REFERENCES] = start + generator.choice(stop - start, size=size, replace=False)
    return dealt


def assign_top(windows: Windows) -> np.ndarray:
    """Ranks of the most extreme stimuli of each sign, for every unit the same.

    Parameters
    ----------
    windows : Windows
        With ``top``.

    Returns
    -------
    (2, 1, top), int64
        For min and max, the most extreme last.

    Examples
    --------
    >>> from beholder.units import plan_top
    >>> assign_top(plan_top(20, 3)).tolist()
    [[[2, 1, 0]], [[17, 18, 19]]]
    """
    n = windows.n_references
    return np.stack([np.arange(n)[::-1], np.arange(windows.n_stimuli - n, windows.n_stimuli)])[:, None]


def _iter_buckets(windows: Windows, sign: str) -> Iterator[np.ndarray]:
    """The ranks of each bucket of references, from the weakest bucket to the strongest."""
    size = windows.num_batches
    for position in range(N_REFERENCES):
        step = N_REFERENCES - position
        start = (step - 1) * size if sign == "min" else windows.n_stimuli - step * size
        yield np.arange(start, start + size)


def _get_window(windows: Windows, sign: str) -> tuple[int, int]:
    if sign == "min":
        return windows.start_min, windows.stop_min
    return windows.start_max, windows.stop_max


@suggest_keywords
def assign_released(windows: Windows, units: Iterable[Unit], seed: int) -> dict[Unit, np.ndarray]:
    """Ranks of all units' exemplars as the released code draws them, from one stream of numbers.

    The units are taken layer by layer, in the order in which layers first occur; those before a unit decide its
    batches.

    Parameters
    ----------
    windows : Windows
        Exactly ``num_batches`` ranks wide.
    units : iterable of Unit
        All of them, in order.
    seed : int
        From 0 to 2**32 - 1.

    Returns
    -------
    dict of Unit to (2, n_batches, 10), int64
        As :func:`assign_unit`.
    """
    size = windows.num_batches
    if windows.stop_min - windows.start_min != size or windows.stop_max - windows.start_max != size:
        raise InputError(
            f"windows of exactly {size} ranks with --scheme released", got=windows.to_flags(),
            hint="--scheme document, which draws from wider ones",
        )  # fmt: skip
    if not 0 <= seed < 2**32:
        raise InputError("a seed from 0 to 4294967295 with --scheme released", got=str(seed))
    by_layer: dict[str, list[Unit]] = {}
    for unit in units:
        by_layer.setdefault(unit.layer, []).append(unit)
    stream = np.random.RandomState(seed)
    n_stimuli, n_references = windows.n_stimuli, windows.n_references
    low = [*range(windows.start_min, windows.stop_min), *range(n_references)][::-1]
    high = [*range(n_stimuli - n_references, n_stimuli), *range(windows.start_max, windows.stop_max)]
    dealt = {}
    for unit in (unit for members in by_layer.values() for unit in members):
        buckets = []
        for ranks in (low, high):
            parts = [ranks[i * size : (i + 1) * size] for i in range(N_POSITIONS)]
            for part in parts:
                stream.shuffle(part)
            buckets.append(np.array(parts, dtype=np.int64).T)
        dealt[unit] = np.stack(buckets)
    return dealt
