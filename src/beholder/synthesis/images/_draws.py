"""Random numbers that are a function of (seed, step, stream) alone.

No generator carries a state from step to step: what an image draws at a step does not depend on which
other images are in the batch, nor on how often the work was interrupted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from beholder._core.errors import suggest_keywords
from beholder._core.seeds import make_generator

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_TWO_TO_MINUS_53 = 2.0**-53


def _mix(z: np.ndarray) -> np.ndarray:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014)."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@suggest_keywords
def draw_uniform(seeds: Sequence[int] | np.ndarray, step: int, stream: int, n_draws: int) -> np.ndarray:
    """Uniform numbers in (0, 1), a row of independent draws for each seed.

    Parameters
    ----------
    seeds : (n,) non-negative integers
    step, stream : int
        Two counters: when, and for what.
    n_draws : int

    Returns
    -------
    ndarray, (n, n_draws), float64

    Examples
    --------
    >>> bool((draw_uniform([7, 8], 3, 0, 2)[1] == draw_uniform([8], 3, 0, 2)[0]).all())
    True
    """
    key = np.asarray(seeds, dtype=np.uint64)
    for counter in (step, stream):
        key = _mix(key + _GOLDEN * np.asarray([counter + 1], dtype=np.uint64))
    words = _mix(key[:, None] + _GOLDEN * np.arange(1, n_draws + 1, dtype=np.uint64))
    return ((words >> np.uint64(11)).astype(np.float64) + 0.5) * _TWO_TO_MINUS_53


def draw_normal(seeds: Sequence[int] | np.ndarray, step: int, stream: int, n_draws: int) -> np.ndarray:
    """Standard normal numbers; see :func:`draw_uniform`."""
    from scipy.special import ndtri

    return ndtri(draw_uniform(seeds, step, stream, n_draws))


def draw_normal_field(seed: int, shape: tuple[int, ...], *path: str | int) -> np.ndarray:
    """A whole array of standard normal numbers for one seed, float32."""
    return make_generator(seed, *path).standard_normal(shape, dtype=np.float32)


@final
@dataclass(frozen=True)
class Draws:
    """The random numbers of one transform at one step, a row an image.

    Parameters
    ----------
    seeds : (n,) uint64
        One an image.
    step : int
    stream : int
        Which transform of the chain draws.
    """

    seeds: np.ndarray
    step: int
    stream: int

    def uniform(self, n_draws: int, low: float = 0.0, high: float = 1.0) -> np.ndarray:
        """Uniform in (low, high), (n, n_draws)."""
        return low + (high - low) * draw_uniform(self.seeds, self.step, self.stream, n_draws)

    def normal(self, n_draws: int) -> np.ndarray:
        """Standard normal, (n, n_draws)."""
        return draw_normal(self.seeds, self.step, self.stream, n_draws)

    def field(self, shape: tuple[int, ...], *, kind: str = "normal") -> np.ndarray:
        """A whole array for each image, (n, *shape), float32: ``"normal"`` or ``"uniform"`` in [0, 1)."""
        fields = []
        for seed in self.seeds:
            generator = make_generator(int(seed), "field", kind, self.step, self.stream)
            draw = generator.standard_normal if kind == "normal" else generator.random
            fields.append(draw(shape, dtype=np.float32))
        return np.stack(fields)
