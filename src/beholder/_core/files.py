"""Writing files so that a reader sees the old content or the new, never half of it."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from beholder._core.errors import InputError, OutputError

TEMPORARY_PREFIX = ".tmp-"

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}


@contextlib.contextmanager
def explain_write_errors(path: Path | str) -> Iterator[None]:
    """Turn the operating system's refusals into one line that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise OutputError(
                f"expected room to write {path}; got a full disk; "
                "try freeing space, then run the same command again: finished parts are kept"
            ) from error
        if error.errno in _DENIED:
            raise InputError(
                "a folder that can be written",
                got=f"{path} ({os.strerror(error.errno or 0).lower()})",
                hint="another output folder",
            ) from error
        if error.errno in {errno.ENOTDIR, errno.EEXIST}:
            raise InputError(
                "a folder", got=f"a file at {error.filename or path}", hint="another output folder"
            ) from error
        raise


@contextlib.contextmanager
def open_atomic(path: Path | str, mode: str = "wb", **kwargs: Any) -> Iterator[IO[Any]]:
    """Open a temporary file beside ``path`` and rename it over ``path`` when the block succeeds.

    Parameters
    ----------
    path : path
        The final name. Parent folders are made.
    mode : {"wb", "w"}
        As for :func:`open`.
    """
    path = Path(path)
    with explain_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(
            prefix=f"{TEMPORARY_PREFIX}{path.name}-", suffix=path.suffix, dir=path.parent
        )
        try:
            with open(handle, mode, **kwargs) as file:
                yield file
            os.chmod(temporary, 0o666 & ~_UMASK)
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise


def _read_umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


_UMASK = _read_umask()


def write_bytes(path: Path | str, data: bytes | memoryview) -> None:
    """Write ``data`` to ``path`` by rename."""
    with open_atomic(path, "wb") as file:
        file.write(data)


def write_text(path: Path | str, text: str) -> None:
    """Write ``text`` to ``path`` as UTF-8, by rename."""
    write_bytes(path, text.encode())


def write_json(path: Path | str, value: Any) -> None:
    """Write ``value`` as indented JSON with sorted keys, by rename."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path | str) -> Any:
    """Read a JSON file; an unreadable one is an :class:`InputError`."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError("a JSON file", got=f"no file at {path}") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError("a JSON file", got=f"{path}, which does not parse ({error})") from error


def remove_temporaries(path: Path | str) -> None:
    """Delete what killed writers of a file, or of files below a folder, left. Only for the holder of its lock."""
    path = Path(path)
    left = path.rglob(f"{TEMPORARY_PREFIX}*") if path.is_dir() else path.parent.glob(f"{TEMPORARY_PREFIX}{path.name}-*")
    for temporary in left:
        with contextlib.suppress(OSError):
            temporary.unlink()


_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


def to_path_name(name: str) -> str:
    """``name`` with every character outside ``[A-Za-z0-9._-]`` turned into ``_``.

    >>> to_path_name("layer1.0.relu@3:in")
    'layer1.0.relu_3_in'
    """
    safe = _UNSAFE.sub("_", name)
    return safe if safe.strip(".") else safe.replace(".", "_")
