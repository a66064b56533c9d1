"""Fetching a file: resumed where it stopped, checked, and in place only when it is whole."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import socket
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO

from beholder._core.errors import InputError
from beholder._core.files import explain_write_errors
from beholder._core.interruptions import tell_kept
from beholder._core.locks import take_lock
from beholder._core.progress import show_progress

PART_SUFFIX = ".part"
_CHUNK = 1 << 20
_MEGABYTE = 1_000_000
_OFFLINE_VARIABLES = ("BEHOLDER_OFFLINE", "HF_HUB_OFFLINE")
_INTERRUPTIONS = (http.client.HTTPException, ConnectionError, TimeoutError, socket.timeout)


class DownloadFailed(InputError):
    """A file is not here and could not be fetched."""


class RangesUnknown(DownloadFailed):
    """The server sends whole files only."""


def is_offline() -> bool:
    """Whether ``BEHOLDER_OFFLINE`` or ``HF_HUB_OFFLINE`` forbids the network."""
    return any(os.environ.get(name, "").strip().lower() in {"1", "true", "yes", "on"} for name in _OFFLINE_VARIABLES)


def download_file(
    url: str,
    target: Path | str,
    *,
    sha256: str | None = None,
    label: str | None = None,
    timeout: float = 20.0,
    tries: int = 4,
    span: tuple[int, int] | None = None,
    show: bool = True,
) -> Path:
    """Fetch ``url`` to ``target``, unless a file is there already, which is then used as it is.

    What arrives goes to ``{target}.part``; a connection that breaks is taken up again where it stopped (by an HTTP
    range, where the server knows them), in this run or in a later one. Where nothing could tell that the rest is of the
    same file (no ``sha256``, and neither ETag nor date from the server), it starts again. The file gets its name when
    it is whole and its hash is right. Several processes may ask for one file: one fetches, the others wait.

    Parameters
    ----------
    url : str
        ``http``, ``https`` or ``file``.
    target : path
        Parent folders are made.
    sha256 : str, optional
        Hash of the whole file as hex, or its first digits.
    label : str, optional
        Name in the progress bar; default the file's name.
    timeout : float
        Seconds without a byte before the connection counts as broken.
    tries : int
        Connections without any progress before giving up.
    span : (int, int), optional
        Offset and length, in bytes, of the part of what ``url`` names that makes the file; its hash is the part's.
    show : bool
        Show how far the file is.

    Raises
    ------
    DownloadFailed
        One line naming the file and where to put it.
    RangesUnknown
        A ``span`` was asked for, of a server that sends whole files only.

    Examples
    --------
    >>> download_file("https://example.org/net.pth", "cache/net.pth", sha256="b8a52dc0")  # doctest: +SKIP
    """
    target = Path(target)
    if target.exists():
        return target
    if is_offline():
        raise _explain(url, target, "an offline environment")
    with explain_write_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with take_lock(f"{target}.lock", wait=True):
            if not target.exists():
                part = Path(f"{target}{PART_SUFFIX}")
                _fetch(url, target, part, (label or target.name) if show else "", timeout, tries, span, sha256)
                if sha256 is not None:
                    _check_hash(url, target, part, sha256)
                os.replace(part, target)
                _forget(part)
        with contextlib.suppress(OSError):
            Path(f"{target}.lock").unlink()
    return target


def _fetch(
    url: str,
    target: Path,
    part: Path,
    label: str,
    timeout: float,
    tries: int,
    span: tuple[int, int] | None,
    sha256: str | None,
) -> None:
    failures = furthest = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        if before and sha256 is None and not _tag_file(part).exists():
            part.unlink()
            before = 0
        if span is not None and before >= span[1]:
            _fit(part, span[1])
            return
        try:
            if _receive(url, part, before, label, timeout, span):
                return
            reason = "a connection that broke off"
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and before and span is None:
                part.unlink()
                reason = "a server that refused to resume"
            elif error.code < http.HTTPStatus.INTERNAL_SERVER_ERROR:
                raise _explain(url, target, f"HTTP status {error.code} ({error.reason})") from error
            else:
                reason = f"HTTP status {error.code} ({error.reason})"
        except urllib.error.URLError as error:
            if not isinstance(error.reason, _INTERRUPTIONS) or isinstance(error.reason, ConnectionRefusedError):
                raise _explain(url, target, f"no connection ({error.reason})") from error
            reason = f"no connection ({error.reason})"
        except _INTERRUPTIONS as error:
            reason = f"a connection that broke off ({error or type(error).__name__})"
        after = part.stat().st_size if part.exists() else 0
        failures = 0 if after > max(before, furthest) else failures + 1
        furthest = max(after, furthest)
        if failures >= tries:
            raise _explain(url, target, reason)


def _fit(part: Path, size: int) -> None:
    """Make a span of no bytes too; cut what an earlier, longer one left."""
    with open(part, "ab") as file:
        file.truncate(size)


def _receive(url: str, part: Path, start: int, label: str, timeout: float, span: tuple[int, int] | None) -> bool:
    request = urllib.request.Request(url, headers={"User-Agent": "beholder"})
    tag_file = _tag_file(part)
    first = start + (span[0] if span else 0)
    if start or span:
        request.add_header("Range", f"bytes={first}-{span[0] + span[1] - 1}" if span else f"bytes={first}-")
        if start and tag_file.exists():
            request.add_header("If-Range", tag_file.read_text())
    with urllib.request.urlopen(request, timeout=timeout) as response:
        ranged = response.status == http.HTTPStatus.PARTIAL_CONTENT
        resumed = start > 0 and ranged
        fits = (response.headers.get("Content-Range") or "").startswith(f"bytes {first}-")
        if (resumed and not fits) or (span and start and not ranged):
            part.unlink()
            _forget(part)
            return False
        if span and not (ranged and fits):
            raise RangesUnknown(f"a part of {url}", got="a server that sends whole files only", hint="the whole file")
        start = start if resumed else 0
        length = response.headers.get("Content-Length")
        total = None if length is None else start + int(length)
        etag = response.headers.get("ETag") or ""
        known_by = response.headers.get("Last-Modified") if etag.startswith("W/") or not etag else etag
        if known_by:
            tag_file.write_text(known_by)
        elif not resumed:
            tag_file.unlink(missing_ok=True)
        if span:
            total = span[1]
        megabytes = 0 if total is None or not label else max(total // _MEGABYTE, 1)
        with (
            open(part, "ab" if resumed else "wb") as file,
            show_progress(label, megabytes, "MB", start // _MEGABYTE) as advance,
        ):
            with tell_kept(f"bytes that have come are kept in {part}; the same call goes on from them"):
                received = _copy(response, file, start, advance)
            file.flush()
            os.fsync(file.fileno())
        return total is None or received == total


def _copy(response: http.client.HTTPResponse, file: IO[bytes], received: int, advance: Callable[[int], None]) -> int:
    while chunk := response.read1(_CHUNK):
        file.write(chunk)
        before, received = received, received + len(chunk)
        if received // _MEGABYTE > before // _MEGABYTE:
            advance(received // _MEGABYTE - before // _MEGABYTE)
    return received


def _check_hash(url: str, target: Path, part: Path, expected: str) -> None:
    with open(part, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if not digest.startswith(expected.lower()):
        part.unlink()
        _forget(part)
        raise DownloadFailed(
            f"a file with sha256 {expected}... from {url}",
            got=f"{digest} (removed)",
            hint=f"again, or put the file at {target}",
        )


def _tag_file(part: Path) -> Path:
    """What the server says that its file is known by: an ETag, or when it was last modified."""
    return Path(f"{part}.etag")


def _forget(part: Path) -> None:
    _tag_file(part).unlink(missing_ok=True)


def _explain(url: str, target: Path, got: str) -> DownloadFailed:
    return DownloadFailed(f"{target.name} from {url}", got=got, hint=f"putting the file at {target}")
