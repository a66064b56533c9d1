"""The 793 words that networks of sounds were trained to name, and deciding which one a network's outputs mean."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from beholder._core.errors import InputError, suggest_keywords

_DATA = Path(__file__).parents[1] / "_data"

NO_WORD = "__nullSignal__"
"""The name of output 0, which stands for no speech."""


@lru_cache(maxsize=1)
def load_words() -> tuple[str, ...]:
    """The 794 outputs in order: :data:`NO_WORD`, then 793 words, alphabetical.

    Source: the Word-Speaker-Noise set of Feather, Durango, Gonzalez & McDermott (2019), Metamers of neural networks
    reveal divergence from human perceptual systems.

    >>> len(load_words()), load_words()[1], load_words()[793]
    (794, 'ability', 'young')
    """
    return tuple((_DATA / "words.txt").read_text(encoding="utf-8").split())


@suggest_keywords
def decide_word(values: np.ndarray) -> np.ndarray:
    """Say which word a network's outputs mean: that of the highest; of equal ones the first.

    Parameters
    ----------
    values : numpy.ndarray
        (n_stimuli, 794), probabilities or logits in the order of :func:`load_words`.

    Returns
    -------
    numpy.ndarray
        (n_stimuli,), words.

    Raises
    ------
    InputError
        Another shape, or values that are NaN.

    >>> decide_word(np.eye(794)[[1, 793]]).tolist()
    ['ability', 'young']
    """
    values = np.asarray(values)
    words = np.array(load_words())
    if values.ndim != 2 or values.shape[1] != len(words):
        raise InputError(f"outputs of shape (n_stimuli, {len(words)})", got=str(values.shape))
    if np.isnan(values).any():
        raise InputError("outputs without NaN", got=f"NaN for stimulus {int(np.isnan(values).any(axis=1).argmax())}")
    return words[values.argmax(axis=1)]
