"""The published form of trials and of names of pictures, as bethgelab/model-vs-human has them."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from beholder._core.errors import InputError, UnknownNameError
from beholder.responses import Trials
from beholder.stimuli import StimulusSet, get_asset

Columns = Mapping[str, str] | Sequence[str] | None

PUBLISHED_COLUMNS = {
    "participant": "subj", "response": "object_response", "truth": "category", "condition": "condition",
    "stimulus": "imagename",
}  # fmt: skip
"""Columns of trials, and what they are called there."""

PUBLISHED_SETS = {
    "s5n": "shape-texture-cue-conflict", "edg": "shape-texture-edges", "sif": "shape-texture-silhouettes",
}  # fmt: skip
"""Code of an experiment in the names of its pictures, and the asset that holds them."""

_NAME = re.compile(
    r"^\d+_(?P<code>[a-z0-9]+)_[^_]+_(?P<shown>(?P<condition>[^_]+)_[^_]+_\d+_(?P<own>.+?))(?:\.(?:png|jpe?g))?$",
    re.IGNORECASE,
)
UNTOLD = ("", "natural")
"""Conditions that do not say how a picture was altered: experiments of one's own show it as it is."""

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_FEWEST_LEVELS = 3
_LOOKED_INTO = 8


@final
@dataclass(frozen=True)
class PublishedName:
    """What the name of a picture says.

    Attributes
    ----------
    code : str
        Of the experiment.
    shown : str
        Condition, category, crop and own name: the picture as it was shown.
    own : str
        Its own name.
    condition : str
    """

    code: str
    shown: str
    own: str
    condition: str


def read_name(name: str) -> PublishedName | None:
    """Take the published name of a picture apart; None where it is no such name.

    >>> read_name("0001_s5n_s01_0_bird_00_bird3-bird2.png")
    PublishedName(code='s5n', shown='0_bird_00_bird3-bird2', own='bird3-bird2', condition='0')
    >>> read_name("bird3-bird2")
    """
    match = _NAME.match(name)
    return PublishedName(match["code"], match["shown"], match["own"], match["condition"]) if match else None


def read_people(read: Callable[[Columns], Trials], columns: Columns = None) -> Trials:
    """People's trials, published columns found by themselves.

    Conditions that are graded in three steps or more (``c30``, ``0.03``) fill the column ``level``, too.

    Parameters
    ----------
    read : callable
        Reads the trials by what their columns are called.
    columns : mapping of str to str, or sequence of ``"name=column"``, optional
        What is known of these; nothing is found then.
    """
    if columns is not None:
        return read(columns)
    try:
        found = read(PUBLISHED_COLUMNS)
    except UnknownNameError:
        return read(None)
    table, told = add_levels(found.table)
    return Trials(table, (*found.sentences, *told), found.n_choices)


def add_levels(table: Any) -> tuple[Any, list[str]]:
    """Levels from conditions that are graded, and a sentence on them; the table as it is where some are told already.

    Conditions of one's own experiments on pictures as they are (``natural``) have none.
    """
    conditions = [str(each) for each in table["condition"]]
    told = [each for each in conditions if each not in UNTOLD]
    if ("level" in table.columns and table["level"].notna().any()) or not are_levels(told):
        return table, []
    numbers = [math.nan if each in UNTOLD else _read_level(each) for each in conditions]
    return table.assign(level=numbers), ["Levels are the numbers in the column condition."]


def _read_level(condition: str) -> float:
    try:
        return float(condition)
    except ValueError:
        return float(_NUMBER.findall(condition)[0])


def are_levels(conditions: Any) -> bool:
    """Whether conditions are one number each, of three or more, with the same letters before it.

    >>> are_levels(["c30", "c5", "c100"]), are_levels(["0", "pow", "1"]), are_levels(["1-10-10", "2-10-10", "4-10-10"])
    (True, False, False)
    """
    names = {str(each) for each in conditions}
    numbers = [_NUMBER.findall(name) for name in names]
    around = {_NUMBER.sub("#", name) for name in names}
    return len(names) >= _FEWEST_LEVELS and len(around) == 1 and all(len(found) == 1 for found in numbers)


def check_pictures(stimuli: StimulusSet, positions: Sequence[int], names: Sequence[str]) -> list[str]:
    """Whether pictures are those of the trials' experiment, where both are published ones.

    Sets share names of pictures: edge drawings and silhouettes do.

    Parameters
    ----------
    stimuli : StimulusSet
    positions : sequence of int
        Pictures that trials are about; a few are looked into.
    names : sequence of str
        Of the pictures, in the trials.

    Returns
    -------
    list of str
        A note where they are other files than the published ones.

    Raises
    ------
    InputError
        Pictures of another published set, or trials of several experiments.
    """
    codes = sorted({found.code for found in map(read_name, names) if found is not None})
    if len(codes) > 1:
        raise InputError("trials of one experiment", got=f"those of {', '.join(codes)}", hint="one folder of trials")
    wanted = PUBLISHED_SETS.get(codes[0]) if codes else None
    if wanted is None or (stimuli.arrays is not None and stimuli.packed is None):
        return []
    sets = {name: set(get_asset(name).published_hashes.values()) for name in PUBLISHED_SETS.values()}
    step = max(1, len(positions) // _LOOKED_INTO)
    others = 0
    for place in positions[::step]:
        content = hashlib.sha256(stimuli.read_bytes(place)).hexdigest()
        found = next((name for name, hashes in sets.items() if content in hashes), None)
        if found is not None and found != wanted:
            raise InputError(
                f"pictures of {wanted}, which the trials are about", got=f"{stimuli.files[place]} of {found}",
                hint="the trials to these pictures",
            )  # fmt: skip
        others += found is None
    return ["The pictures are other files than the published ones."] if others else []
