"""Folders ``stimuli/{model}`` in the written formats, drawn instead of computed."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from beholder._core.files import to_path_name
from beholder.stimuli import save_sound

N_STIMULI = 40
COLUMNS = ("file", "role", "source", "rank", "activation", "percentile", "seed", "settings")
MAP_COLUMNS = ("file", "stimulus", "low", "high", "mean", "x", "y", "step_x", "step_y", "width", "height", "is_aligned")


def write_table(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> None:
    """A CSV file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def write_unit(
    model: Path,
    layer: str,
    channel: int,
    *,
    n_batches: int = 1,
    n_optimized: int = 0,
    maps: bool = False,
    suffix: str = ".png",
    has_distribution: bool = True,
) -> Path:
    """One unit with its natural exemplars, ranked from 0 to 39, activation ``rank - 10``.

    Parameters
    ----------
    model : Path
        ``stimuli/{model}``.
    layer, channel
        The unit.
    n_batches : int
        Of nine references and a query a sign.
    n_optimized : int
        Visualisations a sign.
    maps : bool
        Write activation maps of 2 × 4 positions, active at the upper left.
    suffix : str
        ``.png`` or ``.wav``.
    has_distribution : bool
        Write ``distribution.json``.
    """
    folder = model / to_path_name(layer) / f"channel_{channel}"
    files = []
    rows = []
    for batch in range(n_batches):
        for sign in ("min", "max"):
            for place in range(10):
                step = 9 - place if place < 9 else 10
                rank = step * n_batches - 1 - batch if sign == "min" else N_STIMULI - step * n_batches + batch
                file = f"batch_{batch}/{sign}_{place}{suffix}"
                files.append((f"natural_images/{file}", rank))
                role = "query" if place == 9 else "reference"
                told = {"rank": rank, "activation": rank - 10.0, "percentile": 100 * rank / N_STIMULI}
                rows.append({"file": file, "role": role, "source": f"cat_{rank}{suffix}", **told, "seed": 1})
    write_table(folder / "natural_images" / "manifest.csv", COLUMNS, rows)
    if has_distribution:
        counts, edges = np.histogram(np.arange(N_STIMULI) - 10.0, bins=8)
        document = {"layer": layer, "channel": channel, "edges": edges.tolist(), "counts": counts.tolist()}
        (folder / "natural_images" / "distribution.json").write_text(json.dumps(document))
    made = []
    for sign, direction in (("min", -1), ("max", 1)):
        for k in range(n_optimized):
            files.append((f"optimized_images/{sign}_{k}{suffix}", 100 + k))
            told = {"rank": k, "activation": direction * (20.0 + 15 * k), "percentile": 100.0, "seed": 1}
            made.append({"file": f"{sign}_{k}{suffix}", "role": "reference", "source": "synthesis", **told})
    if made:
        write_table(folder / "optimized_images" / "manifest.csv", COLUMNS, made)
    for name, number in files:
        write_stimulus(folder / name, number)
    if maps:
        _write_maps(folder, [name for name, _ in files])
    return folder


def write_stimulus(path: Path, number: int) -> None:
    """A picture of 48 × 24 pixels, or half a second of a tone, of its own for each number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".wav":
        times = np.arange(4000) / 8000
        save_sound(path, 0.3 * np.sin(2 * np.pi * (200 + 20 * number) * times) * np.minimum(1, 20 * times), 8000)
        return
    color = np.random.default_rng(number).integers(0, 255, 3)
    pixels = np.broadcast_to(color, (24, 48, 3)).astype(np.uint8).copy()
    pixels[8:16, number % 40 : number % 40 + 8] = 255
    Image.fromarray(pixels).save(path)


def write_verdicts(model: Path, rows: Sequence[tuple[str, int, str, float, float | None, str, str]]) -> None:
    """``optimized_units.csv``: layer, channel, sign, best, natural best, beats, note."""
    columns = ("layer", "channel", "sign", "activation_best", "natural_best", "beats", "note")
    write_table(model / "optimized_units.csv", columns, [dict(zip(columns, row, strict=True)) for row in rows])


def _write_maps(folder: Path, names: Sequence[str]) -> None:
    rows = []
    for name in names:
        path = (folder / "activation_maps" / name).with_suffix(".png")
        path.parent.mkdir(parents=True, exist_ok=True)
        values = np.zeros((2, 4), np.uint8)
        values[0, 0] = 255
        Image.fromarray(values).save(path)
        places = {"x": 5.5, "y": 5.5, "step_x": 12.0, "step_y": 12.0, "width": 48, "height": 24}
        file = path.relative_to(folder / "activation_maps").as_posix()
        told = {"file": file, "stimulus": name, "low": -1.0, "high": 3.0, "mean": 0.0, "is_aligned": "yes"}
        rows.append({**told, **places})
    write_table(folder / "activation_maps" / "manifest.csv", MAP_COLUMNS, rows)
