"""Pictures that a user has joined with the trials of people who saw them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np

from beholder._core.errors import InputError
from beholder._core.id_patterns import extract_ids
from beholder._core.wording import format_count
from beholder.analysis.battery._published import UNTOLD, add_levels, check_pictures, read_name
from beholder.analysis.battery._versions import name_pictures
from beholder.responses import Trials
from beholder.stimuli import StimulusSet

_EXTENSION = re.compile(r"\.(?:png|jpe?g|webp|bmp|tiff?|gif|wav|flac)$", re.IGNORECASE)
_TWO_CUES = re.compile(r"^(?P<shape>[A-Za-z_]+?)\d*-(?P<texture>[A-Za-z_]+?)\d*$")


@final
@dataclass(frozen=True, eq=False)
class JoinedPictures:
    """What people and networks are asked alike.

    Attributes
    ----------
    stimuli : StimulusSet
        Pictures that people were shown, with their ids and what was right in the trials as labels; ``condition``,
        ``level`` and ``texture`` as conditions, where they are told.
    people : Trials
        Answers to these, under the same ids.
    sentences : tuple of str
    notes : tuple of str
        What a reader should know.
    """

    stimuli: StimulusSet
    people: Trials
    sentences: tuple[str, ...]
    notes: tuple[str, ...]


def join_pictures(
    stimuli: StimulusSet, people: Trials, id_pattern: str | None = None, texture_pattern: str | None = None
) -> JoinedPictures:
    """Join pictures with trials by name: as it is, as it was shown, or without what was put before it.

    Versions of stimuli join the answers of an experiment on them by stimulus and condition.

    Parameters
    ----------
    stimuli : StimulusSet
    people : Trials
    id_pattern : str, optional
        A regular expression whose group is the picture's own name, on both sides; ids of pictures that it does not fit
        are taken as they are.
    texture_pattern : str, optional
        A regular expression whose group in the id is the label of the texture; default told from ids such as
        ``bird3-knife2`` where the first word is what is right.

    Raises
    ------
    InputError
        Nothing joins; a picture whose label, or the trials' own, says something else; pictures that were shown in
        several ways under one name.
    """
    table: Any = people.table
    if "stimulus" not in table.columns or (table["stimulus"] == "").any():
        raise InputError("trials that name their stimulus", got="some without", hint="--columns stimulus=COLUMN")
    if "correct" not in table.columns:
        raise InputError(
            "answers that are right or wrong", got="trials without truth or correct", hint="--columns truth=…"
        )
    pictures = _name_pictures(stimuli, id_pattern)
    table = table.assign(stimulus=name_pictures(stimuli, table, list(pictures)))
    names = list(dict.fromkeys(str(name) for name in table["stimulus"]))
    of_name = _match(pictures, names)
    joined, levels = _take_conditions(table[table["stimulus"].isin(of_name)].copy(), of_name)
    joined["stimulus"] = [of_name[str(name)] for name in joined["stimulus"]]
    _settle_shown(joined)
    there = set(joined["stimulus"])
    keys = [key for key in pictures if key in there]
    positions = [pictures[key] for key in keys]
    notes = check_pictures(stimuli, positions, names)
    truths = _find_truths(stimuli, joined, keys, positions)
    textures = _find_textures(joined, keys, truths, texture_pattern)
    if textures is not None:
        joined["texture"] = [textures[key] for key in joined["stimulus"]]
    first: Any = joined.drop_duplicates("stimulus").set_index("stimulus")
    conditions = {
        column: [first.loc[key, column] for key in keys]
        for column in ("condition", "level", "texture") if column in joined.columns
    }  # fmt: skip
    shown = replace(
        stimuli[positions], ids=tuple(keys), labels=tuple(truths), layout="table", conditions=conditions,
        targets=np.array([sorted(set(truths)).index(truth) for truth in truths]),
    )  # fmt: skip
    told = [
        f"{len(keys):,} of {format_count(len(set(of_name.values())) + _count_missing(names, of_name), 'picture')} "
        "that people were "
        f"shown are there; {len(joined):,} of {format_count(len(table), 'answer')} are to these."
    ]
    told += levels
    if len(stimuli) > len(keys):
        told.append(
            f"{len(stimuli) - len(keys):,} of {format_count(len(stimuli), 'picture')} "
            "were not shown to people, and are left out."
        )
    kept = Trials(joined.reset_index(drop=True), people.sentences, people.n_choices)
    return JoinedPictures(shown, kept, tuple(told), tuple(notes))


def _strip(name: str) -> str:
    return _EXTENSION.sub("", name.rpartition("/")[2])


def _name_pictures(stimuli: StimulusSet, pattern: str | None) -> dict[str, int]:
    """Id of each picture, its own name where a pattern tells it, and its place."""
    found = [own or each for own, each in zip(extract_ids(stimuli.ids, pattern), stimuli.ids, strict=True)]
    twice = [name for name, count in Counter(found).items() if count > 1]
    if twice:
        raise InputError(
            "pictures of different names", got=f"{twice[0]!r} {found.count(twice[0])} times", hint="--id_pattern"
        )
    return {name: place for place, name in enumerate(found)}


def _shown(name: str) -> str:
    found = read_name(name)
    return found.shown if found is not None else ""


def _own(name: str) -> str:
    found = read_name(name)
    return found.own if found is not None else ""


_WAYS: tuple[tuple[Callable[[str], str], Callable[[str], str]], ...] = (
    (str, str), (_strip, _strip), (_shown, _shown), (_own, _strip),
)  # fmt: skip
"""What is compared of names in trials and of pictures, in turn: trials of several sources name pictures differently."""


def _match(pictures: Mapping[str, int], names: Sequence[str]) -> dict[str, str]:
    """The picture of each name in the trials that has one."""
    found: dict[str, str] = {}
    for of_trial, of_picture in _WAYS:
        keyed: dict[str, str] = {}
        for picture in pictures:
            key = of_picture(picture)
            if key and keyed.setdefault(key, picture) != picture:
                raise InputError("pictures of different names", got=f"{key!r} twice", hint="--id_pattern")
        for name in names:
            if name not in found and of_trial(name) in keyed:
                found[name] = keyed[of_trial(name)]
    if found:
        return found
    raise InputError(
        "pictures that people were shown in the trials", got=f"none: {next(iter(pictures))!r} and {names[0]!r}",
        hint="the trials to these pictures, or --id_pattern, whose group is a picture's own name",
    )  # fmt: skip


def _count_missing(names: Sequence[str], of_name: Mapping[str, str]) -> int:
    """Pictures of the trials that are not there, each once, whatever it is called for whom."""
    return len({_shown(name) or _strip(name) for name in names if name not in of_name})


def _take_conditions(joined: Any, of_name: Mapping[str, str]) -> tuple[Any, list[str]]:
    """Conditions, and levels where they are graded, of answers that do not tell them but whose picture's name does."""
    names = [str(name) for name in joined["stimulus"]]
    found = [read_name(name) or read_name(of_name[name]) for name in names]
    own = [str(each) for each in joined["condition"]] if "condition" in joined.columns else [""] * len(names)
    filled = [
        name.condition if each in UNTOLD and name is not None else each for each, name in zip(own, found, strict=True)
    ]
    return add_levels(joined.assign(condition=filled)) if filled != own else (joined, [])


def _settle_shown(joined: Any) -> None:
    """One condition, level and truth a picture; who does not tell them was shown what all others were."""
    for column in ("condition", "level", "truth"):
        if column not in joined.columns:
            continue
        told: Any = joined[column].where(joined[column] != "")
        if column == "condition":
            told = _leave_natural(told, joined["stimulus"])
        values: Any = told.groupby(joined["stimulus"])
        several = [str(name) for name, n in values.nunique().items() if n > 1]
        if several:
            raise InputError(
                f"one {column} of every picture in the trials", got=f"several of {several[0]!r}",
                hint="pictures whose names tell it, or --id_pattern",
            )  # fmt: skip
        filled: Any = told.fillna(values.transform("first"))
        joined[column] = filled if column == "level" else filled.fillna("")


def _leave_natural(told: Any, pictures: Any) -> Any:
    """Conditions without those that say nothing of the picture, where other answers to it tell one."""
    says = told.where(~told.isin(UNTOLD))
    return says.where(says.groupby(pictures).transform("count") > 0, told)


def _find_truths(stimuli: StimulusSet, joined: Any, keys: Sequence[str], positions: Sequence[int]) -> list[str]:
    """What is right of each picture: as the trials say; labels of pictures must not say something else."""
    labels = [stimuli.labels[place] for place in positions]
    if "truth" not in joined.columns:
        if stimuli.layout == "flat" or list(labels) == [stimuli.ids[place] for place in positions]:
            raise InputError("trials or pictures that tell what is right", got="neither", hint="--columns truth=COLUMN")
        return labels
    first: Any = joined.drop_duplicates("stimulus").set_index("stimulus")["truth"]
    truths = [str(first[key]) for key in keys]
    known = set(truths)
    for key, label, truth in zip(keys, labels, truths, strict=True):
        if label in known and label != truth:
            raise InputError(
                "pictures and trials that say alike what a picture shows", hint="the trials to these pictures",
                got=f"{label!r} and {truth!r} of {key}",
            )  # fmt: skip
    return truths


def _find_textures(
    joined: Any, keys: Sequence[str], truths: Sequence[str], pattern: str | None
) -> dict[str, str] | None:
    """The second label of each picture; None where there is none."""
    if pattern is not None:
        found = extract_ids(keys, pattern)
        if not any(found):
            raise InputError(
                "a --texture_pattern that fits ids of pictures", got=f"{pattern}, which fits none, such as {keys[0]!r}"
            )
        return {key: each or "" for key, each in zip(keys, found, strict=True)}
    if "texture" in joined.columns:
        return dict(zip(joined["stimulus"], joined["texture"], strict=True))
    parts = [_TWO_CUES.match(key) for key in keys]
    known = set(truths)
    both = [
        part is not None and part["shape"] == truth and part["texture"] in known
        for part, truth in zip(parts, truths, strict=True)
    ]
    if not all(both):
        return None
    return {key: part["texture"] for key, part in zip(keys, parts, strict=True) if part is not None}
