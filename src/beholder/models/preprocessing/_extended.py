"""A ready preprocessing, and a step of the user's own before the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

from beholder._core.errors import InputError
from beholder.models.preprocessing._base import PREPROCESSINGS, Preprocessing

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


@PREPROCESSINGS.register("extended")
@final
@dataclass(frozen=True)
class ExtendedPreprocessing(Preprocessing):
    """What ``base`` does to a stimulus, and ``then`` after its ``normalize``.

    Parameters
    ----------
    base : Preprocessing
    then : callable
        ``then(batch) -> batch``, differentiable.
    """

    base: Preprocessing
    then: Callable[[Tensor], Tensor]

    @property
    def modality(self) -> str:
        """That of ``base``."""
        return self.base.modality

    @property
    def input_shape(self) -> tuple[int, ...] | None:
        """That of ``base``."""
        return self.base.input_shape

    @property
    def input_range(self) -> tuple[float, float] | None:
        """That of ``base``."""
        return self.base.input_range

    @property
    def sample_rate(self) -> int | None:
        """That of ``base``."""
        return self.base.sample_rate

    def prepare(self, source: Any) -> np.ndarray:
        """As ``base``."""
        return self.base.prepare(source)

    def normalize(self, x: Tensor) -> Tensor:
        """As ``base``, then ``then``."""
        return self.then(self.base.normalize(x))

    def to_dict(self) -> dict[str, Any]:
        """JSON-able description; a function of the user's own is named, not kept."""
        name = getattr(self.then, "__qualname__", type(self.then).__qualname__)
        return {"kind": "extended", "base": self.base.to_dict(), "then": name}

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> ExtendedPreprocessing:
        """From a table whose ``base`` has been read, and whose ``then`` is ``"add_channel"``."""
        if table.get("then") != add_channel.__qualname__:
            raise InputError("a preprocessing that a file can describe", got="one made of the user's functions")
        return cls(table["base"], add_channel)

    def describe(self) -> str:
        """As ``base``."""
        return self.base.describe()


def add_channel(x: Tensor) -> Tensor:
    """(n, n_samples) as (n, 1, n_samples), which 1-D convolutions take."""
    return x[:, None]
