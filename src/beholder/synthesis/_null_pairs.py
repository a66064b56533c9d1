"""Pairs of natural stimuli for a null distribution: pure functions of the seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from beholder._core.errors import InputError
from beholder._core.seeds import make_generator

PAIRS_PER_BLOCK = 240
STIMULI_PER_BLOCK = 32


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


def count_pairs_per_block(n_stimuli: int, *, shuffle: bool) -> int:
    """Pairs in one block: every stimulus of a shuffled block stands in several pairs."""
    if not shuffle:
        return PAIRS_PER_BLOCK
    members = min(STIMULI_PER_BLOCK, n_stimuli)
    return min(PAIRS_PER_BLOCK, members * (members - 1) // 2)


def cut_blocks(n_pairs: int, per_block: int) -> list[Block]:
    """Blocks for so many pairs."""
    return [Block(i, min(per_block, n_pairs - i * per_block)) for i in range(-(-n_pairs // per_block))]


def draw_block_pairs(n_stimuli: int, seed: int, split: int, block: Block) -> np.ndarray:
    """Random pairs of one block, (n_pairs, 2), positions; the first of a pair is the signal.

    A block draws 32 stimuli without replacement, and its pairs among all of them without replacement, so that a
    stimulus goes through the network once for about 15 pairs; each pair is uniform over all pairs. Fewer pairs are the
    first ones of more.

    Parameters
    ----------
    n_stimuli : int
        At least 2.
    seed, split : int
    block : Block

    Examples
    --------
    >>> few, many = (draw_block_pairs(100, 0, 0, Block(1, n)) for n in (3, 9))
    >>> bool((few == many[:3]).all())
    True
    """
    generator = make_generator(seed, "null pairs", split, block.index)
    members = generator.permutation(n_stimuli)[:STIMULI_PER_BLOCK]
    first, second = np.triu_indices(len(members), 1)
    order = generator.permutation(len(first))
    swap = generator.random(len(first)) < 0.5
    pairs = np.stack([members[first], members[second]], 1)[order]
    pairs[swap] = pairs[swap][:, ::-1]
    return pairs[: block.n_pairs]


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
            f"{needed} stimuli for {n_pairs} pairs in order, from the {2 * n_pairs * split}th on",
            got=f"{n_stimuli}", hint="fewer pairs with -N, or --shuffle",
        )  # fmt: skip
    start = 2 * (n_pairs * split + block.index * PAIRS_PER_BLOCK)
    return np.arange(start, start + 2 * block.n_pairs).reshape(-1, 2)


def tell_same_class(labels: Sequence[str], pairs: np.ndarray) -> float:
    """Share of the pairs whose stimuli are of one class."""
    classes = np.asarray(labels)
    return float((classes[pairs[:, 0]] == classes[pairs[:, 1]]).mean()) if len(pairs) else 0.0
