"""Which files a path names where stimuli are packed: one, those of a folder, ``x-{0000..0146}.tar``, ``*.parquet``."""

from __future__ import annotations

import fnmatch
from pathlib import Path

from beholder._core.addresses import find_entry, is_address, list_tree, show_place
from beholder._core.braces import expand_path, has_braces, has_wildcard
from beholder._core.errors import InputError
from beholder._core.wording import format_count
from beholder.stimuli.sets._folder import find_kind, list_entries, list_visible


def find_packed(path: Path | str, suffix: str) -> list[Path]:
    """The files with a suffix that a path names, in their order; none where it names something else.

    A folder that holds pictures, sounds or folders is one of those, and a path that is there is taken as it is.

    Parameters
    ----------
    path : path or str
        Here or at an address.
    suffix : str
        Lower case, with the dot.

    Raises
    ------
    InputError
        Some of a numbered range are missing, or nothing matches a pattern.
    """
    path = Path(path)
    if not is_address(path):
        if path.is_file():
            return [path] if path.suffix.lower() == suffix else []
        if path.is_dir():
            files, folders = list_entries(path)
            return _choose(path, files, bool(folders), suffix)
    if path.suffix.lower() == suffix:
        if has_braces(path):
            return _count_out(path)
        if has_wildcard(path):
            return _match(path)
        return [path] if is_address(path) else []
    if not is_address(path) or is_remote_file(path):
        return []
    names = [entry.name for entry in list_visible(path)]
    return _choose(path, sorted(name for name in names if "/" not in name), any("/" in name for name in names), suffix)


def is_remote_file(path: Path) -> bool:
    """Whether there is one file at an address; of a web server, whose folders look like files, by its extension."""
    return bool(path.suffix) if str(path).startswith("http") else find_entry(path) is not None


def _choose(folder: Path, files: list[str], has_folders: bool, suffix: str) -> list[Path]:
    found = [folder / name for name in files if name.lower().endswith(suffix)]
    return [] if has_folders or any(find_kind(name) for name in files) else found


def _count_out(path: Path) -> list[Path]:
    listed = expand_path(path)
    missing = [each for each in listed if not _is_there(each)]
    if missing or not listed:
        got = f"{len(missing)} missing, such as {show_place(missing[0])}" if missing else f"none in {show_place(path)}"
        raise InputError(format_count(len(listed), "shard"), got=got)
    return listed


def _is_there(path: Path) -> bool:
    return path.is_file() if not is_address(path) else find_entry(path) is not None


def _match(path: Path) -> list[Path]:
    folder = path.parent
    if is_address(folder):
        names = [entry.name for entry in list_tree(folder) if "/" not in entry.name]
    else:
        names = list_entries(folder)[0] if folder.is_dir() else []
    found = [folder / name for name in sorted(names) if fnmatch.fnmatchcase(name, path.name)]
    if not found:
        raise InputError(f"files like {path.name}", got=f"none in {show_place(folder)}")
    return found
