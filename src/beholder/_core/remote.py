"""Reading parts of a file that lies on a server, by HTTP ranges."""

from __future__ import annotations

import http.client
import io
import urllib.error
import urllib.request
from typing import final

from beholder._core.downloads import DownloadFailed, RangesUnknown, is_offline

_BLOCK = 1 << 16
_TRIES = 3


@final
class RemoteFile(io.RawIOBase):
    """A file on a server, for readers that seek; every read that leaves the last block asks for one range.

    Parameters
    ----------
    url : str
        ``http`` or ``https``.
    timeout : float
        Seconds without a byte before the connection counts as broken.
    block : int
        Bytes asked for at once.

    Raises
    ------
    DownloadFailed
        No network, or a server that refuses.
    RangesUnknown
        The server sends whole files only.
    """

    def __init__(self, url: str, *, timeout: float = 20.0, block: int = _BLOCK) -> None:
        super().__init__()
        if is_offline():
            raise DownloadFailed(f"a part of {url}", got="an offline environment")
        self._url, self._timeout, self._block = url, timeout, block
        self._position, self._start, self._held = 0, 0, b""
        self.size = -1
        self._load(0)

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """Where the next read starts."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move; nothing is read."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        self._position = max(base + offset, 0)
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill ``buffer`` as far as one block goes."""
        if self._position >= self.size:
            return 0
        if not self._start <= self._position < self._start + len(self._held):
            self._load(self._position)
        offset = self._position - self._start
        piece = self._held[offset : offset + len(buffer)]
        buffer[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def _load(self, start: int) -> None:
        last = start + self._block - 1 if self.size < 0 else min(start + self._block, self.size) - 1
        headers = {"User-Agent": "beholder", "Range": f"bytes={start}-{last}"}
        request = urllib.request.Request(self._url, headers=headers)
        for attempt in range(_TRIES):
            try:
                with urllib.request.urlopen(request, timeout=self._timeout) as response:
                    self._accept(response, start)
                    return
            except urllib.error.HTTPError as error:
                error.close()
                got = f"HTTP status {error.code} ({error.reason})"
                if error.code < http.HTTPStatus.INTERNAL_SERVER_ERROR or attempt == _TRIES - 1:
                    raise DownloadFailed(f"a part of {self._url}", got=got) from error
            except (OSError, http.client.HTTPException) as error:
                if attempt == _TRIES - 1:
                    reason = error.reason if isinstance(error, urllib.error.URLError) else error
                    raise DownloadFailed(f"a part of {self._url}", got=f"no connection ({reason})") from error

    def _accept(self, response: http.client.HTTPResponse, start: int) -> None:
        told = response.headers.get("Content-Range") or ""
        size = told.rpartition("/")[2]
        if response.status != http.HTTPStatus.PARTIAL_CONTENT or not told.startswith(f"bytes {start}-"):
            raise RangesUnknown(f"a part of {self._url}", got="a server that sends whole files only")
        if not size.isdigit():
            raise RangesUnknown(f"the size of {self._url}", got=f"Content-Range: {told}")
        held = response.read()
        if not held:
            raise http.client.IncompleteRead(held)
        self.size, self._start, self._held = int(size), start, held
