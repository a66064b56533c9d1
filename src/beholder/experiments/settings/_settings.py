"""Settings of an experiment: what is shown for how long, how people get in and out, whose data count."""

from __future__ import annotations

import dataclasses
import functools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, final

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED
from beholder._core.wording import format_count
from beholder.experiments.settings._fields import parse_fields, to_plain
from beholder.experiments.settings._methods import METHODS
from beholder.experiments.settings._sizes import parse_size, read_older_size
from beholder.experiments.settings._visits import Sessions
from beholder.responses import ANSWER_FORMS, TASK_KINDS

KINDS: tuple[str, ...] = tuple(ANSWER_FORMS)
"""Kinds of task of this package."""

_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


@final
@dataclass(frozen=True)
class Practice:
    """The trials before the trials.

    Attributes
    ----------
    n_with_feedback : int
        Trials that tell whether the answer was right; they come first.
    n_without : int
        Trials that follow without feedback.
    n_obvious : int
        How many of those with feedback are as easy as catch trials.
    n_required : int
        Right answers needed to go on: of the trials without feedback where there are any, else of those with.
    max_blocks : int
        Attempts; who fails the last one is thanked and sent home with the screen-out code.
    repeat_block : bool
        Later attempts show the same trials in another order; without it they are the next ones of the plan, as far as
        there are any.
    """

    n_with_feedback: int = 0
    n_without: int = 0
    n_obvious: int = 0
    n_required: int = 0
    max_blocks: int = 1
    repeat_block: bool = True

    def __post_init__(self) -> None:
        _check_counts(self, "practice.", least={"max_blocks": 1})
        counted = self.n_without or self.n_with_feedback
        if self.n_required > counted:
            raise InputError(f"practice.n_required of at most {counted}, the counted trials", got=str(self.n_required))
        if self.n_obvious > self.n_with_feedback:
            raise InputError(
                f"practice.n_obvious of at most practice.n_with_feedback, {self.n_with_feedback}",
                got=str(self.n_obvious),
            )

    @property
    def n_trials(self) -> int:
        """Trials of one block."""
        return self.n_with_feedback + self.n_without


@final
@dataclass(frozen=True)
class Exclusion:
    """Rules that say whose data are kept apart, declared before any are taken; None switches a rule off.

    Attributes
    ----------
    catch_ratio_min : float or None
        Least proportion of catch trials answered right, in [0, 1].
    time_s_min, time_s_max : float or None
        Seconds from the first page to the last answer.
    instructions_s_min : float or None
        Least time on the instructions, in seconds.
    row_choices_min : int or None
        How often at least each of the two (upper and lower, left and right) is chosen in main and catch trials.
    practice_blocks_max : int or None
        Most attempts at the practice.
    automation : bool or None
        Whether those are kept apart whose answers show what no person's do; see
        :func:`beholder.responses.list_signs`.
    """

    catch_ratio_min: float | None = None
    time_s_min: float | None = None
    time_s_max: float | None = None
    instructions_s_min: float | None = None
    row_choices_min: int | None = None
    practice_blocks_max: int | None = None
    automation: bool | None = None

    def __post_init__(self) -> None:
        _check_counts(self, "exclusion.")
        if self.catch_ratio_min is not None and self.catch_ratio_min > 1:
            raise InputError("exclusion.catch_ratio_min in [0, 1]", got=f"{self.catch_ratio_min:g}")
        if self.time_s_min is not None and self.time_s_max is not None and self.time_s_min > self.time_s_max:
            raise InputError(
                "exclusion.time_s_min of at most exclusion.time_s_max",
                got=f"{self.time_s_min:g} and {self.time_s_max:g}",
            )


_METHODS, _CONSTANT = ("quest+", "up_down"), "constant"
"""Adaptive methods that need no look at what is installed; and one whose levels are conditions of an experiment."""


@final
@dataclass(frozen=True)
class Adaptive:
    """How the level of an adaptive trial is chosen from the answers before it.

    Attributes
    ----------
    method : str
        ``quest+`` (Watson, 2017), ``up_down``, a staircase, or another of ``METHODS``.
    target : float
        Proportion of right answers that the level should lead to, in (0, 1); QUEST+ reports its threshold there.
    up, down : int
        Of the staircase: wrong answers in a row that make it easier, right ones that make it harder.
    start : float
        Where on the levels the staircase begins, 0 the first, 1 the last.
    guess : float
        Proportion of right answers by chance, in [0, 1).
    lapse : float
        Proportion of slips, in [0, 1).
    """

    method: str = "quest+"
    target: float = 0.75
    up: int = 1
    down: int = 2
    start: float = 1.0
    guess: float = 0.5
    lapse: float = 0.02

    def __post_init__(self) -> None:
        if self.method not in _METHODS and (self.method == _CONSTANT or self.method not in METHODS):
            raise UnknownNameError("adaptive.method", self.method, [n for n in METHODS.names() if n != _CONSTANT])
        _check_counts(self, "adaptive.", least={"up": 1, "down": 1})
        if self.start > 1:
            raise InputError("adaptive.start in [0, 1]", got=f"{self.start:g}")
        if self.guess + self.lapse >= 1:
            raise InputError(
                "adaptive.guess and adaptive.lapse below 1 together", got=f"{self.guess:g} and {self.lapse:g}"
            )
        least, most = (self.guess, 1 - self.lapse) if self.method == "quest+" else (0, 1)
        if not least < self.target < most:
            raise InputError(f"adaptive.target above {least:g} and below {most:g}", got=f"{self.target:g}")


@final
@dataclass(frozen=True, repr=False)
class Settings:
    """Everything about an experiment but its stimuli. Presets fill it; any value can be set in the plan.

    Times are in milliseconds.

    Attributes
    ----------
    kind : str
        One of :data:`KINDS`, or another that was registered.
    preset : str
        What it was filled from.
    background : str
        ``#rrggbb``.
    n_references_shown : int
        Reference pictures on each side.
    confidence_steps : int
        Buttons a choice has, from unsure to sure; 1 asks for no confidence.
    running_score : bool
        Whether the number of right answers is shown during the main trials.
    choices : tuple of str
        Answers of recognition (categories) and words (the words that can be sent).
    rating_steps : int
        Of similarity: answers from 1, not alike, to this one.
    fixation_ms, stimulus_ms, gap_ms, mask_ms : int
        Fixation mark, stimulus, pause between two stimuli, noise mask. ``stimulus_ms`` 0: until the answer.
    presentations_max : int or None
        How often a trial may be shown whose stimuli are gone before the answer (pictures with a time limit, sounds),
        over reloads and tabs; then it is answered from what was seen. None: no bound.
    slow_n, slow_fixation_ms, slow_stimulus_ms, slow_mask_ms : int
        For the first ``slow_n`` trials that a participant sees.
    disabled_ms : int
        How long after a trial's start its buttons do nothing.
    response_from_ms : int
        When, after the start of the stimulus, an answer can be begun.
    feedback : {"practice", "always", "never"}
        Which trials tell whether the answer was right.
    feedback_delay_ms, feedback_ms : int
        Wait before it, and how long it stays.
    instructions : tuple of str
        Pages, by their names among the texts.
    practice : Practice
    shuffle_trials : bool
        Whether every participant has an order of trials of their own; else that of the plan.
    break_fractions : tuple of float
        Proportions of the main trials, in (0, 1), after which a break is offered.
    comment : bool
        Whether the end asks for an optional comment.
    consent_version : str
        Version of the text that participants agree to.
    min_width, min_height : int
        Least window, CSS pixels.
    fullscreen : bool
    phones : bool
        Whether a phone will do.
    size : str
        How large pictures are: ``fit``, ``300px``, ``5deg``, ``pixels`` or ``points``, see :func:`parse_size`. What
        has no room in a window is made smaller, all pictures of a trial by one factor.
    calibration : {"none", "card"}
        How the size of a pixel is measured; sizes in degrees need one.
    viewing_distance_cm : float
    headphone_check, level_calibration : bool
        Of sounds.
    headphone_trials, headphone_required : int
        Trials of the headphone check, and right ones needed.
    recruiter : {"none", "prolific", "mturk"}
    completion_code, screen_out_code, no_consent_code : str
        Shown, or returned to the recruiter, at the end.
    exclusion : Exclusion
    adaptive : Adaptive or None
        None: levels are constant.
    sessions : Sessions
        How many sessions a participant has, and how many days apart.
    seed : int
        Of what is drawn while people take part.
    texts : mapping of str to str
        Replaces single texts of the pages.

    Examples
    --------
    >>> from beholder.experiments import make_settings
    >>> made = make_settings("zimmermann-2afc", {"n_references_shown": 4, "practice.max_blocks": 2})
    >>> made.n_references_shown, made.practice.max_blocks, made.disabled_ms
    (4, 2, 1500)
    """

    kind: str = field(metadata={"choices": TASK_KINDS})
    preset: str = ""
    background: str = "#747474"
    n_references_shown: int = 9
    confidence_steps: int = 1
    running_score: bool = False
    choices: tuple[str, ...] = ()
    rating_steps: int = 7
    fixation_ms: int = 0
    stimulus_ms: int = 0
    gap_ms: int = 0
    mask_ms: int = 0
    presentations_max: int | None = None
    slow_n: int = 0
    slow_fixation_ms: int = 0
    slow_stimulus_ms: int = 0
    slow_mask_ms: int = 0
    disabled_ms: int = 0
    response_from_ms: int = 0
    feedback: Literal["practice", "always", "never"] = "practice"
    feedback_delay_ms: int = 0
    feedback_ms: int = 0
    instructions: tuple[str, ...] = ()
    practice: Practice = field(default_factory=Practice)
    shuffle_trials: bool = True
    break_fractions: tuple[float, ...] = ()
    comment: bool = True
    consent_version: str = "1"
    min_width: int = 0
    min_height: int = 0
    fullscreen: bool = False
    phones: bool = False
    size: str = "fit"
    calibration: Literal["none", "card"] = "none"
    viewing_distance_cm: float = 60.0
    headphone_check: bool = False
    headphone_trials: int = 6
    headphone_required: int = 5
    level_calibration: bool = False
    recruiter: Literal["none", "prolific", "mturk"] = "none"
    completion_code: str = ""
    screen_out_code: str = ""
    no_consent_code: str = ""
    exclusion: Exclusion = field(default_factory=Exclusion)
    adaptive: Adaptive | None = None
    seed: int = DEFAULT_SEED
    texts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    sessions: Sessions = field(default_factory=Sessions)

    def __post_init__(self) -> None:
        if not self.viewing_distance_cm > 0:
            raise InputError("viewing_distance_cm above 0", got=f"{self.viewing_distance_cm:g}")
        least = {
            "presentations_max": 1,
            "n_references_shown": 1,
            "confidence_steps": 1,
            "rating_steps": 2,
            "headphone_trials": 1,
        }
        _check_counts(self, "", least=least)
        if not _COLOUR.fullmatch(self.background):
            raise InputError("background as #rrggbb", got=repr(self.background))
        if not all(0 < proportion < 1 for proportion in self.break_fractions):
            raise InputError("break_fractions between 0 and 1", got=str(list(self.break_fractions)))
        if list(self.break_fractions) != sorted(set(self.break_fractions)):
            raise InputError("break_fractions in rising order", got=str(list(self.break_fractions)))
        if len(set(self.choices)) != len(self.choices):
            twice = next(each for each in self.choices if self.choices.count(each) > 1)
            raise InputError("choices that differ", got=f"{twice!r} twice")
        if parse_size(self.size)[0] == "deg" and self.calibration == "none":
            raise InputError(
                f"a calibration for size={self.size}, in degrees", got="none", hint="--set calibration=card"
            )
        if self.headphone_required > self.headphone_trials:
            raise InputError(
                f"headphone_required of at most headphone_trials, {self.headphone_trials}",
                got=str(self.headphone_required),
            )
        if self.sessions.completion_codes and self.completion_code:
            raise InputError("completion_code or sessions.completion_codes", got="both")

    def __repr__(self) -> str:
        return f"Settings({self.kind}, preset {self.preset or 'none'})"

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Settings:
        """Settings of a plan or of ``experiment.json``; names that are left out have the defaults of this class.

        Raises
        ------
        UnknownNameError
            A name that is no setting.
        InputError
            A value of the wrong type or out of range.
        """
        return parse_fields(cls, read_older_size(values), "setting")

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON values; :meth:`from_dict` reads it back.

        What later versions added is left out while it has its default, so that plans, built folders and files of
        answers that do without are the same in every version.
        """
        values = to_plain(self)
        for path, default in _ADDED.items():
            *groups, name = path.split(".")
            group = functools.reduce(lambda found, each: found[each], groups, values)
            if group[name] == to_plain(default):
                del group[name]
        return values

    def replace(self, changes: Mapping[str, Any]) -> Settings:
        """Other values for some settings, those of a group by dotted names: ``practice.n_required``."""
        values = self.to_dict()
        for name, value in changes.items():
            group, mark, inner = name.partition(".")
            if not mark:
                values[name] = value
            else:
                _find_group(values, group)[inner] = value
        return Settings.from_dict(values)


_TEXTS = frozenset(each.name for each in dataclasses.fields(Settings) if each.type == "str" and not each.metadata)
"""Settings that are texts."""

_ADDED: Mapping[str, Any] = MappingProxyType({"sessions": Sessions(), "exclusion.automation": None})
"""Settings that later versions added, those of a group by dotted names, and their defaults."""


def complete_settings(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Settings as an earlier version wrote them, in this one's words; as they are, if this one has not all of them."""
    try:
        return Settings.from_dict(values).to_dict()
    except InputError:
        return values


def check_sessions(settings: Settings, n_tasks: int, place: Any) -> None:
    """Refuse tasks that are not whole participants, each with a task for every session."""
    n = settings.sessions.n
    if n_tasks % n:
        raise InputError(f"a multiple of {format_count(n, 'task')}, one for each session", got=f"{n_tasks} in {place}")


@suggest_keywords
def parse_assignments(words: Sequence[str]) -> dict[str, Any]:
    """``name=value`` pairs: values are JSON, anything else is text; of settings that are texts, digits are text too.

    >>> parse_assignments(["feedback=never", "practice.n_required=4", "break_fractions=[0.5]", "completion_code=0123"])
    {'feedback': 'never', 'practice.n_required': 4, 'break_fractions': [0.5], 'completion_code': '0123'}
    """
    found: dict[str, Any] = {}
    for word in words:
        name, mark, text = word.partition("=")
        if not mark or not name.strip():
            raise InputError("--set name=value", got=repr(word))
        try:
            value = json.loads(text)
        except (json.JSONDecodeError, RecursionError):
            value = text
        is_typed = isinstance(value, int | float) and (name.strip() in _TEXTS or name.strip().startswith("texts."))
        found[name.strip()] = text.strip() if is_typed else value
    return found


def _find_group(values: dict[str, Any], group: str) -> dict[str, Any]:
    groups = {"practice": Practice, "exclusion": Exclusion, "adaptive": Adaptive, "sessions": Sessions, "texts": None}
    if group not in groups:
        raise UnknownNameError("group of settings", group, groups)
    if values.get(group) is None:
        values[group] = {}
    return values[group]


def _check_counts(made: Any, prefix: str, least: Mapping[str, int] | None = None) -> None:
    """Refuse numbers below 0, or below the least that is told."""
    for each in dataclasses.fields(made):
        value = getattr(made, each.name)
        bound = (least or {}).get(each.name, 0)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if is_number and each.name != "seed" and value < bound:
            raise InputError(f"{prefix}{each.name} of at least {bound}", got=f"{value:g}")
