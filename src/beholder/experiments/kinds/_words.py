"""Words: the word of a list that was heard."""

from __future__ import annotations

from beholder.experiments.kinds import _recognition
from beholder.experiments.kinds._places import draw_stimulus, fill_window
from beholder.experiments.settings._kinds import NetworkRule, TaskKind
from beholder.experiments.settings._settings import Exclusion, Practice, Settings
from beholder.responses import get_answer_form


def _make_preset() -> Settings:
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


KIND = TaskKind(
    name="words",
    form=get_answer_form("words"),
    page="words.js",
    preset="feather-words",
    make_preset=_make_preset,
    load_planner=_recognition.load_planner,
    slots=("stimulus",),
    asked_slots=("stimulus",),
    asked_places=("stimulus",),
    draw_places=draw_stimulus,
    find_room=fill_window,
    network=NetworkRule("names"),
    modality="sounds",
)
