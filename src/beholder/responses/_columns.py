"""What every column of an export holds: the one list by which tables are made and described."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final


@final
@dataclass(frozen=True)
class Column:
    """A column: its name, pandas type, unit and meaning."""

    name: str
    dtype: str
    unit: str
    meaning: str

    def to_dict(self) -> dict[str, str]:
        """As in ``columns.json``."""
        return {"name": self.name, "type": self.dtype, "unit": self.unit, "meaning": self.meaning}


_TEXT, _COUNT, _NUMBER, _FLAG = "string", "Int64", "Float64", "boolean"

TRIAL_COLUMNS = (
    Column("participant", _TEXT, "", "opaque name; of a recruited person a keyed hash of the recruiter's id"),
    Column("session", _COUNT, "", "number of the session in the file of answers"),
    Column("task", _COUNT, "", "task of the built folder, from 1"),
    Column("trial", _COUNT, "", "position as presented, from 1; catch trials count"),
    Column("mode", _TEXT, "", "natural, optimized, catch_trial, or what the plan calls it"),
    Column("unit", _TEXT, "", "model/layer/channel that the trial is about"),
    Column(
        "choice", _TEXT, "", "what was chosen: a slot (query_max, max, a), a label, word or rating, same, different"
    ),
    Column("correct", _FLAG, "", "whether that is right; empty where no answer is"),
    Column("confidence", _COUNT, "", "as labelled on the button, 1 the least sure; empty where it is not asked"),
    Column("catch_trial", _FLAG, "", "whether it is a catch trial"),
    Column("rt_ms", _NUMBER, "ms", "response time, from the stimulus (two-alternative choice: from the display) on"),
    Column("excluded", _FLAG, "", "whether the participant breaks a rule or did not finish"),
    Column("exclusion_reasons", _TEXT, "", "broken rules, separated by spaces"),
    Column("response", _TEXT, "", "what was pressed, before it is known what was shown there: upper, left, a label, …"),
    Column("correct_answer", _TEXT, "", "what would have been right, spelled as choice"),
    Column("n", _COUNT, "", "the trial in its task: trial_{n} of the built folder"),
    Column("role", _TEXT, "", "main, catch or practice"),
    Column("model", _TEXT, "", "of the unit"),
    Column("layer", _TEXT, "", "of the unit"),
    Column("channel", _COUNT, "", "of the unit, from 0"),
    Column("batch", _COUNT, "", "of the unit's exemplars"),
    Column("level", _NUMBER, "", "of an adaptive trial: the level that was shown"),
    Column("shown", _TEXT, "", "what was shown where, as JSON: place to slot"),
    Column("answered_s", _NUMBER, "s", "when the answer was saved, from the start of the session on"),
    Column(
        "presentations",
        _COUNT,
        "",
        "how often the page announced to the server that it shows the trial, each time before it did: above 1 after a "
        "reload; empty where nothing was announced",
    ),
    Column(
        "presentations_withheld",
        _COUNT,
        "",
        "how often the page came back to the trial when it could not be shown once more (presentations_max); above 0: "
        "answered from what had been seen, and rt_ms counts from the buttons",
    ),
    Column(
        "stimulus_failures",
        _COUNT,
        "",
        "how often the page could not show a stimulus of the trial before it could: the file did not arrive, as with "
        "an ad blocker, or was not decoded",
    ),
    Column("device_pixel_ratio", _NUMBER, "", "pixels of the screen a CSS pixel, zoom included"),
    Column("window_width", _NUMBER, "CSS px", "of the window, at the answer"),
    Column("window_height", _NUMBER, "CSS px", "of the window, at the answer"),
    Column("window_zoom", _NUMBER, "", "of the browser; empty where a page cannot tell, as in Firefox"),
    Column("window_fullscreen", _FLAG, "", "at the answer"),
    Column("window_hidden", _FLAG, "", "whether the page was covered during the trial"),
    Column("window_blurs", _NUMBER, "", "how often the page lost the focus during the trial"),
    Column(
        "frame_interval_ms",
        _NUMBER,
        "ms",
        "between two refreshes of the screen, estimated from its frames; empty where the browser's clock is too coarse",
    ),
    Column("frame_interval_sd_ms", _NUMBER, "ms", "standard deviation of the single frames in the trial, as timed"),
    Column("clock_step_ms", _NUMBER, "ms", "smallest step of the browser's clock; empty where it is above 20 ms"),
    Column("dropped_frames", _NUMBER, "", "frames that the browser left out while the trial was timed"),
    Column("shown_fixation_ms", _NUMBER, "ms", "how long the fixation mark was shown, measured"),
    Column("shown_stimulus_ms", _NUMBER, "ms", "how long the stimulus was shown, measured"),
    Column("stimulus_cut", _FLAG, "", "whether a stimulus was taken down early because the page was covered"),
    Column("shown_mask_ms", _NUMBER, "ms", "how long the mask was shown, measured"),
    Column("asked_stimulus_ms", _NUMBER, "ms", "how long the stimulus, or each of a pair in turn, was to be shown"),
    Column("asked_stimulus_frames", _NUMBER, "", "the whole frames that come nearest to it"),
    Column(
        "stimulus_frames",
        _NUMBER,
        "",
        "refreshes of the screen for which the stimulus was shown (first file format: without those missed)",
    ),
    Column(
        "missed_stimulus_frames",
        _NUMBER,
        "",
        "frames that the browser left out while the stimulus, or a pair, was shown",
    ),
    Column("shown_first_ms", _NUMBER, "ms", "of a pair in turn: how long the first item was shown, measured"),
    Column("shown_gap_ms", _NUMBER, "ms", "of a pair in turn: how long nothing was shown between the two, measured"),
    Column("shown_second_ms", _NUMBER, "ms", "of a pair in turn: how long the second item was shown, measured"),
    Column("first_frames", _NUMBER, "", "of a pair in turn: refreshes of the screen for which the first was shown"),
    Column("second_frames", _NUMBER, "", "of a pair in turn: refreshes of the screen for which the second was shown"),
    Column("scale", _NUMBER, "", "pixels of the screen for a pixel of the stimulus, along each side"),
    Column("picture_width", _NUMBER, "CSS px", "of the largest picture of the trial, as shown"),
    Column("picture_height", _NUMBER, "CSS px", "of the same"),
    Column("picture_least", _NUMBER, "CSS px", "longer side of the smallest picture of the trial, as shown"),
    Column("picture_pixels", _NUMBER, "px of the screen", "longer side of the largest picture, as shown"),
    Column("picture_degrees", _NUMBER, "deg", "the same in degrees of visual angle, where the screen was measured"),
    Column("picture_share", _NUMBER, "", "of the size that was asked for, where the window had no room for all of it"),
    Column("screen_px_per_mm", _NUMBER, "px/mm", "pixels of the screen along a millimetre, where it was measured"),
    Column("audio_sample_rate", _NUMBER, "Hz", "of the browser's sound output"),
    Column("audio_confirmed", _FLAG, "", "whether a participant heard a tone where the browser knew of no device"),
    Column("sound_restarts", _NUMBER, "", "how often sounds stood still and were played again from the beginning"),
    Column("audio_latency_s", _NUMBER, "s", "of the browser's sound output"),
    Column(
        "audio_output_latency_s", _NUMBER, "s", "of the device, as the browser estimates it; empty where it does not"
    ),
    Column("sound_ms", _NUMBER, "ms", "how long the word lasts that was played"),
    Column(
        "sound_latency_ms",
        _NUMBER,
        "ms",
        "from the time for which the audio clock scheduled the sound to when it is heard, as far as the browser knows; "
        "rt_ms counts from then",
    ),
    Column(
        "sound_clock",
        _FLAG,
        "",
        "whether the browser told audio clock and page clock together at its output; else its stated latency is used",
    ),
    Column(
        "elapsed_ms", _NUMBER, "ms", "from the answer before to this one, by the server's clock; empty for the first"
    ),
    Column(
        "webdriver", _FLAG, "", "whether the browser says that a program drives it; empty where no page said anything"
    ),
    Column("key_presses", _NUMBER, "", "keys pressed since the page last sent something; which ones is not kept"),
    Column("pointer_presses", _NUMBER, "", "presses of mouse, pen or finger since then"),
    Column("clicks", _NUMBER, "", "clicks since then, those of keys and assistive technology too"),
    Column("pointer_moves", _NUMBER, "", "movements of the pointer that the browser reported since then"),
    Column(
        "pointer_jumps", _NUMBER, "", "of the mouse's presses since then, those far from the last without a movement"
    ),
    Column("scripted_events", _NUMBER, "", "keys, presses and clicks since then that a script made up"),
    Column("pastes", _NUMBER, "", "how often something was pasted since then; what is not kept"),
    Column("focus_losses", _NUMBER, "", "how often the window lost the focus since then"),
    Column("unfocused_ms", _NUMBER, "ms", "how long it was without since then"),
    Column("hidings", _NUMBER, "", "how often the page was covered since then: another tab, a minimised window"),
    Column("hidden_ms", _NUMBER, "ms", "how long it was since then"),
)
"""Of ``responses.*`` and ``responses_included.*``; a column for each condition of the plan follows."""

BLOCK_COLUMN = Column("block", _COUNT, "", "practice block, from 1")
"""Of ``practice.*``, which has the columns of the trials besides."""

VISIT_COLUMN = Column("visit", _COUNT, "", "which of the participant's sessions it is, from 1")
"""Of all tables, after ``session``, where participants have several sessions."""

MEASURES = {
    "device_pixel_ratio": ("window", "dpr"),
    "window_width": ("window", "width"),
    "window_height": ("window", "height"),
    "window_zoom": ("window", "zoom"),
    "window_fullscreen": ("window", "fullscreen"),
    "window_hidden": ("window", "hidden"),
    "window_blurs": ("window", "blurs"),
    "frame_interval_ms": ("frames", "interval_ms"),
    "frame_interval_sd_ms": ("frames", "interval_sd_ms"),
    "clock_step_ms": ("frames", "clock_step_ms"),
    "dropped_frames": ("frames", "dropped"),
    "shown_fixation_ms": ("frames", "fixation_ms"),
    "shown_stimulus_ms": ("frames", "stimulus_ms"),
    "stimulus_cut": ("frames", "cut"),
    "shown_mask_ms": ("frames", "mask_ms"),
    "asked_stimulus_ms": ("frames", "exposure_ms"),
    "asked_stimulus_frames": ("frames", "exposure_asked"),
    "stimulus_frames": ("frames", "stimulus_frames"),
    "missed_stimulus_frames": ("frames", "exposure_missed"),
    "shown_first_ms": ("frames", "first_ms"),
    "shown_gap_ms": ("frames", "gap_ms"),
    "shown_second_ms": ("frames", "second_ms"),
    "first_frames": ("frames", "first_frames"),
    "second_frames": ("frames", "second_frames"),
    "scale": ("frames", "scale"),
    "picture_width": ("frames", "picture_width"),
    "picture_height": ("frames", "picture_height"),
    "picture_least": ("frames", "picture_least"),
    "picture_pixels": ("frames", "picture_pixels"),
    "picture_degrees": ("frames", "picture_degrees"),
    "picture_share": ("frames", "picture_share"),
    "screen_px_per_mm": ("window", "device_px_per_mm"),
    "audio_sample_rate": ("audio", "sample_rate"),
    "audio_confirmed": ("audio", "confirmed"),
    "sound_restarts": ("frames", "sound_restarts"),
    "audio_latency_s": ("audio", "base_latency"),
    "audio_output_latency_s": ("audio", "output_latency"),
    "sound_ms": ("frames", "sound_ms"),
    "sound_latency_ms": ("frames", "sound_latency_ms"),
    "sound_clock": ("frames", "sound_clock"),
}
EVIDENCE = {
    "key_presses": "keys",
    "pointer_presses": "presses",
    "clicks": "clicks",
    "pointer_moves": "moves",
    "pointer_jumps": "jumps",
    "scripted_events": "scripted",
    "pastes": "pastes",
    "focus_losses": "blurs",
    "unfocused_ms": "blurred_ms",
    "hidings": "hides",
    "hidden_ms": "hidden_ms",
}
"""Column to what the page calls it, in the order of the columns; sums over a session stand in ``participants.csv``."""

"""Column to where the page's measurement stands in an answer's details."""

PARTICIPANT_COLUMNS = (
    Column("participant", _TEXT, "", "as in responses"),
    Column("session", _COUNT, "", "as in responses"),
    Column("task", _COUNT, "", "as in responses"),
    Column("step", _TEXT, "", "where they are, or ended: done, screened_out, declined, or the step they left at"),
    Column("finished", _FLAG, "", "whether every trial that could be shown was answered"),
    Column("excluded", _FLAG, "", "whether they are left out of responses_included"),
    Column("exclusion_reasons", _TEXT, "", "broken rules, separated by spaces"),
    Column("n_trials", _COUNT, "", "trials of the task, catch trials too"),
    Column("n_answered", _COUNT, "", "of them answered"),
    Column(
        "n_skipped", _COUNT, "", "of them gone on without, since a stimulus could not be shown; they have no answer"
    ),
    Column("skipped_trials", _TEXT, "", "their n in the built task, separated by spaces"),
    Column("proportion_correct", _NUMBER, "", "of the main trials, in [0, 1]; empty where no answer is right"),
    Column("n_catch", _COUNT, "", "catch trials answered"),
    Column("n_catch_correct", _COUNT, "", "of them right"),
    Column("catch_ratio", _NUMBER, "", "share of them that is right, in [0, 1]"),
    Column("time_s", _NUMBER, "s", "from the first page to the last answer, by the server's clock"),
    Column("instructions_s", _NUMBER, "s", "on the instructions, by the server's clock"),
    Column("response_time_s", _NUMBER, "s", "sum of response times"),
    Column("practice_blocks", _COUNT, "", "attempts at the practice"),
    Column("least_row_choices", _COUNT, "", "how often the rarer of two answers was chosen (upper and lower, …)"),
    Column("headphones_correct", _COUNT, "", "right answers of the headphone check"),
    Column("px_per_mm", _NUMBER, "CSS px/mm", "of the screen, where it was measured with a card"),
    Column("consent_version", _TEXT, "", "version of the text that was agreed to"),
    Column(
        "comment",
        _TEXT,
        "",
        "what was written at the end; read it before you publish it; an apostrophe in "
        "front keeps spreadsheets from running it",
    ),
    Column("simulated", _FLAG, "", "whether it was a simulated participant"),
    Column("automation_signs", _TEXT, "", "what of the answers no person shows, separated by spaces"),
    Column(
        "webdriver", _FLAG, "", "whether the browser ever said that a program drives it; empty: no page said anything"
    ),
    Column("n_without_page", _COUNT, "", "answers that came without what a page counts"),
    Column("n_without_input", _COUNT, "", "answers before which the browser reported neither key nor press nor click"),
    Column("n_too_fast", _COUNT, "", "answers sooner after the onset than anybody can give one"),
    Column(
        "n_early",
        _COUNT,
        "",
        "answers sooner after the one before, by the server's clock, than their response time allows",
    ),
    Column("rt_spread_ms", _NUMBER, "ms", "width of the middle half of the response times"),
    *(
        Column(each.name, each.dtype, each.unit, "in the whole session; see responses")
        for each in TRIAL_COLUMNS
        if each.name in EVIDENCE
    ),
)
"""Of ``participants.csv``."""

AWAY_COLUMN = Column(
    "days_since_last", _NUMBER, "days", "from the last answer of the session before to the first page of this one"
)
"""Of ``participants.csv``, after ``visit``."""

DATE_COLUMN = Column("date", _TEXT, "", "day on which the session began, in UTC: YYYY-MM-DD")
"""Of ``participants.csv`` where it is asked for: a day may tell who somebody is."""


OBSERVER_COLUMNS = (
    Column("temperature", _NUMBER, "", "of the softmax by which a simulated network chose; empty where it was sure"),
    Column("network", _TEXT, "", "which network a simulated participant was; empty of all others"),
    Column("network_layer", _TEXT, "", "its layer; empty for the unit that a trial is about, or the output"),
)
"""Of ``participants.csv`` where networks took part and tell it."""


def list_trial_columns(visits: bool) -> tuple[Column, ...]:
    """Of ``responses.*``; ``visits``: whether participants have several sessions."""
    return (*TRIAL_COLUMNS[:2], VISIT_COLUMN, *TRIAL_COLUMNS[2:]) if visits else TRIAL_COLUMNS


def list_participant_columns(visits: bool, dates: bool, observers: Collection[str] = ()) -> tuple[Column, ...]:
    """Of ``participants.csv``: where participants have several sessions, a row is a session.

    ``observers``: which of :data:`OBSERVER_COLUMNS` are there.
    """
    own = (*PARTICIPANT_COLUMNS[:2], VISIT_COLUMN, AWAY_COLUMN, *PARTICIPANT_COLUMNS[2:])
    told = [column for column in OBSERVER_COLUMNS if column.name in observers]
    asked = (*((DATE_COLUMN,) if dates else ()), *told)
    return (*(own if visits else PARTICIPANT_COLUMNS), *asked)


def name_conditions(names: Sequence[str], visits: bool = False) -> Mapping[str, str]:
    """Condition to its column: its own name, or ``condition_{name}`` where a column has that already.

    >>> name_conditions(["contrast", "layer"])
    {'contrast': 'contrast', 'layer': 'condition_layer'}
    """
    taken = {column.name for column in (*list_trial_columns(visits), BLOCK_COLUMN)}
    return {name: f"condition_{name}" if name in taken else name for name in sorted(names)}


def describe_columns(
    conditions: Mapping[str, str], *, dates: bool = False, visits: bool = False, observers: Collection[str] = ()
) -> dict[str, Any]:
    """The content of ``columns.json``: the day of each session, which session, what networks tell of themselves."""
    extra = [
        {"name": column, "type": "", "unit": "", "meaning": f"the condition {name!r} of the plan"}
        for name, column in conditions.items()
    ]
    trials = [column.to_dict() for column in list_trial_columns(visits)]
    return {
        "responses": trials + extra,
        "responses_included": trials + extra,
        "practice": [BLOCK_COLUMN.to_dict(), *trials, *extra],
        "participants": [column.to_dict() for column in list_participant_columns(visits, dates, observers)],
    }
