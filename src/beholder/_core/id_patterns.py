"""What ids of several sources have in common, by a regular expression."""

from __future__ import annotations

import re
from collections.abc import Iterable

from beholder._core.errors import InputError


def extract_ids(ids: Iterable[str], pattern: str | None) -> list[str | None]:
    r"""What is compared of each id: its group in a pattern.

    Parameters
    ----------
    ids : iterable of str
    pattern : str, optional
        A regular expression that is searched for in each id: its first group, or without groups what it matches.

    Returns
    -------
    list of str or None
        None where the pattern is not found; without a pattern the ids.

    Raises
    ------
    InputError
        No regular expression.

    Examples
    --------
    >>> extract_ids(["0001_s01_0_bird_00_bird3-bird2.png", "icon"], r"_00_(.*)\.png$")
    ['bird3-bird2', None]
    """
    if pattern is None:
        return list(ids)
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise InputError("a regular expression for --id_pattern", got=f"{pattern} ({error})") from error
    found = (compiled.search(each) for each in ids)
    return [None if match is None else (match[1] if compiled.groups else match[0]) or "" for match in found]
