"""Folders of metamers as ``beholder metamers make`` and ``null`` leave them, from noise: fast, with known verdicts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from beholder._core.files import write_bytes, write_json
from beholder.stimuli import (
    SYLLABLE_CATEGORIES,
    SYLLABLE_RATE,
    make_shape_picture,
    make_syllable,
    save_picture,
    save_sound,
    write_null_histograms,
)
from beholder.stimuli.made._metamer_set import find_metamer_folder, name_metamer, write_stimulus_manifest
from beholder.stimuli.made._metamer_table import METAMER_COLUMNS, RESULTS, make_metamer_table, write_metamer_table
from beholder.stimuli.made._null_set import NULL_COLUMNS, NULL_LAYERS, write_null_layer

SHAPES = ("circle", "star", "spiral")


def write_metamers(
    folder: Path,
    *,
    model="beholder:shapes@v1",
    layers=("block1", "classifier"),
    categories=SHAPES,
    seeds=(0,),
    sound=False,
    noise=(0.02, 1.0),
    passed=(True, None),
    labelled=True,
    predictions=None,
    decision="class",
):
    """Metamers of drawn pictures or spoken syllables: the original with noise added, more at later layers.

    ``noise``: for each layer the share of noise, 1 for nothing but noise.
    """
    suffix = ".wav" if sound else ".png"
    rows, columns = [], {name: [] for name in METAMER_COLUMNS}
    for index, category in enumerate(categories):
        stimulus_id = f"{category}_{index}"
        original = f"originals/{stimulus_id}{suffix}"
        data = make_syllable(category, 7) if sound else make_shape_picture(category, 7)
        _save(folder / original, data)
        label = category if labelled else ""
        rows.append(
            {"stimulus_id": stimulus_id, "original": original, "file": f"{stimulus_id}{suffix}", "label": label,
             "target": index, "sha256": "0" * 64}
        )  # fmt: skip
        for place, layer in enumerate(layers):
            for seed in seeds:
                generator = np.random.default_rng([index, place, seed])
                share = noise[place % len(noise)]
                path = find_metamer_folder(folder, layer, stimulus_id) / f"{name_metamer(seed)}{suffix}"
                _save(path, _add_noise(data, share, generator))
                losses = np.exp(-np.linspace(0, 3 + place, 200)).astype(np.float32)
                np.save(path.with_suffix(".losses.npy"), losses)
                write_json(path.with_suffix(".json"), {"stop": "steps", "settings": {"steps": 200}})
                for measured in layers:
                    said = (predictions or {}).get(stimulus_id, category)
                    own = measured == layer
                    values = {
                        "model": model, "stimulus_id": stimulus_id, "layer": layer, "measured_layer": measured,
                        "seed": seed, "db_snr": 30.0 - 2 * place, "db_snr_published": 15.0 - place,
                        "db_snr_saved": 29.0 - 2 * place + 0.1 * index, "spearman": 0.99, "pearson": 0.999,
                        "spearman_saved": 0.98 + 0.001 * index, "pearson_saved": 0.99, "percentile": 100.0,
                        "loss": 0.03, "prediction_original": said, "prediction_metamer": said if share < 1 else "dots",
                        "passed": passed[place % len(passed)] if own else None, "steps": 200, "recipe": "default",
                        "decision": decision, "rule": "first" if decision == "category" else None,
                    }  # fmt: skip
                    for name in METAMER_COLUMNS:
                        columns[name].append(values[name])
    write_metamer_table(folder / RESULTS, make_metamer_table(columns))
    write_stimulus_manifest(folder, rows)
    return folder


def write_null(folder: Path, layers=("block1", "classifier"), n_pairs=2000):
    """A null distribution of random numbers, with its counts."""
    generator = np.random.default_rng(3)
    folder.mkdir(parents=True)
    (folder / NULL_LAYERS).write_text(json.dumps({"layers": list(layers)}))
    for layer in layers:
        columns: Any = {name: np.zeros(n_pairs, kind) for name, kind in NULL_COLUMNS.items()}
        columns["pair"] = np.arange(n_pairs)
        columns["spearman"] = 0.3 + 0.1 * generator.standard_normal(n_pairs)
        columns["pearson"] = 0.2 + 0.1 * generator.standard_normal(n_pairs)
        columns["db_snr"] = -1 + generator.standard_normal(n_pairs)
        write_null_layer(folder, layer, columns)
    write_null_histograms(folder)
    return folder


def write_sound_metamers(folder: Path, **options):
    """Metamers of syllables."""
    settings = {"model": "beholder:syllables@v1", "categories": SYLLABLE_CATEGORIES[:2], "sound": True}
    return write_metamers(folder, **settings | options)


def _add_noise(data, share, generator):
    if data.dtype == np.uint8:
        noise = generator.integers(0, 256, data.shape)
        return np.rint((1 - share) * data + share * noise).astype(np.uint8)
    noise = 0.1 * generator.standard_normal(len(data))
    return ((1 - share) * data + share * noise).astype(np.float32)


def _save(path: Path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    if data.dtype == np.uint8:
        save_picture(path, data)
    else:
        save_sound(path, data, SYLLABLE_RATE)


def touch_metamer(path: Path, seed=0):
    """Make a metamer's file anew, from other noise."""
    from PIL import Image

    pixels = np.random.default_rng(seed).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return write_bytes(path.with_suffix(".json"), b"{}")
