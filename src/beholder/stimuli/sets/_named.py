"""Published stimulus sets, taken from the folder that they were unpacked into."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np

from beholder._core.errors import InputError, StimulusError
from beholder._core.files import explain_read_errors
from beholder._core.registry import Registry
from beholder._core.tables import read_rows
from beholder.stimuli.sets._categories import load_wnids
from beholder.stimuli.sets._folder import build_flat, build_from_folder, check_folder, find_kind, list_entries
from beholder.stimuli.sets._manifest import Manifest
from beholder.stimuli.sets._published import PUBLISHED_SETS, Builder

NAMED_SETS: Registry[Builder] = Registry("named stimulus set", "beholder.stimulus_sets")
"""Builders of stimulus sets by name."""

DEVKIT_FILE = "ILSVRC2012_validation_ground_truth.txt"
_TRUTH_FILES = (
    "LOC_val_solution.csv",
    "val.txt",
    "imagenet_2012_validation_synset_labels.txt",
    "synset_labels.txt",
    "ground_truth.txt",
    "ground_truth.csv",
    DEVKIT_FILE,
)
_DEVKIT_FOLDERS = (".", "data", "devkit", "devkit/data", "ILSVRC2012_devkit_t12/data", "ILSVRC2012_devkit_t12")
_WNID = re.compile(r"n\d{8}")
_SYNSET_FOLDER = re.compile(r"(n\d{8})(?:[^0-9].*)?")
_NUMBERED = re.compile(r"ILSVRC2012_val_(\d{8})")


def list_named_sets() -> list[str]:
    """The names that :meth:`StimulusSet.from_named` takes."""
    return NAMED_SETS.names()


@NAMED_SETS.register("imagenet-val")
def build_imagenet_val(folder: Path | str | None, ground_truth: Path | str | None = None) -> Manifest:
    """ImageNet's validation pictures, or part of them; targets are positions in the sorted WordNet ids.

    Two layouts are read. Class folders named by WordNet id (``n01440764``, ``n01440764_tench``) say themselves what
    their pictures show. A flat folder of ``ILSVRC2012_val_00000001.JPEG`` ... needs a file of true classes, sought in
    and beside the folder; any of these forms, told apart by their content:

    - ``LOC_val_solution.csv``: ``ILSVRC2012_val_00048981,n03995372 85 1 499 272``;
    - ``file wnid`` or ``file index`` a line (``val.txt``), the index counting the sorted WordNet ids from 0;
    - one WordNet id a line, line k for picture number k;
    - ``ILSVRC2012_validation_ground_truth.txt``, one number from 1 to 1000 a line. These count the classes in the
      development kit's own order, which is not the sorted one; the kit's ``meta.mat`` must lie beside it.

    Parameters
    ----------
    folder : path
        Where the pictures are.
    ground_truth : path, optional
        The file of true classes.

    Raises
    ------
    InputError
        Neither layout, no file of true classes, one that cannot be understood, or pictures that it does not name.
    """
    if folder is None:
        raise InputError("the folder of ImageNet's validation pictures", got="none")
    folder = check_folder(folder)
    files, folders = list_entries(folder)
    pictures = [file for file in files if find_kind(file) == "image"]
    if not pictures and any(_SYNSET_FOLDER.fullmatch(name) for name in folders):
        return _build_from_synset_folders(folder)
    if not pictures:
        raise InputError("folders named by WordNet id, or ILSVRC2012_val_*.JPEG", got=f"{folder} without either")
    table = _find_truth(folder, ground_truth)
    wnids = _read_truth(table, pictures)
    places = {wnid: i for i, wnid in enumerate(load_wnids())}
    unknown = [wnid for wnid in wnids if wnid not in places]
    if unknown:
        raise InputError("WordNet ids of the 1,000 classes", got=f"{unknown[0]} in {table}")
    made = build_flat(folder, pictures, "image")
    return replace(made, labels=tuple(wnids), targets=np.array([places[wnid] for wnid in wnids]))


for _name, _build in PUBLISHED_SETS.items():
    NAMED_SETS.add(_name, _build)


def _build_from_synset_folders(folder: Path) -> Manifest:
    made = build_from_folder(folder, kind="image", layout="classes")
    places = {wnid: i for i, wnid in enumerate(load_wnids())}
    targets = []
    for file, label in zip(made.files, made.labels, strict=True):
        match = _SYNSET_FOLDER.fullmatch(label)
        if match is None or match[1] not in places:
            raise InputError("folders named by the WordNet ids of the 1,000 classes", got=str(folder / file))
        targets.append(places[match[1]])
    return replace(made, targets=np.array(targets))


def _find_truth(folder: Path, given: Path | str | None) -> Path:
    if given is not None:
        if not Path(given).is_file():
            raise InputError("a file of true classes", got=f"no file at {given}")
        return Path(given)
    for name in _TRUTH_FILES:
        for base in (folder, folder.parent):
            for place in _DEVKIT_FOLDERS:
                if (base / place / name).is_file():
                    return base / place / name
    raise InputError(
        "a file of true classes in or beside a flat folder of ImageNet pictures",
        got=f"none at {folder}",
        hint=f"{', '.join(_TRUTH_FILES[:2])}, or {DEVKIT_FILE} with meta.mat",
    )


def _read_truth(table: Path, pictures: list[str]) -> list[str]:
    """The WordNet id of each picture, whatever the form of the file."""
    if table.suffix.lower() == ".csv":
        rows = [[cell.strip() for cell in row] for row in read_rows(table) if any(cell.strip() for cell in row)]
        rows = rows[1:] if rows and not _looks_like_class(rows[0][-1]) else rows
    else:
        with explain_read_errors(table, "a text file of true classes"):
            rows = [words for line in table.read_text(encoding="utf-8-sig").splitlines() if (words := line.split())]
    if not rows or any(len(row) != len(rows[0]) for row in rows) or len(rows[0]) > 2:
        raise InputError("one or two entries a line, of a picture and its class", got=str(table))
    if len(rows[0]) == 2:
        named = {PurePosixPath(row[0]).name.split(".")[0]: row[1].split()[0] for row in rows if row[1].split()}
        return _look_up(named, pictures, table)
    entries = [row[0] for row in rows]
    if all(_WNID.fullmatch(entry) for entry in entries):
        by_number = entries
    elif all(entry.isdigit() for entry in entries):
        order = _read_devkit_order(table)
        try:
            by_number = [order[int(entry)] for entry in entries]
        except KeyError as error:
            raise InputError("class numbers from 1 to 1000", got=f"{error.args[0]} in {table}") from error
    else:
        raise InputError("one WordNet id or class number a line", got=str(table))
    return [by_number[number - 1] for number in _read_numbers(pictures, len(by_number), table)]


def _looks_like_class(entry: str) -> bool:
    words = entry.split()
    return bool(words) and (words[0].isdigit() or _WNID.fullmatch(words[0]) is not None)


def _look_up(named: dict[str, str], pictures: list[str], table: Path) -> list[str]:
    """Classes by file name, given as WordNet ids or as positions in their sorted order."""
    missing = [file for file in pictures if PurePosixPath(file).stem not in named]
    if missing:
        raise StimulusError("a true class for every picture", got=f"{table} without {_name_some(missing)}")
    entries = [named[PurePosixPath(file).stem] for file in pictures]
    if all(_WNID.fullmatch(entry) for entry in entries):
        return entries
    wnids = load_wnids()
    if not all(entry.isdigit() and int(entry) < len(wnids) for entry in named.values()):
        raise InputError("WordNet ids, or indices from 0 to 999 into their sorted order", got=f"others in {table}")
    return [wnids[int(entry)] for entry in entries]


def _read_numbers(pictures: list[str], n_known: int, table: Path) -> list[int]:
    """The number in each picture's name, which is its line in the file of true classes."""
    numbers = []
    for file in pictures:
        match = _NUMBERED.fullmatch(PurePosixPath(file).stem)
        if match is None or not 1 <= int(match[1]) <= n_known:
            raise InputError(
                f"pictures named ILSVRC2012_val_ and a number from 1 to {n_known}, the lines of {table}", got=file
            )
        numbers.append(int(match[1]))
    return numbers


def _read_devkit_order(table: Path) -> dict[int, str]:
    """Class number → WordNet id, from the development kit's ``meta.mat``."""
    from scipy.io import loadmat

    meta = table.parent / "meta.mat"
    if not meta.is_file():
        raise InputError(
            f"the development kit's meta.mat beside {table}, whose numbers count classes in the kit's own order",
            got="none",
            hint="it, or LOC_val_solution.csv, or val.txt instead",
        )
    try:
        synsets = loadmat(meta, squeeze_me=True, struct_as_record=True)["synsets"]
        return {int(row["ILSVRC2012_ID"]): str(row["WNID"]) for row in synsets if int(row["ILSVRC2012_ID"]) <= 1000}
    except Exception as error:  # the reader raises many kinds for a file that is something else
        raise InputError(
            "the development kit's meta.mat", got=f"{meta}, which does not read as it ({error})"
        ) from error


def _name_some(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
