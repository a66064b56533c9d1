"""The sentences of the pages, and a file with all of them in another language or other words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.files import read_json
from beholder.experiments.flow._page_files import STATIC, TEXTS, find_page

ENGLISH = STATIC / TEXTS

_OPEN = ("labels.", "instructions.")


@suggest_keywords
def read_texts(path: Path | str = ENGLISH, kind: str | None = None) -> dict[str, str]:
    """Read the texts of the pages from a file like the English one.

    Parameters
    ----------
    path : path, optional
        JSON, nested as in the English file, which is the default. A text that is left out stays English.
    kind : str, optional
        A kind of task of another package, whose page has texts of its own.

    Returns
    -------
    dict of str to str
        By dotted names: ``consent.heading``. Paragraphs of one text are separated by an empty line. A value for the
        setting ``texts``.

    Raises
    ------
    UnknownNameError
        A text that no page has. Labels and pages of instructions may be new.
    InputError
        Something that is no text.

    Examples
    --------
    >>> texts = read_texts()
    >>> texts["lang"], texts["labels.dog"]
    ('en', 'dog')
    """
    english = flatten_texts(read_json(ENGLISH)) | _read_own_texts(kind)
    if Path(path) == ENGLISH:
        return english
    texts = flatten_texts(read_json(Path(path)))
    for name in texts:
        if name not in english and not name.startswith(_OPEN):
            raise UnknownNameError("text of the pages", name, english)
    return texts


def _read_own_texts(kind: str | None) -> dict[str, str]:
    page = None if kind is None else find_page(kind)
    path = None if page is None else page.folder / TEXTS
    return flatten_texts(read_json(path)) if path and path.is_file() else {}


def flatten_texts(node: Any, prefix: str = "") -> dict[str, str]:
    """Nested objects of texts as dotted names, paragraphs joined by empty lines.

    >>> flatten_texts({"leave": {"yes": "Ja", "text": ["Eins."]}})
    {'leave.yes': 'Ja', 'leave.text': 'Eins.'}
    """
    if not isinstance(node, dict):
        raise InputError("a JSON object of texts", got=type(node).__name__)
    flat: dict[str, str] = {}
    for key, value in node.items():
        if isinstance(value, dict):
            flat |= flatten_texts(value, f"{prefix}{key}.")
        elif isinstance(value, list) and value and all(isinstance(each, str) for each in value):
            flat[f"{prefix}{key}"] = "\n\n".join(value)
        elif isinstance(value, str):
            flat[f"{prefix}{key}"] = value
        else:
            raise InputError("texts, or lists of paragraphs", got=f"{prefix}{key}: {type(value).__name__}")
    return flat
