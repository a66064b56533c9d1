"""Data that lie at an address, such as ``s3://bucket/pictures``: reached through fsspec, whose settings are users' own.

An address may come as a path, in which ``pathlib`` has made one slash of two: ``s3:/bucket/pictures`` is the same. So
names below an address are made as those below a folder are, and only what reads or writes asks which of both it is.
"""

# fsspec has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportUnknownParameterType=false

from __future__ import annotations

import contextlib
import re
import time
import urllib.parse
from collections.abc import Callable, Generator
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, final

from beholder._core.errors import BeholderError, InputError, MissingExtra, StorageUnreachable
from beholder._core.hashing import FastHash, hash_bytes

T = TypeVar("T")

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]+):/+(.*)", re.DOTALL)
_S3 = frozenset({"s3", "s3a"})
_WAITS = (1.0,)
_MARKS = ("ETag", "etag", "md5Hash", "generation", "LastModified", "last_modified", "mtime", "created", "updated")
_NO_CREDENTIALS = frozenset({
    "NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "TokenRetrievalError",
    "ProfileNotFound", "DefaultCredentialsError", "ClientAuthenticationError",
})  # fmt: skip
_LIBRARIES = ("botocore", "aiobotocore", "aiohttp", "fsspec", "s3fs", "gcsfs", "adlfs", "google", "azure")
_BLOCK = 4 * 2**20
_LISTINGS: ContextVar[dict[str, list[RemoteEntry]] | None] = ContextVar("listings", default=None)


@final
class RemoteEntry(NamedTuple):
    """A file below an address.

    Attributes
    ----------
    name : str
        Its path below the address, POSIX.
    place : str
        What its file system calls it.
    size : int
        Bytes; -1 where the server does not say.
    mark : list of int or None
        Changes with its content; None where the server tells nothing that would.
    """

    name: str
    place: str
    size: int
    mark: list[int] | None


def is_address(path: Path | str) -> bool:
    """Whether this names something that fsspec reaches, and no path of this machine.

    >>> is_address("s3://bucket/pictures"), is_address(Path("s3:/bucket/pictures")), is_address("C:/pictures")
    (True, True, False)
    """
    found = _ADDRESS.match(str(path))
    return found is not None and found[1].lower() not in ("file", "local")


def to_address(path: Path | str) -> str:
    """The address that a path stands for.

    >>> to_address(Path("s3:/bucket/pictures"))
    's3://bucket/pictures'
    """
    found = _ADDRESS.match(str(path))
    return str(path) if found is None else f"{found[1].lower()}://{found[2]}"


def show_place(path: Path | str) -> str:
    """A path as people write it: an address with both of its slashes."""
    return to_address(path) if is_address(path) else str(path)


def connect(path: Path | str) -> tuple[Any, str]:
    """The file system of an address, and what it calls the place; made once a process.

    Raises
    ------
    MissingExtra, InputError
        A package that is not installed; an address of no kind that fsspec knows.
    """
    address = to_address(path)
    scheme = address.partition(":")[0]
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise MissingExtra("fsspec", "remote", f"data at {address}") from error
    if scheme in _S3:
        try:
            import s3fs  # noqa: F401  # pyright: ignore[reportUnusedImport]
        except ImportError as error:
            raise MissingExtra("s3fs", "remote", f"data at {address}") from error
    try:
        return url_to_fs(address)
    except ImportError as error:
        reason = " ".join(str(error).split())[:160]
        raise InputError(f"the package that reads {scheme}://", got=f"an environment without it ({reason})") from error
    except ValueError as error:
        raise InputError("an address that fsspec knows, such as s3://bucket/folder", got=address) from error


def read_range(path: Path | str, start: int | None = None, stop: int | None = None, *, place: str = "") -> bytes:
    """The bytes ``[start, stop)`` of a file at an address, or all of it; tried again where the network breaks.

    Parameters
    ----------
    path : path or str
        The address; with ``place``, one of the same file system.
    start, stop : int, optional
        Bytes.
    place : str
        What the file system calls the file, as :class:`RemoteEntry` has it.

    Raises
    ------
    InputError
        There is none, or it may not be read.
    StorageUnreachable
        The network or the server failed, twice.
    """

    def read() -> bytes:
        system, own = connect(path)
        return system.cat_file(place or own, start=start, end=stop)

    return repeat(read, f"{to_address(path)} ({place})" if place else to_address(path))


def repeat(work: Callable[[], T], address: str) -> T:
    """What a piece of work gives; tried again where the network or the server failed."""
    for wait in _WAITS:
        try:
            with explain_storage_errors(address):
                return work()
        except StorageUnreachable:
            time.sleep(wait)
    with explain_storage_errors(address):
        return work()


@contextlib.contextmanager
def explain_storage_errors(address: str) -> Generator[None]:
    """Turn what a file system's library raises into one line."""
    try:
        yield
    except (BeholderError, MemoryError):
        raise
    except (FileNotFoundError, IsADirectoryError) as error:
        raise InputError("something at an address", got=f"nothing at {address}", hint="its bucket and name") from error
    except PermissionError as error:
        raise InputError(f"leave to use {address}", got=_shorten(error), hint=_hint_credentials(address)) from error
    except Exception as error:
        if type(error).__name__ in _NO_CREDENTIALS:
            got = f"none ({_shorten(error)})"
            raise InputError(f"credentials for {address}", got=got, hint=_hint_credentials(address)) from error
        known = isinstance(error, OSError) or type(error).__module__.partition(".")[0] in _LIBRARIES
        if not known:
            raise
        raise StorageUnreachable(address, _shorten(error)) from error


def _shorten(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:200] if text else type(error).__name__


def _hint_credentials(address: str) -> str:
    if address.partition(":")[0] in _S3:
        return (
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, AWS_ENDPOINT_URL_S3 for a server of your "
            "own, or FSSPEC_S3_ANON=true for what is public"
        )
    return "the credentials that its fsspec back end looks for"


def list_tree(path: Path | str) -> list[RemoteEntry]:
    """Every file below an address, sorted by name; nothing where there is none.

    Raises
    ------
    InputError, StorageUnreachable
        As for :func:`read_range`.
    """
    address, held = to_address(path), _LISTINGS.get()
    if held is not None and address in held:
        return held[address]

    def find() -> Any:
        system, place = connect(path)
        system.invalidate_cache()
        try:
            return system, place, system.find(place, detail=True)
        except FileNotFoundError:
            if system.exists(place.partition("/")[0]):
                return system, place, {}
            raise

    system, place, found = repeat(find, address)
    is_web = address.startswith("http")
    start = place.rstrip("/") + "/"
    entries: list[RemoteEntry] = []
    for name, about in found.items():
        if not name.startswith(start) and not name.startswith("/" + start):
            continue
        below = name.removeprefix("/").removeprefix(start.removeprefix("/"))
        below = urllib.parse.unquote(below) if is_web else below
        if below and not below.endswith("/") and about.get("type", "file") == "file":
            entries.append(RemoteEntry(below, name, _read_size(about), _make_mark(about)))
    del system
    entries.sort(key=lambda entry: entry.name)
    if held is not None:
        held[address] = entries
    return entries


def list_names(path: Path | str) -> set[str]:
    """Names of the files and folders directly below an address, as they are now."""

    def look() -> set[str]:
        system, place = connect(path)
        system.invalidate_cache()
        return {str(name).rstrip("/").rpartition("/")[2] for name in system.ls(place, detail=False)}

    return repeat(look, to_address(path))


@contextlib.contextmanager
def hold_listings() -> Generator[None]:
    """List each address once inside the block: what it is, and what it holds, is told by the same listing."""
    token = _LISTINGS.set({})
    try:
        yield
    finally:
        _LISTINGS.reset(token)


def find_entry(path: Path | str) -> RemoteEntry | None:
    """The file at an address; None where there is none, or a folder."""

    def look() -> Any:
        system, place = connect(path)
        try:
            return place, system.info(place)
        except FileNotFoundError:
            return place, None

    place, about = repeat(look, to_address(path))
    if about is None or about.get("type", "file") != "file":
        return None
    return RemoteEntry(place.rpartition("/")[2], place, _read_size(about), _make_mark(about))


def open_remote(path: Path | str) -> Any:
    """A file at an address, to be read and sought in; blocks of 4 MB are asked for ahead."""

    def begin() -> Any:
        system, place = connect(path)
        return system.open(place, "rb", block_size=_BLOCK, cache_type="readahead")

    return repeat(begin, to_address(path))


def _read_size(about: Any) -> int:
    size = about.get("size", about.get("Size"))
    return -1 if size is None else int(size)


def _make_mark(about: Any) -> list[int] | None:
    told = [str(about[key]) for key in _MARKS if about.get(key) is not None]
    if not told:
        return None
    digest = hash_bytes("\n".join(told).encode()).rpartition(":")[2]
    return [_read_size(about), int(digest[:15], 16), int(digest[15:30], 16), 0]


def write_remote(path: Path | str, source: Path | bytes) -> None:
    """Put a file of this machine, or bytes, at an address; it is there whole or not at all.

    Raises
    ------
    InputError, StorageUnreachable
        As for :func:`read_range`.
    """

    def put() -> None:
        system, place = connect(path)
        system.makedirs(place.rpartition("/")[0], exist_ok=True)
        if isinstance(source, bytes):
            system.pipe_file(place, source)
        else:
            system.put_file(str(source), place)

    repeat(put, to_address(path))


def create_remote(path: Path | str, content: bytes) -> bool:
    """Put bytes at an address where nothing is yet; whether it was these that came to lie there.

    Where a server cannot be asked to put a file only if there is none, it is looked at before and after.
    """

    def create() -> bool:
        system, place = connect(path)
        system.makedirs(place.rpartition("/")[0], exist_ok=True)
        if system.exists(place):
            return False
        try:
            system.pipe_file(place, content, mode="create")
        except FileExistsError:
            return False
        except (TypeError, ValueError, NotImplementedError):
            system.pipe_file(place, content)
        return system.cat_file(place) == content

    return repeat(create, to_address(path))


def read_remote(path: Path | str) -> bytes | None:
    """The bytes of a file at an address, or None where there is none."""

    def read() -> bytes | None:
        system, place = connect(path)
        try:
            return system.cat_file(place)
        except FileNotFoundError:
            return None

    return repeat(read, to_address(path))


def hash_remote(path: Path | str) -> str | None:
    """The fast hash of a file at an address, read block by block; None where there is none."""

    def look() -> str | None:
        system, place = connect(path)
        system.invalidate_cache()
        digest = FastHash()
        try:
            with system.open(place, "rb", block_size=_BLOCK, cache_type="readahead") as file:
                while block := file.read(_BLOCK):
                    digest.update(block)
        except FileNotFoundError:
            return None
        return digest.hexdigest()

    return repeat(look, to_address(path))


def remove_remote(path: Path | str) -> None:
    """Delete what lies at an address and below it."""

    def remove() -> None:
        system, place = connect(path)
        system.invalidate_cache()
        with contextlib.suppress(FileNotFoundError):
            system.rm(place, recursive=True)

    repeat(remove, to_address(path))
