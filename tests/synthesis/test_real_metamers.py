"""Metamers of real networks: SqueezeNet with its published weights, and the bundled networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import beholder as bh
from beholder.models import sketch_cochleagram
from beholder.stimuli import SYLLABLE_RATE, draw_shapes_set, draw_syllables_set, read_metamer_table
from beholder.synthesis import make_metamers, null_distribution
from beholder.synthesis.metamers._recipe import make_metamer_recipe

pytestmark = pytest.mark.slow

N_LATE = 40


def get_own_rows(made: Any) -> pd.DataFrame:
    table = made.to_pandas()
    return table[table["layer"] == table["measured_layer"]].set_index("stimulus_id")


def measure_db(model: bh.Model, original: np.ndarray, other: np.ndarray, layer: str) -> float:
    x, y = (bh.capture(model, each[None], [layer])[1][layer].detach().double().numpy() for each in (original, other))
    return float(10 * np.log10((x**2).sum() / ((x - y) ** 2).sum()))


@pytest.fixture
def pictures(shared_data: Path, tmp_path: Path) -> bh.StimulusSet:
    folders = sorted(path for path in (shared_data / "imagenet_sample").iterdir() if path.is_dir())
    files = [min(folder.iterdir()) for folder in folders[::170][:4]]
    pd.DataFrame({"file": [str(file) for file in files]}).to_csv(tmp_path / "pictures.csv", index=False)
    return bh.StimulusSet.from_table(tmp_path / "pictures.csv")


@pytest.fixture
def net(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> bh.Model:
    monkeypatch.setenv("TORCH_HOME", str(shared_data / "torch_home"))
    return bh.load_model("torchvision:squeezenet1_1", pretrained=True, device="cpu")


def test_squeezenet_reaches_the_match_and_passes(
    net: bh.Model, pictures: bh.StimulusSet, shared_data: Path, tmp_path: Path
) -> None:
    layers = ["features.0", "features.7"]
    made = make_metamers(net, pictures, layers, measured=layers, out_path=tmp_path / "metamers")
    rows = made.to_pandas().query("layer == measured_layer")
    second: Any
    first: Any
    first, second = (rows[rows["layer"] == layer] for layer in layers)
    print(rows[["stimulus_id", "layer", "db_snr", "db_snr_saved", "steps"]].to_string())
    assert (first["db_snr"] >= 40).all()
    assert second["db_snr"].median() >= 28
    assert (second["db_snr"] >= 28).sum() >= len(second) - 1  # one of very high contrast ends at 25.7
    recipe = make_metamer_recipe(net)
    for layer in layers:
        for i, name in enumerate(pictures.ids):
            start = recipe.draw_start((3, 224, 224), (0.0, 1.0), 0, name)
            assert measure_db(net, net.prepare(pictures.source(i)), start, layer) < 12
    natural = bh.StimulusSet.from_folder(shared_data / "imagenet_sample")[::10]
    null = null_distribution(net, natural, layers, n_pairs=300, out_path=tmp_path / "null_dist")
    judged: Any = read_metamer_table(made.path or "").query("layer == measured_layer")
    assert judged["passed"].all()
    for row in null.find_maxima().to_dict("records"):
        own = judged[judged["layer"] == row["layer"]]
        for name in ("spearman", "pearson", "db_snr"):
            assert (own[f"{name}_saved"] > row[name]).all()


@pytest.mark.parametrize("name", ["beholder:shapes", "beholder:syllables"])
@pytest.mark.parametrize(("layer", "iterations"), [("classifier", None), ("avgpool", 150)])
def test_late_metamers_are_called_what_their_originals_are(
    name: str, layer: str, iterations: int | None, tmp_path: Path
) -> None:
    draw = draw_shapes_set if name == "beholder:shapes" else draw_syllables_set
    stimuli = draw(tmp_path / "stimuli", n_per_category=3, seed=11)
    stimuli = stimuli[[i for i in range(len(stimuli)) if i % 6 != 5]]
    assert len(stimuli) == N_LATE
    net = bh.load_model(name, device="cpu")
    rows = get_own_rows(make_metamers(net, stimuli, [layer], measured=[layer], iterations=iterations))
    same: Any = rows["prediction_original"] == rows["prediction_metamer"]
    assert same.mean() >= 0.95, rows[~same]


def test_early_metamers_sound_like_their_originals_and_late_ones_do_not(tmp_path: Path) -> None:
    """By the correlation of a cochleagram that no network is asked for."""
    stimuli = draw_syllables_set(tmp_path / "stimuli", n_per_category=1, seed=3)[::3]
    net = bh.load_model("beholder:syllables", device="cpu")
    likeness: dict[str, list[float]] = {}
    layers = ["cochleagram", "block1", "classifier"]
    made = make_metamers(net, stimuli, layers, measured=layers, iterations=300)
    for (_, layer, _), sound, original in zip(made.keys, made.stimuli, made.originals, strict=True):
        x, y = (sketch_cochleagram(each, SYLLABLE_RATE).ravel() for each in (original, sound))
        likeness.setdefault(layer, []).append(float(np.corrcoef(x, y)[0, 1]))
    print({layer: [round(value, 3) for value in values] for layer, values in likeness.items()})
    assert min(likeness["cochleagram"]) > 0.9
    assert min(likeness["block1"]) > 0.8
    assert max(likeness["classifier"]) < 0.5


def test_together_and_alone_give_the_same(tmp_path: Path) -> None:
    """Metamers in one batch take the steps of batches of one, until rounding has grown; the match is the same."""
    stimuli = draw_shapes_set(tmp_path / "stimuli", n_per_category=1)[:3]
    net = bh.load_model("beholder:shapes", device="cpu")
    options: dict[str, Any] = {"layers": ["block2"], "measured": ["block2"], "iterations": 15}
    alone = make_metamers(net, stimuli, batch_size=1, **options)
    together = make_metamers(net, stimuli, batch_size=3, **options)
    for one, other in zip(alone.losses, together.losses, strict=True):
        np.testing.assert_allclose(one[:6], other[:6], rtol=1e-2)
    np.testing.assert_allclose(get_own_rows(alone)["db_snr"], get_own_rows(together)["db_snr"], atol=1.0)
