"""Units: drawn from a network's layers, recorded over stimuli, and the stimuli that drive them most and least."""

from beholder._core.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Accuracy": "._accuracy",
        "Exemplars": "._exemplars",
        "Windows": "._windows",
        "deal_released": "._deal",
        "deal_unit": "._deal",
        "deal_units": "._split",
        "draw_units": "._sample",
        "find_exemplars": "._exemplars",
        "list_unit_layers": "._layers",
        "find_grids": "._map_grid",
        "map_units": "._maps",
        "measure_accuracy": "._accuracy",
        "occlude_units": "._occlude",
        "place_patches": "._occlude",
        "plan_windows": "._windows",
        "rank_stimuli": "._deal",
        "record_units": "._record",
        "sample_units": "._sample",
        "split_units": "._split",
        "write_exemplars": "._exemplar_files",
    },
)
