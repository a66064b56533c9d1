"""Section kind: folders of sounds, as a gallery that plays."""

from __future__ import annotations

from pathlib import Path
from typing import final

from beholder._core.wording import format_number
from beholder.report._gallery import find_homes, render_gallery
from beholder.report._section import SECTIONS, Card, Page, Section, SectionKind
from beholder.report._sounds import SOUND_PATTERNS, show_sound
from beholder.stimuli import load_sound

_MOST_CARDS = 120
_MOST_SECONDS = 10


@SECTIONS.register("sounds")
@final
class SoundKind(SectionKind):
    """A gallery for each folder of sounds: waveform, cochleagram and a player each; class folders become the filter."""

    turn = 41

    def find(self, folder: Path) -> list[Path]:
        """Folders of sounds that words lie beside, those that lie directly in ``folder``, and ``folder`` itself."""
        return find_homes(folder, SOUND_PATTERNS)

    def render(self, item: Path, page: Page) -> Section | None:
        """As many sounds as fit, spread evenly over the groups."""
        return render_gallery(item, page, SOUND_PATTERNS, "sound", _make_card, most=_MOST_CARDS)


def _make_card(path: Path, folder: Path, group: str, page: Page) -> Card | None:
    samples, rate = load_sound(path)
    seconds = len(samples) / rate
    source, sound = show_sound(samples[: _MOST_SECONDS * rate], rate)
    if not page.budget.spend(source + sound):
        return None
    length = f"{format_number(seconds)} s"
    facts = (
        ("file", path.relative_to(folder).as_posix()),
        ("length", f"{length}, the first {_MOST_SECONDS} s here" if seconds > _MOST_SECONDS else length),
        ("rate", f"{rate:,} Hz"),
    )
    return Card(source, path.stem, group, facts, page.link(path), sound)
