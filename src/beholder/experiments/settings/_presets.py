"""Settings of published experiments, and sensible ones for the other kinds of task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from beholder._core.errors import InputError, UnknownNameError
from beholder.experiments.settings._settings import KINDS, Exclusion, Practice, Settings


def _make_zimmermann_2afc() -> Settings:
    return Settings(
        kind="2afc",
        background="#747474",
        n_references_shown=9,
        confidence_steps=3,
        running_score=True,
        disabled_ms=1500,
        feedback="always",
        feedback_delay_ms=350,
        feedback_ms=1150,
        instructions=("units", "references", "queries", "confidence", "feedback", "practice"),
        practice=Practice(n_with_feedback=5, n_obvious=4, n_required=5, max_blocks=5),
        shuffle_trials=False,
        min_width=940,
        min_height=600,
        fullscreen=True,
        exclusion=Exclusion(
            catch_ratio_min=0.8,
            time_s_min=135.0,
            time_s_max=2500.0,
            instructions_s_min=15.0,
            row_choices_min=5,
            practice_blocks_max=3,
        ),
    )


def _make_zimmermann_counterfactual() -> Settings:
    return _make_zimmermann_2afc().replace(
        {
            "kind": "counterfactual",
            "running_score": False,
            "feedback": "practice",
            "instructions": ["units", "references", "occlusion", "confidence", "practice"],
            "practice.n_with_feedback": 4,
            "practice.n_obvious": 1,
            "practice.n_required": 4,
        }
    )


def _make_feather_pictures() -> Settings:
    from beholder.stimuli import load_categories

    return Settings(
        kind="recognition",
        presentations_max=1,
        choices=tuple(load_categories()),
        fixation_ms=300,
        stimulus_ms=300,
        mask_ms=300,
        slow_n=8,
        slow_fixation_ms=500,
        slow_stimulus_ms=400,
        slow_mask_ms=400,
        feedback="practice",
        feedback_ms=1000,
        instructions=("pictures", "icons", "practice"),
        practice=Practice(n_with_feedback=16, n_without=12, n_required=7, max_blocks=1),
        break_fractions=(0.25, 0.5, 0.75),
        min_width=800,
        min_height=600,
        fullscreen=True,
        exclusion=Exclusion(catch_ratio_min=15 / 16),
    )


def _make_feather_words() -> Settings:
    from beholder.stimuli import load_words

    return Settings(
        kind="words",
        presentations_max=1,
        choices=load_words()[1:],
        response_from_ms=0,
        feedback="practice",
        feedback_ms=1500,
        instructions=("sounds", "words", "practice"),
        practice=Practice(n_with_feedback=10, n_without=12, n_required=5, max_blocks=1),
        break_fractions=(0.25, 0.5, 0.75),
        min_width=600,
        min_height=400,
        headphone_check=True,
        level_calibration=True,
        exclusion=Exclusion(catch_ratio_min=15 / 16),
    )


def _make_same_different() -> Settings:
    return Settings(
        kind="same_different",
        presentations_max=1,
        fixation_ms=500,
        stimulus_ms=500,
        gap_ms=500,
        feedback="practice",
        feedback_ms=1000,
        instructions=("pairs", "practice"),
        practice=Practice(n_with_feedback=8, n_obvious=8, n_required=6, max_blocks=3),
        break_fractions=(0.25, 0.5, 0.75),
        min_width=800,
        min_height=600,
        fullscreen=True,
        exclusion=Exclusion(catch_ratio_min=0.75, automation=True),
    )


def _make_odd_one_out() -> Settings:
    return Settings(
        kind="odd_one_out",
        presentations_max=1,
        feedback="never",
        instructions=("odd_one_out", "practice"),
        practice=Practice(n_without=3, max_blocks=1),
        break_fractions=(0.25, 0.5, 0.75),
        disabled_ms=300,
        min_width=900,
        min_height=500,
        exclusion=Exclusion(catch_ratio_min=0.75, automation=True),
    )


def _make_similarity() -> Settings:
    return Settings(
        kind="similarity",
        presentations_max=1,
        rating_steps=7,
        feedback="never",
        instructions=("similarity", "practice"),
        practice=Practice(n_without=5, max_blocks=1),
        break_fractions=(0.25, 0.5, 0.75),
        disabled_ms=300,
        min_width=700,
        min_height=500,
        exclusion=Exclusion(catch_ratio_min=0.75, automation=True),
    )


_MAKERS: dict[str, Callable[[], Settings]] = {
    "zimmermann-2afc": _make_zimmermann_2afc,
    "zimmermann-counterfactual": _make_zimmermann_counterfactual,
    "feather-pictures": _make_feather_pictures,
    "feather-words": _make_feather_words,
    "same-different": _make_same_different,
    "odd-one-out": _make_odd_one_out,
    "similarity": _make_similarity,
}
PRESETS: tuple[str, ...] = tuple(_MAKERS)
"""Names of the presets, one a kind of task."""


@cache
def get_preset(name: str) -> Settings:
    """Settings of a preset.

    ``zimmermann-2afc`` and ``zimmermann-counterfactual`` have the timings, counts and rules of Zimmermann, Klein &
    Brendel (2023), Scale alone does not improve mechanistic interpretability, and of the earlier counterfactual
    experiment; ``feather-pictures`` and ``feather-words`` the timings and counts of Feather et al. (2023), Model
    metamers reveal divergent invariances. The others are Beholder's own.

    Raises
    ------
    UnknownNameError
        There is no such preset.

    Examples
    --------
    >>> get_preset("feather-pictures").slow_stimulus_ms
    400
    """
    if name not in _MAKERS:
        raise UnknownNameError("preset", name, _MAKERS)
    return _MAKERS[name]().replace({"preset": name})


def name_preset(kind: str) -> str:
    """The preset of a kind of task.

    >>> name_preset("words")
    'feather-words'
    """
    if kind not in KINDS:
        raise UnknownNameError("kind of task", kind, KINDS)
    return next(name for name in PRESETS if get_preset(name).kind == kind)


def make_settings(
    preset: str | None = None, changes: Mapping[str, Any] | None = None, *, kind: str | None = None
) -> Settings:
    """Settings of a preset, with other values for some.

    Parameters
    ----------
    preset : str, optional
        One of :data:`PRESETS`; default the one of the kind.
    changes : mapping of str to value, optional
        Values by name, those of a group by dotted names: ``practice.n_required``.
    kind : str, optional
        Kind of task; default that of the preset, or ``2afc``.
    """
    settings = get_preset(preset or name_preset(kind or "2afc"))
    if kind is not None and settings.kind != kind:
        raise InputError(
            f"a preset of the kind {kind}", got=f"{preset!r}, which is one of {settings.kind}", hint=name_preset(kind)
        )
    changed = settings.replace(changes or {})
    if changed.kind != settings.kind:
        raise InputError(f"the kind {settings.kind} of the preset", got=changed.kind, hint=f"--kind {changed.kind}")
    return changed
