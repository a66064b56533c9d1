"""Activations: capture, extraction, the store and its readers, other formats, similarity measures."""

from beholder._core.lazy import attach

_RENAMED = {
    "iterate_unit_values": "iter_unit_values",
    "check_modality": "beholder.models.check_modality",
    "load_stimulus": "beholder.models.load_stimulus",
    "name_bad_stimulus": "beholder.models.name_bad_stimulus",
}

__getattr__, __dir__, __all__ = attach(__name__, __file__, _RENAMED)
