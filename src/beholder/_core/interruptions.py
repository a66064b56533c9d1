"""What Ctrl-C says of the work that it ends."""

from __future__ import annotations

import contextlib
from collections.abc import Generator

CONTINUES = "finished parts are kept; the same call goes on from them"


@contextlib.contextmanager
def tell_kept(words: str = CONTINUES) -> Generator[None]:
    """Say of Ctrl-C in the block what is kept, once."""
    try:
        yield
    except KeyboardInterrupt as stop:
        if words not in getattr(stop, "__notes__", []):
            stop.add_note(words)
        raise
