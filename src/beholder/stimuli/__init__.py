"""Stimuli: sets of pictures and sounds, reading and showing them, and drawn sets. Loads no torch."""

from beholder._core.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    __file__,
    {
        "tell_passed": "format_passed",
        "tell_state": "find_asset_state",
        "tell_steps": "format_steps",
    },
)
