"""Settings: strict names and types, presets with the published values, overrides."""

from __future__ import annotations

import json

import pytest

from beholder._core.errors import InputError, UnknownNameError
from beholder.experiments import (
    KINDS,
    PRESETS,
    Settings,
    get_preset,
    make_settings,
    name_preset,
    parse_assignments,
)
from beholder.stimuli import load_categories, load_words


@pytest.mark.parametrize("name", PRESETS)
def test_presets_go_through_json(name: str) -> None:
    preset = get_preset(name)
    assert preset.preset == name
    assert Settings.from_dict(json.loads(json.dumps(preset.to_dict()))) == preset
    assert name_preset(preset.kind) == name


def test_every_kind_has_a_preset() -> None:
    assert {get_preset(name).kind for name in PRESETS} == set(KINDS)


def test_published_values() -> None:
    pair = get_preset("zimmermann-2afc")
    assert (pair.disabled_ms, pair.feedback_delay_ms, pair.feedback_ms, pair.feedback) == (1500, 350, 1150, "always")
    assert (pair.background, pair.min_width, pair.min_height, pair.confidence_steps) == ("#747474", 940, 600, 3)
    assert (pair.practice.n_with_feedback, pair.practice.n_obvious, pair.practice.n_required) == (5, 4, 5)
    rules = pair.exclusion
    assert (rules.catch_ratio_min, rules.time_s_min, rules.time_s_max) == (0.8, 135, 2500)
    assert (rules.instructions_s_min, rules.row_choices_min, rules.practice_blocks_max) == (15, 5, 3)
    other = get_preset("zimmermann-counterfactual")
    assert (other.feedback, other.practice.n_trials, other.kind) == ("practice", 4, "counterfactual")
    pictures = get_preset("feather-pictures")
    assert (pictures.fixation_ms, pictures.stimulus_ms, pictures.mask_ms, pictures.slow_n) == (300, 300, 300, 8)
    assert (pictures.slow_fixation_ms, pictures.slow_stimulus_ms, pictures.slow_mask_ms) == (500, 400, 400)
    assert (pictures.practice.n_with_feedback, pictures.practice.n_without, pictures.practice.n_required) == (16, 12, 7)
    assert pictures.break_fractions == (0.25, 0.5, 0.75)
    assert pictures.choices == tuple(load_categories())
    words = get_preset("feather-words")
    assert (words.practice.n_with_feedback, words.practice.n_without, words.practice.n_required) == (10, 12, 5)
    assert (words.headphone_trials, words.headphone_required, words.headphone_check) == (6, 5, True)
    assert words.choices == load_words()[1:]


def test_overrides() -> None:
    words = [
        "n_references_shown=4",
        "practice.max_blocks=2",
        "feedback=never",
        "texts.title=Hello = you",
        "phones=true",
    ]
    made = make_settings("zimmermann-2afc", parse_assignments(words))
    assert (made.n_references_shown, made.practice.max_blocks, made.feedback) == (4, 2, "never")
    assert made.texts == {"title": "Hello = you"}
    assert made.phones is True
    assert make_settings(kind="words", changes={"adaptive.method": "up_down"}).adaptive is not None
    assert make_settings("zimmermann-2afc", {"exclusion.time_s_max": None}).exclusion.time_s_max is None
    assert make_settings("zimmermann-2afc", {"exclusion.time_s_min": 100}).exclusion.time_s_min == 100.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_reference_shown": 3}, "try 'n_references_shown'"),
        ({"practice.n_requird": 3}, "the name of a setting; got 'practice.n_requird'; try 'practice.n_required'"),
        ({"practce.n_required": 3}, "try 'practice'"),
        ({"feedback": "alway"}, "one of practice, always, never for the setting 'feedback'; got 'alway'; try always"),
        ({"sessions.deal": "dealt"}, "one of split, repeat for the setting 'sessions.deal'; got 'dealt'"),
        ({"sessions.n": "two"}, "a whole number for the setting 'sessions.n'; got 'two'"),
        ({"n_references_shown": "nine"}, "a whole number for the setting 'n_references_shown'; got 'nine'"),
        ({"n_references_shown": True}, "a whole number"),
        ({"n_references_shown": 2.5}, "a whole number"),
        ({"fullscreen": 1}, "true or false"),
        ({"n_references_shown": 0}, "n_references_shown of at least 1"),
        ({"disabled_ms": -1}, "disabled_ms of at least 0"),
        ({"practice.n_required": 6}, "practice.n_required of at most 5"),
        ({"practice.n_obvious": 6}, "practice.n_obvious of at most practice.n_with_feedback, 5"),
        ({"practice": 4}, "an object of settings for 'practice'; got 4; try practice.n_with_feedback=…"),
        ({"exclusion.catch_ratio_min": 80}, "catch_ratio_min in [0, 1]"),
        ({"exclusion.time_s_max": 1}, "exclusion.time_s_min of at most exclusion.time_s_max; got 135 and 1"),
        ({"background": "grey"}, "#rrggbb"),
        ({"break_fractions": [0.5, 0.25]}, "rising order"),
        ({"break_fractions": [1]}, "between 0 and 1"),
        ({"break_fractions": 0.5}, "a list"),
        ({"choices": ["a", "a"]}, "choices that differ; got 'a' twice"),
        ({"size": "8deg"}, "a calibration for size=8deg, in degrees; got none; try settings calibration=card"),
        ({"size": 5}, "or one of fit, pixels, points; got '5'; try 5px or 5deg"),
        ({"size": [5]}, "a text for the setting 'size'; got [5]"),
        ({"headphone_required": 7}, "headphone_required of at most headphone_trials, 6"),
        ({"texts": {"title": 3}}, "an object of texts"),
        ({"adaptive.target": 2}, "adaptive.target above 0.5 and below 0.98; got 2"),
        ({"adaptive.target": 0.5}, "adaptive.target above 0.5"),
        ({"adaptive.method": "up_down", "adaptive.target": 1}, "adaptive.target above 0 and below 1; got 1"),
        ({"adaptive.guess": 1}, "adaptive.guess and adaptive.lapse below 1 together; got 1 and 0.02"),
        ({"adaptive.start": 2}, "adaptive.start in [0, 1]; got 2"),
        ({"sessions.n": 2, "sessions.days_max": 1}, "sessions.days_max above sessions.days_min, 1; got 1"),
        ({"sessions.n": 2, "sessions.completion_codes": ["a"]}, "2 sessions.completion_codes, one for each session"),
        ({"kind": "words"}, 'kind="words"'),
        ({"exclusion.time_s_max": float("nan")}, "a finite number"),
    ],
)
def test_wrong_settings_are_one_line(changes: dict, message: str) -> None:
    with pytest.raises(InputError) as caught:
        make_settings("zimmermann-2afc", changes)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_digits_are_text_where_a_setting_is_text() -> None:
    words = [
        "completion_code=0123",
        "consent_version=2026",
        "texts.title=7",
        "size=5px",
        'screen_out_code="9"',
        "seed=3",
    ]
    made = make_settings("zimmermann-2afc", parse_assignments(words))
    assert (made.completion_code, made.consent_version, made.screen_out_code) == ("0123", "2026", "9")
    assert (made.texts["title"], made.size, made.seed) == ("7", "5px", 3)


def test_wrong_names() -> None:
    with pytest.raises(UnknownNameError, match="feather-pictures"):
        get_preset("feather-picture")
    with pytest.raises(UnknownNameError, match="'words'"):
        make_settings(kind="word")
    with pytest.raises(InputError, match="a preset of the kind words"):
        make_settings("feather-pictures", kind="words")
    with pytest.raises(InputError, match="settings name=value"):
        parse_assignments(["feedback"])
    with pytest.raises(InputError, match="the setting 'kind'"):
        Settings.from_dict({"preset": "x"})


@pytest.mark.parametrize("distance", [0, -60])
def test_a_viewing_distance_that_nobody_has_is_refused(distance: float) -> None:
    with pytest.raises(InputError, match=f"viewing_distance_cm above 0; got {distance}"):
        make_settings("similarity", {"viewing_distance_cm": distance})


def test_a_name_that_begins_with_a_vowel_is_announced_as_one() -> None:
    assert str(UnknownNameError("observer", "x", ["guess"])).startswith("expected the name of an observer")
    assert str(UnknownNameError("kind", "x", ["guess"])).startswith("expected the name of a kind")
