"""Beholder: neural networks as observers in perception experiments.

>>> import beholder as bh
>>> net = bh.load_model("beholder:shapes")
"""

from beholder._core.lazy import attach

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Activations": "beholder.activations",
        "BeholderError": "beholder._core.errors",
        "Exposure": "beholder.stimuli",
        "InputError": "beholder._core.errors",
        "Judgement": "beholder.evaluation",
        "LayerActivations": "beholder.activations",
        "Model": "beholder.models",
        "StimulusSet": "beholder.stimuli",
        "Unit": "beholder.models",
        "UnitList": "beholder.models",
        "Visualizations": "beholder.synthesis",
        "capture": "beholder.activations",
        "compute_rdm": "beholder.activations",
        "correlate_rdms": "beholder.activations",
        "dataloader": "beholder.activations",
        "describe_layers": "beholder.models",
        "extract": "beholder.activations",
        "extract_panel": "beholder.activations",
        "find_exemplars": "beholder.units",
        "judge_metamers": "beholder.evaluation",
        "list_models": "beholder.models",
        "load_lazy_activations": "beholder.activations",
        "load_model": "beholder.models",
        "load_panel": "beholder.models",
        "make_metamers": "beholder.synthesis",
        "null_distribution": "beholder.synthesis",
        "map_units": "beholder.units",
        "open": "beholder.activations",
        "optimize_units": "beholder.synthesis",
        "plot_rdm": "beholder.figures",
        "process_activations": "beholder.activations",
        "record_units": "beholder.units",
        "register_model": "beholder.models",
        "sample_units": "beholder.units",
        "select_layers": "beholder.models",
        "sparsity": "beholder.activations",
        "wrap": "beholder.models",
        "write_exemplars": "beholder.units",
        "verify_outputs": "beholder.jobs",
        "write_report": "beholder.report",
    },
)
