"""Networks as judges: what other networks make of metamers, and how that goes with people, attacks and brains."""

from beholder._core.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Correlation": "._intervals",
        "JUDGEMENT_COLUMNS": "._judgement_table",
        "Judgement": "._judgement",
        "NetworkScatter": "._scatter",
        "NetworkObserver": "._participant",
        "Vocabulary": "._verdicts",
        "bootstrap_share": "._intervals",
        "compare_networks": "._scatter",
        "correlate": "._intervals",
        "describe_layers_figure": "._words",
        "describe_matrix_figure": "._words",
        "describe_scatter_figure": "._words",
        "find_metamer_sets": "._metamer_sets",
        "find_reference": "._verdicts",
        "judge_metamers": "._judge",
        "list_vocabularies": "._verdicts",
        "prepare_saved": "._saved_stimuli",
        "read_attacked_accuracy": "._network_files",
        "read_brain_prediction": "._network_files",
        "read_human_recognition": "._network_files",
        "read_judgements": "._judgement",
        "shorten_names": "._judgement",
        "summarize_verdicts": "._summaries",
    },
)
