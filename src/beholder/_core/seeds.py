"""Seeds for independent parts of one experiment.

A seed is derived from the experiment's seed and a path of words, never drawn from a shared
stream, so that no part's numbers depend on which other parts exist or in which order they run.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

DEFAULT_SEED = 42


def derive_seed(seed: int, *path: str | int) -> int:
    """A 63-bit seed for the part named by ``path``.

    >>> derive_seed(42, "fraction") == derive_seed(42, "fraction")
    True
    >>> derive_seed(42, "exposure", "dog_01", 1) == derive_seed(42, "exposure", "dog_01", 2)
    False
    """
    text = "\x1f".join([str(int(seed)), *(str(part) for part in path)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def make_generator(seed: int, *path: str | int) -> np.random.Generator:
    """A numpy generator (PCG64) for the part named by ``path``."""
    import numpy as np

    return np.random.Generator(np.random.PCG64(derive_seed(seed, *path)))
