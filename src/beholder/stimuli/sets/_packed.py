"""Files that do not lie alone in a folder of this machine: packed into others, or on a server; read ahead of use.

Reading goes by groups, which is what lies together: one file on a server, a stretch of a tar file there, a row group of
a Parquet file. Where stimuli are asked for one after the other, the next groups are read while those before are in use;
where they are asked for at random, each is read alone.
"""

from __future__ import annotations

import abc
import os
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, final

import numpy as np

from beholder._core.addresses import find_entry, is_address
from beholder._core.files import mark_file

_THREADS = 32
_HELD_BYTES = 256 * 2**20
"""Of groups that were read: those in use, those to come, and what is left over."""
_USUAL_BYTES = 256 * 2**10
"""Of a file whose size nothing tells."""


def mark_place(path: Path | str) -> list[int] | None:
    """Four numbers that change with a file's content, here or at an address."""
    if not is_address(path):
        return mark_file(path)
    found = find_entry(path)
    return None if found is None else found.mark


class PackedFiles(abc.ABC):
    """The contents of files, by position.

    Attributes
    ----------
    names : sequence of str
        (n_files,), what each is called: its path below the place.
    sizes : (n_files,), int64
        Bytes; an estimate where only the group's size is known; -1 where nothing is.
    groups : (n_files,), int64
        What each is read with.
    is_far : bool
        Reading takes long enough to begin before it is asked for.
    n_ahead : int
        Groups that are read ahead.
    """

    names: Sequence[str]
    sizes: np.ndarray
    groups: np.ndarray
    is_far: bool
    n_ahead: int = _THREADS

    _ahead: _ReadAhead | None = None
    _container_marks: dict[Path, list[int] | None] | None = None

    @abc.abstractmethod
    def read_group(self, group: int) -> Mapping[int, bytes]:
        """The contents of a group's files, by position.

        Raises
        ------
        StimulusError
            They are gone, or others than they were.
        """

    def read_alone(self, i: int) -> bytes | None:
        """One file without its group; None where that takes as long as the group."""
        return None

    @abc.abstractmethod
    def mark(self, i: int) -> list[int] | None:
        """Four numbers that change with the content of a file; None where nothing tells."""

    def mark_container(self, path: Path) -> list[int] | None:
        """The mark of a file that others lie in: at an address, as it was when it was first asked for."""
        if not is_address(path):
            return mark_place(path)
        if self._container_marks is None:
            self._container_marks = {}
        if path not in self._container_marks:
            self._container_marks[path] = mark_place(path)
        return self._container_marks[path]

    def __len__(self) -> int:
        return len(self.groups)

    def __getitem__(self, i: int) -> bytes:
        return self.read(i, ())

    def read(self, i: int, following: Sequence[int] | np.ndarray) -> bytes:
        """The content of file ``i``; ``following`` are those that come next in the set."""
        if not self.is_far:
            content = self.read_alone(i)
            return self.read_group(int(self.groups[i]))[i] if content is None else content
        ahead = self._ahead
        if ahead is None or ahead.process != os.getpid():
            ahead = self._ahead = _ReadAhead(self)
        return ahead.read(i, following)

    def count_following(self) -> int:
        """How many of the stimuli that come next are worth knowing."""
        if not self.is_far:
            return 0
        n_groups = int(self.groups[-1]) + 1 if len(self.groups) else 1
        return self.n_ahead * max(1, -(-len(self.groups) // max(n_groups, 1)))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_ahead"}


class _ReadAhead:
    """Groups of one source that were read or are being read, in this process."""

    def __init__(self, source: PackedFiles) -> None:
        self.process = os.getpid()
        self._source = source
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._held: OrderedDict[int, Future[Mapping[int, bytes]]] = OrderedDict()
        self._held_bytes = 0
        self._expected: frozenset[int] = frozenset()

    def read(self, i: int, following: Sequence[int] | np.ndarray) -> bytes:
        """The content of file ``i``."""
        group = int(self._source.groups[i])
        coming = self._list_coming(group, following)
        with self._lock:
            in_order = group in self._held or group in self._expected
            self._expected = frozenset(coming)
        if not in_order:
            alone = self._source.read_alone(i)
            if alone is not None:
                return alone
        with self._lock:
            future = self._begin(group)
            self._held.move_to_end(group)
            if in_order:
                for each in coming:
                    self._begin(each)
            self._shed(group)
        try:
            return future.result()[i]
        except BaseException:
            with self._lock:
                if self._held.get(group) is future:
                    self._drop(group)
            raise

    def _list_coming(self, group: int, following: Sequence[int] | np.ndarray) -> list[int]:
        """The groups that come next, as many as are read ahead and find room."""
        if not len(following):
            return []
        groups = self._source.groups[np.asarray(following, dtype=np.int64)].tolist()
        room, kept = _HELD_BYTES // 2, []
        for each in dict.fromkeys(groups):
            if each == group:
                continue
            room -= self._measure(each)
            if len(kept) == self._source.n_ahead or (room < 0 and kept):
                break
            kept.append(each)
        return kept

    def _measure(self, group: int) -> int:
        low, high = np.searchsorted(self._source.groups, [group, group + 1])
        sizes = self._source.sizes[low:high]
        return int(np.where(sizes < 0, _USUAL_BYTES, sizes).sum())

    def _begin(self, group: int) -> Future[Mapping[int, bytes]]:
        future = self._held.get(group)
        if future is None:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="beholder-ahead")
            future = self._held[group] = self._pool.submit(self._source.read_group, group)
            self._held_bytes += self._measure(group)
        return future

    def _drop(self, group: int) -> None:
        del self._held[group]
        self._held_bytes -= self._measure(group)

    def _shed(self, own: int) -> None:
        """Let go of what was used longest ago, while there is too much."""
        if self._held_bytes <= _HELD_BYTES:
            return
        for group, future in list(self._held.items()):
            if self._held_bytes <= _HELD_BYTES:
                return
            if group != own and group not in self._expected and future.done():
                self._drop(group)


@final
class JoinedFiles(PackedFiles):
    """Several packed sources, one after the other.

    Parameters
    ----------
    sources : sequence of PackedFiles
    """

    def __init__(self, sources: Sequence[PackedFiles]) -> None:
        self.sources = tuple(sources)
        self.names = [name for each in sources for name in each.names]
        self.sizes = np.concatenate([each.sizes for each in sources])
        n_groups = [int(each.groups[-1]) + 1 if len(each) else 0 for each in sources]
        self._first_groups = np.cumsum([0, *n_groups])
        self._first_files = np.cumsum([0, *map(len, sources)])
        shifted = [each.groups + start for each, start in zip(sources, self._first_groups[:-1], strict=True)]
        self.groups = np.concatenate(shifted)
        self.is_far = any(each.is_far for each in sources)
        self.n_ahead = min(each.n_ahead for each in sources)

    def read_group(self, group: int) -> Mapping[int, bytes]:
        """A group of one of them."""
        place = int(np.searchsorted(self._first_groups, group, side="right")) - 1
        start = int(self._first_files[place])
        found = self.sources[place].read_group(group - int(self._first_groups[place]))
        return {start + i: content for i, content in found.items()}

    def read_alone(self, i: int) -> bytes | None:
        """As its source does."""
        place, own = self._find(i)
        return self.sources[place].read_alone(own)

    def mark(self, i: int) -> list[int] | None:
        """As its source's."""
        place, own = self._find(i)
        return self.sources[place].mark(own)

    def _find(self, i: int) -> tuple[int, int]:
        place = int(np.searchsorted(self._first_files, i, side="right")) - 1
        return place, i - int(self._first_files[place])
