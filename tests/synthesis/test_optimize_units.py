"""Visualising units: the folder, the numbers in it, verdicts, resuming, adding."""

from __future__ import annotations

import csv
import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tests.forking import FORKING
from torch import Tensor, nn

import beholder as bh
from beholder._core.errors import ConfigurationChanged
from beholder.activations import Activations
from beholder.models import Unit
from beholder.stimuli import open_image
from beholder.synthesis import OBJECTIVES, Visualizations, list_unit_objectives, optimize_units
from beholder.synthesis.visualizations import _worker as _unit_worker
from beholder.synthesis.visualizations._plan import cut_groups

from .nets import SmallNet, SoundNet, make_model

UNITS = [Unit("conv1", 1), Unit("late", 3), Unit("conv1", 4), Unit("relu", 2)]
N_NATURAL = 40
FAST: dict[str, Any] = {"steps": 10, "threads": 1}


def read_tree(folder: Path) -> Mapping[str, bytes]:
    skip = ("provenance.json", ".lock", "machine.json", "machine.json.copy")
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.endswith(skip))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def read_rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def record(net: bh.Model, folder: Path, layers: list[str], scale: float = 1.0) -> Activations:
    """Natural stimuli are faint noise about grey, which a few steps beat."""
    shape = net.input_shape or ()
    noise = np.random.default_rng(0).standard_normal((N_NATURAL, *shape)) * 0.02 * scale
    middle = 0.5 if len(shape) == 3 else 0.0
    stimuli = bh.StimulusSet.from_arrays((noise + middle).astype(np.float32), kind="array")
    return bh.record_units(net, stimuli, layers=layers, out_path=folder / "activations", threads=1)


@pytest.fixture(scope="module")
def acts(tmp_path_factory: pytest.TempPathFactory) -> Activations:
    return record(make_model(), tmp_path_factory.mktemp("recorded"), ["conv1", "late", "relu"])


@pytest.fixture(scope="module")
def searched(acts: Activations, tmp_path_factory: pytest.TempPathFactory) -> Visualizations:
    out = tmp_path_factory.mktemp("searched")
    return optimize_units(make_model(), UNITS, n_images=4, activations=acts, out_path=out, recipe="searched", **FAST)


@pytest.fixture(scope="module")
def made(acts: Activations, tmp_path_factory: pytest.TempPathFactory) -> Visualizations:
    out = tmp_path_factory.mktemp("made")
    return optimize_units(make_model(), UNITS, n_images=4, activations=acts, out_path=out, **FAST)


def measure(net: nn.Module, layer: str, channel: int, pixels: np.ndarray) -> float:
    """The unit's value, with nothing of the package."""
    seen = []
    handle = net.get_submodule(layer).register_forward_hook(lambda _m, _a, out: seen.append(out.clone()))
    with torch.no_grad():
        net((torch.from_numpy(pixels.astype(np.float32) / 255).permute(2, 0, 1)[None] - 0.5) / 0.25)
    handle.remove()
    return float(seen[0][0, channel].mean())


def test_folder_is_as_the_contract_says(made: Visualizations, acts: Activations) -> None:
    assert made.path.name == "SmallNet"
    assert made.units == tuple(UNITS)
    net = SmallNet().eval()
    for unit in UNITS:
        images = made.path / unit.layer / f"channel_{unit.channel}" / "optimized_images"
        names = {f"{sign}_{k}.png" for sign in ("min", "max") for k in range(4)}
        assert {path.name for path in images.iterdir()} == names | {"manifest.csv", "history.npz"}
        rows = read_rows(images / "manifest.csv")
        assert list(rows[0]) == ["file", "role", "source", "rank", "activation", "percentile", "seed", "settings"]
        assert {row["file"] for row in rows} == names
        natural = acts[unit.layer].to_numpy()[:, unit.channel]
        values: dict[str, list[float]] = {"min": [], "max": []}
        for row in rows:
            sign = row["file"][:3]
            value = measure(net, unit.layer, unit.channel, np.asarray(open_image(images / row["file"])))
            assert float(row["activation"]) == pytest.approx(value, rel=1e-4, abs=1e-6)
            beaten = natural < float(row["activation"]) if sign == "max" else natural > float(row["activation"])
            assert float(row["percentile"]) == pytest.approx(100 * beaten.mean())
            assert row["seed"] == "42"
            assert json.loads(row["settings"])["parameterization"] == "Fourier"
            values[sign].append(float(row["activation"]))
        assert values["max"] == sorted(values["max"])
        assert values["min"] == sorted(values["min"], reverse=True)
        ranks = {row["file"]: int(row["rank"]) for row in rows}
        assert [ranks[f"max_{k}.png"] for k in range(4)] == [0, 1, 2, 3]
        assert [ranks[f"min_{k}.png"] for k in range(4)] == [3, 2, 1, 0]
    provenance = json.loads((made.path / "provenance.json").read_text())["outputs"]["optimized_images"]
    assert provenance["units"] == [str(unit) for unit in UNITS]


def find_middle(net: nn.Module, layer: str, channel: int, pixels: np.ndarray) -> float:
    """The unit's value in the middle, with nothing of the package."""
    seen = []
    handle = net.get_submodule(layer).register_forward_hook(lambda _m, _a, out: seen.append(out.clone()))
    with torch.no_grad():
        net((torch.from_numpy(pixels.astype(np.float32) / 255).permute(2, 0, 1)[None] - 0.5) / 0.25)
    handle.remove()
    values = seen[0][0, channel]
    return float(values[values.shape[0] // 2, values.shape[1] // 2])


def test_an_objective_by_its_name(tmp_path: Path) -> None:
    """Neuron raises the middle and leaves the rest; what is written beside it is the unit's activation."""
    unit, net = Unit("conv1", 1), SmallNet().eval()
    options = {"n_images": 1, "activations": None, "parameterization": "pixels", **FAST}
    images = {}
    for name in ("Channel", "Neuron"):
        made = optimize_units(make_model(), [unit], objective=name, out_path=tmp_path / name, **options)
        folder = made.path / "conv1/channel_1/optimized_images"
        images[name] = np.asarray(open_image(folder / "max_0.png"))
        row = next(row for row in read_rows(folder / "manifest.csv") if row["file"] == "max_0.png")
        assert float(row["activation"]) == pytest.approx(measure(net, "conv1", 1, images[name]), rel=1e-4, abs=1e-6)
        assert json.loads(row["settings"]).get("objective") == (None if name == "Channel" else name)
    means = {name: measure(net, "conv1", 1, image) for name, image in images.items()}
    assert means["Channel"] > means["Neuron"]
    usual = np.abs(images["Channel"].astype(int) - 128).mean(axis=2) > 8
    point = np.abs(images["Neuron"].astype(int) - 128).mean(axis=2)
    assert find_middle(net, "conv1", 1, images["Neuron"]) > 0.9 * find_middle(net, "conv1", 1, images["Channel"])
    assert usual.mean() > 0.5 and (point > point.max() / 2).mean() < 0.2, "the picture changed in the middle alone"
    with pytest.raises(ConfigurationChanged):
        optimize_units(make_model(), [unit], objective="Channel", out_path=tmp_path / "Neuron", **options)
    for name, told in (
        ("Logit", "an objective of one unit: Channel, Neuron"),
        ("Neurons", "'Neurons'; try 'Neuron'"),
    ):
        with pytest.raises(bh.InputError, match=told):
            optimize_units(make_model(), [unit], objective=name, out_path=tmp_path / name, **options)
        assert not (tmp_path / name).exists()


def test_objectives_of_other_packages_that_are_of_one_unit_are_listed() -> None:
    assert list_unit_objectives()[:2] == ["Channel", "Neuron"] and set(list_unit_objectives()) < set(OBJECTIVES)


def test_two_images_are_two(acts: Activations, tmp_path: Path) -> None:
    """One with the diversity term and one without, which begin from other noise: never one picture twice."""
    from beholder.synthesis.objectives._diversity import compute_likenesses

    found = {}
    for name, strength in (("plain", 0.0), ("diverse", 5.0)):
        out = tmp_path / name
        made = optimize_units(
            make_model(), UNITS, n_images=2, activations=acts, out_path=out, diversity=strength, **FAST
        )
        for unit in UNITS:
            for sign in ("min", "max"):
                images = made.path / unit.layer / f"channel_{unit.channel}" / "optimized_images"
                first, second = (np.asarray(open_image(images / f"{sign}_{k}.png"), np.float32) for k in (0, 1))
                assert np.abs(first - second).mean() > 1, (name, unit, sign)
                pair = torch.from_numpy((np.stack([first, second]) / 255 - 0.5) / 0.25).permute(0, 3, 1, 2)
                net, seen = SmallNet().eval(), []
                net.get_submodule(unit.layer).register_forward_hook(lambda _m, _a, out, s=seen: s.append(out.detach()))  # pyright: ignore[reportAttributeAccessIssue]
                net(pair)
                found[name, unit, sign] = float(compute_likenesses(seen[0].flatten(2))[0, 1])
    alike = [[value for (each, *_), value in found.items() if each == name] for name in ("plain", "diverse")]
    assert np.mean(alike[1]) < np.mean(alike[0])


def test_strongest_is_without_diversity_and_the_others_with_it(
    searched: Visualizations, acts: Activations, tmp_path: Path
) -> None:
    made, n_searched = searched, 0
    for row in made.table:
        unit = Unit(row["layer"], row["channel"])
        rows = [
            json.loads(each["settings"]) | {"activation": float(each["activation"])}
            for each in read_rows(made.path / unit.path_name / "optimized_images" / "manifest.csv")
            if each["file"].startswith(row["sign"])
        ]
        strengths = [each["diversity"] for each in rows]
        if row["diversity"] > 0:
            n_searched += 1
            assert sorted(strengths) == [0.0, *[row["diversity"]] * 3]
            natural = acts[unit.layer].to_numpy()[:, unit.channel]
            diverse = [each["activation"] for each in rows if each["diversity"]]
            assert min(diverse) > natural.max() if row["sign"] == "max" else max(diverse) < natural.min()
        else:
            assert strengths == [0.0] * 4
    assert n_searched >= 3
    plain = optimize_units(make_model(), UNITS, n_images=4, activations=acts, out_path=tmp_path, diversity=0.0, **FAST)
    for i, row in enumerate(made.table):
        if row["diversity"] > 0:
            kept = made.activations[i // 2, i % 2]
            assert plain.activations[i // 2, i % 2, -1] in kept
            assert len(set(kept) & set(plain.activations[i // 2, i % 2])) == 1


def test_table_of_all_units(made: Visualizations, acts: Activations) -> None:
    rows = read_rows(made.path / "optimized_units.csv")
    names = "layer channel sign n_images activation_best natural_best beats diversity steps note"
    assert set(names.split()) <= set(rows[0])
    assert [(row["layer"], row["channel"], row["sign"]) for row in rows] == [
        (layer, channel, sign)
        for layer, channel in (("conv1", "1"), ("conv1", "4"), ("late", "3"), ("relu", "2"))
        for sign in ("min", "max")
    ]
    for row in rows:
        natural = acts[row["layer"]].to_numpy()[:, int(row["channel"])]
        best, extreme = float(row["activation_best"]), natural.max() if row["sign"] == "max" else natural.min()
        assert float(row["natural_best"]) == pytest.approx(extreme, rel=1e-6)
        lead = best - extreme if row["sign"] == "max" else extreme - best
        assert row["beats"] == ("yes" if lead > 1e-5 * np.abs(natural).max() else "no")
        assert (row["note"] != "") >= (row["beats"] == "no")
        assert (row["n_images"], row["steps"]) == ("4", "10")
    assert sum(row["beats"] == "yes" for row in rows) >= 6


def test_same_call_does_no_work(made: Visualizations, acts: Activations, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_unit_worker.UnitWorker, "open", lambda *_: pytest.fail("work was done"))
    before = read_tree(made.path)
    again = optimize_units(make_model(), UNITS, n_images=4, activations=acts, out_path=made.path.parent, **FAST)
    assert read_tree(made.path) == before
    np.testing.assert_array_equal(again.activations, made.activations)


def test_one_by_one_and_together_agree(acts: Activations, tmp_path: Path) -> None:
    units = [Unit("conv1", i) for i in range(4)] + [Unit("late", i) for i in range(6)]
    settings: dict[str, Any] = {"n_images": 2, "activations": acts, "diversity": 1.0, **FAST}
    together = optimize_units(make_model(), units, out_path=tmp_path / "together", **settings)
    batched = optimize_units(make_model(), units, out_path=tmp_path / "batched", batch_size=64, **settings)
    groups = json.loads((tmp_path / "batched" / ".SmallNet.optimized.jobs" / "layout.json").read_text())["groups"]
    assert sorted(map(len, groups)) == [4, 6]
    for i, unit in enumerate(units):
        optimize_units(make_model(), unit, out_path=tmp_path / str(i), **settings)
        folder = f"SmallNet/{unit.path_name}"
        assert read_tree(tmp_path / str(i) / folder) == read_tree(tmp_path / "together" / folder)
        np.testing.assert_allclose(batched.images[i], together.images[i], atol=3 / 255)
        np.testing.assert_allclose(batched.activations[i], together.activations[i], rtol=1e-2, atol=1e-3)
    again = optimize_units(make_model(), units[2], out_path=tmp_path / "again", batch_size=64, **settings)
    np.testing.assert_allclose(again.images[0], batched.images[2], atol=1.01 / 255)


def test_units_may_be_added(made: Visualizations, acts: Activations, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"n_images": 4, "activations": acts, "out_path": tmp_path, **FAST}
    optimize_units(make_model(), UNITS[1:3], **settings)
    before = read_tree(tmp_path / "SmallNet")
    more = optimize_units(make_model(), UNITS[:2], **settings)
    after = read_tree(tmp_path / "SmallNet")
    assert {name: after[name] for name in before if name != "optimized_units.csv"} == {
        name: data for name, data in before.items() if name != "optimized_units.csv"
    }
    assert more.units == tuple(UNITS[:2])
    assert len(Visualizations.open(tmp_path / "SmallNet")) == 3
    optimize_units(make_model(), UNITS, **settings)
    assert read_tree(tmp_path / "SmallNet") == read_tree(made.path)


def test_groups_of_earlier_runs_are_not_made_again(acts: Activations, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"n_images": 1, "activations": acts, "out_path": tmp_path, "batch_size": 8, **FAST}
    units = [Unit("conv1", i) for i in range(6)]
    receipts = tmp_path / ".SmallNet.optimized.jobs" / "receipts"
    optimize_units(make_model(), units[:3], **settings)
    before = {path: path.stat().st_mtime_ns for path in receipts.iterdir()}
    assert len(before) == 1
    optimize_units(make_model(), units[::-1], **settings)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    groups = [json.loads(path.read_text())["payload"]["units"] for path in sorted(receipts.iterdir())]
    assert [[channel for _, channel in group] for group in groups] == [[0, 1, 2], [5, 4, 3]]


def test_groups_stay_as_they_were_cut() -> None:
    settings = {"n_images": 2, "batch_size": 8, "device": "cpu"}
    units = [Unit(layer, i) for i in range(3) for layer in "ab"]
    first = cut_groups(units[:3], settings)
    assert first == [[Unit("a", 0), Unit("a", 1)], [Unit("b", 0)]]
    second = cut_groups(units, settings, first)
    assert second[:2] == first
    assert sorted(unit for group in second for unit in group) == sorted(units)
    assert all(len({unit.layer for unit in group}) == 1 for group in second)
    mixed = cut_groups(units, {**settings, "device": "cuda"})
    assert mixed == [[unit for layer in "ab" for unit in units if unit.layer == layer]]
    assert cut_groups([], settings) == []
    assert cut_groups(units, {**settings, "batch_size": None})[0] == [Unit("a", 0)]


def test_other_settings_are_refused(acts: Activations, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"activations": acts, "out_path": tmp_path, **FAST}
    optimize_units(make_model(), UNITS[0], n_images=2, **settings)
    natural = tmp_path / "SmallNet" / "conv1" / "channel_1" / "natural_images" / "manifest.csv"
    natural.parent.mkdir()
    natural.write_bytes(b"x")
    with pytest.raises(bh.InputError, match=r"recipe.steps was 10, now 11.*overwrite=True"):
        optimize_units(make_model(), UNITS[0], n_images=2, **{**settings, "steps": 11})
    with pytest.raises(bh.InputError, match="seed was 42, now 1"):
        optimize_units(make_model(), UNITS[0], n_images=2, seed=1, **settings)
    with pytest.raises(bh.InputError, match="natural was"):
        optimize_units(make_model(), UNITS[0], n_images=2, **{**settings, "activations": None})
    vis = optimize_units(make_model(), UNITS[1], n_images=3, overwrite=True, **settings)
    assert natural.read_bytes() == b"x"
    assert not list(tmp_path.glob("SmallNet/conv1/channel_1/optimized_images"))
    assert {row["layer"] for row in read_rows(vis.path / "optimized_units.csv")} == {"late"}
    shutil.rmtree(tmp_path / ".SmallNet.optimized.jobs")
    with pytest.raises(bh.InputError, match="settings beside it"):
        optimize_units(make_model(), UNITS[1], n_images=3, **settings)


def test_without_a_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.chdir(tmp_path)
    vis = optimize_units(make_model(), UNITS[:2], n_images=3, **FAST)
    assert "no recording" in caplog.text
    assert (tmp_path / "stimuli" / "SmallNet" / "optimized_units.csv").exists()
    assert np.isnan(vis.percentiles).all()
    assert {row["beats"] for row in vis.table} == {"unknown"}
    assert {row["note"] for row in vis.table} == {"no recording to compare with"}
    assert {row["natural_best"] for row in vis.table} == {None}
    rows = read_rows(vis.path / "conv1" / "channel_1" / "optimized_images" / "manifest.csv")
    assert {row["percentile"] for row in rows} == {""}
    assert any(row["diversity"] is None for row in vis.table)
    for row in vis.table:  # half-way from grey to the strongest without the term; with it one may be stronger still
        if row["diversity"] is None:
            blank = measure(SmallNet().eval(), row["layer"], row["channel"], np.full((16, 16, 3), 127.5))
            best, weakest = row["activation_best"], row["activation_weakest"]
            assert (weakest - blank) / (best - blank) > 0.4


def test_a_recording_is_found_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    record(make_model(), tmp_path, ["conv1"])
    vis = optimize_units(make_model(), UNITS[0], n_images=1, **FAST)
    assert vis.table[0]["n_natural"] == N_NATURAL
    assert vis.images.shape == (1, 2, 1, 3, 16, 16)


class Moody(nn.Module):
    """Channels that are dead, constant, rectified, or not a number for dark pictures."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.conv, self.relu = nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(inplace=True)
        self.last = nn.Identity()
        with torch.no_grad():
            assert self.conv.bias is not None
            self.conv.bias[:] = torch.tensor([-50.0, 0.0, 0.0, 0.5])
            self.conv.weight[3] = 0

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.conv(x))
        log = torch.where(x.mean((1, 2, 3), keepdim=True) < 0.498, torch.nan, x[:, :1])
        return self.last(torch.cat([y, log], 1))


@pytest.fixture(scope="module")
def moody(tmp_path_factory: pytest.TempPathFactory) -> tuple[bh.Model, Activations]:
    net = bh.wrap(Moody().eval(), input_range=(0.0, 1.0), input_shape=(3, 16, 16))
    return net, record(net, tmp_path_factory.mktemp("moody"), ["relu", "last", "conv"], scale=3.0)


def test_units_in_a_bad_mood(moody: tuple[bh.Model, Activations], tmp_path: Path) -> None:
    net, acts = moody
    units = [Unit("relu", 0), Unit("relu", 1), Unit("relu", 3), Unit("last", 4)]
    vis = optimize_units(net, units, n_images=3, activations=acts, out_path=tmp_path, **FAST)
    rows = {(row["layer"], row["channel"], row["sign"]): row for row in vis.table}
    assert len(rows) == 8
    for sign in ("min", "max"):
        dead, constant, broken = rows["relu", 0, sign], rows["relu", 3, sign], rows["last", 4, sign]
        assert (dead["beats"], constant["beats"], broken["beats"]) == ("tie", "tie", "unknown")
        assert "dead in the recording: 0 for all 40 stimuli" in dead["note"]
        assert "dead in the recording: 0.5 for all 40 stimuli; tie at 0.5" in constant["note"]
        assert "not finite for" in broken["note"]
        assert "\n" not in dead["note"] + constant["note"] + broken["note"]
    assert rows["relu", 1, "max"]["beats"] == "yes"
    assert np.isnan(vis.percentiles[3]).all()
    assert json.loads(json.dumps(list(vis.table), allow_nan=False))


def test_the_value_before_the_rectifier_is_offered(tmp_path: Path) -> None:
    net = SmallNet().eval()
    with torch.no_grad():
        net.conv1.bias[2] -= 3.0  # type: ignore[index]
    model = bh.wrap(net, normalize=lambda x: (x - 0.5) / 0.25, input_range=(0.0, 1.0), input_shape=(3, 16, 16))
    acts = record(model, tmp_path, ["relu", "conv1"], scale=3.0)
    unit = Unit("relu", 2)
    vis = optimize_units(model, unit, n_images=2, activations=acts, out_path=tmp_path, steps=30, threads=1)
    low, high = vis.table
    assert (low["beats"], low["natural_best"], high["beats"]) == ("tie", 0.0, "yes")
    assert low["note"].endswith("tie at 0, the floor of a rectified unit; before the rectifier it is relu:in:2")
    assert low["diversity"] == 0
    acts = record(model, tmp_path, ["relu:in"], scale=3.0)
    before = optimize_units(model, Unit("relu:in", 2), n_images=2, activations=acts, out_path=tmp_path, steps=30,
                            threads=1, overwrite=True)  # fmt: skip
    assert before.table[0]["beats"] == "yes"


@pytest.mark.parametrize(
    ("units", "options", "message"),
    [
        ([Unit("conv1", 6)], {}, "a channel of conv1 from 0 to 5; got 6"),
        ([Unit("nowhere", 0)], {}, "nowhere"),
        ([Unit("conv2", 0)], {}, "not recorded there"),
        ([], {}, "at least one unit"),
        (UNITS[:1], {"n_images": 0}, "n_images"),
        (UNITS[:1], {"steps": 0}, "steps"),
        (UNITS[:1], {"max_loops": -1}, "expected max_loops of 0 or more; got -1"),
        (UNITS[:1], {"diversity": -1.0}, "expected diversity of 0 or more; got -1.0"),
        (UNITS[:1], {"parameterization": "cppn"}, "fourier|phase|pixels"),
        (UNITS[:1], {"learning_rate": 0.0}, "expected learning_rate above 0; got 0.0"),
        (UNITS[:1], {"spectrum": np.ones((16, 9))}, "'phase'"),
        (UNITS[:1], {"colour": 1}, "expected the name of a keyword of optimize_units(); got 'colour'; try 'cluster'"),
        (UNITS[:1], {"step": 8}, "expected the name of a keyword of optimize_units(); got 'step'; try 'steps'"),
        (UNITS[:1], {"activations": "none.zarr"}, "none.zarr"),
    ],
)
def test_wrong_input_is_one_line(
    units: list[Unit], options: dict[str, Any], message: str, acts: Activations, tmp_path: Path
) -> None:
    with pytest.raises(bh.InputError) as error:
        optimize_units(make_model(), units, **{"activations": acts, "out_path": tmp_path, **options})
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert not isinstance(error.value.__cause__, TypeError)  # no name of a private class
    assert not list(tmp_path.iterdir())


class Idle(SmallNet):
    """Has a layer that never runs, and one whose values are not numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.spare = nn.Conv2d(3, 3, 1)
        self.broken = nn.Conv2d(3, 3, 1)
        with torch.no_grad():
            self.broken.weight[:] = torch.nan

    def forward(self, x: Tensor) -> Tensor:
        self.broken(x)
        return super().forward(x)


@pytest.mark.parametrize(("layer", "message"), [("spare", "'spare', which does not run"), ("broken", "NaN")])
def test_layers_that_cannot_be_driven_are_one_line(layer: str, message: str, tmp_path: Path) -> None:
    net = bh.wrap(Idle().eval(), input_range=(0.0, 1.0), input_shape=(3, 16, 16))
    with pytest.raises(bh.InputError, match=message) as error:
        optimize_units(net, Unit(layer, 0), out_path=tmp_path, activations=None)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_foreign_recordings_are_refused(acts: Activations, tmp_path: Path) -> None:
    other = bh.wrap(SmallNet(), input_range=(0.0, 1.0), input_shape=(3, 16, 16), name="other")
    with pytest.raises(bh.InputError, match="a recording of other"):
        optimize_units(other, UNITS[0], activations=acts, out_path=tmp_path)
    stimuli = bh.StimulusSet.from_arrays(np.zeros((4, 3, 16, 16), np.float32), kind="array")
    pooled = bh.extract(make_model(), stimuli, ["conv1"], pool="max", out_path=tmp_path / "a")
    with pytest.raises(bh.InputError, match="pooled by max"):
        optimize_units(make_model(), UNITS[0], activations=pooled, out_path=tmp_path / "b")
    whole = bh.extract(make_model(), stimuli, ["conv1"], out_path=tmp_path / "a")
    vis = optimize_units(make_model(), UNITS[0], n_images=1, activations=whole, out_path=tmp_path / "b", **FAST)
    assert vis.table[0]["n_natural"] == 4


def test_phases_come_with_transparency(acts: Activations, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"n_images": 2, "activations": acts, "diversity": 0.0, **FAST}
    phase = optimize_units(make_model(), UNITS[0], parameterization="phase", out_path=tmp_path, **settings)
    folder = phase.path / UNITS[0].path_name / "optimized_images"
    assert {path.name for path in (folder / "transparency").iterdir()} == {
        f"{sign}_{k}.png" for sign in ("min", "max") for k in range(2)
    }
    with Image.open(folder / "transparency" / "max_1.png") as opacity:
        assert (opacity.mode, opacity.size) == ("L", (16, 16))
        assert np.asarray(opacity).max() == 255
    assert {Path(row["file"]).parent.as_posix() for row in read_rows(folder / "manifest.csv")} == {"."}
    spectrum = np.ones((3, 16, 9), np.float32)
    with pytest.raises(bh.InputError, match="spectrum"):
        optimize_units(
            make_model(), UNITS[0], parameterization="phase", spectrum=spectrum, out_path=tmp_path, **settings
        )
    white = optimize_units(
        make_model(), UNITS[0], parameterization="phase", spectrum=spectrum, out_path=tmp_path, overwrite=True,
        transparency=False, **settings,
    )  # fmt: skip
    assert not (folder / "transparency").exists()
    assert white.table[1]["activation_best"] != phase.table[1]["activation_best"]


def test_sounds(tmp_path: Path) -> None:
    net = bh.wrap(SoundNet().eval(), input_range=(-1.0, 1.0), sample_rate=8000, input_shape=(400,), name="ear")
    acts = record(net, tmp_path, ["conv2"])
    vis = optimize_units(net, [Unit("conv2", 1)], n_images=3, activations=acts, out_path=tmp_path, steps=40, threads=1)
    folder = vis.path / "conv2" / "channel_1" / "optimized_images"
    assert {path.suffix for path in folder.glob("m??_?.*")} == {".wav"}
    assert vis.images.shape == (1, 2, 3, 400)
    assert np.abs(np.asarray(vis.images)).max() <= 1
    with torch.no_grad():
        heard = net.module.conv2(torch.relu(net.module.conv1(torch.from_numpy(vis.images[0, 1])[:, None])))  # type: ignore[operator]
    np.testing.assert_allclose(heard[:, 1].mean(1), vis.activations[0, 1], rtol=1e-4)
    assert vis.table[1]["beats"] == "yes"
    with pytest.raises(bh.InputError, match='parameterization="phase"'):
        optimize_units(net, Unit("conv2", 1), activations=None, out_path=tmp_path / "b", parameterization="phase")


class Tokens(nn.Module):
    """A small transformer: patches, a class token, an attention block, a norm."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.patch = nn.Conv2d(3, 24, 4, 4)
        self.attention = nn.MultiheadAttention(24, 2, batch_first=True)
        self.norm, self.mlp = nn.LayerNorm(24), nn.Linear(24, 48)
        self.cls = nn.Parameter(torch.randn(1, 1, 24))

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patch(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.cls.expand(len(x), -1, -1), tokens], 1)
        tokens = tokens + self.attention(tokens, tokens, tokens, need_weights=False)[0]
        return nn.functional.gelu(self.mlp(self.norm(tokens)))


def test_tokens(tmp_path: Path) -> None:
    net = bh.wrap(Tokens().eval(), input_range=(0.0, 1.0), input_shape=(3, 16, 16))
    acts = record(net, tmp_path, ["norm", "mlp"])
    units = [Unit("norm", 3), Unit("mlp", 40)]
    vis = optimize_units(net, units, n_images=3, activations=acts, out_path=tmp_path, **FAST)
    assert [row["beats"] for row in vis.table] == ["yes"] * 4
    with torch.no_grad():
        tokens = bh.capture(net, vis.images[1, 1], ["mlp"])[1]["mlp"]
    np.testing.assert_allclose(tokens[:, :, 40].mean(1), vis.activations[1, 1], rtol=1e-4)


class DiskFull(Exception):
    """Stands for whatever stops a run."""


def test_stopped_runs_continue_to_the_same_bytes(
    made: Visualizations, acts: Activations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = read_tree(made.path)
    write = _unit_worker.write_bytes
    for n_files in (1, 24):
        left = [n_files]

        def write_some(path: Path, data: bytes, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise DiskFull
            write(path, data)

        monkeypatch.setattr(_unit_worker, "write_bytes", write_some)
        with pytest.raises(DiskFull):
            optimize_units(make_model(), UNITS, n_images=4, activations=acts, out_path=tmp_path / str(n_files), **FAST)
        monkeypatch.setattr(_unit_worker, "write_bytes", write)
        vis = optimize_units(
            make_model(), UNITS, n_images=4, activations=acts, out_path=tmp_path / str(n_files), **FAST
        )
        assert read_tree(vis.path) == expected


def test_lanes_do_not_change_a_byte(made: Visualizations, acts: Activations, tmp_path: Path) -> None:
    vis = optimize_units(
        make_model(), UNITS, n_images=4, activations=acts, out_path=tmp_path, steps=FAST["steps"], threads=3
    )
    assert read_tree(vis.path) == read_tree(made.path)


def test_too_little_memory_is_taken_in_halves(
    acts: Activations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from beholder._core.errors import BeholderError
    from beholder.synthesis.engine._loop import BatchRun

    run, most = BatchRun.run, [4]

    def run_small(self: BatchRun, **options: Any) -> Any:
        if len(self.rows) > most[0]:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return run(self, **options)

    monkeypatch.setattr(BatchRun, "run", run_small)
    settings: dict[str, Any] = {"n_images": 2, "activations": acts, "diversity": 0.0, "batch_size": 64, **FAST}
    units = [Unit("conv1", i) for i in range(3)]
    small = optimize_units(make_model(), units, out_path=tmp_path / "small", **settings)
    assert {row["note"].rpartition("; ")[2] for row in small.table} == {"made in smaller batches, for lack of memory"}
    provenance = json.loads((small.path / "provenance.json").read_text())["outputs"]["optimized_images"]
    assert provenance["smaller_batches"] == [[["conv1", 0], ["conv1", 1], ["conv1", 2]]]
    most[0] = 1
    with pytest.raises(BeholderError, match=r"2 images of conv1:0 to fit in memory.*fewer n_images"):
        optimize_units(make_model(), units, out_path=tmp_path / "none", **settings)
    monkeypatch.undo()
    whole = optimize_units(make_model(), units, out_path=tmp_path / "whole", **settings)
    np.testing.assert_allclose(np.asarray(small.images), np.asarray(whole.images), atol=3 / 255)


def test_the_first_error_is_told_wherever_it_happens(
    acts: Activations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from beholder.synthesis.engine._loop import BatchRun

    take_step = BatchRun._take_step

    def fail_late(self: BatchRun) -> None:
        if self.layers == ("late",):
            raise DiskFull("at late")
        time.sleep(0.01)
        take_step(self)

    monkeypatch.setattr(BatchRun, "_take_step", fail_late)
    units = [Unit("conv1", 0), Unit("conv1", 1), Unit("late", 3)]
    with pytest.raises(DiskFull, match="at late"):
        optimize_units(make_model(), units, n_images=4, activations=acts, out_path=tmp_path, steps=20, threads=3)


def make_all(path: Path, out: Path) -> None:
    torch.set_num_threads(1)
    optimize_units(make_model(), UNITS, n_images=4, activations=Activations(path), out_path=out, **FAST)


@pytest.mark.parametrize("n_kills", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_killed(made: Visualizations, acts: Activations, tmp_path: Path, n_kills: int) -> None:
    expected = read_tree(made.path)
    n_inside = 0
    for kill in range(n_kills):
        out = tmp_path / f"broken{kill}"
        process = FORKING.Process(target=make_all, args=(acts.path, out))
        process.start()
        while process.is_alive() and len(list(out.rglob("*.png"))) < 30 * kill // n_kills:
            time.sleep(0.001)
        time.sleep(0.37 * kill % 0.2)
        process.kill()
        process.join()
        n_inside += process.exitcode == -9
        make_all(acts.path, out)
        assert read_tree(out / "SmallNet") == expected, f"kill {kill} left other bytes"
    assert n_inside, "no kill fell into the work"
