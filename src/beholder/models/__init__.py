"""Networks by name: sources, catalog, weights, preprocessing, layers."""

from beholder._core.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Alias": "._source",
        "ArrayPreprocessing": "._preprocessing",
        "Blueprint": "._source",
        "ImagePreprocessing": "._preprocessing",
        "LayerInfo": "._layer_tree",
        "Model": "._model",
        "ModelSpec": "._model",
        "Preprocessing": "._preprocessing",
        "SOURCES": "._source",
        "SoundPreprocessing": "._preprocessing",
        "Source": "._source",
        "Weights": "._source",
        "describe_layers": "._layer_tree",
        "fetch_weights": "._listing",
        "find_alias": "._catalog",
        "list_aliases": "._catalog",
        "list_models": "._listing",
        "load_model": "._load",
        "load_panel": "._panel",
        "pick_device": "._devices",
        "read_preprocessing": "._preprocessing",
        "read_weights": "._weights",
        "register_model": "._catalog",
        "render_layer_tree": "._layer_tree",
        "resolve_model": "._load",
        "select_layers": "._layer_tree",
        "unwrap_module": "._wrap",
        "wrap": "._wrap",
    },
)
