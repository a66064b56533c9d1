"""What is put right, and told, in tables that others wrote: copies of rows, cases of letters, milliseconds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

from beholder._core.errors import UnknownNameError
from beholder._core.wording import format_count
from beholder.responses._trial_columns import NO_ANSWER, find_column, to_text
from beholder.responses._trial_files import TrialFile

_MOST_NAMED = 3
_UNTIMED = (
    "No answer has a response time, though there is a column of them: answers of networks are to be given as such."
)
_SLOWEST = 100
"""A median response time in seconds that no experiment has: milliseconds."""


@final
@dataclass
class Copies:
    """Rows of a source that are alike in every column, by the trial that they tell, or without one."""

    seen: set[tuple[Any, ...]] = field(default_factory=set[tuple[Any, ...]])
    n_alike: int = 0

    def find(self, file: TrialFile, matched: Mapping[str, str]) -> list[bool]:
        """Whether each row is the first of its kind; always, where nothing tells one trial from another.

        Parameters
        ----------
        file : TrialFile
        matched : mapping of str to str
            Column of trial tables to the file's.
        """
        if not {"trial", "stimulus"} & set(matched):
            return [True] * len(next(iter(file.columns.values())))
        first: list[bool] = []
        # files that lie in one folder may number their trials alike: there, times tell them apart
        place = file.source if "rt" in matched else f"{file.source}/{file.name}"
        head = (place, *file.columns)
        for row in zip(*file.columns.values(), strict=True):
            key = (head, *(to_text(cell) for cell in row))
            first.append(key not in self.seen)
            self.seen.add(key)
        if "trial" in matched:
            return first
        self.n_alike += first.count(False)
        return [True] * len(first)

    def tell(self) -> list[str]:
        """A sentence on rows that may be copies."""
        if not self.n_alike:
            return []
        words = "alike in every column; they count, since no column trial tells copies from repeated trials"
        return [f"{format_count(self.n_alike, 'answer')} stand there a second time, {words}."]


def find_further(
    names: Sequence[str], wanted: str, where: str, others: Sequence[str], is_network: bool = False
) -> str | None:
    """A further column of a file, None where only files beside it have one, or where the answers are a network's.

    Raises
    ------
    UnknownNameError
        No file has it.
    """
    column = find_column(names, wanted, where)
    if column is None and not is_network and find_column(others, wanted, "several files") is None:
        raise UnknownNameError(f"column of {where}", wanted, names)
    return column


def to_numbers(cells: Sequence[str]) -> list[Any]:
    """Numbers, NaN where there is none, where every cell that is not empty is one; else the words.

    >>> to_numbers(["1", "", "2.5"]), to_numbers(["1", "old"])
    ([1.0, nan, 2.5], ['1', 'old'])
    """
    try:
        found = [float(cell) if cell else math.nan for cell in cells]
    except ValueError:
        return list(cells)
    return found if any(map(math.isfinite, found)) else list(cells)


def find_median(times: Sequence[float]) -> float:
    """Of those that are known; NaN of none."""
    known = [each for each in times if math.isfinite(each)]
    return statistics.median(known) if known else math.nan


def is_in_milliseconds(times: Sequence[float]) -> bool:
    """Whether response times cannot be seconds.

    >>> is_in_milliseconds([612, 734, 1280]), is_in_milliseconds([0.6, 0.7, 1.3])
    (True, False)
    """
    return find_median(times) > _SLOWEST


def spell_alike(part: MutableMapping[str, list[Any]], notes: list[str], where: str) -> None:
    """Spell answers as labels are, where only cases of letters differ.

    Labels that differ in nothing else, as letters of the alphabet may, are left as they are.

    Parameters
    ----------
    part : mapping of str to list
        Columns of one file; ``response`` is changed.
    notes : list of str
        Where a sentence is added.
    where : str
        The file.
    """
    if not {"truth", "response"} <= set(part):
        return
    labels = dict.fromkeys(each for name in ("truth", "texture") for each in part.get(name, ()) if each)
    spelled = {label.casefold(): label for label in labels}
    if len(spelled) < len(labels):
        return
    own = [answer if answer in labels else spelled.get(answer.casefold(), answer) for answer in part["response"]]
    n = sum(before != after for before, after in zip(part["response"], own, strict=True))
    if n:
        part["response"] = own
        notes.append(
            f"{format_count(n, 'answer')} of {where} differ from labels in the case of letters alone, and count as "
            "these."
        )


def tell_untimed(joined: Mapping[str, list[Any]]) -> list[str]:
    """A sentence on participants without any response time: published folders hold networks beside people.

    >>> tell_untimed({"participant": ["anna", "net"], "rt": [0.5, math.nan]})
    ['net has neither response times nor a rule: a network among people is to be given as a network.']
    """
    if "rt" not in joined:
        return []
    rules = joined.get("rule", [""] * len(joined["rt"]))
    answers = joined.get("response", ["told"] * len(joined["rt"]))
    known: dict[str, bool] = {}
    for who, time, rule, answer in zip(joined["participant"], joined["rt"], rules, answers, strict=True):
        missed = answer.casefold() in NO_ANSWER  # who did not answer has no time
        known[who] = known.get(who, missed) or math.isfinite(time) or bool(rule)
    without = [who for who, is_known in known.items() if not is_known]
    if not without:
        return []
    if len(without) == len(known):
        return [_UNTIMED]
    names = ", ".join(without[:_MOST_NAMED]) + (" and others" if without[_MOST_NAMED:] else "")
    has = "has" if len(without) == 1 else "have"
    return [f"{names} {has} neither response times nor a rule: a network among people is to be given as a network."]
