"""Experiments: design, task folders, server, simulated participants. Knows no models."""

from beholder._core.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Adaptive": "._settings",
        "Exclusion": "._settings",
        "Experiment": "._experiment",
        "KINDS": "._settings",
        "PRESETS": "._presets",
        "Practice": "._settings",
        "Settings": "._settings",
        "Task": "._experiment",
        "Trial": "._experiment",
        "TrialUnit": "._experiment",
        "get_preset": "._presets",
        "make_settings": "._presets",
        "name_preset": "._presets",
        "parse_assignments": "._settings",
        "read_experiment": "._experiment",
    },
)
