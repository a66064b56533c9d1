"""Stimuli in tar files, as WebDataset lays them out: ``key.jpg`` beside ``key.cls`` or ``key.json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, final

import numpy as np

from beholder._core.addresses import is_address, read_range, show_place
from beholder._core.errors import InputError, StimulusError
from beholder._core.wording import format_count
from beholder.stimuli.sets._arrays import build_from_items
from beholder.stimuli.sets._find_packed import find_packed
from beholder.stimuli.sets._folder import agree_on_kind, split_name
from beholder.stimuli.sets._items import StimulusItems
from beholder.stimuli.sets._manifest import Manifest
from beholder.stimuli.sets._packed import PackedFiles
from beholder.stimuli.sets._tar_index import TarIndex, cut_stretches, read_tar_index
from beholder.stimuli.words._labels import number_classes

_LABELS = ("label", "class", "cls")
_STRETCH = 4 * 2**20
"""Bytes that are read at once from a tar file on a server, where stimuli are read one after the other."""


@final
class ShardFiles(PackedFiles):
    """Members of tar files, read one by one.

    Parameters
    ----------
    paths : sequence of Path
        The shards.
    names : sequence of str
        (n_members,), each with its shard before it.
    shards, offsets, sizes : (n_members,), int64
        Which shard a member lies in, and where.
    """

    n_ahead = 8

    def __init__(
        self, paths: Sequence[Path], names: Sequence[str], shards: np.ndarray, offsets: np.ndarray, sizes: np.ndarray
    ) -> None:
        self.paths, self.names = tuple(paths), names
        self.shards, self.offsets, self.sizes = shards, offsets, sizes
        self.is_far = any(map(is_address, self.paths))
        self.groups = cut_stretches(shards, offsets, sizes, _STRETCH) if self.is_far else np.arange(len(offsets))

    def read_group(self, group: int) -> Mapping[int, bytes]:
        """Members that lie one after the other."""
        low, high = np.searchsorted(self.groups, [group, group + 1]).tolist()
        start, stop = int(self.offsets[low]), int(self.offsets[high - 1] + self.sizes[high - 1])
        content = self._read(int(self.shards[low]), start, stop)
        places = [int(offset) - start for offset in self.offsets[low:high]]
        return {
            i: content[place : place + size]
            for i, place, size in zip(range(low, high), places, self.sizes[low:high].tolist(), strict=True)
        }

    def read_alone(self, i: int) -> bytes:
        """One member."""
        start = int(self.offsets[i])
        return self._read(int(self.shards[i]), start, start + int(self.sizes[i]))

    def mark(self, i: int) -> list[int] | None:
        """That of its shard."""
        return self.mark_container(self.paths[int(self.shards[i])])

    def _read(self, shard: int, start: int, stop: int) -> bytes:
        path = self.paths[shard]
        if stop == start:
            return b""
        try:
            if is_address(path):
                content = read_range(path, start, stop)
            else:
                with open(path, "rb") as file:
                    file.seek(start)
                    content = file.read(stop - start)
        except (OSError, InputError) as error:
            reason = error.strerror if isinstance(error, OSError) else error.got
            raise StimulusError("shards that can be read", got=f"{show_place(path)} ({reason})") from error
        if len(content) < stop - start:
            got = f"{show_place(path)}, which is shorter now"
            raise StimulusError("the shards that the set was made from", got=got)
        return content


def find_shards(path: Path | str) -> list[Path]:
    """The tar files that a path names: one, those of a folder or pattern, or ``train-{0000..0146}.tar``; else none.

    A folder that holds pictures, sounds or folders is one of those.
    """
    return find_packed(path, ".tar")


def build_from_shards(paths: Sequence[Path], root: Path | str | None = None) -> Manifest:
    """A set of what lies in tar files, in their order.

    The class of a stimulus is what ``key.cls`` or ``key.txt`` says, or ``label``, ``class`` or ``cls`` of ``key.json``,
    whose other entries become columns; without any, the folder that its name begins with.

    Parameters
    ----------
    paths : sequence of Path
    root : path, optional
        What named them.

    Raises
    ------
    InputError
        A file that is no whole tar file, no pictures or sounds in any, both kinds, an id twice, some labels missing.
    """
    indices = [read_tar_index(path) for path in paths]
    shards = np.repeat(np.arange(len(paths)), [len(index.keys) for index in indices])
    whole = TarIndex(**{
        name: [value for index in indices for value in getattr(index, name)] for name in vars(TarIndex())
    })  # fmt: skip
    where = (
        show_place(paths[0])
        if len(paths) == 1
        else f"{format_count(len(paths), 'shard')} such as {show_place(paths[0])}"
    )
    kind = agree_on_kind(whole.names, None, where)
    if kind is None:
        raise InputError("shards with pictures or sounds", got=f"{where}, without any")
    stems = [paths[shard].name for shard in shards.tolist()]
    labels = [_find_label(key, facts) for key, facts in zip(whole.keys, whole.facts, strict=True)]
    given = [label for label in labels if label is not None]
    if given and len(given) < len(labels):
        key = whole.keys[labels.index(None)]
        raise InputError("a label for each stimulus of the shards", got=f"none for {key} in {where}")
    columns = sorted({name for facts in whole.facts for name in facts})
    names = [f"{shard}/{name.removeprefix('./')}" for shard, name in zip(stems, whole.names, strict=True)]
    source = ShardFiles(
        paths, names, shards, np.array(whole.offsets, dtype=np.int64), np.array(whole.sizes, dtype=np.int64)
    )
    return build_from_items(
        StimulusItems(source),
        _make_ids(whole.keys, stems),
        kind=kind,
        labels=given or None,
        targets=number_classes(given) if given else None,
        conditions={**{name: [facts.get(name) for facts in whole.facts] for name in columns}, "shard": stems},
        files=names,
        root=root,
    )


def _find_label(key: str, facts: Mapping[str, Any]) -> str | None:
    for name in ("cls", *_LABELS, "txt"):
        if name in facts:
            return str(facts[name])
    folder = key.rpartition("/")[0].rpartition("/")[2]
    return folder if folder not in ("", ".") else None


def _make_ids(keys: Sequence[str], shards: Sequence[str]) -> list[str]:
    """Keys without their folders, or with them, or with their shards: the shortest that differ."""
    flat = [key.removeprefix("./").replace("/", "__") for key in keys]
    ways = (
        lambda: [key.rpartition("/")[2] for key in keys],
        lambda: flat,
        lambda: [f"{split_name(shard)[0]}__{key}" for shard, key in zip(shards, flat, strict=True)],
    )
    ids: list[str] = []
    for way in ways:
        ids = way()
        if len(set(ids)) == len(ids):
            return ids
    seen: set[str] = set()
    twice = next(each for each in ids if each in seen or seen.add(each))
    raise InputError("keys that differ within a shard", got=f"{twice} twice", hint="members of one key side by side")
