"""Metamers in a notebook: what the picker shows of each."""

from __future__ import annotations

import base64
import io
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from beholder._core.tables import list_rows
from beholder._core.wording import format_count, format_number
from beholder.figures import PickerStimulus, render_picker, render_sound
from beholder.models import list_sketch_frequencies, sketch_cochleagram
from beholder.synthesis.engine._stimulus_format import StimulusFormat

if TYPE_CHECKING:
    from beholder.synthesis.metamers._read import Metamers

_MOST_BYTES = 8_000_000
_WIDTH = 224
_QUALITY = 88
_VERDICTS = {True: "passes", False: "fails"}


def pick_metamers(made: Metamers) -> str:
    """HTML of a picker of metamers, as many as 8 MB hold; empty for stimuli that are neither pictures nor sounds.

    Parameters
    ----------
    made : Metamers
    """
    if not len(made) or made.form.suffix not in (".png", ".wav"):
        return ""
    own: Any = made.table[made.table["layer"] == made.table["measured_layer"]]
    rows = {(row["stimulus_id"], row["layer"], row["seed"]): row for row in list_rows(own)}
    originals: dict[str, PickerStimulus] = {}
    shown: dict[tuple[str, str, int], PickerStimulus] = {}
    size = 0
    for key, image, original in zip(made.keys, made.stimuli, made.originals, strict=True):
        stimulus_id, layer, seed = key
        one = PickerStimulus(*_embed(image, made.form), f"{layer}{f', seed {seed}' if seed else ''}", _tell(rows[key]))
        if stimulus_id not in originals:
            originals[stimulus_id] = PickerStimulus(*_embed(original, made.form), "original")
            size += len(originals[stimulus_id].picture) + len(originals[stimulus_id].sound)
        size += len(one.picture) + len(one.sound)
        if size > _MOST_BYTES and shown:
            break
        shown[key] = one
    rest = f"{len(shown)} of {format_count(len(made), 'metamer')} are here." if len(shown) < len(made) else ""
    return render_picker(repr(made), originals, shown, rest=rest, width=_WIDTH)


def _embed(image: np.ndarray, form: StimulusFormat) -> tuple[str, str]:
    """Picture and sound as data URIs."""
    if form.suffix == ".wav":
        rate = form.sample_rate
        picture = render_sound(image, rate, sketch_cochleagram(image, rate), list_sketch_frequencies(rate))
        return _to_uri(picture, "image/svg+xml"), _to_uri(form.encode(_bring_down(image)), "audio/wav")
    pixels = form.to_pixels(image)
    picture = Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=_QUALITY, method=2)
    return _to_uri(buffer.getvalue(), "image/webp"), ""


def _bring_down(samples: np.ndarray) -> np.ndarray:
    """Louder than full scale is brought down to it."""
    return (samples / max(1.0, float(np.abs(samples).max()))).astype(np.float32)


def _to_uri(data: bytes, media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def _tell(row: dict[str, Any]) -> str:
    """One line about a metamer."""
    names = (("db_snr", "{} dB before saving"), ("db_snr_saved", "{} dB as saved"), ("spearman", "Spearman {}"),
             ("pearson", "Pearson {}"))  # fmt: skip
    words = [text.format(format_number(row[name])) for name, text in names if not math.isnan(row[name])]
    said = [str(row[f"prediction_{name}"]) for name in ("original", "metamer") if row[f"prediction_{name}"]]
    if len(said) == 2:
        by = f" (by {row['decision']})" if row["decision"] else ""
        words.append(f"called {said[1]}{by}" if said[0] == said[1] else f"called {said[1]}, the original {said[0]}{by}")
    words.append(_VERDICTS[bool(row["passed"])] if row["passed"] in (True, False) else "not tested")
    return "; ".join(words)
