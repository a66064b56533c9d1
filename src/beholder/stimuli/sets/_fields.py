"""What file names tell of stimuli."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from beholder._core.errors import InputError

if TYPE_CHECKING:
    from beholder.stimuli.sets._set import StimulusSet

_FIELD = re.compile(r"\{(\w+)\}")


def read_name_fields(stimuli: StimulusSet, pattern: str) -> StimulusSet:
    """The set with a column a field of the pattern that its file names are made by.

    Parameters
    ----------
    stimuli : StimulusSet
        Its file names, or the ids of arrays, are read.
    pattern : str
        Such as ``"{digit}_{speaker}_{take}.wav"``; a field holds as little as it can. The extension may be left out.

    Raises
    ------
    InputError
        A pattern without fields, or with one twice; a name that is not made so.
    """
    names = _FIELD.findall(pattern)
    if not names or len(set(names)) < len(names):
        raise InputError("a pattern of different fields in braces, such as {digit}_{speaker}_{take}.wav", got=pattern)
    texts = _FIELD.split(pattern)
    body = "".join(f"(?P<{part}>.+?)" if i % 2 else re.escape(part) for i, part in enumerate(texts))
    compiled = re.compile(body)
    columns: dict[str, list[str]] = {name: [] for name in names}
    for stimulus_id, file in zip(stimuli.ids, stimuli.files, strict=True):
        path = PurePosixPath(file or stimulus_id)
        found = compiled.fullmatch(path.name) or compiled.fullmatch(path.stem if file else path.name)
        if found is None:
            raise InputError(f"names like {pattern}", got=file or stimulus_id)
        for name in names:
            columns[name].append(found[name])
    return replace(stimuli, conditions={**stimuli.conditions, **columns})
