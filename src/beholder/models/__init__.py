"""Networks by name: sources, catalog, weights, preprocessing, layers.

>>> import beholder as bh
>>> bh.models.find_alias("alexnet").source
'torchvision'
"""

from beholder._core.lazy import attach

_RENAMED = {
    "Blueprint": "ModelDefinition",
    "iterate_training_batches": "iter_training_batches",
    "place_model": "open_model",
}

__getattr__, __dir__, __all__ = attach(__name__, __file__, _RENAMED)
