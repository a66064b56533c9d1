"""A procedural set of sounds: sixteen syllables, spoken by code, seeded.

A consonant (b, d, s, sh) and a vowel (a, e, i, u). The speaker's size and pitch, the syllable's place in its second,
its lengths and levels, the microphone's tilt and the background noise are drawn independently of the category, so that
none of them gives it away.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED, derive_seed, make_generator
from beholder.stimuli.sounds._sound import save_sound, set_rms
from beholder.stimuli.sounds._syllable_synthesis import CONSONANTS, RATE, VOWELS, speak

if TYPE_CHECKING:
    from beholder.stimuli.sets._set import StimulusSet

SYLLABLE_CATEGORIES: tuple[str, ...] = tuple(sorted(consonant + vowel for consonant in CONSONANTS for vowel in VOWELS))
"""The sixteen categories in class order, which is alphabetical."""

SYLLABLE_RATE = RATE
"""Samples per second."""

RMS = 0.1


@suggest_keywords
def make_syllable(category: str, seed: int) -> np.ndarray:
    """Speak one syllable of a category.

    Parameters
    ----------
    category : str
        One of :data:`SYLLABLE_CATEGORIES`.
    seed : int
        Picks the sound. The same category and seed give the same samples.

    Returns
    -------
    numpy.ndarray
        (16000,), float32: one second at 16 kHz, RMS 0.1, no mean.

    Raises
    ------
    UnknownNameError
        There is no such category.

    Examples
    --------
    >>> make_syllable("sha", 0).shape
    (16000,)
    """
    if category not in SYLLABLE_CATEGORIES:
        raise UnknownNameError("syllable", category, SYLLABLE_CATEGORIES)
    rng = make_generator(seed, "syllables", category)
    return set_rms(speak(CONSONANTS[category[:-1]], VOWELS[category[-1]], rng), RMS)


@suggest_keywords
def draw_syllables_set(folder: Path | str, n_per_category: int = 10, seed: int = DEFAULT_SEED) -> StimulusSet:
    """Speak the procedural set into a folder, one class folder of WAV files a category.

    The first sounds of a category do not depend on how many are asked for.

    Parameters
    ----------
    folder : path
        Made if absent. Files are ``{category}/{category}_{i:04d}.wav``, i from 0.
    n_per_category : int
        Sounds a category, at least 1.
    seed : int
        Another seed gives other sounds: use one for training and one for testing.

    Returns
    -------
    StimulusSet
        Targets follow :data:`SYLLABLE_CATEGORIES`.

    Raises
    ------
    InputError
        ``n_per_category`` is below 1, or the folder cannot be written.
    """
    from beholder.stimuli.sets._set import StimulusSet

    if n_per_category < 1:
        raise InputError("at least 1 sound a category", got=str(n_per_category))
    folder = Path(folder)
    for category in SYLLABLE_CATEGORIES:
        for i in range(n_per_category):
            sound = make_syllable(category, derive_seed(seed, "syllables set", category, i))
            save_sound(folder / category / f"{category}_{i:04d}.wav", sound, SYLLABLE_RATE)
    return StimulusSet.from_folder(folder)
