"""Activations: capture, extraction, the store and its readers, other formats, similarity measures."""

from beholder._core.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__, {"iterate_unit_values": "iter_unit_values"})
