"""Names that other tools give to networks, and that load nothing here: one line says what to type instead."""

from __future__ import annotations

import functools
import tomllib
from importlib.resources import files

from beholder._core.errors import InputError

_DOCS = "(docs/own_models.md, Networks that other tools name)"


def list_names_elsewhere() -> list[str]:
    """The names, as their tools spell them."""
    return [name for name, _, _ in _read_table().values()]


def refuse_name_elsewhere(name: str) -> None:
    """Raise where another tool knows ``name``, in whatever letter case.

    Raises
    ------
    InputError
        What the network is, and where to get it.

    Examples
    --------
    >>> refuse_name_elsewhere("openclip")
    Traceback (most recent call last):
    beholder._core.errors.InputError: expected a model that is loaded by its name alone; got 'openclip', the networks \
of open_clip, one for each variant and data set; try one by its own name and data set: open_clip:ViT-B-32@laion400m_e32
    """
    if name.lower() in _read_table():
        _, what, where = _read_table()[name.lower()]
        raise InputError("a model that is loaded by its name alone", got=f"{name!r}, {what}", hint=where)


@functools.cache
def _read_table() -> dict[str, tuple[str, str, str]]:
    text = (files("beholder.models") / "_data" / "elsewhere.toml").read_text(encoding="utf-8")
    return {
        name.lower(): (name, table["what"], table["where"].replace("{docs}", _DOCS))
        for table in tomllib.loads(text)["models"]
        for name in table["names"]
    }
