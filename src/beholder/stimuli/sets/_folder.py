"""Finding the stimuli of a folder: which files, in which order, in which classes, under which ids."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np

from beholder._core.addresses import RemoteEntry, is_address, list_tree, show_place
from beholder._core.errors import InputError, suggest_keywords
from beholder._core.wording import format_count, pick_words
from beholder.stimuli.sets._manifest import Manifest
from beholder.stimuli.words._labels import sort_classes

logger = logging.getLogger("beholder")

SOUND_EXTENSIONS = frozenset({".wav", ".flac"})
_IDENTIFIED_ONLY = frozenset({"BUFR", "GRIB", "HDF5", "MPEG", "WMF"})  # Pillow knows them but cannot decode them
_IGNORED_NAMES = frozenset({"thumbs.db", "desktop.ini", "__macosx"})


@lru_cache(maxsize=1)
def list_image_extensions() -> frozenset[str]:
    """Every file extension that Pillow can decode, lower case, with the dot."""
    from PIL import Image

    Image.init()
    readable = {name for name in Image.OPEN if name not in _IDENTIFIED_ONLY} | {"MPO"}
    return frozenset(extension for extension, name in Image.registered_extensions().items() if name in readable)


def list_sound_extensions() -> frozenset[str]:
    """The extensions of sound files that are read, lower case, with the dot."""
    return SOUND_EXTENSIONS


def split_name(file: str) -> tuple[str, str]:
    """Stem and extension of a POSIX path, as :mod:`pathlib` has them; a tenth of its time.

    >>> split_name("a/b.tar.gz"), split_name("a/.hidden")
    (('b.tar', '.gz'), ('.hidden', ''))
    """
    name = file[file.rfind("/") + 1 :]
    dot = name.rfind(".")
    return (name[:dot], name[dot:]) if 0 < dot < len(name) - 1 else (name, "")


def find_kind(file: str) -> Literal["image", "sound"] | None:
    """What a file is by its extension, case ignored; None for neither."""
    extension = split_name(file)[1].lower()
    if extension in SOUND_EXTENSIONS:
        return "sound"
    return "image" if extension in list_image_extensions() else None


def agree_on_kind(
    files: Iterable[str], kind: Literal["image", "sound"] | None, where: str
) -> Literal["image", "sound"] | None:
    """The one kind of the files, or the one asked for; None where no file is a stimulus."""
    if kind is not None:
        if kind not in ("image", "sound"):
            raise InputError("kind 'image' or 'sound'", got=repr(kind))
        return kind
    counts: Counter[Literal["image", "sound"]] = Counter(found for found in map(find_kind, files) if found is not None)
    if len(counts) > 1:
        raise InputError(
            "images or sounds",
            got=f"{format_count(counts['image'], 'image')} and {format_count(counts['sound'], 'sound')} in {where}",
            hint=pick_words("moving either away", "moving either away, or kind='image' or kind='sound'"),
        )
    return next(iter(counts), None)


def check_folder(folder: Path | str) -> Path:
    """The folder as a path; one that is absent or a file is an :class:`InputError`."""
    folder = Path(folder)
    if is_address(folder):
        raise InputError("a folder of this machine", got=show_place(folder), hint="a copy of it")
    if not folder.is_dir():
        got = f"a file at {folder}" if folder.exists() else f"nothing at {folder}"
        raise InputError("a folder of stimuli", got=got)
    _check_text([str(folder)])
    return folder


def list_visible(address: Path | str) -> list[RemoteEntry]:
    """Files below an address, without hidden ones and those in hidden folders."""
    return [entry for entry in list_tree(address) if not any(map(is_hidden, entry.name.split("/")))]


def is_hidden(name: str) -> bool:
    """Whether a name is one that operating systems and notebooks leave lying about."""
    return name.startswith(".") or name.lower() in _IGNORED_NAMES


def list_entries(folder: Path | str) -> tuple[list[str], list[str]]:
    """Names of the files and of the folders directly in ``folder``, sorted, without hidden ones."""
    files: list[str] = []
    folders: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not is_hidden(entry.name):
                    (folders if entry.is_dir() else files).append(entry.name)
    except OSError as error:
        raise InputError("a folder that can be read", got=f"{folder} ({error.strerror})") from error
    return sorted(files), sorted(folders)


def walk_files(folder: Path, below: str, seen: frozenset[str] = frozenset()) -> Iterator[str]:
    """Files at any depth of ``folder / below``, POSIX, relative to ``folder``; a link to a parent is not followed."""
    real = os.path.realpath(folder / below)
    if real in seen:
        return
    files, folders = list_entries(folder / below)
    for name in files:
        yield f"{below}/{name}"
    for name in folders:
        yield from walk_files(folder, f"{below}/{name}", seen | {real})


def make_ids(files: Iterable[str]) -> tuple[str, ...]:
    """Stimulus ids: the stems, or, if a stem occurs twice, every relative path without extension, ``/`` as ``__``.

    >>> make_ids(["a/1.png", "b/2.png"])
    ('1', '2')
    >>> make_ids(["a/1.png", "b/1.png"])
    ('a__1', 'b__1')

    Raises
    ------
    InputError
        Two files would get the same id; names both. A name that is no text: bytes of another encoding than UTF-8.
    """
    files = tuple(files)
    _check_text(files)
    stems = tuple(split_name(file)[0] for file in files)
    if len(set(stems)) == len(stems):
        return stems
    long = tuple(file.removesuffix(split_name(file)[1]).lstrip("/").replace("/", "__") for file in files)
    first: dict[str, str] = {}
    for file, stimulus_id in zip(files, long, strict=True):
        if stimulus_id in first:
            raise InputError(
                "files that differ in more than their extension",
                got=f"{first[stimulus_id]} and {file}, both with the id {stimulus_id!r}",
                hint="renaming one",
            )
        first[stimulus_id] = file
    return long


def _check_text(names: Iterable[str]) -> None:
    """Refuse names whose bytes are of another encoding than UTF-8: no table could hold them."""
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError as error:
            shown = os.fsencode(name).decode("utf-8", "backslashreplace")
            hint = "renaming the file or folder"
            raise InputError("file names that are text in UTF-8", got=f"'{shown}'", hint=hint) from error


def build_from_folder(
    folder: Path | str,
    *,
    kind: Literal["image", "sound"] | None = None,
    layout: Literal["flat", "classes"] | None = None,
) -> Manifest:
    """A set of everything in a flat folder or in class folders; see :meth:`StimulusSet.from_folder`."""
    if layout not in (None, "flat", "classes"):
        raise InputError("layout 'flat' or 'classes'", got=repr(layout))
    if is_address(folder):
        from beholder.stimuli.sets._remote_files import attach_remote, list_remote

        entries = list_remote(folder)
        top, inside = _sort_entries(entries, layout)
        return attach_remote(_build(Path(folder), top, inside, kind), entries)
    folder = check_folder(folder)
    top, sub_folders = list_entries(folder)
    inside = {} if layout == "flat" else {name: sorted(walk_files(folder, name)) for name in sub_folders}
    return _build(folder, [] if layout == "classes" else top, inside, kind)


def _sort_entries(entries: Iterable[RemoteEntry], layout: str | None) -> tuple[list[str], dict[str, list[str]]]:
    """Names of the files directly at an address, and of those in each of its folders, sorted."""
    top: list[str] = []
    inside: dict[str, list[str]] = {}
    for entry in entries:
        folder, _, rest = entry.name.partition("/")
        if rest:
            inside.setdefault(folder, []).append(entry.name)
        else:
            top.append(entry.name)
    inside = {} if layout == "flat" else {name: sorted(inside[name]) for name in sorted(inside)}
    return [] if layout == "classes" else sorted(top), inside


def _build(
    folder: Path, top: list[str], inside: Mapping[str, list[str]], kind: Literal["image", "sound"] | None
) -> Manifest:
    everything = [*top, *(file for files in inside.values() for file in files)]
    kind = agree_on_kind(everything, kind, show_place(folder))
    top = [file for file in top if find_kind(file) == kind]
    classes = {name: [file for file in files if find_kind(file) == kind] for name, files in inside.items()}
    full = {name: files for name, files in classes.items() if files}
    if kind is None or not (top or full):
        raise _explain_empty(folder, everything, kind)
    if top and full:
        raise InputError(
            "a flat folder or class folders",
            got=f"{show_place(folder)} with {format_count(len(top), kind)} "
            f"beside {format_count(len(full), 'folder')} of {kind}s "
            f"({', '.join(list(full)[:3])})",
            hint="moving either away, or --layout flat or classes",
        )
    if top:
        return build_flat(folder, top, kind)
    empty = [name for name in classes if name not in full]
    if empty:
        logger.warning("%d folders without %ss are no classes: %s", len(empty), kind, ", ".join(empty[:8]))
    return build_classes(folder, full, kind)


def build_flat(folder: Path, files: Iterable[str], kind: Literal["image", "sound"]) -> Manifest:
    """A set in which every file is its own class."""
    files = tuple(files)
    return Manifest(
        kind=kind,
        ids=make_ids(files),
        files=files,
        root=folder,
        labels=tuple(split_name(file)[0] for file in files),
        targets=np.arange(len(files)),
        layout="flat",
    )


def build_classes(
    folder: Path, classes: dict[str, list[str]], kind: Literal["image", "sound"], order: Sequence[str] | None = None
) -> Manifest:
    """A set from class name → its files, in the mapping's order; without ``order`` classes count as they are sorted.

    Parameters
    ----------
    folder : path
    classes : mapping of str to list of str
        Files, relative to the folder, by class name.
    kind : {"image", "sound"}
    order : sequence of str, optional
        The class names by their number.
    """
    places = {name: i for i, name in enumerate(order or sort_classes(classes))}
    files = tuple(file for members in classes.values() for file in members)
    return Manifest(
        kind=kind,
        ids=make_ids(files),
        files=files,
        root=folder,
        labels=tuple(name for name, members in classes.items() for _ in members),
        targets=np.array([places[name] for name, members in classes.items() for _ in members]),
        layout="classes",
    )


@suggest_keywords
def get_image_set(folder: Path | str) -> list[str]:
    """The sorted stems of the pictures directly in a folder.

    Parameters
    ----------
    folder : path
        Every extension that Pillow reads counts, case ignored.

    Raises
    ------
    InputError
        The folder is missing or holds no pictures, or two pictures have the same stem.
    """
    folder = check_folder(folder)
    names, _ = list_entries(folder)
    files = [name for name in names if find_kind(name) == "image"]
    if not files:
        raise _explain_empty(folder, names, "image")
    return sorted(make_ids(files))


def _explain_empty(folder: Path, files: list[str], kind: str | None) -> InputError:
    """One line that says what was sought in a folder and what lies there."""
    sought = {
        "image": "images (jpg, jpeg, png and what else Pillow reads)",
        "sound": "sounds (wav, flac)",
    }
    expected = sought[kind] if kind else f"{sought['image']} or {sought['sound']}"
    counts = Counter(split_name(file)[1].lower() or "no extension" for file in files)
    there = ", ".join(f"{n} with {extension}" for extension, n in counts.most_common(5)) or "nothing"
    return InputError(f"a folder with {expected}", got=f"{show_place(folder)}, which holds {there}")
