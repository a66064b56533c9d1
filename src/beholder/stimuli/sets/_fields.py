"""What file names tell of stimuli."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.wording import format_count
from beholder.stimuli.sets._folder import split_name

if TYPE_CHECKING:
    from beholder.stimuli.sets._set import StimulusSet

_FIELD = re.compile(r"\{([A-Za-z_]\w*)\}")


@suggest_keywords
def read_name_fields(stimuli: StimulusSet, pattern: str) -> StimulusSet:
    r"""The set with a column a field of the pattern that its file names are made by.

    Parameters
    ----------
    stimuli : StimulusSet
        Its file names, or the ids of arrays, are read.
    pattern : str
        Such as ``"{digit}_{speaker}_{take}.wav"``; a field holds as little as it can, and the extension may be left
        out. Or a regular expression that is sought in each id, whose groups are the fields: ``(?P<digit>\d)_``, or one
        without a name, which is called ``label``.

    Raises
    ------
    InputError
        A pattern without fields, or with one twice; a name that is not made so.
    """
    names, find = _compile(pattern)
    columns: dict[str, list[str]] = {name: [] for name in names}
    missing: list[str] = []
    for stimulus_id, file in zip(stimuli.ids, stimuli.files, strict=True):
        found = find(stimulus_id, file)
        if found is None or not all(found):
            missing.append(file or stimulus_id)
            continue
        for name, value in zip(names, found, strict=True):
            columns[name].append(value)
    if missing:
        raise InputError(
            f"names like {pattern}",
            got=f"{len(missing):,} of {format_count(len(stimuli), 'other')}, such as {missing[0]}",
        )
    return replace(stimuli, conditions={**stimuli.conditions, **columns})


@suggest_keywords
def list_name_fields(pattern: str) -> tuple[str, ...]:
    r"""The fields of a pattern, in their order.

    >>> list_name_fields("{digit}_{speaker}_{take}.wav"), list_name_fields(r"^(\w+?)_")
    (('digit', 'speaker', 'take'), ('label',))
    """
    return _compile(pattern)[0]


def _compile(pattern: str) -> tuple[tuple[str, ...], Callable[[str, str], tuple[str, ...] | None]]:
    """Names of the fields, and what finds them in an id and a file's name."""
    expected = (
        "a pattern of fields in braces, such as {digit}_{speaker}_{take}.wav, or a regular expression with groups"
    )
    fields = tuple(_FIELD.findall(pattern))
    if len(set(fields)) < len(fields):
        raise InputError(expected, got=f"{pattern}, with one twice")
    parts = _FIELD.split(pattern)
    text = "".join(f"(?P<{part}>.+?)" if i % 2 else re.escape(part) for i, part in enumerate(parts))
    try:
        compiled = re.compile(text if fields else pattern)
    except re.error as error:
        raise InputError(expected, got=f"{pattern} ({error})") from error
    if fields:

        def find_whole(stimulus_id: str, file: str) -> tuple[str, ...] | None:
            name = file[file.rfind("/") + 1 :] or stimulus_id
            found = compiled.fullmatch(name) or compiled.fullmatch(split_name(name)[0])
            return None if found is None else found.groups()

        return fields, find_whole
    named = tuple(sorted(compiled.groupindex, key=compiled.groupindex.__getitem__))
    if compiled.groups == 0 or (compiled.groups > 1 and len(named) < compiled.groups):
        raise InputError(expected, got=pattern)

    def find_part(stimulus_id: str, file: str) -> tuple[str, ...] | None:
        found = compiled.search(stimulus_id)
        return None if found is None else found.groups()

    return named or ("label",), find_part
