"""Who works in an output, and on what: one run alone, or several that share it.

Two locks of the operating system lie in the job folder. ``run.lock`` is held by every run that works in the output:
shared by those that only add to it, alone by one that replaces what is there or whose parts cannot be told apart.
``merge.lock`` is held for moments, by the one run whose turn it is to read and write what is common: settings, layout,
tables, attributes. A run comes and goes in its turn, so that it knows whether it is alone: only then may it tidy up
after dead ones. Both are free as soon as their process is dead; on a file system without locks, a minute later.

A shard is claimed as a whole. Where runs may put one part into different shards (metamers, several in a batch), a run
announces in its turn which parts it makes, and leaves those alone that a live one has announced before. Announcements
are files beside locks: those of a dead run are free, and deleted.
"""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import final

from beholder._core.errors import OutputBusy
from beholder._core.files import write_json
from beholder._core.locks import Lock, LockTaken, has_locks, take_lock
from beholder._core.progress import logger
from beholder.jobs._array import read_array_task

RUN_LOCK, MERGE_LOCK = "run.lock", "merge.lock"
_PATIENCE_SECONDS = 10.0
_RETRY_SECONDS, _MOMENT_SECONDS = 0.05, 1.0


@final
class Hold:
    """A run's place in an output; use :meth:`JobFolder.hold`.

    Attributes
    ----------
    is_alone : bool
        No other run was at work when this one came.
    has_locks : bool
        The file system has locks; without them leases stand for them.
    """

    def __init__(self, folder: Path, output: Path, shared: bool) -> None:
        self._folder, self._output, self._shared = folder, output, shared
        self._run: Lock | None = None
        self._turn: Lock | None = None
        self.has_locks = has_locks(folder / MERGE_LOCK)
        self._take_turn()
        try:
            self.is_alone = self._enter()
        except BaseException:
            self._give_turn()
            raise
        if not shared:
            self._give_turn()

    def _enter(self) -> bool:
        """Take the lock of the run; whether no other has it."""
        if not self._shared:
            self._run = self._take_run(shared=False)
            return True
        is_alone = self._is_free()
        self._run = self._take_run(shared=True)
        return is_alone

    def _take_run(self, *, shared: bool) -> Lock:
        try:
            return take_lock(self._folder / RUN_LOCK, shared=shared, watch=True)
        except LockTaken as taken:
            got = f"another run that is writing to it{f' ({taken.holder})' if taken.holder else ''}"
            raise OutputBusy(
                f"expected {self._output} to be free; got {got}; "
                "try again when that run has ended, or another output folder"
            ) from None

    def _is_free(self) -> bool:
        try:
            take_lock(self._folder / RUN_LOCK).release()
        except LockTaken:
            return False
        return True

    def _take_turn(self) -> None:
        self._turn = take_turn(self._folder, self._output)

    def _give_turn(self) -> None:
        if self._turn is not None:
            self._turn.release()
            self._turn = None

    @contextlib.contextmanager
    def pause(self) -> Generator[None]:
        """Let others have their turn inside the block."""
        if self._turn is None:
            yield
            return
        self._give_turn()
        try:
            yield
        finally:
            self._take_turn()

    @contextlib.contextmanager
    def resume(self) -> Generator[None]:
        """Have the turn inside a block in a :meth:`pause`."""
        if not self._shared or self._turn is not None:
            yield
            return
        self._take_turn()
        try:
            yield
        finally:
            self._give_turn()

    def leave(self) -> bool:
        """End the run; whether no other works here. The turn is kept until :meth:`close`."""
        if self._run is None:
            return False
        if not self._shared:
            return True
        self._run.release()
        self._run = None
        return self._is_free()

    def close(self) -> None:
        """Give back what is held."""
        if self._run is not None:
            self._run.release()
            self._run = None
        self._give_turn()


def wait_for_hold(folder: Path, output: Path, shared: bool) -> Hold:
    """A place in an output, once the run that keeps it from this one has ended."""
    is_told = False
    while True:
        try:
            return Hold(folder, output, shared)
        except OutputBusy:
            if not is_told:
                logger.info("waiting for another run to end, which is writing to %s", output)
                is_told = True
            time.sleep(_MOMENT_SECONDS)


def take_turn(folder: Path, output: Path) -> Lock:
    """Wait for the turn in an output, with a word where that takes long."""
    begun, is_told = time.monotonic(), False
    while True:
        try:
            return take_lock(folder / MERGE_LOCK)
        except LockTaken:
            if not is_told and time.monotonic() - begun > _PATIENCE_SECONDS:
                logger.info("waiting for another run to put together what %s holds", output)
                is_told = True
            time.sleep(_RETRY_SECONDS)


@final
class Announcement:
    """The parts that one run makes; for use in its turn. Tasks of one job array cut parts alike, and claim shards.

    Parameters
    ----------
    folder : path
        The job folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "announced"
        self._path = self._folder / f"{uuid.uuid4().hex}.json"
        self._lock: Lock | None = None
        task = read_array_task()
        self._array = None if task is None or task.is_merge else task.name

    def make(self, parts: Iterable[str]) -> set[str]:
        """Announce parts, but for those that live runs have announced before, which are given."""
        taken = self._read_others()
        if self._lock is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock = take_lock(self._path.with_suffix(".lock"))
        wanted = set(parts)
        write_json(self._path, {"array": self._array, "parts": sorted(wanted - taken)})
        return wanted & taken

    def _read_others(self) -> set[str]:
        taken: set[str] = set()
        for path in sorted(self._folder.glob("*.json")):
            if path == self._path:
                continue
            try:
                with take_lock(path.with_suffix(".lock")):
                    path.unlink()
            except LockTaken:
                announced = json.loads(path.read_text(encoding="utf-8"))
                if self._array is None or announced["array"] != self._array:
                    taken |= set(announced["parts"])
                continue
            path.with_suffix(".lock").unlink(missing_ok=True)
        return taken

    def close(self) -> None:
        """Take it back."""
        if self._lock is not None:
            self._path.unlink(missing_ok=True)
            self._lock.release()
            self._path.with_suffix(".lock").unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                self._folder.rmdir()
