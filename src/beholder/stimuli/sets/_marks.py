"""Files as they were when they were read: a mark by which an untouched file is known without reading it again."""

from __future__ import annotations

import os
import time
from pathlib import Path

from beholder._core.errors import StimulusError

_TICK = 20_000_000  # ns; what is written within one tick of the file system's clock may carry the same time
_SECOND = 1_000_000_000
_TRIES = 5


def mark_file(path: Path | str) -> list[int] | None:
    """Size, time of the last change of content, time of the last change of anything (ns), and inode; None if gone.

    A program may set the first time back, as copying programs do; it cannot set the second.
    """
    try:
        return _make_mark(Path(path).stat())
    except OSError:
        return None


def read_file(path: Path | str) -> tuple[bytes, list[int]]:
    """A file's bytes and its mark, which stands for these bytes and no others.

    A file that was written a moment ago is read after its clock has moved on, since another write within the same tick
    could not be told from the first by its times.

    Raises
    ------
    StimulusError
        The file cannot be read, or is being written.
    """
    try:
        for _ in range(_TRIES):
            with open(path, "rb") as file:
                before = os.fstat(file.fileno())
                age = time.time_ns() - before.st_ctime_ns
                tick = 2 * _SECOND if before.st_ctime_ns % _SECOND == 0 else _TICK
                if 0 <= age < tick:
                    time.sleep((tick - age) / _SECOND)
                data = file.read()
                after = os.fstat(file.fileno())
            if _make_mark(before) == _make_mark(after):
                return data, _make_mark(after)
        raise StimulusError("a file that stays as it is while it is read", got=f"{path}, which is being written")
    except OSError as error:
        raise StimulusError("a file that can be read", got=f"{path} ({error.strerror})") from error


def _make_mark(stat: os.stat_result) -> list[int]:
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
