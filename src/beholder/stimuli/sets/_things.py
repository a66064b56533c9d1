"""The THINGS picture database: its concepts, their order, and twelve pictures of each."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path, PurePosixPath

from beholder._core.errors import InputError
from beholder._core.tables import read_records
from beholder._core.wording import format_count
from beholder.stimuli.sets._folder import build_classes, build_flat, check_folder, find_kind, list_entries, walk_files
from beholder.stimuli.sets._manifest import Manifest

logger = logging.getLogger("beholder")

CONCEPT_FILES = ("things_concepts.tsv", "things_concept.tsv")
BEHAVIOR_FILES = ("item_names.tsv",)
PICTURES_PER_CONCEPT = 12


def build_from_things(folder: Path | str, concepts: Path | str | None = None) -> Manifest:
    """The first twelve pictures of every THINGS concept, classes in the concept file's order.

    Parameters
    ----------
    folder : path
        One folder a concept, named by its ``uniqueID``.
    concepts : path, optional
        The concept file; otherwise sought in ``./data``, and in and beside the folder.

    Raises
    ------
    InputError
        The concept file is missing, its names and the folders differ, or a picture's name has no digits.
    """
    folder = check_folder(folder)
    table = _find_table(folder, CONCEPT_FILES, concepts)
    names = _read_unique_ids(table)
    _, folders = list_entries(folder)
    _compare_names(names, folders, "folder", folder, table)
    classes: dict[str, list[str]] = {}
    n_found = 0
    for name in names:
        pictures = sorted(
            (file for file in walk_files(folder, name) if find_kind(file) == "image"),
            key=lambda file: (join_digits(file), file),
        )
        if not pictures:
            raise InputError("pictures of every concept", got=f"none in {folder / name}")
        n_found += len(pictures)
        classes[name] = pictures[:PICTURES_PER_CONCEPT]
    made = build_classes(folder, classes, "image", order=list(classes))
    chosen = {"concepts_file": table.name, "pictures_per_concept": PICTURES_PER_CONCEPT, "n_before": n_found}
    return replace(made, selection={"things": chosen})


def build_from_things_behavior(folder: Path | str, items: Path | str | None = None) -> Manifest:
    """One picture for each row of the THINGS behaviour file, in its order, each its own class.

    Parameters
    ----------
    folder : path
        A flat folder with ``{uniqueID}.jpg`` (or another picture extension).
    items : path, optional
        ``item_names.tsv``; otherwise sought in ``./data``, and in and beside the folder.

    Raises
    ------
    InputError
        The file is missing, or names pictures that are not there.
    """
    folder = check_folder(folder)
    table = _find_table(folder, BEHAVIOR_FILES, items)
    names = _read_unique_ids(table)
    by_stem = {PurePosixPath(file).stem: file for file in list_entries(folder)[0] if find_kind(file) == "image"}
    _compare_names(names, sorted(set(names) & set(by_stem)), "picture", folder, table)
    if len(by_stem) > len(names):
        logger.warning("%d pictures of %s are not in %s and stay out", len(by_stem) - len(names), folder, table)
    made = build_flat(folder, [by_stem[name] for name in names], "image")
    return replace(made, selection={"things_behavior": {"items_file": table.name, "n_before": len(by_stem)}})


def join_digits(file: str) -> int:
    """All digits of a file's name, without extension, as one number.

    >>> join_digits("aardvark/aardvark_01b.jpg"), join_digits("car2/car2_03.jpg")
    (1, 203)
    """
    digits = "".join(letter for letter in PurePosixPath(file).stem if letter in "0123456789")
    if not digits:
        raise InputError("digits in the name of every THINGS picture", got=file)
    return int(digits)


def _find_table(folder: Path, names: Iterable[str], given: Path | str | None) -> Path:
    if given is not None:
        if not Path(given).is_file():
            raise InputError("the THINGS table", got=f"no file at {given}")
        return Path(given)
    places = [Path("data"), folder, folder.parent, folder / "data", folder.parent / "data"]
    for place in places:
        for name in names:
            if (place / name).is_file():
                return place / name
    sought = " or ".join(names)
    raise InputError(
        f"{sought} in ./data, or in or beside {folder}", got="none there", hint=f"putting it at data/{sought}"
    )


def _read_unique_ids(table: Path) -> list[str]:
    rows = read_records(table, "\t")
    if not rows or "uniqueID" not in rows[0]:
        columns = ", ".join(rows[0]) if rows else "nothing"
        raise InputError("a table with tabs and a column uniqueID", got=f"{table} with {columns}")
    names = [(row["uniqueID"] or "").strip() for row in rows]
    name, n = Counter(names).most_common(1)[0]
    if n > 1 or "" in names:
        raise InputError(
            "different names in the column uniqueID", got=f"{name if n > 1 else ''!r} {n} times in {table}"
        )
    return names


def _compare_names(wanted: list[str], there: list[str], what: str, folder: Path, table: Path) -> None:
    missing = sorted(set(wanted) - set(there))
    surplus = sorted(set(there) - set(wanted))
    parts = []
    if missing:
        parts.append(f"{len(missing)} missing: {_list_names(missing)}")
    if surplus:
        parts.append(f"{len(surplus)} too many: {_list_names(surplus)}")
    if parts:
        raise InputError(
            f"one {what} for each of the {format_count(len(wanted), 'name')} in {table}",
            got=f"{folder} with {'; '.join(parts)}",
        )


def _list_names(names: list[str]) -> str:
    return ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
