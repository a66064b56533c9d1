"""Activation maps: what they hold, where they lie, and that runs continue."""

from __future__ import annotations

import csv
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tests.forking import FORKING
from torch import Tensor, nn

import beholder as bh
from beholder.models import Unit, UnitList, read_preprocessing
from beholder.stimuli import read_model_stimuli, save_sound
from beholder.units import _map_worker, find_exemplars, map_units, write_exemplars

from .conftest import read_tree

UNITS = [Unit("0", 1), Unit("0", 3), Unit("2", 0)]


class Small(nn.Sequential):
    """Two convolutions; the ReLU between them works in place."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        super().__init__(nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(inplace=True), nn.Conv2d(4, 4, 3, 2, 1))

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input).mean((2, 3))


def make_net(seed: int | None = None) -> bh.Model:
    module: Any = Small()
    if seed is not None:
        torch.manual_seed(seed)
        nn.init.normal_(module[0].weight)
    return bh.wrap(module, preprocess=read_preprocessing({"kind": "image", "resize": 36, "crop": 32}), name="small")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    generator = np.random.default_rng(0)
    for i in range(44):
        noise = Image.fromarray(generator.integers(0, 255, (6, 6, 3), dtype=np.uint8))
        noise.resize((40, 44), Image.Resampling.BICUBIC).save(folder / f"picture_{i:02d}.png")
    return folder


@pytest.fixture(scope="module")
def recorded(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bh.record_units(make_net(), pictures, layers=["0", "2"], out_path=tmp_path_factory.mktemp("a")).path


def make_stimuli(recorded: Path, out: Path, units: list[Unit] = UNITS) -> Path:
    return write_exemplars(find_exemplars(recorded, UnitList(tuple(units)), num_batches=2), out, threads=1)


def test_maps_are_what_the_layer_computes(recorded: Path, tmp_path: Path) -> None:
    net = make_net()
    found: Any = map_units(net, make_stimuli(recorded, tmp_path))
    unit = found["0", 3]
    for one in (unit.select("natural", "max")[-1], unit.select("natural", "min", "query")[0]):
        picture = np.asarray(Image.open(one.path), np.float32).transpose(2, 0, 1) / 255
        _, layers = bh.capture(net, picture[None], ["0"])
        values = layers["0"][0, 3].numpy()
        assert values.mean() == pytest.approx(one.activation, abs=1e-5)
        assert one.map is not None
        grey = np.asarray(Image.open(one.map.path), np.float64)
        assert grey.shape == values.shape == (16, 16)
        assert (grey.min(), grey.max()) == (0, 255)
        np.testing.assert_allclose(one.map.low + grey / 255 * (one.map.high - one.map.low), values, atol=1e-2)
        assert (one.map.x, one.map.step_x, one.map.width, one.map.height) == (0.0, 2.0, 32, 32)
    assert found["2", 0].stimuli[0].map.step_x == 4.0
    with open(unit.path / "activation_maps" / "manifest.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["stimulus"] for row in rows] == [one.path.relative_to(unit.path).as_posix() for one in unit.stimuli]
    assert rows[0]["is_aligned"] == "yes"
    provenance = json.loads((found.path / "provenance.json").read_text())["outputs"]["activation_maps"]
    assert provenance["units"] == ["0:1", "0:3", "2:0"]


def test_visualisations_are_mapped_whenever_they_come(recorded: Path, tmp_path: Path) -> None:
    folder = make_stimuli(recorded, tmp_path)
    net = make_net()
    map_units(net, folder)
    images = folder / "0" / "channel_1" / "optimized_images"
    images.mkdir()
    (images / "manifest.csv").write_text(
        "file,role,source,rank,activation,percentile,seed,settings\nmax_0.png,,,0,9,,1,{}\n"
    )
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 32, 4), dtype=np.uint8)).save(images / "max_0.png")
    untouched = folder / "0" / "channel_3" / "activation_maps" / "manifest.csv"
    before = untouched.stat().st_mtime_ns
    found = map_units(net, folder)
    (made,) = found["0", 1].select("optimized")
    assert made.map is not None
    assert made.map.path == folder / "0" / "channel_1" / "activation_maps" / "optimized_images" / "max_0.png"
    assert untouched.stat().st_mtime_ns == before
    picture = np.asarray(Image.open(made.path).convert("RGB"), np.float32).transpose(2, 0, 1) / 255
    _, layers = bh.capture(net, picture[None], ["0"])
    assert made.map.high == pytest.approx(float(layers["0"][0, 1].max()), rel=1e-4)


def test_a_picture_that_was_replaced_by_one_of_its_size_is_mapped_anew(recorded: Path, tmp_path: Path) -> None:
    folder = make_stimuli(recorded, tmp_path)
    images = folder / "0" / "channel_1" / "optimized_images"
    images.mkdir()
    (images / "manifest.csv").write_text(
        "file,role,source,rank,activation,percentile,seed,settings\nmax_0.png,,,0,9,,1,{}\n"
    )
    for seed in (0, 1):
        pixels = np.random.default_rng(seed).integers(0, 200 - 100 * seed, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(images / "max_0.png")
        with open(images / "max_0.png", "ab") as file:  # what follows a PNG's end is not read
            file.write(bytes(5000 - file.tell()))
        (made,) = map_units(make_net(), folder)["0", 1].select("optimized")
        _, layers = bh.capture(make_net(), pixels.transpose(2, 0, 1)[None] / np.float32(255), ["0"])
        assert made.map is not None and made.map.high == pytest.approx(float(layers["0"][0, 1].max()), rel=1e-4)


def test_one_stimulus_runs_once_for_all_its_units(
    recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_stimuli(recorded, tmp_path)
    calls = []
    compute = _map_worker.compute_maps
    monkeypatch.setattr(_map_worker, "compute_maps", lambda *args: calls.append(args[2]) or compute(*args))
    map_units(make_net(), folder)
    sources = {one.source for unit in read_model_stimuli(folder) for one in unit.stimuli}
    assert len(calls) == len(sources) <= 44
    assert sum(len(wanted) for wanted in calls) == 3 * 40


def test_stopped_runs_continue_to_the_same_bytes(
    recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    map_units(make_net(), make_stimuli(recorded, tmp_path / "whole"))
    expected = read_tree(tmp_path / "whole")
    write = _map_worker.write_bytes
    for n_files in (0, 50, 119):
        folder = make_stimuli(recorded, tmp_path / f"stopped{n_files}")
        left = [n_files]

        def write_some(path: Path, data: bytes, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt
            write(path, data)

        monkeypatch.setattr(_map_worker, "write_bytes", write_some)
        with pytest.raises(KeyboardInterrupt):
            map_units(make_net(), folder)
        monkeypatch.setattr(_map_worker, "write_bytes", write)
        map_units(make_net(), folder)
        assert read_tree(folder) == read_tree(tmp_path / "whole" / "small")
        monkeypatch.setattr(_map_worker, "write_bytes", write_some)
        map_units(make_net(), folder)  # nothing is left to do
        monkeypatch.setattr(_map_worker, "write_bytes", write)
    assert expected == read_tree(tmp_path / "whole")


def test_units_one_by_one_threads_and_workers_give_the_same_bytes(recorded: Path, tmp_path: Path) -> None:
    map_units(make_net(), make_stimuli(recorded, tmp_path / "whole"))
    for unit in UNITS[::-1]:
        map_units(make_net(), make_stimuli(recorded, tmp_path / "grown"), [unit], threads=1)
    assert read_tree(tmp_path / "grown" / "small") == read_tree(tmp_path / "whole" / "small")
    map_units(make_net(), make_stimuli(recorded, tmp_path / "two"), workers=2)
    assert read_tree(tmp_path / "two" / "small") == read_tree(tmp_path / "whole" / "small")


def test_another_network_is_refused(recorded: Path, tmp_path: Path) -> None:
    folder = make_stimuli(recorded, tmp_path)
    with pytest.raises(bh.InputError, match=r"expected the network that made .*natural_images; got .* other weights"):
        map_units(make_net(seed=1), folder)
    (folder / "provenance.json").rename(folder / "gone.json")  # as in a folder that another program wrote
    with pytest.raises(bh.InputError, match=r"expected the network that was recorded, whose .* same model and weights"):
        map_units(make_net(seed=1), folder)
    (folder / "gone.json").rename(folder / "provenance.json")
    map_units(make_net(), folder, overwrite=True)
    other = bh.wrap(make_net().module, preprocess=make_net().preprocessing, name="other")
    with pytest.raises(bh.InputError, match="overwrite=True"):
        map_units(other, folder)
    map_units(other, folder, overwrite=True)


def test_units_that_are_not_there_and_layers_without_positions(
    recorded: Path, pictures: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = make_stimuli(recorded, tmp_path, UNITS[:1])
    with pytest.raises(bh.InputError, match="unit in"):
        map_units(make_net(), folder, [Unit("0", 2)])
    with pytest.raises(bh.InputError, match="no folder"):
        map_units(make_net(), tmp_path / "nowhere")
    acts = bh.record_units(make_net(), pictures, layers=["output"], out_path=tmp_path / "flat")
    best = find_exemplars(acts, [Unit("output", 0)], num_batches=1)
    with caplog.at_level("WARNING", "beholder"):
        found = map_units(make_net(), write_exemplars(best, tmp_path / "flat", model=make_net()))
    assert "output:0 has no maps: output has no positions" in caplog.text
    assert found["output", 0].stimuli[0].map is None


def test_sounds_are_mapped_over_time(tmp_path: Path) -> None:
    class Ear(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.conv = nn.Conv1d(1, 3, 9, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.conv(x[:, None]).mean(2)

    generator = np.random.default_rng(0)
    sounds = [(tmp_path / "sounds" / f"sound_{i:02d}.wav") for i in range(22)]
    for path in sounds:
        path.parent.mkdir(exist_ok=True)
        save_sound(path, generator.standard_normal(400) * 0.1, 8000)
    preprocessing = read_preprocessing({"kind": "sound", "rate": 8000, "duration": 0.05})
    net = bh.wrap(Ear(), preprocess=preprocessing, name="ear")
    acts = bh.record_units(net, tmp_path / "sounds", layers=["conv"], out_path=tmp_path / "activations")
    folder = write_exemplars(find_exemplars(acts, [Unit("conv", 2)], num_batches=1), tmp_path / "stimuli")
    (unit,) = map_units(net, folder)
    one = unit.select("natural", "max")[-1]
    assert one.map is not None
    assert one.map.path.suffix == ".png"
    with Image.open(one.map.path) as picture:
        assert picture.size == (98, 1)
    assert (one.map.x, one.map.step_x, one.map.width, one.map.height) == (4.0, 4.0, 400, 1)


def map_all(folder: Path) -> None:
    map_units(make_net(), folder, threads=1)


@pytest.mark.parametrize("n_kills", [1, pytest.param(20, marks=pytest.mark.slow)])
def test_killed(recorded: Path, tmp_path: Path, n_kills: int) -> None:
    map_all(make_stimuli(recorded, tmp_path / "whole"))
    expected = read_tree(tmp_path / "whole" / "small")
    n_inside = 0
    for kill in range(n_kills):
        folder = make_stimuli(recorded, tmp_path / f"broken{kill}")
        process = FORKING.Process(target=map_all, args=(folder,))
        process.start()
        while process.is_alive() and len(list(folder.rglob("activation_maps/**/*.png"))) < 5 + 110 * kill // n_kills:
            time.sleep(0.001)
        process.kill()
        process.join()
        n_inside += len(read_tree(folder)) < len(expected)
        map_all(folder)
        assert read_tree(folder) == expected, f"kill {kill} left other bytes"
    assert n_inside, "no kill fell into the work"
