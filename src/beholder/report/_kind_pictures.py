"""Section kind: folders of pictures, as a gallery."""

from __future__ import annotations

from pathlib import Path
from typing import final

from beholder.report._embed import PICTURE_PATTERNS, embed_picture
from beholder.report._gallery import find_homes, render_gallery
from beholder.report._section import SECTIONS, Card, Page, Section, SectionKind

_CARD_PIXELS = 192


@SECTIONS.register("pictures")
@final
class PictureKind(SectionKind):
    """A gallery for each folder of pictures; class folders become the filter. Figures are left to their own kind."""

    turn = 40

    def find(self, folder: Path) -> list[Path]:
        """Folders of pictures that words lie beside, those that lie directly in ``folder``, and ``folder`` itself."""
        return find_homes(folder, PICTURE_PATTERNS)

    def render(self, item: Path, page: Page) -> Section | None:
        """As many pictures as fit, spread evenly over the groups."""
        return render_gallery(item, page, PICTURE_PATTERNS, "picture", _make_card)


def _make_card(path: Path, folder: Path, group: str, page: Page) -> Card | None:
    shown = embed_picture(path, _CARD_PIXELS, page.budget)
    if shown is None:
        return None
    uri, (width, height) = shown
    facts = (("file", path.relative_to(folder).as_posix()), ("size", f"{width} × {height} px"))
    return Card(uri, path.stem, group, facts, page.link(path))
