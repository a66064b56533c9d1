"""Making metamers: any module, both recipes, files, growth, bad days."""

from __future__ import annotations

import itertools
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn
from torch.nn import functional as F

import beholder as bh
from beholder._core.errors import ConfigurationChanged
from beholder.stimuli import METAMER_COLUMNS, MetamerSet, decide_category, load_wnids, read_metamer_table
from beholder.synthesis import Whitened, make_metamers
from beholder.synthesis.engine._session import ProblemResult, open_session
from beholder.synthesis.images._parameterization import Canvas
from beholder.synthesis.metamers._maker import MetamerMaker, MetamerTask
from beholder.synthesis.metamers._recipe import make_metamer_recipe

from .nets import SoundNet, count_hooks, make_model

PICTURES = np.random.default_rng(0).random((3, 3, 16, 16), dtype=np.float32)


class Stranger(nn.Module):
    """Nothing that anybody has registered: functional ReLUs, a residual path, a head of 5."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.inlet = nn.Conv2d(3, 8, 3, padding=1)
        self.deep = nn.ModuleList(nn.Conv2d(8, 8, 3, padding=1) for _ in range(2))
        self.stage = Residual(8)
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.inlet(x), inplace=True)
        return self.head(self.stage(x).mean((2, 3)))


class Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.two(F.relu(self.one(x))))


def read_tree(folder: Path) -> dict[str, bytes]:
    skip = ("provenance.json", ".lock", "machine.json", "machine.json.copy")
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.endswith(skip))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def get_own_rows(made: Any) -> Any:
    table = made.to_pandas()
    return table[table["layer"] == table["measured_layer"]]


@dataclass
class Followed:
    """Which starts were made of which stimuli, and what came out."""

    starts: list[tuple[int, list[str]]]
    made: list[ProblemResult]


def follow_starts(
    net: bh.Model,
    monkeypatch: pytest.MonkeyPatch,
    recipe: str,
    decibels: list[list[float]],
    stopped_by: str = "plateau",
) -> Followed:
    """Make metamers where each start ends, after two steps, at the given match; their images are the start's number."""
    starts: list[tuple[int, list[str]]] = []

    def start(self: Any, tasks: Any, checkpoint: Any, attempt: int, advance: Any = None) -> Any:
        starts.append((attempt, [task.stimulus_id for task in tasks]))
        image = np.full((1, 1), attempt, np.float32)
        ends = [np.array([[1.0, 10 ** (-level / 20)]], np.float32) for level in decibels[attempt]]
        return [ProblemResult(image, losses, 2, stopped_by) for losses in ends]

    monkeypatch.setattr(MetamerMaker, "_start", start)
    tasks = [MetamerTask("1", f"{i:06d}", 0, PICTURES[i % 3], "", "") for i in range(len(decibels[0]))]
    with open_session(net, ["1"], (3, 16, 16)) as session:
        maker = MetamerMaker(session, ["1"], ["1"], make_metamer_recipe(net, recipe))
        return Followed(starts, maker.match(tasks))


def test_a_module_never_seen_before() -> None:
    module = Stranger().eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    made: Any = bh.make_metamers(module, PICTURES, ["stage"], iterations=400)
    assert made.stimuli.shape == (3, 3, 16, 16)
    assert made.rectifiers == {"stage": 1}
    own = get_own_rows(made)
    assert (own["db_snr"] > 30).all()
    assert (own["db_snr_published"] == own["db_snr"] / 2).all()
    assert own["db_snr_saved"].isna().all()
    assert own["passed"].isna().all()
    assert (made.predictions["answer_metamer"] == made.predictions["answer_original"]).all()
    assert set(made.predictions["decision"]) == {"class"}
    assert count_hooks(module) == 0
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
    assert not np.allclose(made.stimuli[0], PICTURES[0], atol=0.1)
    assert [each.keys for each in made] == [(key,) for key in made.keys]


def test_the_table_against_direct_measures() -> None:
    model = make_model()
    made = make_metamers(model, PICTURES[:2], ["relu", "late"], iterations=40)
    table = made.to_pandas()
    assert tuple(table.columns) == METAMER_COLUMNS
    assert set(table["measured_layer"]) == {"conv1", "relu", "conv2", "late", "head"}
    summary: Any = made.to_summary()
    assert [tuple(row) for row in summary[["stimulus_id", "layer", "seed"]].values.tolist()] == list(made.keys)
    assert summary["db_snr"].tolist() == get_own_rows(made)["db_snr"].tolist()
    layers = ["conv1", "conv2", "late", "head"]  # an in-place ReLU overwrites none of these
    for (stimulus_id, layer, seed), image in zip(made.keys, made.stimuli, strict=True):
        _, x = bh.capture(model, PICTURES[int(stimulus_id)][None], layers)
        logits, y = bh.capture(model, image[None], layers)
        rows: Any = table[(table["stimulus_id"] == stimulus_id) & (table["layer"] == layer)].set_index("measured_layer")
        for name in layers:
            a, b = (each[name].flatten().double().numpy() for each in (x, y))
            row = rows.loc[name]
            assert row["spearman"] == pytest.approx(stats.spearmanr(a, b).statistic, abs=1e-3)
            assert row["pearson"] == pytest.approx(stats.pearsonr(a, b).statistic, abs=1e-4)
            assert row["db_snr"] == pytest.approx(10 * np.log10((a**2).sum() / ((a - b) ** 2).sum()), abs=0.02)
            assert row["prediction_metamer"] == str(int(logits.argmax()))
            assert (row["seed"], row["recipe"], row["model"]) == (seed, "default", "SmallNet")
        assert rows.loc[layer, "loss"] == pytest.approx(10 ** (-rows.loc[layer, "db_snr"] / 20), rel=1e-3)


def test_a_random_start_is_no_metamer() -> None:
    model = make_model()
    recipe = make_metamer_recipe(model)
    start = recipe.draw_start((3, 16, 16), (0.0, 1.0), 0, "000000")
    _, x = bh.capture(model, PICTURES[:1], ["conv2"])
    _, y = bh.capture(model, start[None], ["conv2"])
    ratio = 10 * np.log10(float((x["conv2"] ** 2).sum() / ((x["conv2"] - y["conv2"]) ** 2).sum()))
    made = get_own_rows(make_metamers(model, PICTURES[:1], ["conv2"], iterations=400))
    assert ratio < 6
    assert float(made["db_snr"].iloc[0]) > 35


def test_published_steps_against_a_plain_loop() -> None:
    """Loss, fake rectifier, normalised step, halving, clamp, last iterate, written out once more."""
    model = make_model()
    settings: dict[str, Any] = {"iterations": 6, "repeats": 3, "step_size": 0.5}
    made = make_metamers(model, PICTURES[1:2], ["relu"], recipe="published", **settings)
    net: Any = model.module
    x = torch.from_numpy(make_metamer_recipe(model, "published").draw_start((3, 16, 16), (0.0, 1.0), 0, "any"))[None]
    with torch.no_grad():
        target = net.conv1((torch.from_numpy(PICTURES[1:2]) - 0.5) / 0.25).relu()
    losses = []
    for repeat in range(3):
        for _ in range(6):
            leaf = x.detach().requires_grad_(True)
            before = net.conv1((leaf - 0.5) / 0.25)
            fake = before + (before.relu() - before).detach()
            loss = torch.linalg.vector_norm(fake - target) / torch.linalg.vector_norm(target)
            losses.append(float(loss.detach()))
            (gradient,) = torch.autograd.grad(loss, leaf)
            x = leaf.detach() - 0.5 / 2**repeat * gradient / (gradient.norm() + 1e-10)
            x = x.clamp(0, 1)
    np.testing.assert_allclose(made.losses[0], losses, rtol=2e-4)
    np.testing.assert_allclose(made.stimuli[0], x[0].numpy(), atol=2e-4)
    assert make_metamer_recipe(model, "published").steps == 24_000


def test_noise_is_the_same_for_every_layer_and_another_for_every_stimulus() -> None:
    model = make_model()
    ours, published = (make_metamer_recipe(model, name) for name in ("default", "published"))
    draw = [ours.draw_start((3, 16, 16), (0.0, 1.0), seed, name) for seed, name in ((0, "a"), (0, "b"), (1, "a"))]
    assert not np.array_equal(draw[0], draw[1])
    assert not np.array_equal(draw[0], draw[2])
    same: Any = [published.draw_start((3, 16, 16), (0.0, 1.0), 0, name) for name in ("a", "b")]
    np.testing.assert_array_equal(*same)
    assert abs(draw[0].mean() - 0.5) < 0.01
    assert abs(draw[0].std() - 0.05) < 0.01
    sound = bh.wrap(SoundNet().eval(), sample_rate=8000, input_shape=(800,), input_range=(-1.0, 1.0))
    assert make_metamer_recipe(sound, "published").draw_start((800,), (-1.0, 1.0), 0, "a").std() < 2e-7


def test_special_losses_run_and_end_with_the_whole_layer() -> None:
    model = make_model()
    loss = "random_single_unit_optimization_inversion_loss_layer"
    made = make_metamers(model, PICTURES[:1], ["conv1"], recipe="published", loss=loss, iterations=30, repeats=3)
    plain = make_metamers(model, PICTURES[:1], ["conv1"], recipe="published", iterations=30, repeats=3)
    assert not np.allclose(made.losses[0][:20], plain.losses[0][:20])
    assert float(made.losses[0][-1]) == pytest.approx(
        float(get_own_rows(made)["loss"].iloc[0]), rel=0.6
    )  # the last repeat matches all channels
    filters = "coarse_define_spectemp_inversion_loss_layer"
    with pytest.raises(bh.InputError, match="spectrotemporal"):
        make_metamers(model, PICTURES[:1], ["conv1"], recipe="published", loss=filters, iterations=2, repeats=2)


def test_sounds() -> None:
    model = bh.wrap(SoundNet().eval(), sample_rate=8000, input_shape=(400,), input_range=(-1.0, 1.0), name="ears")
    sounds = 0.1 * np.random.default_rng(0).standard_normal((2, 400)).astype(np.float32)
    stimuli = bh.StimulusSet.from_arrays(sounds, ["one", "two"], kind="sound")
    made = make_metamers(model, stimuli, ["conv2"], iterations=300)
    assert (get_own_rows(made)["db_snr"] > 30).all()
    assert np.abs(made.stimuli).max() <= 1


def test_arrays_without_range_or_space() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(12, 20), nn.ReLU(), nn.Linear(20, 3)).eval()
    made = make_metamers(module, np.random.default_rng(0).normal(size=(2, 12)).astype(np.float32), ["1"])
    assert (get_own_rows(made)["db_snr"] > 40).all()


# --- files -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def net(tmp_path: Path) -> bh.Model:
    (tmp_path / "net.py").write_text(
        "import torch\nfrom torch import nn\ninput_shape, input_range = (3, 16, 16), (0.0, 1.0)\n"
        "classes = [f'class {i}' for i in range(4)]\n\ndef build():\n    torch.manual_seed(0)\n"
        "    return nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(inplace=True), nn.Conv2d(6, 8, 3, 2), nn.ReLU(),\n"
        "        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))\n"
    )
    return bh.load_model(f"file:{tmp_path / 'net.py'}", device="cpu")


def test_files_are_as_the_contract_says(net: Any, tmp_path: Path) -> None:
    out = tmp_path / "metamers"
    made = make_metamers(net, PICTURES[:2], ["1", "3"], seeds=[0, 2], out_path=out, iterations=60)
    folder = out / "net"
    names = {"metamer", "metamer_seed2"}
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*.png")}
    expected = {f"{layer}/00000{i}/{name}.png" for layer in "13" for i in range(2) for name in names}
    assert found == expected | {f"originals/00000{i}.png" for i in range(2)}
    table = MetamerSet(folder).to_pandas()
    assert len(table) == 2 * 2 * 2 * 7
    assert made.to_pandas().equals(table)
    for key in made.keys:
        one = made.files[key]
        told = one.describe()
        rows: Any = table[(table["stimulus_id"] == key[0]) & (table["layer"] == key[1]) & (table["seed"] == key[2])]
        assert told["rectifiers_passed"] == 1
        assert told["steps"] == rows["steps"].iloc[0] == len(one.read_losses())
        assert told["predictions"]["metamer_saved"]["answers"]["class"] == rows["prediction_metamer"].iloc[0]
        assert told["predictions"]["original"]["label"].startswith("class ")
        x, y = torch.from_numpy(PICTURES[int(key[0])])[None], torch.from_numpy(made.form.decode(one.path))[None]
        np.testing.assert_allclose(made.form.decode(one.original), PICTURES[int(key[0])], atol=0.51 / 255)
        layer = net.module[: int(key[1]) + 1]
        with torch.no_grad():
            a, b = layer(x), layer(y)
        own = rows[rows["measured_layer"] == key[1]].iloc[0]
        assert own["db_snr_saved"] == pytest.approx(
            10 * float(torch.log10((a**2).sum() / ((a - b) ** 2).sum())), abs=1e-3
        )
        assert own["db_snr_saved"] != own["db_snr"]
    assert (folder / "provenance.json").exists()
    assert "1 of 2" not in repr(made)


def test_the_same_bytes_again_and_with_any_workers(net: bh.Model, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"layers": ["1", "3"], "iterations": 40, "threads": 2}
    make_metamers(net, PICTURES, out_path=tmp_path / "a" / "metamers", **settings)
    expected = read_tree(tmp_path / "a")
    make_metamers(net, PICTURES, out_path=tmp_path / "b" / "metamers", workers=2, **settings)
    assert read_tree(tmp_path / "b") == expected
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "a").rglob("*.png")}
    make_metamers(net, PICTURES, out_path=tmp_path / "a" / "metamers", **settings)
    assert read_tree(tmp_path / "a") == expected
    assert {path: path.stat().st_mtime_ns for path in times} == times


def test_additions_keep_what_is_there(net: bh.Model, tmp_path: Path) -> None:
    out = tmp_path / "metamers"
    settings: dict[str, Any] = {"iterations": 30, "threads": 2, "out_path": out}
    make_metamers(net, PICTURES[:2], ["1"], **settings)
    before = {name: data for name, data in read_tree(out / "net").items() if "results" not in name}
    first = MetamerSet(out / "net").to_pandas()
    make_metamers(net, PICTURES[:3], ["1"], **settings)
    make_metamers(net, PICTURES[:1], ["3"], seeds=1, **settings)
    after = read_tree(out / "net")
    assert {name: after[name] for name in before if name != "stimuli.csv"} == {
        name: data for name, data in before.items() if name != "stimuli.csv"
    }
    table = MetamerSet(out / "net").to_pandas()
    kept = table[(table["layer"] == "1") & table["stimulus_id"].isin(["000000", "000001"])].reset_index(drop=True)
    assert kept.equals(first)
    assert len(MetamerSet(out / "net")) == 4
    assert table["stimulus_id"].tolist()[:7] == ["000000"] * 7
    other = bh.StimulusSet.from_arrays(PICTURES[2:], ["000000"])
    with pytest.raises(ConfigurationChanged, match="000000"):
        make_metamers(net, other, ["1"], **settings)
    make_metamers(net, other, ["1"], overwrite=True, **settings)
    assert MetamerSet(out / "net").files[0].original.read_bytes() == after["originals/000002.png"]


def test_other_settings_are_refused_or_replace(net: bh.Model, tmp_path: Path) -> None:
    out = tmp_path / "metamers"
    make_metamers(net, PICTURES[:1], ["1"], out_path=out, iterations=20)
    with pytest.raises(ConfigurationChanged, match=r"recipe\.iterations was 20, now 10") as caught:
        make_metamers(net, PICTURES[:1], ["1"], out_path=out, iterations=10)
    ways = "try iterations=20 repeats=1 to go on with it or another output folder or overwrite=True to replace it"
    assert ways in str(caught.value)
    apart = make_metamers(net, PICTURES[:1], ["1"], out_path=out, iterations=10, keep_apart=True)
    assert apart.path == out / "net_I10_N1"
    made: Any = make_metamers(net, PICTURES[:1], ["3"], out_path=out, iterations=10, overwrite=True)
    assert MetamerSet(out / "net").layers == ("3",)
    assert not (out / "net" / "1").exists()
    assert made.to_pandas()["steps"].max() <= 10


def test_work_goes_on_from_its_state(net: bh.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from beholder.synthesis.engine import _loop
    from beholder.synthesis.metamers import _worker as _metamer_worker

    monkeypatch.setattr(_metamer_worker, "CHECKPOINT_EVERY", 5)
    settings: dict[str, Any] = {"layers": ["1"], "recipe": "published", "iterations": 10, "repeats": 3, "threads": 1}
    make_metamers(net, PICTURES[:1], out_path=tmp_path / "whole" / "metamers", **settings)
    taken: list[int] = []
    take = _loop.BatchRun._take_step

    def stop_there(self: Any) -> None:
        taken.append(self.step)
        if self.step == 17:
            raise KeyboardInterrupt
        take(self)

    monkeypatch.setattr(_loop.BatchRun, "_take_step", stop_there)
    with pytest.raises(KeyboardInterrupt):
        make_metamers(net, PICTURES[:1], out_path=tmp_path / "part" / "metamers", **settings)
    monkeypatch.setattr(_loop.BatchRun, "_take_step", lambda self: (taken.append(self.step), take(self))[1])
    taken.clear()
    make_metamers(net, PICTURES[:1], out_path=tmp_path / "part" / "metamers", **settings)
    assert taken[0] == 15
    assert read_tree(tmp_path / "part") == read_tree(tmp_path / "whole")


def test_what_is_stuck_begins_anew(net: bh.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From other noise, and the best start is kept; interrupted in a later start, it goes on to the same bytes."""
    from beholder.synthesis.engine import _loop
    from beholder.synthesis.engine._stopping import Plateau
    from beholder.synthesis.metamers import _recipe as _metamer_recipe
    from beholder.synthesis.metamers import _worker as _metamer_worker

    monkeypatch.setattr(_metamer_recipe, "_PLATEAU", Plateau(tolerance=0.9, window=6))
    monkeypatch.setattr(_metamer_worker, "CHECKPOINT_EVERY", 4)
    settings: dict[str, Any] = {"layers": ["3"], "iterations": 30, "threads": 1}
    monkeypatch.setattr(_metamer_recipe, "_ENOUGH_DB", 1000.0)
    monkeypatch.setattr(_metamer_recipe, "_STARTS", 1)
    once = make_metamers(net, PICTURES[:1], **settings)
    monkeypatch.setattr(_metamer_recipe, "_STARTS", 3)
    thrice = make_metamers(net, PICTURES[:1], out_path=tmp_path / "whole" / "metamers", **settings)
    first = len(once.losses[0])
    losses = thrice.losses[0]
    assert len(losses) > 2 * first
    np.testing.assert_array_equal(losses[:first], once.losses[0])
    assert losses[first] > 2 * losses[first - 1]  # noise again
    assert losses[first] != losses[0]
    row = get_own_rows(thrice).iloc[0]
    assert row["steps"] == len(losses)
    assert float(row["loss"]) < 1.2 * float(losses.min())
    assert float(row["db_snr"]) >= float(get_own_rows(once)["db_snr"].iloc[0])
    assert make_metamer_recipe(net, "published").starts == 1
    taken: list[int] = []
    take = _loop.BatchRun._take_step

    def stop_there(self: Any) -> None:
        taken.append(self.step)
        if len(taken) == first + 6:
            raise KeyboardInterrupt
        take(self)

    monkeypatch.setattr(_loop.BatchRun, "_take_step", stop_there)
    with pytest.raises(KeyboardInterrupt):
        make_metamers(net, PICTURES[:1], out_path=tmp_path / "part" / "metamers", **settings)
    monkeypatch.setattr(_loop.BatchRun, "_take_step", lambda self: (taken.append(self.step), take(self))[1])
    taken.clear()
    make_metamers(net, PICTURES[:1], out_path=tmp_path / "part" / "metamers", **settings)
    assert taken[0] == 4
    assert read_tree(tmp_path / "part") == read_tree(tmp_path / "whole")


@pytest.mark.parametrize(
    ("decibels", "n_starts", "kept"),
    [
        ([20, 15, 25], 3, 2),
        ([20, 25, 15], 3, 1),
        ([20, 15, 10], 3, 0),
        ([29.9, 30.1], 2, 1),
        ([30.1], 1, 0),
    ],
)
def test_a_poor_match_is_begun_anew_twice_at_most_and_the_best_kept(
    net: bh.Model, monkeypatch: pytest.MonkeyPatch, decibels: list[float], n_starts: int, kept: int
) -> None:
    """The default recipe's own rule, 30 dB and three starts, over starts whose matches are given."""
    found = follow_starts(net, monkeypatch, "default", [[level] for level in decibels])
    assert [attempt for attempt, _ in found.starts] == list(range(n_starts))
    (made,) = found.made
    assert made.images.tolist() == [[kept]]
    assert made.steps == made.losses.shape[1] == 2 * n_starts


def test_only_what_is_stuck_is_begun_anew(net: bh.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a batch those below 30 dB; none that had more to go, and none of the published recipe."""
    found = follow_starts(net, monkeypatch, "default", [[20, 40, 20], [25, 35], [22]])
    assert found.starts == [(0, ["000000", "000001", "000002"]), (1, ["000000", "000002"]), (2, ["000000"])]
    assert [made.images[0].tolist() for made in found.made] == [[1], [0], [1]]
    found = follow_starts(net, monkeypatch, "default", [[20]], stopped_by="steps")
    assert [attempt for attempt, _ in found.starts] == [0]
    found = follow_starts(net, monkeypatch, "published", [[20]])
    assert [attempt for attempt, _ in found.starts] == [0]


def test_driven_networks(tmp_path: Path) -> None:
    """A network that takes ``with_latent`` and ``fake_relu``: the keys of its stages are layers, in both recipes."""
    from beholder.models import write_template

    folder = write_template(tmp_path / "mine", "picture")
    model = bh.load_model(f"file:{folder}", device="cpu")
    stimuli = bh.StimulusSet.from_folder(folder / "example")[:1]
    made = make_metamers(model, stimuli, iterations=60)
    assert {key[1] for key in made.keys} == set(model.stages)
    assert made.rectifiers["relu1"] == 1
    published = make_metamers(model, stimuli, ["relu2"], recipe="published", iterations=20, repeats=2)
    assert len(published) == 1


# --- bad days --------------------------------------------------------------------------------------------------------


class Fragile(nn.Module):
    """NaN from the n-th pass on."""

    def __init__(self, n_passes: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 4, 3)
        self.passes, self.n_passes = itertools.count(1), n_passes

    def forward(self, x: Tensor) -> Tensor:
        fails = torch.is_grad_enabled() and next(self.passes) > self.n_passes
        return self.conv(x * float("nan") if fails else x)


@pytest.mark.parametrize("recipe", ["published", "default"])
def test_nan_half_way_is_reported_and_the_last_state_kept(
    recipe: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "beholder")
    logging.getLogger("beholder").propagate = True
    module = Fragile(40).eval()
    model = bh.wrap(module, input_range=(0.0, 1.0), input_shape=(3, 16, 16))
    settings: dict[str, Any] = {"recipe": recipe, "iterations": 100, "repeats": 1, "measured": ["conv"]}
    made = make_metamers(model, PICTURES[:1], ["conv"], out_path=tmp_path / "metamers", **settings)
    assert "the last good state is kept" in caplog.text
    assert 20 < len(made.losses[0]) < 100
    assert made.files["000000", "conv", 0].describe()["stopped_by"] == "not finite"
    with torch.no_grad():
        target, match = (module.conv(torch.from_numpy(x)[None]) for x in (PICTURES[0], made.stimuli[0]))
    assert float((match - target).norm() / target.norm()) < 0.5


class Odd(nn.Module):
    """Layers that nothing can be matched at."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.cut, self.counts, self.silent, self.fine = (nn.Identity() for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        self.cut(x.detach())
        self.counts((x > 0).long())
        self.silent(F.relu(x - 1e6))
        return self.fine(x).mean((2, 3))


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("cut", "a gradient from cut to the input"),
        ("counts", "floating-point activations at counts"),
        ("silent", "zero everywhere"),
        ("nowhere", "the name of a layer"),
    ],
)
def test_layers_that_cannot_be_matched(layer: str, message: str) -> None:
    model = bh.wrap(Odd().eval(), input_range=(0.0, 1.0), input_shape=(3, 16, 16))
    with pytest.raises(bh.InputError, match=message) as error:
        make_metamers(model, PICTURES[:1], [layer], iterations=3)
    assert "\n" not in str(error.value)


def test_a_silent_layer_leaves_the_others(tmp_path: Path) -> None:
    model = bh.wrap(Odd().eval(), input_range=(0.0, 1.0), input_shape=(3, 16, 16))
    made = make_metamers(model, PICTURES[:1], ["silent", "fine"], iterations=5, out_path=tmp_path / "metamers")
    assert [key[1] for key in made.keys] == ["fine"]
    assert made.skipped == (("000000", "silent", 0, "all zero"),)
    assert not (tmp_path / "metamers" / "Odd" / "silent").exists()
    told = json.loads((tmp_path / "metamers" / "Odd" / "provenance.json").read_text())
    assert told["outputs"]["."]["skipped"] == [["000000", "silent", 0, "all zero"]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"recipe": "unpublished"}, "published"),
        ({"step_size": 1.0}, 'recipe="published"'),
        ({"recipe": "published", "loss": "inversion"}, "inversion_loss_layer"),
        ({"iterations": 0}, "at least one iteration"),
        ({"noise_scale": -1.0}, "above 0"),
        ({"seeds": []}, "seeds"),
        ({"layers": "conv1"}, "a list of layer names"),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(bh.InputError, match=message):
        make_metamers(make_model(), PICTURES[:1], **{"layers": ["conv1"], **options})


def test_wrong_models_and_stimuli(tmp_path: Path) -> None:
    model = make_model()
    with pytest.raises(bh.InputError, match="layers=NAME"):
        make_metamers(model, PICTURES)
    with pytest.raises(bh.InputError, match="shape"):
        make_metamers(model, PICTURES[:, :, :8], ["conv1"])
    with pytest.raises(bh.InputError, match="NaN among"):
        make_metamers(model, np.full((1, 3, 16, 16), np.nan, np.float32), ["conv1"])
    assert not (tmp_path / "metamers").exists()


# --- parts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(3, 12, 15), (1, 8, 8), (30,)])
def test_whitened_images_come_back(shape: tuple[int, ...]) -> None:
    generator = np.random.default_rng(0)
    axes = (-2, -1) if len(shape) == 3 else (-1,)
    scale = 0.5 + np.abs(np.fft.rfftn(generator.normal(size=shape) / 5, axes=axes))
    colors = np.linalg.qr(generator.normal(size=(3, 3)))[0] if shape[0] == 3 else None
    maker = Whitened(scale, colors)
    canvas = Canvas(shape, (-1.0, 2.0))
    images = torch.from_numpy(generator.random((2, *shape), dtype=np.float32)) * 2.8 - 0.9
    torch.testing.assert_close(maker.to_images(maker.encode(images, canvas), canvas), images, atol=2e-3, rtol=0)
    assert float(maker.to_images(100 * torch.randn(2, *shape), canvas).abs().max()) <= 2.0
    assert torch.equal(maker.start(canvas, 4), maker.start(canvas, 4))


def test_whitening_evens_out_what_a_layer_feels() -> None:
    """A layer that blurs feels little of high frequencies: they get larger steps than low ones."""
    from beholder.synthesis.gradients._network import Network
    from beholder.synthesis.images._whitened import _DECAY, _TURN, make_frequency_scale, whiten_layer

    blur = nn.Conv2d(3, 3, 5, padding=2, groups=3, bias=False)
    kernel = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0])
    blur.weight.data[:] = torch.outer(kernel, kernel) / 256
    model = bh.wrap(nn.Sequential(blur).eval(), input_range=(0.0, 1.0), input_shape=(3, 32, 32))
    maker = whiten_layer(Network(model, ["0"], torch.rand(1, 3, 32, 32)), "0", torch.rand(1, 3, 32, 32))
    prior = (make_frequency_scale(32, 32, 1.0, torch.device("cpu")) * _TURN) ** _DECAY
    sensitivity = (torch.from_numpy(maker.scale) / prior) ** -2 - 0.1
    transfer = torch.fft.rfft2(blur.weight[0, 0].detach(), s=(32, 32)).abs() ** 2
    expected = transfer / transfer.mean()
    ratio = sensitivity[:, expected > 0.5] / expected[expected > 0.5]
    assert 0.5 < float(ratio.min() / ratio.mean()) < 1.01
    assert float(ratio.max() / ratio.mean()) < 2


# --- decisions -------------------------------------------------------------------------------------------------------


class Thousand(nn.Module):
    """Says class ``k`` where the picture's first pixel is ``k / 999``, whatever else there is."""

    def __init__(self, order: Any = None) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.conv = nn.Conv2d(3, 4, 3)
        self.register_buffer("places", torch.linspace(0, 1, 1000))
        self.register_buffer("order", torch.arange(1000) if order is None else torch.as_tensor(order))

    def forward(self, x: Tensor) -> Tensor:
        level = self.conv(x).mean((1, 2, 3))[:, None] * 0 + x[:, 0, 0, :1]
        return (-1e5 * (level - self.places[None]) ** 2)[:, self.order]  # pyright: ignore[reportIndexIssue]


def wrap_thousand(order: Any = None, classes: Any = None) -> bh.Model:
    module = Thousand(order).eval()
    return bh.wrap(module, input_range=(0.0, 1.0), input_shape=(3, 8, 8), name="thousand", classes=classes)


def make_level(wnid: str) -> np.ndarray:
    picture = np.random.default_rng(0).random((3, 8, 8), dtype=np.float32)
    picture[0, 0, 0] = load_wnids().index(wnid) / 999
    return picture


BARN, ORANGE, AIRLINER, LABRADOR = "n02793495", "n07747607", "n02690373", "n02099712"


def test_what_is_in_no_category_is_decided_by_class() -> None:
    """A label in a category asks for it, without one the network's first class; a barn or an orange is in none."""
    shown = (BARN, AIRLINER, ORANGE, BARN, AIRLINER)
    pictures = np.stack([make_level(wnid) for wnid in shown])
    stimuli = bh.StimulusSet.from_arrays(pictures, labels=[BARN, LABRADOR, "", "", ""])
    made = make_metamers(wrap_thousand(), stimuli, ["conv"], iterations=3)
    own = get_own_rows(made)
    assert own["decision"].tolist() == ["class", "category", "class", "class", "category"]
    assert own["rule"].tolist() == [None, "first", None, None, "first"]
    assert own["prediction_original"].tolist() == [BARN, "airplane", ORANGE, BARN, "airplane"]
    logits = wrap_thousand()(torch.from_numpy(made.stimuli)).detach().numpy()
    said = {"category": decide_category(logits, "first"), "class": np.array(load_wnids())[logits.argmax(1)]}
    assert own["prediction_metamer"].tolist() == [said[kind][i] for i, kind in enumerate(own["decision"])]
    told = made.predictions
    assert told["decision"].tolist() == own["decision"].tolist()
    assert told["answer_metamer"].tolist() == own["prediction_metamer"].tolist()


@pytest.mark.parametrize("rule", ["first", "mean", "max", "sum"])
def test_the_set_says_what_is_decided_and_the_user_by_which_rule(rule: str) -> None:
    pictures = np.stack([make_level(BARN)] * 2)
    stimuli = bh.StimulusSet.from_arrays(pictures, labels=[BARN] * 2, conditions={"decision": ["category", ""]})
    own = get_own_rows(make_metamers(wrap_thousand(), stimuli, ["conv"], iterations=2, rule=rule))
    assert own["decision"].tolist() == ["category", "class"]
    assert own["rule"].tolist() == [rule, None]
    logits = wrap_thousand()(torch.from_numpy(pictures[:1])).detach().numpy()
    assert own["prediction_original"].iloc[0] == decide_category(logits, rule)[0]


def test_networks_with_classes_of_their_own() -> None:
    order = np.random.default_rng(1).permutation(1000)
    stimuli = bh.StimulusSet.from_arrays(np.stack([make_level(AIRLINER)]), labels=[AIRLINER])
    place = load_wnids().index(AIRLINER)
    for classes, reordered, decision, answer in (
        (tuple(np.array(load_wnids())[order]), order, "category", "airplane"),
        (tuple(f"thing {i}" for i in range(1000)), None, "class", f"thing {place}"),
        (tuple(f"thing {i // 2}" for i in range(1000)), None, "class", f"thing {place // 2} [{place}]"),
    ):
        own = get_own_rows(make_metamers(wrap_thousand(reordered, classes), stimuli, ["conv"], iterations=2))
        assert (own["decision"].iloc[0], own["prediction_original"].iloc[0]) == (decision, answer)


def test_decisions_are_written_and_a_label_stays_as_first_recorded(tmp_path: Path) -> None:
    picture = np.stack([make_level(BARN)])
    first = bh.StimulusSet.from_arrays(picture, labels=[BARN])
    options: dict[str, Any] = {"iterations": 2, "out_path": tmp_path / "metamers"}
    made: Any = make_metamers(wrap_thousand(), first, ["conv"], **options)
    other = bh.StimulusSet.from_arrays(picture, labels=[AIRLINER])
    make_metamers(wrap_thousand(), other, ["conv"], seeds=[0, 1], **options)
    table = read_metamer_table(made.path)
    assert len(table) == 2 * len(made.table)
    assert set(table["decision"]) == {"class"}
    assert made.files[made.keys[0]].describe()["decision"] == "class"
    with pytest.raises(ConfigurationChanged, match="rule"):
        make_metamers(wrap_thousand(), first, ["conv"], rule="mean", **options)
    with pytest.raises(bh.InputError, match="rule"):
        make_metamers(wrap_thousand(), first, ["conv"], rule="median")
