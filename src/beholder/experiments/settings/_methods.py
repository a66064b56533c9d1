"""Names of adaptive methods; the classes lie above, in ``adaptive``, and in other packages."""

from __future__ import annotations

from typing import Any

from beholder._core.registry import Registry

METHODS: Registry[Any] = Registry(
    "adaptive method", "beholder.adaptive_methods", modules="beholder.experiments.adaptive._*"
)
"""Name of an adaptive method to its class, an :class:`AdaptiveProcedure`."""
