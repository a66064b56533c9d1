"""Hooks on copies of a network, one copy a thread."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Mapping
from typing import final

from beholder.activations.forward._grammar import LayerRef
from beholder.activations.forward._hooks import Tap
from beholder.models import Model, ThreadModels


@final
class ThreadTaps:
    """Copies of a model for passes side by side, with hooks on sets of layers.

    The hooks are on the copies and go with them; nothing need be closed.

    Parameters
    ----------
    model : Model
    channels_last : bool
        As for :func:`beholder.models.copy_model`.
    gives_output : bool
        As for :class:`~beholder.activations.forward._hooks.Tap`.
    """

    def __init__(self, model: Model, *, channels_last: bool = False, gives_output: bool = False) -> None:
        self.models = ThreadModels(model, channels_last=channels_last)
        self._gives_output = gives_output
        self._here = threading.local()

    def get(self, key: Hashable, refs: Mapping[str, LayerRef]) -> tuple[Model, Tap]:
        """The copy of the thread that asks, and hooks on it for the layers that go by ``key``."""
        model = self.models.get()
        taps: dict[Hashable, Tap] = self._here.__dict__.setdefault("taps", {})
        if key not in taps:
            taps[key] = Tap(model.module, refs, gives_output=self._gives_output)
        return model, taps[key]
