"""Pairs of natural stimuli for a null distribution: pure functions of the seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import final

import numpy as np

from beholder._core.errors import InputError
from beholder._core.seeds import make_generator
from beholder._core.wording import format_count

_GROUP = 16
PAIRS_PER_BLOCK = _GROUP**2
STIMULI_PER_BLOCK = 2 * _GROUP


@final
@dataclass(frozen=True)
class Block:
    """Pairs that are measured together.

    Attributes
    ----------
    index : int
        Which block of its seed and split.
    n_pairs : int
        How many of its pairs are asked for: all, but of the last block.
    """

    index: int
    n_pairs: int


def count_all_pairs(n_stimuli: int) -> int:
    """Pairs of two different stimuli: n (n − 1) / 2. Both correlations are the same either way round.

    >>> count_all_pairs(6)
    15
    """
    return n_stimuli * (n_stimuli - 1) // 2


def count_pairs_per_block(n_stimuli: int, *, shuffle: bool) -> int:
    """Pairs in one block: every stimulus of a shuffled block stands in several pairs."""
    return min(PAIRS_PER_BLOCK, count_all_pairs(n_stimuli)) if shuffle else PAIRS_PER_BLOCK


def cut_blocks(n_pairs: int, per_block: int) -> list[Block]:
    """Blocks for so many pairs."""
    return [Block(i, min(per_block, n_pairs - i * per_block)) for i in range(-(-n_pairs // per_block))]


def draw_block_pairs(n_stimuli: int, seed: int, split: int, block: Block) -> np.ndarray:
    """Random pairs of one block, (n_pairs, 2), positions; the first of a pair is the signal.

    Of one seed and split every pair comes once, either way round by chance, until there are no more: the stimuli, in
    random order, are cut into groups of 16, and blocks are the pairs between two groups, in random order, so that a
    stimulus goes through the network once for 16 pairs; the pairs within groups follow. Fewer pairs are the first ones
    of more.

    Parameters
    ----------
    n_stimuli : int
        At least 2.
    seed, split : int
    block : Block
        Of those that :func:`cut_blocks` gives for at most :func:`count_all_pairs`.

    Examples
    --------
    >>> few, many = (draw_block_pairs(100, 0, 0, Block(1, n)) for n in (3, 9))
    >>> bool((few == many[:3]).all())
    True
    """
    members, firsts, seconds, ends = _order_groups(n_stimuli, seed, split)
    start = block.index * count_pairs_per_block(n_stimuli, shuffle=True)
    stop = start + block.n_pairs
    parts = []
    for k in range(int(np.searchsorted(ends, start, "right")), int(np.searchsorted(ends, stop - 1, "right")) + 1):
        a, b = (members[_GROUP * g[k] : _GROUP * (g[k] + 1)] for g in (firsts, seconds))
        rows, columns = np.triu_indices(len(a), 1) if firsts[k] == seconds[k] else np.indices((len(a), len(b)))
        pairs = np.stack([a[rows.ravel()], b[columns.ravel()]], 1)
        generator = make_generator(seed, "null pairs", split, k)
        pairs = pairs[generator.permutation(len(pairs))]
        swap = generator.random(len(pairs)) < 0.5
        pairs[swap] = pairs[swap][:, ::-1]
        before = int(ends[k]) - len(pairs)
        parts.append(pairs[max(0, start - before) : stop - before])
    return np.concatenate(parts)


@lru_cache(maxsize=4)
def _order_groups(n_stimuli: int, seed: int, split: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Stimuli in random order; pairs of groups in random order, whole ones first; the number of pairs up to each."""
    generator = make_generator(seed, "null groups", split)
    members = generator.permutation(n_stimuli)
    sizes = np.full(-(-n_stimuli // _GROUP), _GROUP)
    sizes[-1] = n_stimuli - _GROUP * (len(sizes) - 1)
    first, second = np.triu_indices(len(sizes))
    counts = np.where(first == second, sizes[first] * (sizes[first] - 1) // 2, sizes[first] * sizes[second])
    order = generator.permutation(len(first))
    order = order[np.argsort(counts[order] != PAIRS_PER_BLOCK, kind="stable")]
    order = order[counts[order] > 0]
    return members, first[order], second[order], np.cumsum(counts[order])


def find_repeated_pairs(pairs: np.ndarray, twins: np.ndarray) -> np.ndarray:
    """Which pairs are of one stimulus, or came before, either way round: (n_pairs,), bool.

    Parameters
    ----------
    pairs : (n_pairs, 2), int
        Positions.
    twins : (n_stimuli,), int
        The first stimulus with the same content.

    >>> find_repeated_pairs(np.array([[0, 1], [1, 0], [2, 3], [1, 2]]), np.array([0, 1, 2, 2])).tolist()
    [False, True, True, False]
    """
    own = np.sort(twins[pairs], axis=1)
    again = np.ones(len(own), dtype=bool)
    again[np.unique(own, axis=0, return_index=True)[1]] = False
    return again | (own[:, 0] == own[:, 1])


def list_block_pairs(n_stimuli: int, n_pairs: int, split: int, block: Block) -> np.ndarray:
    """Neighbouring stimuli in order, (n_pairs, 2): the stimuli from ``2 · n_pairs · split`` on, two by two.

    Parameters
    ----------
    n_stimuli : int
    n_pairs : int
        Pairs of one split.
    split : int
    block : Block

    Raises
    ------
    InputError
        There are not as many stimuli.
    """
    needed = 2 * n_pairs * (split + 1)
    if n_stimuli < needed:
        raise InputError(
            f"{needed} stimuli for {format_count(n_pairs, 'pair')} in order, from the {2 * n_pairs * split}th on",
            got=f"{n_stimuli}", hint="fewer pairs with -N, or --shuffle",
        )  # fmt: skip
    start = 2 * (n_pairs * split + block.index * PAIRS_PER_BLOCK)
    return np.arange(start, start + 2 * block.n_pairs).reshape(-1, 2)


def log_same_class(labels: Sequence[str], pairs: np.ndarray) -> float:
    """Proportion of the pairs whose stimuli are of one class."""
    classes = np.asarray(labels)
    return float((classes[pairs[:, 0]] == classes[pairs[:, 1]]).mean()) if len(pairs) else 0.0
