import json
import socket
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from beholder._core.errors import InputError
from beholder.activations import Activations
from beholder.analysis import open_result
from beholder.cli.demo import app
from beholder.demo import _metamers, _twins, run_demo
from beholder.demo._figures import MEASURES, find_neighbours
from beholder.demo._metamers import PICTURE_LAYERS, SOUND_LAYERS
from beholder.demo._recognition import LEVELS
from beholder.demo._run import draw_stimuli, record_layers
from beholder.demo._twins import TWINS
from beholder.demo._units import LAYERS as unit_layers
from beholder.models import load_model
from beholder.report import read_rdms
from beholder.stimuli import MetamerSet, read_model_stimuli

LAYERS = ["block1", "block2", "block3", "block4", "block5", "classifier"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The demo with two pictures a category and a third of the steps, and with no network to be had."""
    out = tmp_path_factory.mktemp("demo") / "out"
    connect = socket.socket.connect

    def connect_here(own, address):
        """To the demo's own experiment on this machine, and nowhere else."""
        return connect(own, address) if address[0] == "127.0.0.1" else pytest.fail("the demo reached for a network")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect_here)
        for module in (_metamers, _twins):
            patch.setattr(module, "_ITERATIONS", 20)
        for module, name in ((_metamers, "_PICTURE_PAIRS"), (_metamers, "_SOUND_PAIRS"), (_twins, "_PAIRS")):
            patch.setattr(module, name, 20)
        page = run_demo(out, n_per_category=2, n_units=1, n_metamers=1, n_twin_metamers=2)
    return out, page


def test_page_explains_every_picture(demo):
    out, page = demo
    html = page.read_text()
    assert page == out / "report.html"
    assert len(html.encode()) < 20_000_000
    for question in ("What was the network shown?", "Which pictures are alike to the network?", "come from?"):
        assert question in html
    for record in sorted(out.rglob("*.figure.json")):
        words = json.loads(record.read_text())
        assert words["title"] in html
        assert words["answer"]
        assert words["explanation"]


def test_metamers_of_pictures_and_sounds_are_made_and_tested(demo):
    out, page = demo
    for model, layers in (("shapes", PICTURE_LAYERS), ("syllables", SOUND_LAYERS)):
        made = MetamerSet(out / "metamers" / model)
        assert made.layers == layers
        table = made.to_pandas()
        own: Any = table[table["layer"] == table["measured_layer"]]
        assert len(own) == len(layers)
        assert own["passed"].notna().all()
        assert f"What can beholder:{model}@v2 not tell apart?" in page.read_text()


def test_metamers_of_both_twins_are_judged_by_others(demo):
    out, page = demo
    table = pd.read_csv(out / "figures" / "twins.csv")
    assert table["metamers of"].tolist() == [*TWINS, "difference"]
    assert table["n_stimuli"].tolist() == [2, 2, 2]
    assert table["recognised"][2] == pytest.approx(table["recognised"][1] - table["recognised"][0])
    judges = [sorted(each.split()) for each in table["judges"][:2]]
    assert judges == [sorted([twin, "beholder:shapes@v1"]) for twin in reversed(TWINS)]
    assert "twin recognised more often by other networks?" in page.read_text()
    assert (out / "figures" / "twin_metamers.svg").exists()


def test_layers_are_compared_and_simulated_people_with_the_network(demo):
    out, page = demo
    html = page.read_text()
    layers: Any = open_result(out / "layers" / "decode.parquet").table
    by_layer = dict(zip(layers["layer"], layers["estimate"], strict=True))
    assert list(by_layer) == LAYERS and by_layer["classifier"] > 0.6 > by_layer["block1"]
    found = open_result(out / "recognition" / "recognition.parquet")
    table: Any = found.table[found.table["statistic"] == "proportion correct"]
    for observer in ("people", "network"):
        own = table[(table["observer"] == observer) & table["level"].notna()].sort_values("level")
        assert own["level"].tolist() == list(LEVELS)
        assert own["estimate"].iloc[0] > 0.8 > own["estimate"].iloc[-1]
    assert "No person took part" in found.warnings[0] and found.warnings[0] in html
    assert found.sentences()[0] in html


def test_store_holds_every_recorded_layer(demo):
    out, _ = demo
    acts = Activations(out / "activations" / "shapes.zarr")
    assert acts.layers == LAYERS
    assert acts.model == "beholder:shapes@v2"
    assert acts["block5"].shape == (32, 256, 7, 7)


def test_network_is_right_about_the_demos_pictures(demo):
    out, _ = demo
    acts = Activations(out / "activations" / "shapes.zarr")
    right = acts["classifier"].to_numpy().argmax(axis=1) == acts.stimuli["target"].to_numpy()
    assert right.mean() > 0.9


def test_units_have_exemplars_visualisations_and_maps(demo):
    out, page = demo
    (unit,) = read_model_stimuli(out / "units" / "stimuli" / "shapes")
    assert unit.layer in unit_layers
    assert len(unit.select("natural")) == 20
    assert len(unit.select("optimized")) == 2 * 3
    assert all(one.map is not None for one in unit.stimuli)
    assert unit.verdicts["max"]["beats"] == "yes"
    assert sum(unit.counts) == 32
    assert "What drives single units of shapes?" in page.read_text()


def test_rdms_are_those_of_the_store(demo):
    out, _ = demo
    stored = read_rdms(out / "figures" / "similarity.rdms.npz")
    assert list(stored.layers) == LAYERS
    assert stored.measures == MEASURES
    acts = Activations(out / "activations" / "shapes.zarr")
    values = acts["block4"].to_numpy().reshape(32, -1).astype(np.float64)
    assert np.allclose(stored.get("block4", "correlation"), 1 - np.corrcoef(values), atol=1e-4)


def test_recording_again_keeps_what_is_there(demo):
    out, _ = demo
    store = out / "activations" / "shapes.zarr"
    before = {path: path.stat().st_mtime_ns for path in (store / "block1").rglob("c/**/*") if path.is_file()}
    assert before
    net = load_model("beholder:shapes")
    record_layers(net, draw_stimuli(out / "stimuli", 2, 42), out / "activations")
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_folder_with_other_pictures_is_refused(tmp_path):
    (tmp_path / "mine").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "mine" / "dog.png")
    with pytest.raises(InputError, match="another out folder"):
        draw_stimuli(tmp_path, 1, 42)
    with pytest.raises(InputError, match="at least 2 pictures"):
        run_demo(tmp_path, n_per_category=1)


def test_nearest_neighbour_is_never_the_stimulus_itself():
    rdm = np.array([[0, 1, 5], [1, 0, 2], [5, 2, 0]], dtype=float)
    assert find_neighbours(rdm, ["x", "y", "y"]).tolist() == [False, False, True]
    assert find_neighbours(rdm, ["x", "x", "y"]).tolist() == [True, True, False]


def test_command_names_the_page(monkeypatch, tmp_path, capsys):
    calls = []
    monkeypatch.setattr("beholder.demo.run_demo", lambda out, seed: calls.append((out, seed)) or out / "report.html")
    app(["--out", str(tmp_path), "--seed", "7"])
    assert calls == [(tmp_path, 7)]
    assert capsys.readouterr().out.splitlines()[-1] == f"Open {tmp_path / 'report.html'} in a browser."
