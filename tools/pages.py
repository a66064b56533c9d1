"""Tables of scripts in the pages of the documentation, between two marks."""

from __future__ import annotations

import re
from pathlib import Path


def fill_page(page: Path, mark: str, text: str) -> None:
    """Put a text between ``<!-- MARK -->`` and ``<!-- end of MARK -->`` of a page."""
    found = page.read_text(encoding="utf-8")
    pattern = re.compile(rf"(<!-- {re.escape(mark)} -->\n).*?(<!-- end of {re.escape(mark)} -->)", re.DOTALL)
    if not pattern.search(found):
        raise SystemExit(f"expected <!-- {mark} --> … <!-- end of {mark} --> in {page}; got neither")
    page.write_text(pattern.sub(lambda ends: f"{ends[1]}\n{text.strip()}\n\n{ends[2]}", found), encoding="utf-8")
