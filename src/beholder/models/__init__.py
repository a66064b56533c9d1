"""Networks by name: sources, catalog, weights, preprocessing, layers."""

from beholder._core.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__, __file__, {"Blueprint": "ModelDefinition", "iterate_training_batches": "iter_training_batches"}
)
