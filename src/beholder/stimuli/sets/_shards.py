"""Stimuli in tar files, as WebDataset lays them out: ``key.jpg`` beside ``key.cls`` or ``key.json``."""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import numpy as np

from beholder._core.errors import InputError, StimulusError
from beholder._core.narrowing import is_mapping
from beholder.stimuli.sets._arrays import build_from_items
from beholder.stimuli.sets._folder import agree_on_kind, find_kind, list_entries, split_name
from beholder.stimuli.sets._items import StimulusItems
from beholder.stimuli.sets._manifest import Kind, Manifest
from beholder.stimuli.words._labels import number_classes

_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
_LABELS = ("label", "class", "cls")
_MOST_SAID = 2**20  # bytes of a label file


@final
@dataclass(eq=False)
class ShardFiles:
    """Members of tar files, read one by one.

    Parameters
    ----------
    paths : tuple of Path
        The shards.
    shards, offsets, sizes : (n_members,), int64
        Which shard a member lies in, and where.
    """

    paths: tuple[Path, ...]
    shards: np.ndarray
    offsets: np.ndarray
    sizes: np.ndarray

    def __len__(self) -> int:
        return len(self.offsets)

    def __getitem__(self, i: int) -> bytes:
        path, size = self.paths[int(self.shards[i])], int(self.sizes[i])
        try:
            with open(path, "rb") as file:
                file.seek(int(self.offsets[i]))
                content = file.read(size)
        except OSError as error:
            raise StimulusError("shards that can be read", got=f"{path} ({error.strerror})") from error
        if len(content) < size:
            raise StimulusError("the shards that the set was made from", got=f"{path}, which is shorter now")
        return content


@final
@dataclass
class _Sample:
    """Members of one key."""

    shard: int
    key: str
    stimulus: tuple[str, int, int] | None = None
    facts: dict[str, Any] = field(default_factory=dict)


def find_shards(path: Path | str) -> list[Path]:
    """The tar files that a path names: one, those of a folder, or those of ``train-{0000..0146}.tar``; else none.

    A folder that holds pictures, sounds or folders is one of those.
    """
    path = Path(path)
    if path.is_file():
        return [path] if path.suffix.lower() == ".tar" else []
    if path.is_dir():
        files, folders = list_entries(path)
        shards = [path / name for name in files if name.lower().endswith(".tar")]
        return [] if folders or any(find_kind(name) for name in files) else shards
    found = _RANGE.search(str(path))
    if found is None or path.suffix.lower() != ".tar":
        return []
    low, high, digits = int(found[1]), int(found[2]), len(found[1])
    text = str(path)
    listed = [Path(f"{text[: found.start()]}{i:0{digits}d}{text[found.end() :]}") for i in range(low, high + 1)]
    missing = [each for each in listed if not each.is_file()]
    if missing:
        raise InputError(f"{len(listed)} shards", got=f"{len(missing)} missing, such as {missing[0]}")
    return listed


def build_from_shards(paths: Sequence[Path]) -> Manifest:
    """A set of what lies in tar files, in their order.

    The class of a stimulus is what ``key.cls`` or ``key.txt`` says, or ``label``, ``class`` or ``cls`` of ``key.json``,
    whose other entries become columns; without any, the folder that its name begins with.

    Parameters
    ----------
    paths : sequence of Path

    Raises
    ------
    InputError
        A file that is no whole tar file, no pictures or sounds in any, both kinds, an id twice, some labels missing.
    """
    samples = [sample for number, path in enumerate(paths) for sample in _list_samples(path, number)]
    files = [sample.stimulus[0] for sample in samples if sample.stimulus is not None]
    where = str(paths[0]) if len(paths) == 1 else f"{len(paths)} shards such as {paths[0]}"
    kind = agree_on_kind(files, None, where)
    if kind is None:
        raise InputError("shards with pictures or sounds", got=f"{where}, without any")
    samples = [sample for sample in samples if sample.stimulus is not None]
    places = np.array([sample.stimulus[1:] for sample in samples if sample.stimulus is not None], dtype=np.int64)
    shards = np.array([sample.shard for sample in samples], dtype=np.int64)
    items = StimulusItems(ShardFiles(tuple(paths), shards, places[:, 0], places[:, 1]))
    return _describe(samples, items, kind, paths, where)


def measure_shards(arrays: Any) -> np.ndarray | None:
    """Bytes of each stimulus that lies in shards, (n_stimuli,); None for other arrays."""
    source = arrays.source if isinstance(arrays, StimulusItems) else None
    return source.sizes[arrays.rows] if isinstance(source, ShardFiles) else None


def _describe(samples: list[_Sample], items: StimulusItems, kind: Kind, paths: Sequence[Path], where: str) -> Manifest:
    labels = [_find_label(sample) for sample in samples]
    given = [label for label in labels if label is not None]
    if given and len(given) < len(labels):
        key = samples[labels.index(None)].key
        raise InputError("a label for each stimulus of the shards", got=f"none for {key} in {where}")
    names = sorted({name for sample in samples for name in sample.facts})
    return build_from_items(
        items,
        _make_ids(samples, paths),
        kind=kind,
        labels=given or None,
        targets=number_classes(given) if given else None,
        conditions={
            **{name: [sample.facts.get(name) for sample in samples] for name in names},
            "shard": [paths[sample.shard].name for sample in samples],
        },
    )


def _list_samples(path: Path, number: int) -> Iterator[_Sample]:
    """What members of one key tell, a key after another."""
    sample: _Sample | None = None
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                archive.members = []  # type: ignore[attr-defined]  # else all headers stay in memory
                if not member.isfile():
                    continue
                folder, _, name = member.name.rpartition("/")
                stem, _, extension = name.partition(".")
                key = f"{folder}/{stem}" if folder else stem
                if not stem:
                    continue
                if sample is None or sample.key != key:
                    if sample is not None:
                        yield sample
                    sample = _Sample(number, key)
                _take(sample, member, extension.lower(), archive)
    except (tarfile.TarError, OSError) as error:
        raise InputError("a whole tar file", got=f"{path} ({error})", hint="plain tar, not compressed") from error
    if sample is not None:
        yield sample


def _take(sample: _Sample, member: tarfile.TarInfo, extension: str, archive: tarfile.TarFile) -> None:
    if find_kind(f"x.{extension}") is not None:
        if sample.stimulus is not None:
            got = f"{sample.stimulus[0]} and {member.name}"
            raise InputError("one picture or sound a key in a shard", got=got)
        sample.stimulus = (member.name, member.offset_data, member.size)
        return
    if extension not in ("cls", "txt", "json") or member.size > _MOST_SAID:
        return
    opened = archive.extractfile(member)
    content = b"" if opened is None else opened.read()
    try:
        text = content.decode().strip()
        said = json.loads(text) if extension == "json" else {extension: text}
    except ValueError as error:
        raise InputError("text in UTF-8 beside the stimuli of a shard", got=f"{member.name} ({error})") from error
    if is_mapping(said):
        plain = {str(name): value for name, value in said.items() if isinstance(value, (str, int, float, bool))}
        sample.facts.update(plain)


def _find_label(sample: _Sample) -> str | None:
    for name in ("cls", *_LABELS, "txt"):
        if name in sample.facts:
            return str(sample.facts[name])
    folder = sample.key.rpartition("/")[0].rpartition("/")[2]
    return folder if folder not in ("", ".") else None


def _make_ids(samples: Sequence[_Sample], paths: Sequence[Path]) -> list[str]:
    """Keys without their folders, or with them, or with their shards: the shortest that differ."""
    ways = (
        lambda sample: sample.key.rpartition("/")[2],
        lambda sample: sample.key.removeprefix("./").replace("/", "__"),
        lambda sample: f"{split_name(paths[sample.shard].name)[0]}__{sample.key.removeprefix('./').replace('/', '__')}",
    )
    ids: list[str] = []
    for way in ways:
        ids = [way(sample) for sample in samples]
        if len(set(ids)) == len(ids):
            return ids
    seen: set[str] = set()
    twice = next(each for each in ids if each in seen or seen.add(each))
    raise InputError("keys that differ within a shard", got=f"{twice} twice", hint="members of one key side by side")
