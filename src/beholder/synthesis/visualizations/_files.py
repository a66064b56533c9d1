"""The files of one unit's visualisations, and the table of all units."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from beholder._core.errors import InputError
from beholder._core.tables import read_records
from beholder.jobs import check_content
from beholder.models import Unit
from beholder.synthesis.engine._stimulus_format import StimulusFormat, compute_opacity, encode_png
from beholder.synthesis.visualizations._side import UnitVisualization, find_strength
from beholder.synthesis.visualizations._standing import NaturalDistribution, compute_percentiles, judge_activation

FOLDER = "optimized_images"
MANIFEST = "manifest.csv"
HISTORY = "history.npz"
TRANSPARENCY = "transparency"
TABLE = "optimized_units.csv"
COLUMNS = ("file", "role", "source", "rank", "activation", "percentile", "seed", "settings")
TABLE_COLUMNS = (
    "layer", "channel", "sign", "n_images", "activation_best", "activation_weakest", "activation_unrounded",
    "natural_best", "n_natural", "percentile_best", "beats", "weakest_beats", "diversity", "steps", "note",
)  # fmt: skip

Row = dict[str, Any]


def make_unit_files(
    sides: Sequence[UnitVisualization],
    natural: NaturalDistribution | None,
    form: StimulusFormat,
    settings: Mapping[str, Any],
    seed: int,
) -> Iterator[tuple[str, bytes]]:
    """Names and bytes of the files in one unit's ``optimized_images``, the manifest last.

    Parameters
    ----------
    sides : sequence of UnitVisualization
        Of one unit.
    natural : NaturalDistribution or None
    form : StimulusFormat
    settings : mapping
        What stands in the column ``settings`` for every image.
    seed : int
    """
    rows = []
    for side in sides:
        percentiles = _compute_percentiles(natural, side.activations, side.sign)
        n_images = len(side.images)
        for i in range(n_images):
            name = f"{side.sign}_{i}{form.suffix}"
            yield name, form.encode(side.images[i])
            if side.transparency is not None:
                opacity = np.rint(compute_opacity(side.transparency[i]) * 255).astype(np.uint8)
                yield f"{TRANSPARENCY}/{side.sign}_{i}.png", encode_png(opacity)
            made = {
                **settings,
                "diversity": "steered" if np.isnan(side.strengths[i]) else float(side.strengths[i]),
                "steps": int(side.steps[i]),
                "stopped_by": side.stopped_by[i],
                "activation_unrounded": _to_number(side.unrounded[i]),
            }
            rows.append(
                {
                    "file": name,
                    "role": "reference",
                    "source": "synthesis",
                    "rank": i if side.sign == "max" else n_images - 1 - i,
                    "activation": str(side.activations[i]),
                    "percentile": "" if np.isnan(percentiles[i]) else str(percentiles[i]),
                    "seed": seed,
                    "settings": json.dumps(made, separators=(",", ":")),
                }
            )
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {side.sign: side.losses for side in sides}
    np.savez(buffer, **arrays)
    yield HISTORY, buffer.getvalue()
    yield MANIFEST, format_table(rows, COLUMNS)


def summarize_side(
    side: UnitVisualization, natural: NaturalDistribution | None, before: Unit | None, *, has_recording: bool
) -> Row:
    """One row of the table of all units.

    Parameters
    ----------
    side : UnitVisualization
    natural : NaturalDistribution or None
    before : Unit or None
        The value before the unit's rectifier, if it was looked for and found.
    has_recording : bool
        Whether there is a recording at all.
    """
    best, weakest = float(side.activations[-1]), float(side.activations[0])
    beats = judge_activation(natural, best, side.sign)
    extreme = _to_number(natural.find_extreme(side.sign)) if natural is not None and natural.is_whole else None
    percentile = float(_compute_percentiles(natural, side.activations[-1:], side.sign)[0])
    return {
        "layer": side.unit.layer,
        "channel": side.unit.channel,
        "sign": side.sign,
        "n_images": len(side.images),
        "activation_best": _to_number(best),
        "activation_weakest": _to_number(weakest),
        "activation_unrounded": _to_number(side.unrounded[-1]),
        "natural_best": extreme,
        "n_natural": None if natural is None else natural.n_stimuli,
        "percentile_best": _to_number(percentile),
        "beats": beats,
        "weakest_beats": judge_activation(natural, side.plain_weakest, side.sign),
        "diversity": None if np.isnan(strength := find_strength(side)) else strength,
        "steps": int(side.steps.max()),
        "note": "; ".join(_list_notes(side, natural, before, beats, has_recording)),
    }


def _list_notes(
    side: UnitVisualization, natural: NaturalDistribution | None, before: Unit | None, beats: str, has_recording: bool
) -> Iterator[str]:
    best = float(side.activations[-1])
    if not has_recording:
        yield "no recording to compare with"
    elif natural is not None and not natural.is_whole:
        n_bad = natural.n_stimuli - len(natural.values)
        yield f"the recorded activation is not finite for {n_bad} of {natural.n_stimuli} stimuli"
    elif natural is not None and natural.is_constant:
        yield f"dead in the recording: {natural.values[0]:g} for all {natural.n_stimuli} stimuli"
    if not np.isfinite(best):
        yield "no image has a finite activation"
    elif "not finite" in side.stopped_by:
        yield f"stopped at step {int(side.steps.min())}, where the activation was no longer finite"
    if beats == "tie":
        yield _explain_tie(side.sign, best, before)
    elif beats == "no" and natural is not None:
        yield f"falls short of the best natural stimulus: {best:.4g} against {natural.find_extreme(side.sign):.4g}"
    elif side.falls_short and beats == "yes":
        yield "made without diversity: so made, the weakest image falls short already"
    if side.trials and find_strength(side) == 0:
        yield f"made without diversity: the weakest image falls short with a strength of {side.trials[-1][0]:g} already"
    if side.is_halved:
        yield "made in smaller batches, for lack of memory"


def _explain_tie(sign: str, best: float, before: Unit | None) -> str:
    if before is not None:
        return f"tie at {best:g}, the floor of a rectified unit; before the rectifier it is {before}"
    if best == 0 and sign == "min":
        return "tie at 0"
    return f"tie at {best:g}"


def _compute_percentiles(natural: NaturalDistribution | None, activations: np.ndarray, sign: str) -> np.ndarray:
    if natural is None:
        return np.full(len(activations), np.nan)
    return compute_percentiles(natural, activations, sign)


def _to_number(value: Any) -> float | None:
    """The shortest number that reads back as the same float32; None for what is not finite."""
    return float(str(np.float32(value))) if np.isfinite(value) else None


def format_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> bytes:
    """Rows as comma-separated values, None as nothing."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def read_table(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Rows of a table of :func:`format_table`."""
    if not path.is_file():
        raise InputError("visualisations of units", got=f"no file at {path}")
    check_content(path.parent, path)
    rows = read_records(path)
    if rows and not set(columns) <= set(rows[0]):
        raise InputError(f"a table with the columns {', '.join(columns)}", got=str(path))
    return rows
