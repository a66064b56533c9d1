"""A file for libraries that make an error of their own, or a crash, of a full disk."""

from __future__ import annotations

import io
from typing import IO, Any, final


@final
class ErrorSink(io.RawIOBase):
    """A file whose writes never fail; the first error is kept."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__()
        self._file = file
        self._error: OSError | None = None

    def raise_error(self) -> None:
        """Raise the first error, if there was one."""
        if self._error is not None:
            raise self._error

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def truncate(self, size: int | None = None, /) -> int:
        try:
            return self._file.truncate(size)
        except OSError as error:
            self._error = self._error or error
            return size or 0

    def readinto(self, buffer: Any, /) -> int:
        return self._file.readinto(buffer)  # type: ignore[attr-defined]

    def write(self, data: Any, /) -> int:
        view = memoryview(data)
        rest = view
        while self._error is None and len(rest):
            try:
                rest = rest[self._file.write(rest) :]
            except OSError as error:
                self._error = error
        return len(view)
