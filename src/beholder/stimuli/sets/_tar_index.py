"""Where the members of a tar file lie: its headers, read once, and kept in the folder of what is downloaded."""

from __future__ import annotations

import contextlib
import json
import os
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, final

import numpy as np

from beholder._core.addresses import explain_storage_errors, is_address, open_remote, show_place
from beholder._core.errors import BeholderError, InputError
from beholder._core.files import write_bytes
from beholder._core.hashing import hash_settings
from beholder._core.home import get_home_folder
from beholder._core.narrowing import is_mapping
from beholder._core.progress import logger
from beholder.stimuli.sets._folder import find_kind
from beholder.stimuli.sets._packed import mark_place

FORMAT = "beholder-tar-index-1"
_MOST_SAID = 2**20  # bytes of a label file
_KEPT_FROM = 1000  # stimuli of a local file whose headers are kept
_FRESH_SECONDS = 2.0
_BLOCK = 512
_COMPRESSED = {b"\x1f\x8b": "gzip", b"BZ": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}


@final
@dataclass
class TarIndex:
    """The stimuli of a tar file, in its order.

    Attributes
    ----------
    keys : list of str
        What a stimulus and what is said of it have in common: the folder, and the name up to its first dot.
    names : list of str
        Members that are stimuli.
    offsets, sizes : list of int
        Where their bytes lie.
    facts : list of dict
        What ``key.cls``, ``key.txt`` and ``key.json`` say.
    """

    keys: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    facts: list[dict[str, Any]] = field(default_factory=list)


def read_tar_index(path: Path) -> TarIndex:
    """The stimuli of a tar file, here or at an address.

    Raises
    ------
    InputError
        No whole tar file, a compressed one, two stimuli of one key; names the member.
    """
    mark = mark_place(path)
    kept = None if mark is None else _find_kept(path, mark)
    if kept is not None and (found := _read_kept(kept)) is not None:
        return found
    shown = show_place(path)
    if is_address(path):
        logger.info("reading the headers of %s, which are kept for the next time", shown)
    made = TarIndex()
    try:
        with explain_storage_errors(shown) if is_address(path) else contextlib.nullcontext(), _open(path) as file:
            for sample in _list_samples(file, shown):
                made.keys.append(sample.key)
                made.names.append(sample.stimulus[0])
                made.offsets.append(sample.stimulus[1])
                made.sizes.append(sample.stimulus[2])
                made.facts.append(sample.facts)
    except OSError as error:
        raise _refuse(shown, str(error.strerror or error)) from error
    if kept is not None and (is_address(path) or (len(made.keys) >= _KEPT_FROM and _is_settled(mark))):
        with contextlib.suppress(OSError, BeholderError):  # a folder that cannot be written: read again next time
            write_bytes(kept, json.dumps({"format": FORMAT, **vars(made)}, ensure_ascii=False).encode())
    return made


def _open(path: Path) -> Any:
    return open_remote(path) if is_address(path) else open(path, "rb")


def _find_kept(path: Path, mark: list[int]) -> Path:
    place = str(path) if is_address(path) else os.path.realpath(path)
    return get_home_folder() / "indexes" / f"{hash_settings([FORMAT, place, mark])[:32]}.json"


def _is_settled(mark: list[int] | None) -> bool:
    return mark is not None and time.time() - mark[1] / 1e9 > _FRESH_SECONDS


def _read_kept(path: Path) -> TarIndex | None:
    try:
        held = json.loads(path.read_bytes())
        if held.pop("format") != FORMAT:
            return None
        found = TarIndex(**held)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return found if len({len(column) for column in vars(found).values()}) == 1 else None


@dataclass
class _Sample:
    """Members of one key."""

    key: str
    stimulus: tuple[str, int, int] = ("", 0, 0)
    facts: dict[str, Any] = field(default_factory=dict)


def _list_samples(file: IO[bytes], shown: str) -> Iterator[_Sample]:
    """What members of one key tell, a key after another; keys without a stimulus are left out."""
    sample: _Sample | None = None
    for member, content in _walk(file, shown):
        folder, _, name = member.name.rpartition("/")
        stem, _, extension = name.partition(".")
        if not stem:
            continue
        key = f"{folder}/{stem}" if folder else stem
        if sample is None or sample.key != key:
            if sample is not None and sample.stimulus[0]:
                yield sample
            sample = _Sample(key)
        _take(sample, member, extension.lower(), content)
    if sample is not None and sample.stimulus[0]:
        yield sample


def _walk(file: IO[bytes], shown: str) -> Iterator[tuple[tarfile.TarInfo, bytes | None]]:
    """Members that are files, with what labels say; the tar file is held to be whole."""
    head = file.read(6)
    file.seek(0)
    packed = next((name for magic, name in _COMPRESSED.items() if head.startswith(magic)), None)
    if packed is not None:
        raise InputError(
            "a plain tar file, in which each stimulus can be reached alone", got=f"{shown}, compressed with {packed}",
            hint="unpacking it once, to a .tar file",
        )  # fmt: skip
    last = ""
    try:
        with tarfile.open(fileobj=file, mode="r:") as archive:
            for member in archive:
                last = member.name
                archive.members = []  # type: ignore[attr-defined]  # else all headers stay in memory
                if member.isfile():
                    is_said = _is_said(member)
                    opened = archive.extractfile(member) if is_said else None
                    yield member, None if opened is None else opened.read()
            _check_end(file, archive.offset, shown, last)
    except tarfile.TarError as error:
        after = f", within or after {last}" if last else ""
        raise _refuse(shown, f"{error}{after}") from error


def _is_said(member: tarfile.TarInfo) -> bool:
    name = member.name.rpartition("/")[2]
    return name.partition(".")[2].lower() in ("cls", "txt", "json") and member.size <= _MOST_SAID


def _check_end(file: IO[bytes], offset: int, shown: str, last: str) -> None:
    """A tar file ends with empty blocks; where they are absent it was cut off, where more follows it is several."""
    file.seek(offset)
    end = file.read(2 * _BLOCK)
    after = f" after {last}" if last else ""
    if len(end) < _BLOCK:
        raise _refuse(shown, f"cut off{after}: the blocks that end a tar file are absent")
    if end[:_BLOCK].strip(b"\0"):
        raise _refuse(shown, f"damaged{after}: what follows is no header")
    while end:
        if end.strip(b"\0"):
            raise _refuse(shown, f"more follows{after} and the end: several tar files in one")
        end = file.read(2**20)


def _refuse(shown: str, reason: str) -> InputError:
    return InputError("a whole tar file", got=f"{shown} ({reason})", hint="plain tar, not compressed, copied again")


def _take(sample: _Sample, member: tarfile.TarInfo, extension: str, content: bytes | None) -> None:
    if find_kind(f"x.{extension}") is not None:
        if sample.stimulus[0]:
            got = f"{sample.stimulus[0]} and {member.name}"
            raise InputError("one picture or sound a key in a shard", got=got)
        sample.stimulus = (member.name, member.offset_data, member.size)
        return
    if content is None:
        return
    try:
        text = content.decode().strip()
        said = json.loads(text) if extension == "json" else {extension: text}
    except ValueError as error:
        raise InputError("text in UTF-8 beside the stimuli of a shard", got=f"{member.name} ({error})") from error
    if is_mapping(said):
        plain = {str(name): value for name, value in said.items() if isinstance(value, (str, int, float, bool))}
        sample.facts.update(plain)


def cut_stretches(shards: np.ndarray, offsets: np.ndarray, sizes: np.ndarray, most: int) -> np.ndarray:
    """Groups of members that lie one after the other in one shard, of at most ``most`` bytes unless one has more.

    >>> cut_stretches(np.array([0, 0, 0, 1]), np.array([512, 1536, 9000, 512]), np.array([600, 100, 10, 5]), 2000)
    array([0, 0, 1, 2])
    """
    groups = np.zeros(len(shards), dtype=np.int64)
    group, shard, start, end = -1, -1, 0, -1
    for i, (own, offset, size) in enumerate(zip(shards.tolist(), offsets.tolist(), sizes.tolist(), strict=True)):
        if own != shard or offset < end or offset + size - start > most:
            group, shard, start = group + 1, own, offset
        end = offset + size
        groups[i] = group
    return groups
