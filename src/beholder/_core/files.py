"""Writing files so that a reader sees the old content or the new, never half of it; reading them with a mark.

By its mark an untouched file is known without reading it again.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import tempfile
import time
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import IO, Any

from beholder._core.addresses import is_address, show_place
from beholder._core.errors import BeholderError, InputError, OutputError, StimulusError
from beholder._core.narrowing import class_of, is_json_object

TEMPORARY_PREFIX = ".tmp-"

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}


@contextlib.contextmanager
def explain_write_errors(path: Path | str) -> Generator[None]:
    """Turn the operating system's refusals into one line that says what to do; an address is refused before."""
    if is_address(path):
        raise InputError(
            "a place on this machine to write to", got=show_place(path),
            hint="a local folder: stores of `beholder extract` and `units record` alone are written to an address",
        )  # fmt: skip
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise OutputError(
                f"expected room to write {path}; got a full disk; "
                "try freeing space, then run the same command again: finished parts are kept"
            ) from error
        if error.errno in _DENIED:
            raise _refuse_place(path, os.strerror(error.errno or 0).lower()) from error
        if error.errno == errno.ENAMETOOLONG:
            name = str(error.filename or path)
            raise InputError("a path that the file system takes", got=f"one of {len(name)} characters") from error
        if error.errno in {errno.ENOTDIR, errno.EEXIST}:
            place = _find_file(Path(error.filename or path))
            raise InputError("a folder", got=f"a file at {place}", hint="another output folder") from error
        raise


@contextlib.contextmanager
def explain_places() -> Generator[None]:
    """Turn what the operating system says of a place that it names into one line: not allowed, or a folder, no file."""
    try:
        yield
    except (PermissionError, IsADirectoryError) as error:
        if error.filename is None:
            raise
        place = str(error.filename)
        if isinstance(error, IsADirectoryError):
            raise InputError("a file", got=f"a folder at {place}") from error
        raise InputError("a place that you may read, or write to", got=f"{place} (permission denied)") from error


def check_output_folder(path: Path | str) -> None:
    """Refuse a folder that cannot be made or written, before any work; an address is left to what writes there.

    A folder that is there and holds something is left to the work, which may have nothing more to write.

    Raises
    ------
    InputError
        A file lies there or on the way; the folder, or the nearest one above it that there is, cannot be written.
    """
    if is_address(path):
        return
    path = Path(path)
    with explain_write_errors(path):
        above = next((each for each in (path, *path.parents) if os.path.lexists(each)), Path())
        if not above.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(above))
        if above == path and any(path.iterdir()):
            return
        if not os.access(above, os.W_OK | os.X_OK):
            raise _refuse_place(above, os.strerror(errno.EACCES).lower())
        try:
            Path(tempfile.mkdtemp(prefix=TEMPORARY_PREFIX, dir=above)).rmdir()
        except FileNotFoundError as error:
            raise _refuse_place(above, "where nothing can be made") from error


def _refuse_place(place: Path | str, why: str) -> InputError:
    return InputError("a folder that can be written", got=f"{place} ({why})", hint="another output folder")


def _find_file(path: Path) -> Path:
    """The file that stands on the way to a path."""
    return next((each for each in reversed((path, *path.parents)) if each.exists() and not each.is_dir()), path)


@contextlib.contextmanager
def explain_read_errors(path: Path | str, expected: str, hint: str | None = None) -> Generator[None]:
    """Turn whatever a parser makes of a damaged or foreign file into one line that names the file."""
    try:
        yield
    except BeholderError:
        raise
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise InputError(expected, got=f"{path}, which cannot be read ({reason})", hint=hint) from error


@contextlib.contextmanager
def open_atomic(path: Path | str, mode: str = "wb", *, durable: bool = False, **kwargs: Any) -> Generator[IO[Any]]:
    """Open a temporary file beside ``path`` and rename it over ``path`` when the block succeeds.

    Parameters
    ----------
    path : path
        The final name. Parent folders are made.
    mode : {"wb", "w"}
        As for :func:`open`.
    durable : bool
        Return only once the disk holds the file under its name: what vouches for other files must not outlive them.
    """
    path = Path(path)
    with explain_write_errors(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except FileNotFoundError as error:  # as below /proc
            raise _refuse_place(path.parent, "where nothing can be made") from error
        handle, temporary = tempfile.mkstemp(
            prefix=f"{TEMPORARY_PREFIX}{path.name}-", suffix=path.suffix, dir=path.parent
        )
        try:
            with open(handle, mode, **kwargs) as file:
                yield file
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            os.chmod(temporary, 0o666 & ~_UMASK)
            os.replace(temporary, path)
            if durable:
                sync_folder(path.parent)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise


def sync_files(paths: Iterable[Path], root: Path) -> None:
    """Wait until the disk holds files, and the folders that name them up to the one that holds ``root``.

    After a power cut a file that was written and renamed may have its full size and no content, or its old name; what
    this has returned for has neither.
    """
    folders = {root.parent: None}
    with explain_write_errors(root):
        for path in paths:
            descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            inside = path.is_relative_to(root)
            folders |= dict.fromkeys(f for f in path.parents if inside and f.is_relative_to(root))
            folders[path.parent] = None
        for folder in folders:
            sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Wait until the disk holds the names in a folder, where the system can be asked."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(descriptor)


def _read_umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


_UMASK = _read_umask()


def write_bytes(path: Path | str, data: bytes | memoryview, *, durable: bool = False) -> None:
    """Write ``data`` to ``path`` by rename; see :func:`open_atomic`."""
    with open_atomic(path, "wb", durable=durable) as file:
        file.write(data)


def write_text(path: Path | str, text: str) -> None:
    """Write ``text`` to ``path`` as UTF-8, by rename; bytes of a name that is no text are escaped, as JSON does."""
    write_bytes(path, text.encode(errors="backslashreplace"))


def write_json(path: Path | str, value: Any) -> None:
    """Write ``value`` as indented JSON with sorted keys, by rename."""
    write_text(path, format_json(value))


def format_json(value: Any) -> str:
    """The text of ``value`` as indented JSON with sorted keys."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def read_json(path: Path | str, *, expected: str = "a JSON file", hint: str | None = None) -> Any:
    """Read a JSON file; an unreadable one is an :class:`InputError` that names it, with ``hint`` for what to try."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(expected, got=f"no file at {path}", hint=hint) from error
    except OSError as error:
        raise InputError(expected, got=f"{path} ({error.strerror or error})", hint=hint) from error
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise InputError(expected, got=f"{path}, which does not parse ({reason})", hint=hint) from error


def read_units_file(path: Path | str) -> Any:
    """What a file of units holds; one that is absent or no JSON is an :class:`InputError`."""
    return read_json(path, expected="a file of units, which is JSON", hint="`beholder units sample`, which writes one")


def read_json_object(path: Path | str, *keys: str, hint: str | None = None) -> dict[str, Any]:
    """Read a JSON file that must hold an object with these keys; anything else is an :class:`InputError`."""
    value = read_json(path, hint=hint)
    if not is_json_object(value):
        raise InputError("a JSON object", got=f"{path}, which holds {_name_json(value)}", hint=hint)
    missing = [key for key in keys if key not in value]
    if missing:
        raise InputError(f"a JSON object with {missing[0]!r}", got=f"{path}, which lacks it", hint=hint)
    return value


def _name_json(value: Any) -> str:
    names: dict[type[Any], str] = {list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(class_of(value), "a number")


_ENDINGS = {
    ".csv", ".flac", ".h5", ".hdf5", ".jpeg", ".jpg", ".json", ".mat", ".npy", ".npz", ".parquet", ".pdf", ".png",
    ".pt", ".svg", ".txt", ".wav", ".webp",
}  # fmt: skip


def refuse_ending(path: Path | str, expected: str, *own: str, hint: str | None = None) -> None:
    """Refuse a name that promises another kind of file than the one that would be written, by its ending.

    Parameters
    ----------
    path : path
    expected : str
        What would have been right.
    own : str
        Endings of what is written, such as ``.json``.
    hint : str, optional
    """
    if (suffix := Path(path).suffix.lower()) in _ENDINGS and suffix not in own:
        raise InputError(expected, got=str(path), hint=hint)


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
