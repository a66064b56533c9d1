"""Small pictures of a unit's stimuli, as many and as large as the page has room for."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import final

from PIL import Image

from beholder._core.errors import StimulusError
from beholder.report._embed import Budget, check_pixels, to_data_uri
from beholder.report._sounds import SOUND_PICTURE_BYTES, is_sound, show_sound
from beholder.report._unit_overlay import Overlay, Scale, make_overlay
from beholder.stimuli import UnitStimulus, load_sound, open_image

_QUALITY = 80
_BYTES_PER_PIXEL = 0.55
_BYTES_OF_WORDS = 900
_BYTES_OF_CARD = 9_000
_SOUND_BYTES = 32_000


@final
@dataclass(frozen=True)
class ThumbnailPlan:
    """How much of each unit is shown: pixels of a side, stimuli of each row, and the histogram."""

    side: int
    n_references: int
    n_queries: int
    n_optimized: int
    has_histogram: bool = True

    def count_references(self, *, has_optimized: bool) -> int:
        """References of a sign: a third more where there are no visualisations beside them."""
        return self.n_references if has_optimized else self.n_references * 4 // 3

    def count_shown(self, *, has_optimized: bool) -> int:
        """Stimuli on one card, both signs."""
        n_references = self.count_references(has_optimized=has_optimized)
        return 2 * (n_references + self.n_queries + (self.n_optimized if has_optimized else 0))


PLANS = (
    ThumbnailPlan(144, 9, 6, 9),
    ThumbnailPlan(128, 9, 6, 9),
    ThumbnailPlan(112, 9, 6, 9),
    ThumbnailPlan(96, 9, 6, 9),
    ThumbnailPlan(80, 9, 6, 9),
    ThumbnailPlan(80, 6, 3, 6),
    ThumbnailPlan(72, 3, 3, 3),
    ThumbnailPlan(64, 3, 0, 3),
    ThumbnailPlan(64, 2, 0, 2),
    ThumbnailPlan(56, 1, 0, 1),
    ThumbnailPlan(56, 1, 0, 1, has_histogram=False),
)
"""From generous to sparse."""


def plan_thumbnails(n_units: int, n_bytes: int, *, has_sounds: bool, has_optimized: bool) -> ThumbnailPlan:
    """The most generous plan whose expected size fits.

    Parameters
    ----------
    n_units : int
    n_bytes : int
        That the page has left.
    has_sounds : bool
        Each stimulus is heard, too.
    has_optimized : bool
        There are visualisations; without any, more references are shown.
    """
    for plan in PLANS:
        shown = SOUND_PICTURE_BYTES + _SOUND_BYTES if has_sounds else _BYTES_PER_PIXEL * plan.side**2
        each = shown + _BYTES_OF_WORDS
        card = _BYTES_OF_CARD if plan.has_histogram else 0
        if n_units * (plan.count_shown(has_optimized=has_optimized) * each + card) <= n_bytes:
            return plan
    return PLANS[-1]


@final
@dataclass(frozen=True)
class ThumbnailResult:
    """What a stimulus became: data URIs, and whether the picture is partly transparent."""

    source: str
    sound: str
    has_alpha: bool
    overlay: Overlay | None


@final
class Thumbnailer:
    """Makes thumbnails as long as the page has room.

    Parameters
    ----------
    budget : Budget
        Of the page.

    Attributes
    ----------
    broken : list of str
        Files that could not be read.
    is_full : bool
        The page has no more room.
    """

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.broken: list[str] = []
        self.is_full = False

    def make(self, one: UnitStimulus, side: int, scale: Scale | None) -> ThumbnailResult | None:
        """One thumbnail; None when the page is full, or for a file that is neither picture nor sound."""
        sound = ""
        try:
            if is_sound(one.path):
                source, sound, has_alpha = *show_sound(*load_sound(one.path)), False
            else:
                source, has_alpha = _shrink(one, side)
        except StimulusError:
            self.broken.append("/".join(one.path.parts[-5:]))
            return None
        overlay = make_overlay(one, scale) if scale is not None else None
        words = " " * _BYTES_OF_WORDS
        if not self._budget.spend("".join((source, sound, overlay.source if overlay else "", words))):
            self.is_full = True
            return None
        return ThumbnailResult(source, sound, has_alpha, overlay)


def _shrink(one: UnitStimulus, side: int) -> tuple[str, bool]:
    """A picture, small, and whether parts of it are transparent."""
    check_pixels(one.path)
    picture = open_image(one.path, keep_alpha=True)
    if one.opacity is not None:
        picture.putalpha(open_image(one.opacity).convert("L"))
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    has_alpha = picture.mode == "RGBA" and picture.getchannel("A").getextrema() != (255, 255)
    buffer = io.BytesIO()
    (picture if has_alpha else picture.convert("RGB")).save(buffer, "WEBP", quality=_QUALITY, method=2)
    return to_data_uri(buffer.getvalue(), "image/webp"), has_alpha
