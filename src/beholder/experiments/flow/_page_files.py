"""The files of the pages, with those that a kind of task of another package brings."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from beholder._core.errors import InputError
from beholder._core.files import read_json
from beholder.experiments.settings._kinds import TaskPage, get_task_kind

STATIC = Path(__file__).parents[1] / "static"
TEXTS = "texts.en.json"
STYLE = "beholder.css"
KINDS_MODULE = "js/trials/kinds.js"
PAGE_TYPES = {
    ".js": "text/javascript", ".svg": "image/svg+xml", ".png": "image/png", ".css": "text/css",
    ".json": "application/json",
}  # fmt: skip
"""Suffixes of the pages' files to their types."""

_SERVED = (".js", ".svg", ".png")
_FILE_NAME = re.compile(r"[A-Za-z0-9_]+\.(js|svg|png)")
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def find_page(kind: str) -> TaskPage | None:
    """The page of a kind of task that another package brings; None for our kinds, and where there is none."""
    page = get_task_kind(kind).page
    return page if isinstance(page, TaskPage) else None


def list_page_files(kind: str) -> dict[str, bytes]:
    """What pages of a kind of task of another package have beside, or instead of, our files; empty for our kinds.

    Returns
    -------
    dict of str to bytes
        By the path below ``static``: the files of its folder in ``kinds/{kind}/``, and our table of kinds, texts and
        styles as they are with it.

    Raises
    ------
    InputError
        A file that should be there is not, or has a name that is not served.
    """
    page = find_page(kind)
    if page is None:
        return {}
    place = f"kinds/{kind}"
    folder = page.folder.resolve()
    own = {f"{place}/{path.name}": path.read_bytes() for path in _list_files(folder)}
    if f"{place}/{page.module}" not in own or not _IDENTIFIER.fullmatch(page.plugin):
        raise InputError(
            f"a module and its class for the page of {kind}", got=f"{page.plugin} of {folder / page.module}"
        )
    style, texts = folder / "style.css", folder / TEXTS
    table = (
        f'import {{ {page.plugin} }} from "../../{place}/{page.module}";\n\n'
        f'export const KINDS = {{ "{kind}": {page.plugin} }};\n'
    )
    files = {**own, KINDS_MODULE: table.encode()}
    if style.is_file():
        files[STYLE] = (STATIC / STYLE).read_bytes() + b"\n" + style.read_bytes()
    if texts.is_file():
        merged = _lay_over(read_json(STATIC / TEXTS), read_json(texts))
        files[TEXTS] = json.dumps(merged, ensure_ascii=False, indent=2).encode()
    return files


def _list_files(folder: Path) -> list[Path]:
    """Those that are served as they are, by name."""
    if not folder.is_dir():
        raise InputError("the folder of a kind of task's page", got=f"none at {folder}")
    found = sorted(path for path in folder.iterdir() if path.suffix in _SERVED and path.is_file())
    for path in found:
        if not _FILE_NAME.fullmatch(path.name):
            raise InputError("names of letters, digits and _ for files of a page", got=path.name)
        if path.resolve().parent != folder:
            raise InputError("files of a page that lie in its folder", got=f"{path.name}, a link to {path.resolve()}")
    return found


def _lay_over(texts: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Nested texts, those of ``over`` where both have one."""
    return texts | {
        name: _lay_over(texts[name], value) if isinstance(value, dict) and isinstance(texts.get(name), dict) else value
        for name, value in over.items()
    }
