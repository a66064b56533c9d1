"""What the gallery of metamers shows: for each stimulus the original and one metamer a layer, with measures."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, final

import numpy as np

from beholder._core.errors import StimulusError
from beholder._core.wording import format_number
from beholder.figures import SOUND_HEIGHT, SOUND_WIDTH
from beholder.report._embed import Budget, to_data_uri
from beholder.report._metamer_charts import Chart
from beholder.report._section import TEMPLATES, Page, SectionView
from beholder.report._sounds import SOUND_PICTURE_BYTES, is_sound, show_sound
from beholder.stimuli import load_sound

if TYPE_CHECKING:
    from beholder.stimuli import MetamerFile

VERDICTS = {"passed": "passes", "failed": "fails", "unknown": "not tested"}
_SIDES = (176, 144, 112, 88, 64)
_SOUND_BYTES = 48_000
_BYTES_PER_PIXEL = 0.6


@final
@dataclass(frozen=True)
class MetamerCard:
    """The original or one metamer of a stimulus.

    Attributes
    ----------
    name : str
        ``original``, or the matched layer.
    layer : str
        The matched layer; empty for the original.
    color : str
        Of the layer, ``#rrggbb``.
    source, sound : str
        Data URIs.
    width, height : int
        Of the picture.
    alt, caption, verdict : str
        ``verdict``: ``passed``, ``failed``, ``unknown``; empty for the original.
    words : str
        The verdict in words.
    facts : tuple of (str, str)
    link : str or None
        The file beside the page.
    """

    name: str
    layer: str
    color: str
    source: str
    sound: str
    width: int
    height: int
    alt: str
    caption: str = ""
    verdict: str = ""
    words: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    link: str | None = None


@final
@dataclass(frozen=True)
class MetamerRow:
    """One stimulus, with a seed: the original first, then layers from early to late."""

    stimulus: str
    heading: str
    label: str
    cards: tuple[MetamerCard, ...]


@final
@dataclass(frozen=True)
class LayerCharts:
    """What is known of all metamers matched at one layer."""

    layer: str
    color: str
    verdict: str
    charts: tuple[Chart, ...]


@final
@dataclass(frozen=True)
class MetamerGallery(SectionView):
    """Rows of stimuli, pictures of layers, and what the rows can be filtered by."""

    rows: tuple[MetamerRow, ...]
    layers: tuple[LayerCharts, ...]
    choices: tuple[tuple[str, str], ...]
    verdicts: tuple[tuple[str, str], ...]
    noun: str
    n_pairs: int

    @property
    def template(self) -> Path:
        """``metamers.html.jinja``."""
        return TEMPLATES / "metamers.html.jinja"


def plan_side(n_cards: int, n_bytes: int, *, has_sounds: bool) -> int:
    """The longest side of the small pictures at which they are expected to fit."""
    for side in _SIDES:
        shown = SOUND_PICTURE_BYTES + _SOUND_BYTES if has_sounds else _BYTES_PER_PIXEL * side**2
        if n_cards * (shown + 700) <= n_bytes:
            return side
    return _SIDES[-1]


@final
class SmallPicture(NamedTuple):
    """Picture and sound of a file as data URIs (no sound: empty), and the picture's size in pixels."""

    source: str
    sound: str
    width: int
    height: int


@final
class Embedder:
    """Makes small pictures and sounds as long as the page has room."""

    def __init__(self, budget: Budget, side: int) -> None:
        self._budget, self._side = budget, side
        self.broken: list[str] = []
        self.is_full = False

    def embed(self, path: Path) -> SmallPicture | None:
        """What is seen and heard of a file; None when it cannot be read or the page is full."""
        try:
            shown = (
                (*show_sound(*load_sound(path)), SOUND_WIDTH, SOUND_HEIGHT) if is_sound(path) else self._shrink(path)
            )
        except (StimulusError, OSError) as error:
            self.broken.append(f"{'/'.join(path.parts[-3:])} ({type(error).__name__})")
            return None
        if not self._budget.spend(shown[0] + shown[1]):
            self.is_full = True
            return None
        return SmallPicture(*shown)

    def _shrink(self, path: Path) -> tuple[str, str, int, int]:
        from PIL import Image

        from beholder.stimuli import open_image

        if path.suffix == ".npy":
            raise StimulusError("a picture or a sound", got=str(path))
        picture = open_image(path)
        # Noise of single pixels is what many metamers are made of: a picture that fits is shown as it is.
        if max(picture.size) > 1.3 * self._side:
            picture.thumbnail((self._side, self._side), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        picture.save(buffer, "WEBP", quality=86, method=2)
        return to_data_uri(buffer.getvalue(), "image/webp"), "", *picture.size


def make_row(
    files: Sequence[MetamerFile],
    measures: Mapping[tuple[str, str, int], Mapping[str, Any]],
    colors: Mapping[str, str],
    embedder: Embedder,
    page: Page,
    *,
    tells_seed: bool,
) -> MetamerRow | None:
    """The row of one stimulus and seed; None when the page is full."""
    first = files[0]
    cards = []
    original = embedder.embed(first.original)
    if embedder.is_full:
        return None
    if original:
        facts = tuple(
            (name, value) for name, value in (("stimulus", first.stimulus_id), ("class", first.label)) if value
        )
        said = measures[first.layer, first.stimulus_id, first.seed]["prediction_original"]
        facts += (("the network says", str(said)),) if said else ()
        alt = f"{first.stimulus_id}, original"
        cards.append(
            MetamerCard(
                "original", "", "", *original, alt, facts=facts, caption=first.label, link=page.link(first.original)
            )
        )
    for one in files:
        made = embedder.embed(one.path)
        if embedder.is_full:
            return None
        if made:
            cards.append(_make_card(one, measures[one.layer, one.stimulus_id, one.seed], colors[one.layer], made, page))
    seed = f", seed {first.seed}" if tells_seed else ""
    return MetamerRow(first.stimulus_id, f"{first.stimulus_id}{seed}", first.label, tuple(cards))


def _make_card(one: MetamerFile, row: Mapping[str, Any], color: str, made: SmallPicture, page: Page) -> MetamerCard:
    verdict = format_verdict(row)
    best = row["db_snr_saved"] if _is_known(row["db_snr_saved"]) else row["db_snr"]
    facts = [
        ("matched at", one.layer),
        ("dB SNR as saved", _tell(row["db_snr_saved"])),
        ("dB SNR before saving", _tell(row["db_snr"])),
        ("dB as published (half)", _tell(row["db_snr_published"])),
        ("Spearman as saved", _tell(row["spearman_saved"])),
        ("Pearson as saved", _tell(row["pearson_saved"])),
        ("percentile in the null", _tell(row["percentile"])),
        ("loss", _tell(row["loss"])),
        ("steps", f"{int(row['steps']):,}"),
        ("decided by", " ".join(str(row[name]) for name in ("decision", "rule") if row[name])),
        ("original called", row["prediction_original"]),
        ("metamer called", row["prediction_metamer"]),
    ]
    return MetamerCard(
        name=one.layer,
        layer=one.layer,
        color=color,
        **made._asdict(),
        alt=f"Metamer of {one.stimulus_id} at {one.layer}, {_tell(best) or 'unknown'} dB, {VERDICTS[verdict]}",
        caption=f"{_tell(best)} dB · ρ {_tell(row['spearman_saved'])}"
        if _is_known(row["spearman_saved"])
        else f"{_tell(best)} dB",
        verdict=verdict,
        words=word_verdict(verdict, row),
        facts=tuple((name, str(value)) for name, value in facts if value not in (None, "")),
        link=page.link(one.path),
    )


def word_verdict(verdict: str, row: Mapping[str, Any]) -> str:
    """The verdict, and the name that the network gives the metamer where that is another than the original's."""
    called, wanted = row["prediction_metamer"], row["prediction_original"]
    if verdict != "failed" or not (called and wanted) or called == wanted:
        return VERDICTS[verdict]
    return f"{VERDICTS[verdict]}: called {called}"


def format_verdict(row: Mapping[str, Any]) -> str:
    """``passed``, ``failed`` or ``unknown``."""
    passed = row["passed"]
    if passed is True or passed is np.True_:
        return "passed"
    return "failed" if passed is False or passed is np.False_ else "unknown"


def _is_known(value: Any) -> bool:
    return isinstance(value, float) and not math.isnan(value)


def _tell(value: Any) -> str:
    if not _is_known(value):
        return ""
    return "∞" if math.isinf(value) else format_number(value)
