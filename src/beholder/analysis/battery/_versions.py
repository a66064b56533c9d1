"""Answers to versions of stimuli, which an experiment tells by stimulus and condition."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from beholder.experiments import name_versions
from beholder.stimuli import StimulusSet

_NAMES = re.compile(r"(?:^|, )([^=,]+)=")
_LEVEL = "level"


def name_pictures(stimuli: StimulusSet, table: Any, ids: Sequence[str]) -> list[str]:
    """The picture of each answer, where pictures are versions of stimuli; else the answer's stimulus as it stands.

    Parameters
    ----------
    stimuli : StimulusSet
        With a column such as ``original`` where it holds versions.
    table : DataFrame
        Columns ``stimulus`` and, of experiments with conditions, ``condition`` and ``level``.
    ids : sequence of str
        Of the pictures.

    Returns
    -------
    list of str
        An answer to a version that is not there is named by its stimulus and condition.
    """
    shown = [str(name) for name in table["stimulus"]]
    if "condition" not in table.columns or name_versions(stimuli) is None:
        return shown
    conditions = [str(each) for each in table["condition"]]
    levels: list[Any] = list(table[_LEVEL]) if _LEVEL in table.columns else [""] * len(shown)
    found: dict[str, dict[tuple[str, str, str], str]] = {
        each: _list_versions(stimuli, tuple(_NAMES.findall(each)), ids) for each in set(conditions)
    }
    named: list[str] = []
    for name, condition, level in zip(shown, conditions, levels, strict=True):
        columns = _NAMES.findall(condition)
        key = name, condition, "" if _LEVEL in columns else _read(level)
        other = name if not columns else f"{name} ({condition})"
        named.append(found[condition].get(key, other))
    return named


def _list_versions(
    stimuli: StimulusSet, columns: tuple[str, ...], ids: Sequence[str]
) -> dict[tuple[str, str, str], str]:
    """Picture of each stimulus, condition and level; the level is empty where the condition tells it."""
    found = name_versions(stimuli, columns)
    if found is None:
        return {}
    has_level = _LEVEL in stimuli.conditions and _LEVEL not in columns
    levels = [_read(each) for each in stimuli.conditions[_LEVEL]] if has_level else [""] * len(ids)
    keys = list(zip(*found, levels, strict=True))
    return {key: own for key, own in zip(keys, ids, strict=True) if keys.count(key) == 1}


def _read(level: Any) -> str:
    """A level as text, alike for 1 and 1.0; empty where there is none.

    >>> _read(1), _read(0.05), _read(float("nan")), _read("soft")
    ('1.0', '0.05', '', 'soft')
    """
    try:
        number = float(level)
    except (TypeError, ValueError):
        return str(level)
    return "" if math.isnan(number) else str(number)
