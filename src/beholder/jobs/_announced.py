"""What live runs are about to make, where one part may be cut into shards in several ways.

A shard is claimed as a whole. Where runs may put one part into different shards (metamers, several in a batch), a run
announces in its turn which parts it makes, and leaves those alone that a live one has announced before. Announcements
are files beside locks: those of a dead run are free, and deleted.
"""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import final

from beholder._core.files import write_json
from beholder._core.locks import Lock, LockTaken, take_lock


@final
class Announcement:
    """The parts that one run makes; for use in its turn.

    Parameters
    ----------
    folder : path
        The job folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "announced"
        self._path = self._folder / f"{uuid.uuid4().hex}.json"
        self._lock: Lock | None = None

    def make(self, parts: Iterable[str]) -> set[str]:
        """Announce parts, but for those that live runs have announced before, which are given."""
        taken = self._read_others()
        if self._lock is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock = take_lock(self._path.with_suffix(".lock"))
        wanted = set(parts)
        write_json(self._path, sorted(wanted - taken))
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
                taken |= set(json.loads(path.read_text(encoding="utf-8")))
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
