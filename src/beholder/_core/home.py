"""Where Beholder keeps what it downloads."""

from __future__ import annotations

import os
from pathlib import Path

HOME_VARIABLE = "BEHOLDER_HOME"


def get_home_folder() -> Path:
    """``BEHOLDER_HOME``; else ``beholder`` in ``XDG_CACHE_HOME``, which is ``~/.cache`` by default."""
    given = os.environ.get(HOME_VARIABLE)
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(given).expanduser() if given else Path(cache).expanduser() / "beholder"
