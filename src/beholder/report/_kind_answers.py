"""Section kind: answers to an experiment (the folder of `beholder tasks export`)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, final

from beholder._core.wording import format_count, format_share
from beholder.report._answer_view import describe_rule, format_interval, make_view, name_condition
from beholder.report._embed import embed_svg_bytes
from beholder.report._section import SECTIONS, Page, Picture, Section, SectionKind, Table
from beholder.responses import AnswerSummary, Responses, is_export, is_older_export, read_export, summarize_responses

_TABLE_ROWS = 400
_MOST_CONDITIONS = 30
_QUESTIONS = {
    "2afc": "Do people see what drives units?",
    "counterfactual": "Do people see which occlusion matters to units?",
    "recognition": "What do people recognise?",
    "words": "Which words do people hear?",
    "same_different": "Do people see or hear the difference?",
    "odd_one_out": "Which stimuli are alike to people?",
    "similarity": "How alike are stimuli to people?",
}
_COLUMNS = ("session", "step", "excluded", "exclusion_reasons", "n_answered", "n_trials", "n_skipped",
            "skipped_trials", "proportion_correct", "catch_ratio", "time_s", "automation_signs")  # fmt: skip


@SECTIONS.register("answers")
@final
class AnswerKind(SectionKind):
    """Who took part and is left out, right answers by condition, what could not be shown, how long the rest was."""

    turn = 35

    def find(self, folder: Path) -> list[Path]:
        """Folders that answers were exported to."""
        found = []
        for root, folders, _ in os.walk(folder):
            folders[:] = sorted(name for name in folders if not name.startswith(".") and not name.endswith(".zarr"))
            if is_export(root):
                found.append(Path(root))
        return found

    def render(self, item: Path, page: Page) -> Section:
        """A picture where answers can be right, small tables, a table of sessions."""
        if is_older_export(item):
            answer = "An earlier version exported these answers; `beholder tasks export` again shows them here."
            return Section(title=f"What did people answer?{_name_folder(item, page)}", answer=answer, order=300)
        responses = read_export(item)
        summary = summarize_responses(responses)
        picture = _draw(summary, page)
        question = _QUESTIONS.get(summary.kind, f"What did people answer ({summary.kind})?")
        return Section(
            title=f"{question}{_name_folder(item, page)}",
            answer=_format_answer(summary),
            pictures=(picture,) if picture else (),
            view=make_view(summary),
            explanation=_explain(summary, has_picture=picture is not None),
            table=_list_sessions(responses, page.link(item / "participants.csv")),
            method=_describe_method(summary),
            warnings=_list_warnings(summary),
            order=300,
        )


def _name_folder(item: Path, page: Page) -> str:
    name = "" if item == page.folder else item.relative_to(page.folder).as_posix()
    return f" ({name})" if name and name != "answers" else ""


def _format_answer(summary: AnswerSummary) -> str:
    who = "simulated participant" if summary.n_simulated == summary.n_participants else "participant"
    if not summary.n_participants:
        return "Nobody has taken part yet."
    is_are = "is" if summary.n_included == 1 else "are"
    words = (
        f"{format_count(summary.n_participants, who)} took part, {summary.n_finished} finished, "
        f"{summary.n_included} {is_are} included."
    )
    overall = summary.overall
    if overall is None:
        return f"{words} {format_count(summary.n_answers, 'answer')}."
    of = "Of their" if summary.is_of_included else "Of all"
    interval = format_interval(overall)
    interval = f" (95 % interval {interval})" if interval else ""
    chance = (
        f", where guessing gives {_format_chance(summary.chance)}" if summary.chance and not summary.is_adaptive else ""
    )
    return (
        f"{words} {of} {format_count(overall.n_answers, 'answer')} "
        f"{format_share(overall.proportion)} are right{interval}{chance}."
    )


def _format_chance(chance: float) -> str:
    return f"{100 * chance:.3g} %"


def _draw(summary: AnswerSummary, page: Page) -> Picture | None:
    from beholder.figures import PEOPLE_COLOR, plot_accuracy, render_svg

    if summary.overall is None or summary.is_adaptive:
        return None
    rows = (*summary.by_condition[:_MOST_CONDITIONS],) or (summary.overall,)
    names = [name_condition(row.condition) or "all trials" for row in rows]
    n_people = sorted({len(row.proportions) for row in rows})
    n = f"{n_people[0]}" if len(n_people) == 1 else f"{n_people[0]} to {n_people[-1]}"
    interval = "line: 95 % interval over participants\n" if any(row.low is not None for row in rows) else ""
    ax: Any = plot_accuracy(
        [row.n_right for row in rows], [row.n_answers for row in rows], names, chance=summary.chance,
        color=PEOPLE_COLOR,
        intervals=[[float("nan") if end is None else end for end in (row.low, row.high)] for row in rows],
        note=f"{interval}grey: single participants, n = {n}", single=[row.proportions for row in rows],
    )  # fmt: skip
    shown = embed_svg_bytes(render_svg(ax.figure), page.budget)
    alt = "; ".join(f"{name}: {format_share(row.proportion)} right" for name, row in zip(names, rows, strict=True))
    return Picture(shown[0], f"Right answers by condition. {alt}", shown[1], height=shown[2]) if shown else None


def _explain(summary: AnswerSummary, *, has_picture: bool) -> str:
    if summary.is_adaptive:
        return (
            "Levels were chosen from the answers, so that the proportion of right ones is what the procedure sought: "
            "look at levels and thresholds instead."
        )
    if not has_picture:
        return "No answer is right or wrong here, but for catch trials." if summary.overall is None else ""
    return (
        "A black dot is the proportion of right answers of all participants together, a grey one that of one of them."
    )


def _describe_method(summary: AnswerSummary) -> str:
    rules = "; ".join(describe_rule(name, summary.rules) for name in ("unfinished", *summary.rules))
    parts = [f"Left out, by the rules that the plan declares: {rules}."]
    if summary.overall is not None:
        whose = "included sessions" if summary.is_of_included else "all sessions, since none is included"
        parts.append(f"Right answers are those to main trials of {whose}, catch trials and practice apart.")
    if summary.overall is not None and summary.overall.low is not None:
        parts.append(
            "Intervals are percentiles of 1,000 draws of participants with replacement (Efron & Tibshirani 1993): the "
            "answers of one stay together. Differences between stimuli are not in them."
        )
    return " ".join(parts)


def _list_warnings(summary: AnswerSummary) -> tuple[str, ...]:
    warnings = []
    n_skipped = sum(len(each.trials) for each in summary.skipped)
    if n_skipped:
        people = len({each.participant for each in summary.skipped})
        warnings.append(
            f"{format_count(n_skipped, 'trial')} of {format_count(people, 'participant')} gone on without, whose "
            "stimuli could not be shown: the server's log names the files."
        )
    withheld = summary.presentations.get("presentations_withheld", (0, 0))[0]
    if withheld:
        warnings.append(
            f"{format_count(withheld, 'answer')} came after a reload, when the stimulus was not shown again."
        )
    if not summary.is_of_included and summary.overall is not None:
        warnings.append("Nobody is included by the rules: right answers are those of everybody.")
    if 0 < summary.n_simulated < summary.n_participants:
        warnings.append(f"{summary.n_simulated} of the participants are simulated.")
    if summary.overall is not None and summary.overall.low is None:
        warnings.append("No intervals: fewer than five participants say nothing of others.")
    n = len(summary.by_condition)
    if n > _MOST_CONDITIONS and not summary.is_adaptive:
        warnings.append(f"The picture shows {_MOST_CONDITIONS} of {format_count(n, 'condition')}.")
    return tuple(warnings)


def _list_sessions(responses: Responses, link: str | None) -> Table:
    people: Any = responses.participants
    names = ("participant", *(("visit",) if responses.n_visits > 1 else ()), *_COLUMNS)
    rows = people[list(names)].head(_TABLE_ROWS).astype(object)
    rows = rows.where(rows.notna(), "")
    cells = tuple(
        tuple("yes" if cell is True else "no" if cell is False else cell for cell in row)
        for row in rows.itertuples(index=False)
    )
    return Table(tuple(name.replace("_", " ") for name in names), cells, link, len(people))
