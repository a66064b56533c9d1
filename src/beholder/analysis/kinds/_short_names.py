"""Networks in sentences and pictures under their short names; tables keep the whole ones."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import numpy as np

from beholder.analysis._result import Result
from beholder.evaluation import shorten_names

_COLUMNS = ("model", "generator", "minus")


def shorten_networks(result: Result) -> Result:
    """A result of recognition, with networks called without source and weights as far as they stay different.

    Parameters
    ----------
    result : Result
        Whose networks answered, or made what was answered to.
    """
    asked = result.settings
    cells: list[dict[str, Any]] = asked["cells"]
    names = [str(name) for name in (*asked["networks"], *(cell["generator"] for cell in cells)) if ":" in str(name)]
    names = list(dict.fromkeys(names))
    short = {one: other for one, other in zip(names, shorten_names(names), strict=True) if one != other}
    if not short or set(short.values()) & {str(name) for name in asked["networks"]}:
        return result
    table: Any = result.table
    columns: dict[str, Any] = {name: table[name].replace(short) for name in _COLUMNS if name in table.columns}
    arrays = dict(result.arrays)
    if "confusions_observers" in arrays:
        arrays["confusions_observers"] = np.array([_shorten(str(n), short) for n in arrays["confusions_observers"]])
    return dataclasses.replace(
        result, table=table.assign(**columns), settings=_shorten_all(asked, short), arrays=arrays
    )


def _shorten(text: str, short: dict[str, str]) -> str:
    """A text with names in it; the longest first, since one may begin as another does."""
    for name in sorted(short, key=len, reverse=True):
        text = text.replace(name, short[name])
    return text


def _shorten_all(value: Any, short: dict[str, str]) -> Any:
    if isinstance(value, str):
        return _shorten(value, short)
    if isinstance(value, dict):
        return {
            _shorten(str(key), short): _shorten_all(each, short) for key, each in cast(dict[Any, Any], value).items()
        }
    if isinstance(value, list):
        return [_shorten_all(each, short) for each in cast(list[Any], value)]
    return value
