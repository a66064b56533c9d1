"""Activations: capture, extraction, the store and its readers, other formats, similarity measures."""

from beholder._core.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Activations": "._lazy",
        "LayerActivations": "._lazy",
        "capture": "._capture",
        "extract": "._extract",
        "parse_layer": "._grammar",
        "compute_rdm": "._similarity",
        "correlate_rdms": "._similarity",
        "sparsity": "._similarity",
        "tensor2slices": "._slices",
        "slices2tensor": "._slices",
        "get_shape": "._slices",
        "split_activations": "._splits",
        "merge_activations": "._splits",
        "load_lazy_activations": "._panel_readers",
        "load_model_activations_lazy": "._panel_readers",
        "get_available_models": "._panel_readers",
        "get_available_images": "._panel_readers",
        "get_available_layers": "._panel_readers",
        "get_activation_shape": "._panel_readers",
    },
)
