"""Activations: capture, extraction, the store and its readers, other formats, similarity measures.

>>> import beholder as bh
>>> bh.activations.parse_layer("layer1.0.relu@3:in").call
3
"""

from beholder._core.lazy import attach

_RENAMED = {
    "iterate_unit_values": "iter_unit_values",
    "check_modality": "beholder.models.check_modality",
    "load_stimulus": "beholder.models.load_stimulus",
    "name_bad_stimulus": "beholder.models.name_bad_stimulus",
}

__getattr__, __dir__, __all__ = attach(__name__, __file__, _RENAMED)
