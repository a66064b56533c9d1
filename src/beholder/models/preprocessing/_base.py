"""What turns a stimulus into a network's input, as frozen data: ``prepare`` outside the graph, ``normalize`` inside."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from beholder._core.errors import InputError
from beholder._core.registry import Registry

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


class Preprocessing(ABC):
    """The two parts of preprocessing of one model. Subclasses are frozen dataclasses, so they pickle and compare."""

    @property
    @abstractmethod
    def modality(self) -> str:
        """``"image"``, ``"sound"`` or ``"array"``."""

    @property
    @abstractmethod
    def input_shape(self) -> tuple[int, ...] | None:
        """Shape of one prepared stimulus; None when the network takes any."""

    @property
    @abstractmethod
    def input_range(self) -> tuple[float, float] | None:
        """Range of a prepared stimulus; None when it is unbounded."""

    @property
    @abstractmethod
    def sample_rate(self) -> int | None:
        """Samples per second of a prepared sound; None for what is not a sound."""

    @property
    def supports_uint8(self) -> bool:
        """Whether :meth:`prepare_uint8` and :meth:`normalize_uint8` are the faster road to the same input."""
        return False

    @abstractmethod
    def prepare(self, source: Any) -> np.ndarray:
        """Turn a file, bytes, picture or array into float32 of ``input_shape`` in ``input_range``."""

    @abstractmethod
    def normalize(self, x: Tensor) -> Tensor:
        """Turn a prepared batch into the network's input, differentiably."""

    def prepare_uint8(self, source: Any) -> np.ndarray:
        """Turn a picture into uint8 (height, width, 3), where that is supported."""
        raise self._refuse_uint8()

    def normalize_uint8(self, batch: np.ndarray) -> Tensor:
        """Turn uint8 (n_stimuli, height, width, 3) into the network's input, where that is supported."""
        raise self._refuse_uint8()

    def _refuse_uint8(self) -> InputError:
        return InputError("a preprocessing for pictures", got=f"one for {self.modality}s", hint="prepare and normalize")

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """JSON-able description; :func:`read_preprocessing` reads it back."""

    def list_normalizing(self) -> list[Any]:
        """What :meth:`normalize` goes by, which belongs to the network; empty where it leaves its input as it is."""
        return [self]

    def list_functions(self) -> dict[str, Any]:
        """Functions of the user's that :meth:`prepare` or :meth:`normalize` calls, by the names of their fields."""
        return {}

    @abstractmethod
    def describe(self) -> str:
        """A few words: ``"3×224×224"``."""

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> Preprocessing:
        """From what :meth:`to_dict` gave, without ``kind``; a ``base`` that is a table has been read."""
        raise InputError("a preprocessing that a file can describe", got=f"a {cls.__name__}")


PREPROCESSINGS: Registry[type[Preprocessing]] = Registry(
    "kind of preprocessing", "beholder.preprocessing", modules="beholder.models.preprocessing._*"
)
"""Kinds of preprocessing by name."""


def describe_fields(kind: str, preprocessing: Any) -> dict[str, Any]:
    """JSON-able description of a preprocessing that is a dataclass of plain values."""
    import dataclasses

    fields = dataclasses.asdict(preprocessing).items()
    return {"kind": kind, **{name: list(value) if isinstance(value, tuple) else value for name, value in fields}}


def read_fields(cls: type, table: Mapping[str, Any]) -> dict[str, Any]:
    """Its fields from such a description; ``crop = 224`` means a square."""
    check_fields(cls, table)
    fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in table.items()}
    if isinstance(fields.get("crop"), int):
        fields["crop"] = (fields["crop"], fields["crop"])
    return fields


def check_fields(cls: type, table: Mapping[str, Any]) -> None:
    """Refuse fields that a preprocessing does not have."""
    import dataclasses

    known = [field.name for field in dataclasses.fields(cls)]
    unknown = sorted(set(table) - set(known))
    if unknown:
        raise InputError(f"fields of a preprocessing among {', '.join(known)}", got=", ".join(unknown))
