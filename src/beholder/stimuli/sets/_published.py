"""Published stimulus sets as they lie once fetched: pictures, sentences, natural sounds, examples of metamers."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from beholder._core.errors import InputError
from beholder._core.tables import read_records
from beholder._core.wording import format_count
from beholder.stimuli.assets._files import get_asset_folder, require_asset
from beholder.stimuli.assets._manifest import FromListing, load_assets
from beholder.stimuli.assets._prepare import OBJECTS, SENTENCES, SENTENCES_FILE
from beholder.stimuli.sets._categories import load_categories, load_wnids
from beholder.stimuli.sets._folder import build_flat, check_folder, list_entries
from beholder.stimuli.sets._manifest import Manifest
from beholder.stimuli.sounds._sentences import TABLE_FILE, unpack_sentences
from beholder.stimuli.words._words import load_words

Builder = Callable[[Path | str | None, Path | str | None], Manifest]

PICTURES = "metamers-400-pictures"
OLD_PICTURES = "metamers-256-pictures"
NATURAL_SOUNDS = "fmri-natural-sounds"
_COUNTS = {PICTURES: 400, OLD_PICTURES: 256}
_MEMBERS = {PICTURES: "full_400_16_class_imagenet_val_images", OLD_PICTURES: "full_256_16_class_imagenet"}
_N_SENTENCES = 400
_PICTURE = re.compile(r"(\d+)_(\d+)_([a-z]+)_(n\d{8})_(\d+)\.jpe?g", re.IGNORECASE)
_EXAMPLE = re.compile(r"(\d+)_(.+)")


def build_pictures(name: str, folder: Path | str | None, ground_truth: Path | str | None = None) -> Manifest:
    """Pictures named ``{number}_{category number}_{category}_{wnid}_{id}.JPEG``, in the order of their numbers.

    Labels are WordNet ids and targets positions in their sorted order, as in ``imagenet-val``; the conditions
    ``number`` and ``category`` are the study's.
    """
    place = _find_place(name, folder, _MEMBERS[name])
    categories = list(load_categories())
    places = {wnid: i for i, wnid in enumerate(load_wnids())}
    found: dict[int, tuple[str, str, str]] = {}
    for file in list_entries(place)[0]:
        match = _PICTURE.fullmatch(file)
        if match is None:
            continue
        number, category, wnid = int(match[1]), match[3].lower(), match[4]
        if categories.index(category) != int(match[2]) if category in categories else True:
            raise InputError("a picture of one of the 16 categories, numbered alphabetically", got=str(place / file))
        if wnid not in places or number in found:
            raise InputError("one picture a number, of the 1,000 classes", got=str(place / file))
        found[number] = (file, category, wnid)
    if sorted(found) != list(range(_COUNTS[name])):
        raise InputError(f"the {_COUNTS[name]} pictures of {name}", got=f"{len(found)} in {place}")
    rows = [found[number] for number in range(len(found))]
    return Manifest(
        kind="image",
        ids=tuple(Path(file).stem for file, _, _ in rows),
        files=tuple(file for file, _, _ in rows),
        root=place,
        labels=tuple(wnid for _, _, wnid in rows),
        targets=np.array([places[wnid] for _, _, wnid in rows]),
        conditions={"number": list(range(len(rows))), "category": [category for _, category, _ in rows]},
        layout="classes",
    )


def build_sentences(folder: Path | str | None, ground_truth: Path | str | None = None) -> Manifest:
    """The read sentences, in their order; labels are the words in the middle, targets their outputs among 794."""
    place = Path(folder) if folder is not None else get_asset_folder(SENTENCES)
    if not (place / TABLE_FILE).is_file():
        source = place / SENTENCES_FILE if folder is not None else require_asset(SENTENCES)
        if not source.is_file():
            raise InputError(f"{TABLE_FILE} or {SENTENCES_FILE}", got=f"neither in {place}")
        unpack_sentences(source, place)
    rows = read_records(place / TABLE_FILE)
    if len(rows) != _N_SENTENCES:
        raise InputError(f"the {_N_SENTENCES} sentences", got=f"{len(rows)} in {place / TABLE_FILE}")
    outputs = {word: i for i, word in enumerate(load_words())}
    return Manifest(
        kind="sound",
        ids=tuple(Path(row["file"]).stem for row in rows),
        files=tuple(row["file"] for row in rows),
        root=place,
        labels=tuple(row["word"] for row in rows),
        targets=np.array([outputs[row["word"]] for row in rows]),
        conditions={"number": [int(row["number"]) for row in rows]},
        layout="table",
    )


def build_natural_sounds(folder: Path | str | None, ground_truth: Path | str | None = None) -> Manifest:
    """The sounds whose responses were measured, in the order of the responses (``neural_stim_meta.npy``)."""
    place = _find_place(NATURAL_SOUNDS, folder, "fMRI_natsound_data")
    sounds = check_folder(place / "165_natural_sounds")
    try:
        table = np.load(place / "neural_stim_meta.npy", allow_pickle=False)
        names = [row[0].decode() if isinstance(row[0], bytes) else str(row[0]) for row in table]
    except (OSError, ValueError, IndexError, TypeError) as error:
        raise InputError("neural_stim_meta.npy, a row a sound", got=f"{place} ({error})") from error
    missing = [name for name in names if not (sounds / name).is_file()]
    if missing:
        raise InputError(
            f"the {format_count(len(names), 'sound')} of neural_stim_meta.npy", got=f"{sounds} without {missing[0]}"
        )
    return build_flat(sounds, names, "sound")


def build_plain_pictures(
    name: str, member: str, n_pictures: int, folder: Path | str | None, ground_truth: Path | str | None = None
) -> Manifest:
    """Numbered pictures of one folder, in the order of the RDMs that were published with them."""
    place = _find_place(name, folder, member)
    place = place / member if (place / member).is_dir() else place
    files = sorted(file for file in list_entries(place)[0] if file.startswith("image_"))
    if len(files) != n_pictures:
        raise InputError(f"the {format_count(n_pictures, 'picture')} of {name}", got=f"{len(files)} in {place}")
    return build_flat(place, files, "image")


def build_examples(name: str, folder: Path | str | None, ground_truth: Path | str | None = None) -> Manifest:
    """Stimuli of an experiment, ``{i}_{network}/{j}_{stage}/{number}_{network}_{stage}``, by network, stage, number.

    Labels and targets are the numbers of the natural stimuli, which are of network and stage ``orig``; the conditions
    ``network``, ``stage`` and ``number`` tell them apart.
    """
    place = check_folder(folder) if folder is not None else require_asset(name)
    way = load_assets()[name].way
    assert isinstance(way, FromListing)
    found = []
    for i, network, below in _list_numbered(place):
        for j, stage, inside in _list_numbered(below):
            for file in list_entries(inside)[0]:
                match = _EXAMPLE.fullmatch(file)
                if match is not None and file.endswith(way.suffix):
                    path = f"{below.name}/{inside.name}/{file}"
                    found.append((i, j, int(match[1]), network, stage, path))
    if not found:
        raise InputError(f"stimuli in folders such as 1_network/2_stage of {name}", got=f"none in {place}")
    found.sort()
    return Manifest(
        kind="sound" if way.suffix == ".wav" else "image",
        ids=tuple(Path(row[5]).stem for row in found),
        files=tuple(row[5] for row in found),
        root=place,
        labels=tuple(str(row[2]) for row in found),
        targets=np.array([row[2] for row in found]),
        conditions={
            "network": [row[3] for row in found],
            "stage": [row[4] for row in found],
            "number": [row[2] for row in found],
        },
        layout="classes",
    )


def _list_numbered(folder: Path) -> list[tuple[int, str, Path]]:
    matches = ((name, _EXAMPLE.fullmatch(name)) for name in list_entries(folder)[1])
    return [(int(match[1]), match[2], folder / name) for name, match in matches if match is not None]


def _find_place(name: str, folder: Path | str | None, member: str) -> Path:
    if folder is None:
        return require_asset(name)
    place = check_folder(folder)
    return place / member if (place / member).is_dir() else place


PUBLISHED_SETS: dict[str, Builder] = {
    PICTURES: partial(build_pictures, PICTURES),
    SENTENCES: build_sentences,
    OLD_PICTURES: partial(build_pictures, OLD_PICTURES),
    NATURAL_SOUNDS: build_natural_sounds,
    OBJECTS: partial(build_plain_pictures, OBJECTS, "pictures", 92),
    "algonauts-78": partial(build_plain_pictures, "algonauts-78", "stimuli_data", 78),
    **{
        name: partial(build_examples, name)
        for name, asset in load_assets().items()
        if isinstance(asset.way, FromListing)
    },
}
"""Name of a set, which is its asset's, to its builder."""
