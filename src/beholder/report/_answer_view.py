"""What the section about answers shows in words and numbers: small tables under headings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

from beholder._core.wording import format_count, format_share
from beholder.report._section import TEMPLATES, SectionView
from beholder.responses import AnswerSummary, ConditionAccuracy

if TYPE_CHECKING:
    from pathlib import Path

_MOST_ROWS = 60
_LONGEST = 36
_RULES = {
    "unfinished": "did not answer every trial",
    "catch_ratio_min": "proportion of right catch trials below {:g}",
    "time_s_min": "less than {:g} s in all",
    "time_s_max": "more than {:g} s in all",
    "instructions_s_min": "less than {:g} s on the instructions",
    "row_choices_min": "one of two answers chosen less than {:g} times",
    "practice_blocks_max": "more than {:g} attempts at the practice",
    "automation": "a sign that a program answered",
}
_NAMES = {"correct_answer": "right answer"}
_PRESENTED = {
    "presentations": "shown more than once, as after a reload",
    "presentations_withheld": "answered from what had been seen before a reload",
    "stimulus_failures": "stimulus shown at a later try only",
    "stimulus_cut": "stimulus taken down early, the page was covered",
    "window_hidden": "page covered at some time of the trial",
    "dropped_frames": "frames left out by the browser",
    "sound_restarts": "sound stood still and was played again",
}


@final
@dataclass(frozen=True)
class AnswerRows:
    """A small table under a heading; cells as they are shown."""

    heading: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | int | float, ...], ...]
    note: str = ""


@final
@dataclass(frozen=True)
class AnswersView(SectionView):
    """Blocks side by side where there is room."""

    blocks: tuple[AnswerRows, ...]

    @property
    def template(self) -> Path:
        """Drawn by this."""
        return TEMPLATES / "answers.html.jinja"


def make_view(summary: AnswerSummary) -> AnswersView:
    """Who took part, who is left out and why, right answers, how trials were shown."""
    blocks = [_list_people(summary), _list_exclusions(summary), *_list_accuracy(summary), *_list_presented(summary)]
    return AnswersView(tuple(block for block in blocks if block.rows))


def describe_rule(name: str, rules: Mapping[str, Any]) -> str:
    """A rule of exclusion in words, as it is broken."""
    words = _RULES.get(name, name)
    bound = rules.get(name)
    if not isinstance(bound, int | float) or "{" not in words:
        return words.replace(" {:g}", " the bound")
    words = words.format(bound)
    return words.replace(" times", " time").replace(" attempts", " attempt") if bound == 1 else words


def format_interval(accuracy: ConditionAccuracy) -> str:
    """The 95 % interval, empty where there is none."""
    if accuracy.low is None or accuracy.high is None:
        return ""
    return f"{100 * accuracy.low:.1f} to {format_share(accuracy.high)}"


def name_condition(condition: tuple[Any, ...]) -> str:
    """Its values, one after the other; long names lose their middle.

    >>> name_condition((0.25, None, "conv1"))
    '0.25, none, conv1'
    """
    words = ", ".join("none" if value is None else format_value(value) for value in condition)
    return words if len(words) <= _LONGEST else f"{words[: _LONGEST // 2]}…{words[-_LONGEST // 2 + 1 :]}"


def format_value(value: Any) -> str:
    """Numbers without a tail of zeros."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _list_people(summary: AnswerSummary) -> AnswerRows:
    several = len(summary.visits) > 1
    rows: list[tuple[str | int | float, ...]] = [
        (f"session {k}" if several else "participants", *counts) for k, counts in enumerate(summary.visits, start=1)
    ]
    left = ", ".join(_format_step(step, n) for step, n in summary.steps.items() if step != "done")
    return AnswerRows(
        "Who took part", ("", "began", "finished", "included"), tuple(rows), f"Not all the way: {left}." if left else ""
    )


def _format_step(step: str, n: int) -> str:
    return f"{n} {step.replace('_', ' ')}" if step in ("screened_out", "declined") else f"{n} at {step}"


def _list_exclusions(summary: AnswerSummary) -> AnswerRows:
    of = "sessions" if len(summary.visits) > 1 else "participants"
    rows = tuple((describe_rule(name, summary.rules), n) for name, n in summary.reasons.items())
    idle = [describe_rule(name, summary.rules) for name in summary.rules if name not in summary.reasons]
    note = f"Of nobody: {'; '.join(idle)}." if idle and rows else ""
    return AnswerRows("Left out, and why", ("rule", of), rows, note)


def _list_accuracy(summary: AnswerSummary) -> list[AnswerRows]:
    if summary.overall is None:
        return []
    names = (_NAMES.get(name, name.removeprefix("condition_")) for name in summary.conditions)
    columns = (*names, "right", "95 % interval", "people", "answers", "median s")
    rows = [(*map(_cell, each.condition), *_measure(each)) for each in summary.by_condition[:_MOST_ROWS]]
    if summary.conditions:
        rows.append(("all", *("",) * (len(summary.conditions) - 1), *_measure(summary.overall)))
    else:
        rows = [_measure(summary.overall)]
    more = len(summary.by_condition) - _MOST_ROWS
    notes = [f"{format_count(more, 'more condition')}."] if more > 0 else []
    if summary.n_replaced:
        notes.append(
            f"Not in the rows but in all: {format_count(summary.n_replaced, 'answer')} "
            "to originals that stood in for metamers."
        )
    if summary.n_catch:
        notes.append(f"Catch trials: {summary.n_catch_correct:,} of {summary.n_catch:,} right, of everybody.")
    return [AnswerRows("Right answers to main trials", columns, tuple(rows), " ".join(notes))]


def _cell(value: Any) -> str:
    return name_condition((value,))


def _measure(each: ConditionAccuracy) -> tuple[str | int | float, ...]:
    seconds = "" if each.median_rt_ms is None else f"{each.median_rt_ms / 1000:.2f}"
    return format_share(each.proportion), format_interval(each), len(each.proportions), each.n_answers, seconds


def _list_presented(summary: AnswerSummary) -> list[AnswerRows]:
    n_skipped = sum(len(each.trials) for each in summary.skipped)
    rows = [("gone on without, since a stimulus could not be shown", n_skipped, summary.n_answers + n_skipped)]
    rows += [
        (words, *summary.presentations[name]) for name, words in _PRESENTED.items() if name in summary.presentations
    ]
    skipped = tuple(
        (each.participant, each.session, each.task, ", ".join(map(str, each.trials)))
        for each in summary.skipped[:_MOST_ROWS]
    )
    timing = tuple(
        (f"{each.asked_ms:g}", f"{each.mean_ms:.2f} ± {each.sd_ms:.2f}", each.n_as_asked, each.n)
        for each in summary.timing
    )
    shown = tuple(rows) if summary.n_answers + n_skipped else ()
    return [
        AnswerRows("How trials were shown", ("trials", "n", "of"), shown),
        AnswerRows(
            "Gone on without", ("participant", "session", "task", "trials of the built task"), skipped,
            f"{format_count(n_skipped, 'trial')}; they have no answer and count neither as right nor as wrong.",
        ),
        AnswerRows(
            "How long stimuli were shown", ("ms asked", "ms shown, mean ± SD", "frames as asked", "presentations"),
            timing, "By the page's own frames, not by light on the screen.",
        ),
    ]  # fmt: skip
