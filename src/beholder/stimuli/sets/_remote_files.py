"""Stimuli that are files at an address: listed as those of a folder are, read one by one, ahead of their use."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import final

import numpy as np

from beholder._core.addresses import RemoteEntry, list_tree, read_range, show_place, to_address
from beholder._core.errors import InputError, StimulusError
from beholder.stimuli.sets._items import StimulusItems
from beholder.stimuli.sets._manifest import Manifest
from beholder.stimuli.sets._packed import PackedFiles


@final
class RemoteFiles(PackedFiles):
    """Files below an address.

    Parameters
    ----------
    root : path or str
        The address.
    entries : sequence of RemoteEntry
        As :func:`~beholder._core.addresses.list_tree` gives them.
    """

    is_far = True

    def __init__(self, root: Path | str, entries: Sequence[RemoteEntry]) -> None:
        self.root = str(root)
        self.names = [entry.name for entry in entries]
        self.sizes = np.array([entry.size for entry in entries], dtype=np.int64)
        self.groups = np.arange(len(entries))
        self._places = [entry.place for entry in entries]
        self._marks = [entry.mark for entry in entries]

    def read_group(self, group: int) -> Mapping[int, bytes]:
        """One file."""
        name = f"{show_place(self.root).rstrip('/')}/{self.names[group]}"
        try:
            content = read_range(self.root, place=self._places[group])
        except InputError as error:
            raise StimulusError("a file that can be read", got=f"{name} ({error.got})", hint=error.hint) from error
        if self.sizes[group] >= 0 and len(content) != self.sizes[group]:
            got = f"{name}, with {len(content):,} bytes where {int(self.sizes[group]):,} were listed"
            raise StimulusError("a file that stays as it is while it is read", got=got)
        return {group: content}

    def mark(self, i: int) -> list[int] | None:
        """Size, and what the server says of the content and its time, as it was when the files were listed."""
        return self._marks[i]


def list_remote(root: Path | str) -> list[RemoteEntry]:
    """Files below an address, without hidden ones.

    Raises
    ------
    InputError
        There are none.
    """
    from beholder.stimuli.sets._folder import list_visible

    entries = list_visible(root)
    if not entries:
        raise InputError("a folder of stimuli", got=f"nothing at {show_place(root)}")
    return entries


def attach_remote(manifest: Manifest, entries: Iterable[RemoteEntry]) -> Manifest:
    """A manifest of names below an address, with what reads them."""
    assert manifest.root is not None
    known = {entry.name: entry for entry in entries}
    source = RemoteFiles(manifest.root, [known[name] for name in manifest.files])
    return replace(manifest, arrays=StimulusItems(source))


def find_remote(files: Sequence[Path | str]) -> tuple[Path, dict[str, RemoteEntry | None]]:
    """The deepest folder of files at addresses, and each by its name below it; None for one that is not there.

    What a web server has is not listed: one file of it is known by reading it.

    Raises
    ------
    InputError
        Addresses of several file systems.
    """
    places = [str(Path(to_address(file).replace("://", ":/", 1))) for file in files]
    schemes = sorted({place.partition("/")[0] for place in places})
    if len(schemes) > 1:
        raise InputError("files of one kind of address", got=f"{schemes[0]}// and {schemes[1]}//")
    root = Path(os.path.commonpath([os.path.dirname(place) for place in places]))  # noqa: PTH120
    names = [place[len(str(root)) + 1 :] for place in places]
    if schemes[0] in ("http:", "https:"):
        pairs = zip(names, places, strict=True)
        return root, {name: RemoteEntry(name, to_address(place), -1, None) for name, place in pairs}
    known = {entry.name: entry for entry in list_tree(root)}
    return root, {name: known.get(name) for name in names}
