"""One table of single answers, whoever wrote it: exports, published tables, networks' answers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.id_patterns import extract_ids
from beholder._core.notebooks import render_table
from beholder._core.wording import format_count
from beholder.responses._exported import is_export, read_n_choices
from beholder.responses._trial_columns import (
    NO_ANSWER,
    NUMBERS,
    SOURCE,
    TRIAL_TABLE_COLUMNS,
    find_column,
    is_network_table,
    is_own_table,
    match_columns,
    parse_columns,
    split_unit,
    to_levels,
    to_number,
    to_text,
    to_truth,
)
from beholder.responses._trial_files import TrialFile, read_trial_files
from beholder.responses._trial_repairs import (
    Copies,
    find_further,
    find_median,
    is_in_milliseconds,
    spell_alike,
    tell_untimed,
    to_numbers,
)

if TYPE_CHECKING:
    import pandas as pd

_MS = 1000
_TELLING = 10
"""Answers from which on it is no chance that none is any of the labels."""


@final
@dataclass(frozen=True, repr=False, eq=False)
class Trials:
    """Single answers in the columns that all analyses of people share.

    Attributes
    ----------
    table : pandas.DataFrame
        A row an answer; columns of :data:`TRIAL_TABLE_COLUMNS`, those that no file tells left away. Words are texts,
        ``level``, ``confidence`` and ``rt`` (seconds) numbers with NaN where there is none, ``correct`` truths.
    sentences : tuple of str
        How many answers were read, and which were left out and why.
    n_choices : int
        The most answers that an experiment among these had to choose from; 0 where none tells it.
    """

    table: pd.DataFrame
    sentences: tuple[str, ...]
    n_choices: int = 0

    def __repr__(self) -> str:
        n_people = len(set(self.table["participant"]))
        return f"Trials({format_count(len(self.table), 'answer')} of {format_count(n_people, 'participant')})"

    def _repr_html_(self) -> str:
        """Its first rows, for notebooks."""
        return render_table(repr(self), self.to_pandas())

    def to_pandas(self) -> pd.DataFrame:
        """The table, a copy."""
        return self.table.copy()


@suggest_keywords
def read_trials(
    *paths: Path | str | pd.DataFrame,
    columns: Mapping[str, str] | Sequence[str] | None = None,
    id_pattern: str | None = None,
    include_excluded: bool = False,
    further: Sequence[str] = (),
) -> Trials:
    r"""Read single answers into one table. Nothing is joined by position.

    Parameters
    ----------
    *paths : path or DataFrame
        A folder that ``beholder tasks export`` wrote, or its ``responses.csv`` or ``.parquet``; a file of answers; a
        ``.csv``, ``.tsv`` or ``.parquet`` of others or of networks; a folder of these. Or such a table in memory.
    columns : mapping of str to str, or sequence of ``"name=column"``, optional
        What columns of :data:`TRIAL_TABLE_COLUMNS` are called in the files, in any case; what is not named is found
        under its own name. The column ``source`` is the file or folder itself. A column that ends in ``_ms`` is
        brought to seconds; ``rt=COLUMN:ms`` and ``rt=COLUMN:s`` say the unit.
    id_pattern : str, optional
        A regular expression whose first group is the stimulus's own name; answers to others are left out. Tables of
        networks, whose rule is told, keep their ids where it fits none of them.
    include_excluded : bool
        Of exports: with those who broke a rule or did not finish. Catch trials and practice are always left out.
    further : sequence of str
        Other columns to keep, by their own names in any case: numbers where every cell is one, else words. A file of
        several may lack them.

    Returns
    -------
    Trials

    Raises
    ------
    InputError
        No table; no such further column; columns that do not tell who answered and whether it was right; a pattern that
        fits no stimulus; answers that are spelled unlike all labels.

    Examples
    --------
    >>> from pathlib import Path
    >>> text = "subj,object_response,Category,imagename\ns1,cat,cat,0001_cat3.png\ns1,na,dog,0002_dog1.png\n"
    >>> _ = Path("subject-01.csv").write_text(text)
    >>> named = {"participant": "subj", "response": "object_response", "truth": "category", "stimulus": "imagename"}
    >>> trials = read_trials("subject-01.csv", columns=named, id_pattern=r"_(.*)\.png")
    >>> trials.table[["stimulus", "response", "correct"]].to_numpy().tolist()
    [['cat3', 'cat', True], ['dog1', 'na', False]]
    """
    asked = parse_columns(columns)
    files = read_trial_files(*paths)
    if not files:
        raise InputError("at least one file of answers", got="none")
    left: Counter[str] = Counter()
    known = list(dict.fromkeys(name for file in files for name in file.columns))
    wanted = [name for name in dict.fromkeys(further) if name not in TRIAL_TABLE_COLUMNS]
    notes: list[str] = []
    copies = Copies()
    parts = [
        _read_part(file, asked, known, wanted, id_pattern, include_excluded, left, notes, copies) for file in files
    ]
    n_read = sum(len(next(iter(file.columns.values()))) for file in files)
    names = [name for name in (*TRIAL_TABLE_COLUMNS, *wanted) if any(name in part for part in parts)]
    joined: dict[str, list[Any]] = {
        name: [value for part in parts for value in part.get(name, [_nothing(name)] * len(part["participant"]))]
        for name in names
    }
    if not joined["participant"]:
        reasons = "; ".join(f"{count:,} {why}" for why, count in left.items())
        raise InputError(
            "at least one answer that counts", got=f"{format_count(n_read, 'answer')}: {reasons}", hint=_hint(left)
        )
    _check_verdicts(joined, files, asked.get("correct", "correct"))
    told = [*_tell(joined, n_read, files, left, asked), *notes, *copies.tell()]
    folders = [Path(path) for path in paths if isinstance(path, Path | str) and is_export(path)]
    n_choices = max((read_n_choices(folder) for folder in folders), default=0)
    return Trials(_make_table(joined, wanted), tuple(told), n_choices)


def _read_part(
    file: TrialFile,
    asked: Mapping[str, str],
    known: Sequence[str],
    further: Sequence[str],
    pattern: str | None,
    include_excluded: bool,
    left: Counter[str],
    notes: list[str],
    copies: Copies,
) -> dict[str, list[Any]]:
    """The answers of one file that count, by the columns of trial tables."""
    where = f"{file.source}/{file.name}" if file.name != file.source else file.name
    matched = match_columns(list(file.columns), asked, where, known)
    n = len(next(iter(file.columns.values())))
    given = file.columns | {"source": file.columns.get("source", [file.source] * n)}
    judged = "correct" in matched or {"truth", "response"} <= set(matched)
    if "participant" not in matched or not (judged or "response" in matched):
        raise InputError(
            "columns that tell who answered what: participant, and truth and response or correct",
            got=f"{where} with {', '.join(list(file.columns)[:12])}",
            hint="--columns participant=… truth=… response=… stimulus=…",
        )
    part: dict[str, list[Any]] = {"participant": [], "source": []}
    for name, column in matched.items():
        cells = given[column]
        if name == "level":
            part[name], note = to_levels(cells, file.source)
            notes += [note] if note and note not in notes else []
        elif name in NUMBERS:
            part[name] = [to_number(cell, name, where) for cell in cells]
            if name == "rt":
                part[name] = _to_seconds(part[name], column, asked.get(name, ""), where, list(file.columns), notes)
        elif name == "correct":
            part[name] = [to_truth(cell, column, where) for cell in cells]
        else:
            part[name] = [to_text(cell) for cell in cells]
    part["source"] = [file.source] * n
    is_network = "rule" in part and all(part["rule"])
    for name in further:
        column = find_further(list(file.columns), name, where, known, is_network)
        part[name] = [to_text(cell) for cell in given[column]] if column else [""] * n
    keep = _choose_own(file, include_excluded, left, where) if is_own_table(list(file.columns)) else [True] * n
    keep = _apply(keep, [bool(who) for who in part["participant"]], "without a participant", left)
    keep = _apply(
        keep, copies.find(file, matched), "that stand there twice, the same trial alike in every column", left
    )
    if "stimulus" in part and pattern is not None:
        ids = extract_ids(part["stimulus"], pattern)
        if "rule" in part and all(part["rule"]) and not any(ids):
            ids = list(part["stimulus"])
        keep = _apply(keep, [each is not None for each in ids], "whose id the pattern does not fit", left)
        part["stimulus"] = [each or "" for each in ids]
    if judged:
        spell_alike(part, notes, where)
        part["correct"] = _judge(part)
        told = [verdict is not None for verdict in part["correct"]]
        if any(told):
            keep = _apply(keep, told, "that tell neither what is right nor whether it was", left)
        else:
            del part["correct"]
    return {name: [cell for cell, kept in zip(cells, keep, strict=True) if kept] for name, cells in part.items()}


def _to_seconds(
    times: list[float], column: str, asked: str, where: str, names: Sequence[str], notes: list[str]
) -> list[float]:
    """Response times in seconds: by the unit that is asked for, the column's name, or their median."""
    _, in_a_second = split_unit(asked, names)
    if in_a_second is None and column.casefold().endswith("_ms"):
        in_a_second = _MS
    if in_a_second is None and is_in_milliseconds(times):
        in_a_second = _MS
        notes.append(
            f"Response times of {where} are taken for milliseconds: their median is {find_median(times):,.0f}; "
            f"rt={column}:s or rt={column}:ms among the columns tells the unit."
        )
    return [value / (in_a_second or 1) for value in times]


def _choose_own(file: TrialFile, include_excluded: bool, left: Counter[str], where: str) -> list[bool]:
    """Of an export: main trials, of those who broke no rule."""
    columns = file.columns
    n = len(columns["participant"])
    is_main = [not to_truth(cell, "catch_trial", where) for cell in columns["catch_trial"]]
    if "role" in columns:
        is_main = [main and str(role) != "practice" for main, role in zip(is_main, columns["role"], strict=True)]
    keep = _apply([True] * n, is_main, "to catch trials or in practice", left)
    if "replaced" in columns:
        shown = [not to_truth(cell, "replaced", where) for cell in columns["replaced"]]
        keep = _apply(keep, shown, "to originals that stood in for metamers", left)
    if include_excluded:
        return keep
    kept = [not to_truth(cell, "excluded", where) for cell in columns["excluded"]]
    return _apply(keep, kept, "of participants who were excluded or did not finish", left)


def _apply(keep: list[bool], good: list[bool], why: str, left: Counter[str]) -> list[bool]:
    lost = sum(was and not now for was, now in zip(keep, good, strict=True))
    if lost:
        left[why] += lost
    return [was and now for was, now in zip(keep, good, strict=True)]


def _judge(part: Mapping[str, list[Any]]) -> list[bool | None]:
    """Whether each answer is right: as the file says, else by comparing the answer with the label."""
    n = len(part["participant"])
    said: list[bool | None] = part.get("correct", [None] * n)
    truths, answers = part.get("truth", [""] * n), part.get("response", [""] * n)
    return [
        verdict if verdict is not None else (answer == truth if truth else None)
        for verdict, answer, truth in zip(said, answers, truths, strict=True)
    ]


def _nothing(name: str) -> Any:
    return None if name == "correct" else math.nan if name in NUMBERS else ""


def _check_verdicts(joined: Mapping[str, list[Any]], files: Sequence[TrialFile], correct: str) -> None:
    if any(verdict is None for verdict in joined.get("correct", ())):
        raise InputError(
            "answers that can be right or wrong in every file, or in none",
            got=f"both among {', '.join(dict.fromkeys(file.source for file in files))}",
        )
    truths, answers = joined.get("truth", []), joined.get("response", [])
    has_labels = any(truths)  # none where nothing is right: odd-one-out, ratings
    compared = has_labels and not all(find_column(list(file.columns), correct, "several files") for file in files)
    if len(answers) >= _TELLING and compared and not {*truths} & {*answers} and not any(joined.get("correct", ())):
        got = f"responses such as {answers[0]!r} and labels such as {truths[0]!r}"
        raise InputError("responses that are spelled as the labels", got=got, hint="--columns response=… truth=…")


def _make_table(joined: dict[str, list[Any]], further: Sequence[str]) -> pd.DataFrame:
    import pandas as pd

    joined |= {name: to_numbers(joined[name]) for name in further}
    numbers = [name for name in further if not isinstance(joined[name][0], str)]
    kinds = {"correct": "bool"} | dict.fromkeys((*NUMBERS, *numbers), "float64")
    return pd.DataFrame({name: pd.Series(cells, dtype=kinds.get(name, "str")) for name, cells in joined.items()})  # type: ignore[call-overload]


def _hint(left: Mapping[str, int]) -> str | None:
    if any("the pattern" in why for why in left):
        return "another --id_pattern"
    return "--include_excluded" if any("excluded" in why for why in left) else None


def _tell(
    joined: Mapping[str, list[Any]],
    n_read: int,
    files: Sequence[TrialFile],
    left: Mapping[str, int],
    asked: Mapping[str, str],
) -> list[str]:
    """What was read, in sentences."""
    n, people = len(joined["participant"]), set(joined["participant"])
    told = [
        f"{format_count(n, 'answer')} of {format_count(len(people), 'participant')}, "
        f"read from {format_count(len(files), 'file')}."
    ]
    if left:
        reasons = ", ".join(f"{count:,} {why}" for why, count in left.items())
        told.append(f"{n_read - n:,} of {format_count(n_read, 'answer')} are left out: {reasons}.")
    if "response" in joined and "correct" in joined:
        n_none = sum(
            answer.casefold() in NO_ANSWER and not verdict
            for answer, verdict in zip(joined["response"], joined["correct"], strict=True)
        )
        if n_none:
            told.append(f"{format_count(n_none, 'answer')} counted as wrong: no response, or na.")
    told += [*_tell_contradictions(joined), *tell_untimed(joined)]
    places: dict[str, set[str]] = {}
    for who, source in zip(joined["participant"], joined["source"], strict=True):
        places.setdefault(who, set()).add(source)
    shared = sum(len(sources) > 1 for sources in places.values())
    if shared:
        told.append(
            f"{format_count(shared, 'participant')} in several sources: who bears one name is taken for one person."
        )
    others = [file for file in files if not is_network_table(file.columns)]
    for name, column in asked.items():
        n_with = sum(column.casefold() in {each.casefold() for each in file.columns} for file in others)
        if n_with < len(others) and column != SOURCE:
            told.append(f"The column {column} ({name}) stands in {n_with} of {format_count(len(others), 'file')}.")
    if asked.get("level") and asked["level"] == asked.get("condition"):
        told.append(f"Levels are the numbers in the column {asked['level']}.")
    return told


def _tell_contradictions(joined: Mapping[str, list[Any]]) -> list[str]:
    """Where a file says that an answer is right or wrong, and response and label say otherwise; it counts as told."""
    if not {"truth", "response", "correct"} <= set(joined) or not set(joined["truth"]) & set(joined["response"]):
        return []
    n = sum(
        bool(truth) and verdict != (truth == answer)
        for truth, answer, verdict in zip(joined["truth"], joined["response"], joined["correct"], strict=True)
    )
    words = "says otherwise than response and truth, and counts"
    return [f"Of {format_count(n, 'answer')} the column correct {words}."] if n else []
