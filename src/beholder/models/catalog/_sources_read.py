"""Whether a bare name can be a network's, read from the files of torchvision, timm and open_clip: none is imported.

To import the three takes many seconds, which somebody who mistyped a name should not wait for.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from beholder._core.errors import UnknownNameError, suggest_keywords
from beholder.models.catalog._elsewhere import refuse_name_elsewhere

_FOLDERS = {"torchvision": "models", "timm": "models", "open_clip": "model_configs"}
_REGISTERED = re.compile(rb"^@register_model.*?^def (\w+)", re.MULTILINE | re.DOTALL)
_NO_PICTURES = ("detection", "video", "optical_flow", "quantization")


@suggest_keywords
def refuse_unknown_name(name: str) -> None:
    """Raise where nothing here can answer to a name; that nothing is raised does not say that something does.

    Only names without a source are looked at, and only before one of the three is imported, since other code may
    register networks in them.

    Raises
    ------
    UnknownNameError
        Suggests near names.
    InputError
        Another tool's network.

    Examples
    --------
    >>> refuse_unknown_name("squeezenet1_1@random")
    """
    from beholder.models.catalog._entries import find_alias, list_aliases

    bare = name.rpartition("@")[0] or name
    if not bare.strip() or ":" in bare or find_alias(bare) is not None or any(each in sys.modules for each in _FOLDERS):
        return
    folders = {package: folder for package in _FOLDERS if (folder := _find_folder(package)) is not None}
    wanted = bare.partition(".")[0].lower().encode()
    if len(folders) < len(_FOLDERS) or not wanted:
        return  # one is missing, which is said where it is asked for
    texts = {package: list(_read(folders[package])) for package in ("torchvision", "timm")}
    configs = [path.stem for path in folders["open_clip"].glob("*.json")]
    if bare.replace("/", "-").lower() in {each.lower() for each in configs}:
        return
    word = re.compile(rb"\b" + re.escape(wanted) + rb"\b", re.IGNORECASE)
    if any(word.search(text) for _, text in (*texts["torchvision"], *texts["timm"])):
        return
    refuse_name_elsewhere(bare)
    registered = [
        _list_registered(texts["torchvision"], _NO_PICTURES),
        _list_registered(texts["timm"]),
        sorted(configs),
    ]
    known = [*list_aliases(), *(each for names in registered for each in names)]
    raise UnknownNameError("model", bare, dict.fromkeys(known), hint="`beholder models` for a list")


def _find_folder(package: str) -> Path | None:
    spec = find_spec(package)
    places = spec.submodule_search_locations if spec is not None else None
    folder = Path(next(iter(places))) / _FOLDERS[package] if places else None
    return folder if folder is not None and folder.is_dir() else None


def _read(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Files with the sub-folder that they lie in."""
    for path in sorted(folder.rglob("*.py")):
        yield path.relative_to(folder).parts[0], path.read_bytes()


def _list_registered(texts: list[tuple[str, bytes]], without: tuple[str, ...] = ()) -> list[str]:
    found = (_REGISTERED.findall(text) for part, text in texts if part not in without)
    return sorted(each.decode() for names in found for each in names)
