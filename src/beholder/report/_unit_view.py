"""What a card of one unit shows: rows of stimuli with their facts, a verdict in words, a histogram."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from beholder._core.wording import format_number
from beholder.report._section import TEMPLATES, Page, SectionView
from beholder.report._sounds import is_sound
from beholder.report._unit_histogram import draw_histogram
from beholder.report._unit_overlay import Overlay, find_scale
from beholder.report._unit_thumbnails import Thumbnailer, ThumbnailPlan
from beholder.stimuli import UnitStimuli, UnitStimulus

if TYPE_CHECKING:
    from pathlib import Path

HEADINGS = {"min": "Drives it least", "max": "Drives it most"}
_BETTER = {"min": "lowest", "max": "highest"}
VERDICT_ORDER = ("no", "tie", "unknown", "yes", "")
"""A unit is filed under the first of its signs' verdicts in this order."""


@final
@dataclass(frozen=True)
class Thumbnail:
    """One stimulus on a card.

    Attributes
    ----------
    source : str
        The picture as a data URI; for a sound its waveform and spectrogram.
    alt : str
    facts : tuple of (str, str)
        Shown on hover and focus.
    link : str or None
        The original beside the page.
    sound : str
        A sound as a data URI.
    has_alpha : bool
        Parts of the picture are transparent.
    overlay : Overlay or None
        Where in the picture the unit is active.
    """

    source: str
    alt: str
    facts: tuple[tuple[str, str], ...]
    link: str | None = None
    sound: str = ""
    has_alpha: bool = False
    overlay: Overlay | None = None


@final
@dataclass(frozen=True)
class Row:
    """Stimuli of one kind and role, the most extreme first."""

    name: str
    kind: str
    range: str
    thumbnails: tuple[Thumbnail, ...]


@final
@dataclass(frozen=True)
class Side:
    """One sign: what drives the unit least, or most."""

    sign: str
    heading: str
    rows: tuple[Row, ...]
    verdict: str = ""
    beats: str = ""


@final
@dataclass(frozen=True)
class UnitCard:
    """One unit.

    Attributes
    ----------
    model, layer : str
    channel : int
    layer_color : str
        ``#rrggbb``.
    sides : tuple of Side
    histogram : Markup or None
    beats : str
        The poorer verdict of its signs.
    """

    model: str
    layer: str
    channel: int
    layer_color: str
    sides: tuple[Side, ...]
    histogram: str | None
    beats: str


@final
@dataclass(frozen=True)
class UnitGallery(SectionView):
    """Cards of units, and what they can be filtered by.

    Attributes
    ----------
    units : tuple of UnitCard
    models, layers, verdicts : tuple of (str, str)
        Value and words of each choice.
    has_maps : bool
    noun : str
        ``pictures`` or ``sounds``.
    """

    units: tuple[UnitCard, ...]
    models: tuple[tuple[str, str], ...]
    layers: tuple[tuple[str, str], ...]
    verdicts: tuple[tuple[str, str], ...]
    has_maps: bool
    noun: str

    @property
    def template(self) -> Path:
        """``units.html.jinja``."""
        return TEMPLATES / "units.html.jinja"


def make_card(
    unit: UnitStimuli, model: str, color: str, plan: ThumbnailPlan, thumbnailer: Thumbnailer, page: Page
) -> UnitCard | None:
    """The card of one unit; None when the page is full."""
    sides = []
    for sign, heading in HEADINGS.items():
        rows = _make_rows(unit, sign, plan, thumbnailer, page)
        if rows is None:
            return None
        verdict, beats = format_verdict(unit, sign)
        if rows or verdict:
            sides.append(Side(sign, heading, rows, verdict, beats))
    words = [side.beats for side in sides]
    beats = min(words, key=VERDICT_ORDER.index, default="")
    histogram = draw_histogram(unit, format_noun(unit)) if plan.has_histogram else None
    if not page.budget.spend(histogram or ""):
        return None
    return UnitCard(model, unit.layer, unit.channel, color, tuple(sides), histogram, beats)


def _make_rows(
    unit: UnitStimuli, sign: str, plan: ThumbnailPlan, thumbnailer: Thumbnailer, page: Page
) -> tuple[Row, ...] | None:
    made = unit.select("optimized", sign)
    n_references = plan.count_references(has_optimized=bool(made))
    chosen = (
        ("references", "natural", unit.select("natural", sign, "reference"), n_references),
        ("visualisations", "optimized", made, plan.n_optimized),
        ("queries", "natural", unit.select("natural", sign, "query"), plan.n_queries),
    )
    rows = []
    for name, kind, stimuli, n in chosen:
        shown = stimuli[::-1][:n]
        if not shown:
            continue
        scale = find_scale(shown)
        thumbnails = []
        for one in shown:
            small = thumbnailer.make(one, plan.side, scale)
            if thumbnailer.is_full:
                return None
            if small is None:
                continue
            facts = _list_facts(unit, one)
            alt = f"{name.removesuffix('s')}, activation {_tell(one.activation)}"
            link = page.link(one.path)
            thumbnails.append(Thumbnail(small.source, alt, facts, link, small.sound, small.has_alpha, small.overlay))
        if thumbnails:
            rows.append(Row(name, kind, _format_range(shown), tuple(thumbnails)))
    return tuple(rows)


def _list_facts(unit: UnitStimuli, one: UnitStimulus) -> tuple[tuple[str, str], ...]:
    percentile = None if one.percentile is None else f"{one.percentile:.4g}"
    beyond = f"% of stimuli that drive it {'more' if one.sign == 'min' else 'less'}"
    beaten = "beats, % of natural" if one.kind == "optimized" else beyond
    facts = [
        ("layer", unit.layer),
        ("channel", str(unit.channel)),
        ("activation", _tell(one.activation)),
        (beaten, percentile),
        ("rank", f"{one.rank:,} of {sum(unit.counts):,}" if one.kind == "natural" and unit.counts else None),
        ("from", one.source or None),
    ]
    return tuple((name, value) for name, value in facts if value is not None)


def format_verdict(unit: UnitStimuli, sign: str) -> tuple[str, str]:
    """Whether the visualisations beat the natural stimuli.

    Returns
    -------
    words : str
    beats : str
        ``yes``, ``no``, ``tie``, ``unknown``; empty where there is no verdict.
    """
    row = unit.verdicts.get(sign)
    if row is None:
        return "", ""
    beats, notes = row["beats"], [note for note in (row.get("note") or "").split("; ") if note]
    best, natural = (_read(row.get(name)) for name in ("activation_best", "natural_best"))
    noun, better = format_noun(unit).removesuffix("s"), _BETTER[sign]
    if beats == "unknown" or best is None or natural is None:
        words = "" if best is None else f"The best visualisation reaches {_tell(best)}"
    elif beats == "yes":
        ratio = best / natural if natural and best * natural > 0 else 0.0
        times = f", {ratio:.2g} times as far" if 1.05 <= ratio < 20 else ""
        words = f"The best visualisation reaches {_tell(best)}, the {better} natural {noun} {_tell(natural)}{times}"
    elif beats == "tie":
        words = f"The best visualisation ties with the {better} natural {noun} at {_tell(natural)}"
    else:
        words = (
            f"No visualisation beats the natural {noun}s: the best reaches {_tell(best)}, "
            f"the {better} natural one {_tell(natural)}"
        )
    notes = [note.removeprefix(f"tie at {natural:g}, ") if natural is not None else note for note in notes]
    notes = [note for note in notes if not note.startswith(("falls short of the best natural", "tie at "))]
    return "; ".join(filter(None, (words, *notes))) + "." * bool(words or notes), beats


def format_noun(unit: UnitStimuli) -> str:
    """What a unit's stimuli are: ``pictures`` or ``sounds``."""
    return "sounds" if any(is_sound(one.path) for one in unit.stimuli[:1]) else "pictures"


def _format_range(shown: Sequence[UnitStimulus]) -> str:
    values = [one.activation for one in shown if one.activation is not None]
    if not values:
        return ""
    first, last = format_number(values[0]), format_number(values[-1])
    return first if first == last else f"{first} to {last}"


def _tell(value: float | None) -> str:
    return "unknown" if value is None else format_number(value)


def _read(text: str | None) -> float | None:
    return float(text) if text else None
