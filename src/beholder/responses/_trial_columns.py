"""The columns of trial tables: what they are called elsewhere, and what their cells may hold."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords

TRIAL_TABLE_COLUMNS: Mapping[str, str] = {
    "participant": "who answered: a person's opaque name, or a network's",
    "session": "of the participant",
    "trial": "order within the session",
    "stimulus": "id of what was shown, without what --id_pattern leaves out",
    "condition": "how it was shown",
    "level": "of the condition, a number",
    "model": "the network that the stimulus was made for, or whose unit the trial is about",
    "layer": "its layer",
    "unit": "model/layer/channel that the trial is about",
    "mode": "of the trial, as the plan calls it",
    "truth": "what is right: the category that is shown",
    "texture": "the second label of a stimulus whose cues disagree; truth is the first, its shape",
    "response": "what was answered",
    "correct": "whether that is right",
    "confidence": "as labelled on the button, 1 the least sure",
    "rt": "response time in seconds",
    "rule": "by which a network's answer follows from its outputs: first, mean, max or sum",
    "source": "the file or folder that the answer was read from",
}
"""Columns of a table of trials, in order, and what they hold."""

SOURCE = "source"
"""Asked for as a column, it is the file or folder itself."""
NUMBERS = ("level", "confidence", "rt")
NO_ANSWER = frozenset({"", "na", "nan", "none", "n/a"})
"""Responses that stand for none, whatever their case."""

_OWN = {
    "response": "choice", "truth": "correct_answer", "stimulus": "stimulus_id", "condition": "condition",
    "level": "level", "rt": "rt_ms", "model": "model", "layer": "layer",
}  # fmt: skip
_OWN_CONDITIONS = {"level": "condition_level", "model": "condition_model", "layer": "condition_layer"}
_SEVERAL = "several files"
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|[-+]?\.\d+")
_JOINED = re.compile(r"(?<=[A-Za-z])-(?=\.?\d)")
_SIGNED = re.compile(r"(?<=[A-Za-z])\+(?=\.?\d)")
TIME_UNITS = {":ms": 1000.0, ":s": 1.0}
"""What may stand behind the column of response times, and how many of it are a second."""


@suggest_keywords
def parse_columns(columns: Mapping[str, str] | Sequence[str] | None) -> dict[str, str]:
    """Column of a trial table to the column of the file, from a mapping or words ``name=column``.

    Raises
    ------
    InputError
        A word without ``=``, a name twice.
    UnknownNameError
        No column of trial tables.

    Examples
    --------
    >>> parse_columns(["participant=subj", "truth=category"])
    {'participant': 'subj', 'truth': 'category'}
    """
    if columns is None:
        return {}
    if isinstance(columns, Mapping):
        pairs = [(str(name), str(column)) for name, column in columns.items()]
    else:
        words = [str(each) for each in columns]
        bad = next((each for each in words if "=" not in each or not all(each.split("=", 1))), None)
        if bad is not None:
            raise InputError("--columns as NAME=COLUMN …", got=repr(bad), hint="participant=subj")
        pairs = [(each.split("=", 1)[0], each.split("=", 1)[1]) for each in words]
    found: dict[str, str] = {}
    for name, column in pairs:
        if name not in TRIAL_TABLE_COLUMNS:
            raise UnknownNameError("column of a table of trials", name, TRIAL_TABLE_COLUMNS)
        if name in found:
            raise InputError("each name once in --columns", got=f"{name}={found[name]} and {name}={column}")
        found[name] = column
    return found


def is_own_table(names: Sequence[str]) -> bool:
    """Whether a table has the columns that ``beholder tasks export`` writes.

    >>> is_own_table(["subj", "object_response"])
    False
    """
    return {"participant", "choice", "correct", "catch_trial", "excluded", "rt_ms"} <= set(names)


def is_network_table(names: Collection[str]) -> bool:
    """Whether a table has the columns of networks' answers, which need no others' names.

    >>> is_network_table(["participant", "stimulus", "response", "rule"])
    True
    """
    return {"participant", "response", "rule"} <= set(names)


def match_columns(
    names: Sequence[str], asked: Mapping[str, str], where: str, others: Collection[str] = ()
) -> dict[str, str]:
    """Column of a trial table to that of a file: as asked, else by its own name; names of any case.

    Parameters
    ----------
    names : sequence of str
        The file's columns.
    asked : mapping of str to str
    where : str
        The file, for messages.
    others : collection of str
        Columns of the files that are read with it: what one of them has need not be in this one. Nor need the columns
        of people's files be in a table of networks' answers.

    Raises
    ------
    UnknownNameError
        A column that is asked for and in no file.
    InputError
        A column that is there twice but for its case.

    Examples
    --------
    >>> match_columns(["subj", "Session", "category"], {"participant": "subj", "truth": "category"}, "a.csv")
    {'participant': 'subj', 'session': 'Session', 'truth': 'category'}
    """
    own = is_own_table(names)
    found: dict[str, str] = {}
    for name in TRIAL_TABLE_COLUMNS:
        if name in asked:
            wanted, _ = split_unit(asked[name], names) if name == "rt" else (asked[name], None)
            column = find_column(names, wanted, where)
            if column is None and asked[name] == SOURCE:
                column = SOURCE
            if column is not None:
                found[name] = column
                continue
            if not is_network_table(names) and find_column(list(others), wanted, _SEVERAL) is None:
                raise UnknownNameError(f"column of {where}", wanted, names)
        wanted = _OWN.get(name, name) if own else name
        if own and _OWN_CONDITIONS.get(name) in names:
            wanted = _OWN_CONDITIONS[name]
        column = find_column(names, wanted, where)
        if column is not None and name != SOURCE:
            found[name] = column
    return found


def find_column(names: Sequence[str], wanted: str, where: str) -> str | None:
    """A file's column by its name in any case, None where there is none."""
    if wanted in names:
        return wanted
    fitting = [name for name in dict.fromkeys(names) if name.strip().casefold() == wanted.strip().casefold()]
    if len(fitting) > 1 and where != _SEVERAL:
        raise InputError(f"one column {wanted} in {where}", got=" and ".join(fitting))
    return fitting[0] if fitting else None


def split_unit(column: str, names: Sequence[str]) -> tuple[str, float | None]:
    """A column of response times without its unit, and how many of these are a second; None where none is told.

    >>> split_unit("RT:ms", ["subj", "RT"]), split_unit("RT", ["subj", "RT"]), split_unit("a:s", ["a:s"])
    (('RT', 1000.0), ('RT', None), ('a:s', None))
    """
    unit = next((each for each in TIME_UNITS if column.casefold().endswith(each)), None)
    if unit is None or find_column(names, column, _SEVERAL) is not None:
        return column, None
    return column[: -len(unit)], TIME_UNITS[unit]


def to_text(value: Any) -> str:
    """A cell as text, as a CSV file has it; nothing as nothing.

    >>> [to_text(value) for value in (" bird ", 3, None, float("nan"))]
    ['bird', '3', '', '']
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return str(value).strip()


def to_number(value: Any, name: str, where: str) -> float:
    """A cell as a number, NaN where it is empty; of a level such as ``c05`` or ``level-3`` the one number in it.

    A minus right behind a letter joins words and is no sign; :func:`to_levels` knows of columns in which it is one.

    Raises
    ------
    InputError
        Words without a number, or for a level with several.

    Examples
    --------
    >>> [to_number(cell, "level", "a.csv") for cell in ("0.5", "c05", "level-3", "-3", "snr=-3")]
    [0.5, 5.0, 3.0, -3.0, -3.0]
    """
    text = to_text(value)
    if text.casefold() in NO_ANSWER:
        return math.nan
    try:
        return float(text)
    except ValueError:
        numbers = _NUMBER.findall(_JOINED.sub(" ", text)) if name == "level" else []
    if len(numbers) != 1:
        raise InputError(f"numbers in the column {name}", got=f"{text!r} in {where}")
    return float(numbers[0])


def to_levels(cells: Sequence[Any], where: str) -> tuple[list[float], str]:
    """Levels as numbers, and a sentence where words of the column had to be read one of two ways.

    In ``level-3`` the minus joins word and number. Where others of the column say ``snr+3``, it is a sign.

    >>> to_levels(["level-3", "level-4"], "a.csv")
    ([3.0, 4.0], "Levels of a.csv such as 'level-3' are read as 3, without a sign.")
    >>> to_levels(["snr-3", "snr+3"], "a.csv")
    ([-3.0, 3.0], "Levels of a.csv such as 'snr-3' are read as -3, since others have a plus.")
    """
    texts = [to_text(cell) for cell in cells]
    first = next((text for text in texts if _JOINED.search(text)), None)
    if first is None:
        return [to_number(text, "level", where) for text in texts], ""
    signed = any(map(_SIGNED.search, texts))
    own = [_JOINED.sub(" -", text) for text in texts] if signed else texts
    found = [to_number(text, "level", where) for text in own]
    how = "since others have a plus" if signed else "without a sign"
    value = found[texts.index(first)]
    return found, f"Levels of {where} such as {first!r} are read as {value:g}, {how}."


def to_truth(value: Any, name: str, where: str) -> bool | None:
    """A cell as right (True) or wrong, None where it is empty.

    >>> to_truth("1", "correct", "a.csv"), to_truth("FALSE", "correct", "a.csv"), to_truth("", "correct", "a.csv")
    (True, False, None)
    """
    text = str(value).strip().casefold() if isinstance(value, bool) else to_text(value).casefold()
    if text in ("true", "1", "1.0", "t", "yes"):
        return True
    if text in ("false", "0", "0.0", "f", "no"):
        return False
    if text in NO_ANSWER or text == "<na>":
        return None
    raise InputError(f"true or false, 1 or 0, in the column {name}", got=f"{text!r} in {where}")
