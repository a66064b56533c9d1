"""Metamers judged by other networks: verdicts, the growing table, kills, summaries."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.text import Text
from tests.metamer_folders import SHAPES, touch_metamer, write_metamers, write_sound_metamers
from torch import nn

import beholder as bh
from beholder._core.errors import ConfigurationChanged, InputError
from beholder.evaluation import compare_networks, describe_matrix_figure, judge_metamers, read_judgements
from beholder.evaluation._judgement_table import JUDGEMENTS
from beholder.models import ImagePreprocessing, list_imagenet_classes
from beholder.stimuli import (
    MetamerSet,
    load_wnids,
    read_metamer_table,
    read_stimulus_manifest,
    write_metamer_table,
    write_stimulus_manifest,
)


@pytest.fixture(scope="module")
def shapes():
    return bh.load_model("beholder:shapes", device="cpu")


class Brightness(nn.Module):
    """Says class ``i`` of a picture whose mean brightness is nearest to i / 999."""

    def forward(self, x):
        mean = x.mean((1, 2, 3), keepdim=False)[:, None]
        return -((mean - torch.linspace(0, 1, 1000)) ** 2)


def wrap_thousand(name="first"):
    form = ImagePreprocessing(resize=32, crop=(32, 32), mean=(0,) * 3, std=(1,) * 3)  # pyright: ignore[reportArgumentType]
    return bh.wrap(Brightness(), preprocess=form, name=name)


class Rearranged(nn.Module):
    def __init__(self, order):
        super().__init__()
        self.inner, self.order = Brightness(), torch.as_tensor(order)

    def forward(self, x):
        values = self.inner(x)
        return torch.where(self.order < 0, -1e3, values[:, self.order.clamp(min=0)])


def wrap_order(name, order, names):
    form = ImagePreprocessing(resize=32, crop=(32, 32), mean=(0,) * 3, std=(1,) * 3)  # pyright: ignore[reportArgumentType]
    return bh.wrap(Rearranged(order), preprocess=form, name=name, classes=names)


def wrap_five():
    return wrap_order("five", [0, 200, 400, 600, 999], ("circle", "star", "spiral", "dots", "waves"))


@pytest.fixture
def folder(tmp_path):
    return write_metamers(tmp_path / "metamers" / "shapes")


def test_a_network_recognises_what_is_close_to_the_original(folder, shapes):
    found = judge_metamers(folder, shapes, batch_size=2)
    table = found.to_pandas()
    assert set(table["decision"]) == {"class"}
    by_layer: Any = table.groupby("layer")["correct"].mean()
    assert by_layer[""] == 1
    assert by_layer["block1"] == 1
    assert by_layer["classifier"] < 0.5
    assert set(table["against"]) == {"label"}
    assert table["reference"].tolist() == [row.rsplit("_", 1)[0] for row in table["stimulus_id"]]
    # The verdicts are the network's own, one picture at a time.
    for one in MetamerSet(folder):
        prepared = torch.from_numpy(shapes.prepare(one.path))[None]
        said = shapes.classes[int(shapes(prepared).argmax())]
        row = table[(table["layer"] == one.layer) & (table["stimulus_id"] == one.stimulus_id)].iloc[0]
        assert row["verdict"] == said


def test_provenance_says_who_judged_with_which_weights(folder, shapes):
    judge_metamers(folder, shapes, batch_size=2)
    outputs = json.loads((folder / "provenance.json").read_text())["outputs"]
    (entry,) = (entry for name, entry in outputs.items() if name.startswith("judgements.parquet:"))
    assert (entry["judge"], entry["weights"]) == (shapes.name, shapes.weights.sha256)
    assert entry["n_files"] == len(list(folder.glob("**/*.png")))


def test_sixteen_and_thousand_way(folder):
    judge = wrap_thousand()
    found = judge_metamers(folder, [judge], batch_size=2)
    table: Any = found.to_pandas()
    assert set(table["decision"]) == {"category", "class"}
    assert found.decision == "class"  # shapes are in none of the 16 categories
    assert (table["main"] == (table["decision"] == "class")).all()
    assert set(table[table["decision"] == "class"]["verdict"]) <= set(load_wnids())
    # Shapes are no ImageNet classes: the judge's verdict on the original is what counts.
    assert set(table["against"]) == {"judge"}
    assert table[table["layer"] == ""]["correct"].all()


def test_true_labels_come_before_what_the_network_says(tmp_path):
    spoken = write_metamers(
        tmp_path / "a", labelled=False, predictions={"circle_0": "n02690373", "star_1": "dog", "spiral_2": "nothing"}
    )
    table = judge_metamers(spoken, wrap_thousand()).to_pandas()
    table = table[(table["decision"] == "category") & (table["layer"] == "")]
    told = dict(zip(table["stimulus_id"], zip(table["reference"], table["against"], strict=True), strict=True))
    assert told["circle_0"] == ("airplane", "maker")
    assert told["star_1"] == ("dog", "maker")
    assert told["spiral_2"][1] == "judge"


def test_each_stimulus_is_judged_by_the_decision_that_counts_for_it(tmp_path):
    """By its label, without one by what the maker calls it, or as its set says; rates by numpy, never put together."""
    said = {"circle_0": "n02690373", "star_1": "n02793495", "spiral_2": "n02690373"}  # airliner, barn
    folder = write_metamers(tmp_path / "m", labelled=False, predictions=said)
    results = read_metamer_table(folder)
    for name, decision in (("circle_0", "category"), ("star_1", "class"), ("spiral_2", "category")):
        results.loc[results["stimulus_id"] == name, "decision"] = decision
    write_metamer_table(folder / "results.parquet", results)
    thousand, five = wrap_thousand(), wrap_five()
    found = judge_metamers(folder, [thousand, five])
    table = found.to_pandas()
    main: Any = table[table["main"]]
    told = {(row["judge"], row["stimulus_id"]): row["decision"] for row in main.to_dict("records")}
    assert told == {
        ("first", "circle_0"): "category", ("first", "star_1"): "class", ("first", "spiral_2"): "category",
        ("five", "circle_0"): "class", ("five", "star_1"): "class", ("five", "spiral_2"): "class",
    }  # fmt: skip
    assert set(table.loc[table["decision"] == "category", "rule"]) == {"first"}
    assert set(table.loc[table["decision"] == "class", "rule"]) == {""}
    layers = found.recognize_layers()
    assert len(layers) == 3 * 3  # first by category, first by class, five by class; at two layers and the original
    row: Any
    for row in layers.to_dict("records"):
        own: Any = main[(main["judge"] == row["judge"]) & (main["decision"] == row["decision"])]
        own = own[own["layer"] == row["layer"]]["correct"].to_numpy()
        assert (row["n"], row["accuracy"]) == (len(own), own.mean())
        n, z = len(own), 1.959963984540054
        middle = (own.mean() + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z / (1 + z**2 / n) * np.sqrt(own.mean() * (1 - own.mean()) / n + z**2 / (4 * n**2))
        assert (row["low"], row["high"]) == pytest.approx((max(0, middle - half), min(1, middle + half)), abs=1e-9)
    matrix: Any = found.to_matrix()
    assert matrix.index.tolist() == [("beholder:shapes@v1", "category"), ("beholder:shapes@v1", "class")]
    assert np.isnan(matrix.loc[("beholder:shapes@v1", "category"), "five"])
    made = main[main["layer"] != ""]
    for (model, decision), row in matrix.iterrows():
        own = made[(made["judge"] == "first") & (made["decision"] == decision)]
        assert row["first"] == own["correct"].mean(), model
    others = found.recognize_by_others().set_index(["layer", "decision"])
    assert others.index.is_unique
    assert others.loc[("block1", "class"), "n_judges"] == 2
    assert found.decision == "category"
    assert found.plot().get_ylabel() == "Metamers of"
    titles = " ".join(text.get_text() for text in found.plot_layers().findobj(Text))
    assert "16 categories" in titles
    assert "own classes" in titles
    words = describe_matrix_figure(found, found.recognize_models())
    assert "(16 categories)" in words.answer
    assert "(own classes)" in words.answer
    assert "the first of its classes" in words.method
    assert "decision" in found._repr_html_()
    # A set that asks for the category of everything is judged so.
    rows = [{**row, "decision": "category"} for row in read_stimulus_manifest(folder).values()]
    write_stimulus_manifest(folder, rows)
    again = judge_metamers(folder, [thousand], overwrite=True).to_pandas()
    again = again[again["main"] & (again["judge"] == "first")]
    assert set(again["decision"]) == {"category"}


def test_judges_know_classes_in_their_own_order(tmp_path):
    """A network of ImageNet's classes in another order, with one more, or of a thousand others."""
    folder = write_metamers(tmp_path / "m", labelled=False, predictions={"circle_0": "n02690373"})
    order = np.random.default_rng(0).permutation(1000)
    names = tuple(np.array(load_wnids())[order])
    judges = {
        "usual": wrap_thousand("usual"),
        "shuffled": wrap_order("shuffled", order, names),
        "background": wrap_order("background", np.arange(-1, 1000), ("background", *list_imagenet_classes())),
        "others": wrap_order("others", np.arange(1000), tuple(f"thing {i}" for i in range(1000))),
    }
    table = judge_metamers(folder, list(judges.values())).to_pandas()
    keys = ["decision", "layer", "stimulus_id"]
    verdicts: Any = {name: table[table["judge"] == name].set_index(keys)["verdict"] for name in judges}
    for name in ("shuffled", "background"):
        pd.testing.assert_series_equal(verdicts[name], verdicts["usual"])
    assert set(table[table["judge"] == "others"]["decision"]) == {"class"}


def test_rules_of_categories_are_told_and_kept(folder):
    found = judge_metamers(folder, wrap_thousand(), rule="mean").to_pandas()
    assert set(found.loc[found["decision"] == "category", "rule"]) == {"mean"}
    with pytest.raises(ConfigurationChanged, match="rule"):
        judge_metamers(folder, wrap_thousand(), rule="sum")
    with pytest.raises(InputError, match="rule"):
        judge_metamers(folder, wrap_thousand(), rule="median")


def test_two_sets_of_one_network_and_older_ones_are_refused(tmp_path):
    for name in ("a", "b"):
        write_metamers(tmp_path / "m" / name)
    with pytest.raises(InputError, match="one set of metamers a network"):
        judge_metamers(tmp_path / "m", wrap_thousand())
    old = write_metamers(tmp_path / "old")
    table = pd.read_parquet(old / "results.parquet").drop(columns=["decision", "rule"])
    table.to_parquet(old / "results.parquet")
    with pytest.raises(InputError, match="older version"):
        judge_metamers(old, wrap_thousand())


def test_judgements_of_the_first_format_are_read(folder, tmp_path):
    judge_metamers(folder, wrap_thousand())
    old = write_metamers(tmp_path / "old")
    pd.read_parquet(folder / JUDGEMENTS).drop(columns=["rule", "main"]).to_parquet(old / JUDGEMENTS)
    found: Any = read_judgements(old).to_pandas()
    assert (found["main"] == (found["decision"] == "category")).all()  # as it was counted then
    assert (found["rule"] == np.where(found["decision"] == "category", "first", "")).all()


def test_more_judges_and_more_metamers_are_added(folder, monkeypatch):
    first_judge = wrap_thousand()
    judge_metamers(folder, first_judge)
    first = (folder / JUDGEMENTS).read_bytes()
    import beholder.evaluation._judge_worker as worker

    shown = []
    prepare = worker.prepare_saved
    monkeypatch.setattr(worker, "prepare_saved", lambda path, form: shown.append(path.name) or prepare(path, form))
    judge_metamers(folder, first_judge)
    assert shown == []
    assert (folder / JUDGEMENTS).read_bytes() == first
    both = judge_metamers(folder, wrap_thousand("second"))
    assert len(both.judges) == 2
    assert len(shown) == len(MetamerSet(folder)) + len(SHAPES)
    shown.clear()
    write_metamers(folder, seeds=(0, 1))
    judge_metamers(folder, first_judge)
    assert len(shown) == 2 * len(SHAPES)
    assert all(name == "metamer_seed1.png" for name in shown)


def test_a_metamer_made_anew_is_judged_anew(folder, caplog):
    first, second = wrap_thousand(), wrap_thousand("second")
    before = judge_metamers(folder, [first, second]).to_pandas()
    one = MetamerSet(folder).files[0]
    touch_metamer(one.path)
    caplog.set_level("WARNING", logger="beholder")
    found = judge_metamers(folder, first).to_pandas()
    changed = found[(found["layer"] == one.layer) & (found["stimulus_id"] == one.stimulus_id)]
    assert set(changed["judge"]) == {first.name}
    old = before[before["judge"] == first.name].set_index(["decision", "layer", "stimulus_id"])["sha256"]
    new: Any = found[found["judge"] == first.name].set_index(["decision", "layer", "stimulus_id"])["sha256"]
    assert [key[1:] for key in new.index[new != old]] == 2 * [(one.layer, one.stimulus_id)]
    assert "2 verdicts of other judges are dropped" in caplog.text


def test_what_another_run_finds_of_metamers_that_came_meanwhile_stays(folder, monkeypatch):
    import beholder.evaluation._judge_worker as worker

    run, second = worker.JudgeWorker._run, wrap_thousand("second")

    def meet_another(self, model, names):
        monkeypatch.setattr(worker.JudgeWorker, "_run", run)
        write_metamers(folder, seeds=(0, 1))
        judge_metamers(folder, second)
        return run(self, model, names)

    monkeypatch.setattr(worker.JudgeWorker, "_run", meet_another)
    table = judge_metamers(folder, wrap_thousand()).to_pandas()
    told = table[table["decision"] == "class"].groupby("judge").size().to_dict()
    assert told == {"first": 3 * len(SHAPES), "second": 5 * len(SHAPES)}


def test_interrupted_at_any_point_the_same_bytes(tmp_path, monkeypatch):
    import beholder.evaluation._judge as judging
    import beholder.evaluation._judge_worker as worker

    monkeypatch.setattr(judging, "_FILES_IN_SHARD", 2)
    judge = wrap_thousand()
    whole = write_metamers(tmp_path / "whole" / "shapes")
    judge_metamers(whole, judge)
    cut = write_metamers(tmp_path / "cut" / "shapes")
    run = worker.JudgeWorker._run
    left = [1]

    def stop_after(self, model, names):
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return run(self, model, names)

    monkeypatch.setattr(worker.JudgeWorker, "_run", stop_after)
    for _ in range(4):
        with pytest.raises(KeyboardInterrupt):
            judge_metamers(cut, judge)
        assert not (cut / JUDGEMENTS).exists()
        left[0] = 1
    left[0] = 99
    judge_metamers(cut, judge)
    assert left[0] == 98
    assert (cut / JUDGEMENTS).read_bytes() == (whole / JUDGEMENTS).read_bytes()


def test_another_batch_size_is_left_out(folder, caplog):
    first = judge_metamers(folder, wrap_thousand()).to_pandas()
    with caplog.at_level("INFO"):
        pd.testing.assert_frame_equal(judge_metamers(folder, wrap_thousand(), batch_size=3).to_pandas(), first)
    assert "8 in a batch, which they keep; batch_size 3 is left out" in caplog.text
    assert len(judge_metamers(folder, wrap_thousand(), batch_size=3, overwrite=True).to_pandas()) == 18


def test_what_cannot_be_judged_says_why(tmp_path, folder, shapes):
    with pytest.raises(InputError, match="no folder"):
        judge_metamers(tmp_path / "nowhere", shapes)
    with pytest.raises(InputError, match="whose outputs have names"):
        judge_metamers(
            folder, bh.wrap(nn.Sequential(nn.Flatten(), nn.AdaptiveAvgPool1d(7)), preprocess=shapes.preprocessing)
        )
    sounds = write_sound_metamers(tmp_path / "sounds")
    with pytest.raises(InputError, match="a network of sounds to judge sounds"):
        judge_metamers(sounds, shapes)
    MetamerSet(folder).files[0].path.unlink()
    with pytest.raises(InputError, match="no file at"):
        judge_metamers(folder, shapes)
    with pytest.raises(InputError, match="judged"):
        read_judgements(sounds)


def test_metamers_that_failed_are_left_out_unless_asked(folder):
    write_metamers(folder, passed=(False, True))
    found = judge_metamers(folder, wrap_thousand())
    assert set(found.select()["layer"]) == {"", "classifier"}
    assert set(found.select(failed=True)["layer"]) == {"", "block1", "classifier"}


def test_where_no_metamer_passed_one_line_says_so(folder):
    write_metamers(folder, passed=(False, False))
    found: Any = judge_metamers(folder, wrap_thousand())
    assert set(found.recognize_layers()["layer"]) == {""}
    n = len(found.table[found.table["layer"] != ""].drop_duplicates(["layer", "stimulus_id", "seed"]))
    said = f"expected metamers that passed; got {n} that did not: .*; try failed=True, to count them all the same"
    for ask in (found.recognize_models, found.to_matrix, found.plot, found.select_metamers):
        with pytest.raises(InputError, match=said):
            ask()
    with pytest.raises(InputError, match=said):
        compare_networks(found, {"test:shapes@v1": 1.0}, "Accuracy (%)")
    assert len(found.to_matrix(failed=True)) == 1


def test_shares_by_layer_and_matrix(tmp_path):
    judge = wrap_thousand()
    for name in ("one", "two"):
        write_metamers(tmp_path / name, model=f"test:{name}@v1")
    found = judge_metamers(tmp_path, judge)
    layers = found.recognize_layers()
    assert layers["layer"].tolist() == ["", "block1", "classifier"] * 2
    assert layers["n"].tolist() == [3] * 6
    raw = found.to_pandas()
    raw = raw[raw["main"]]
    for row in layers.to_dict("records"):
        own = raw[(raw["model"] == row["model"]) & (raw["layer"] == row["layer"])]["correct"]
        assert row["accuracy"] == own.mean()
    matrix = found.to_matrix()
    assert matrix.shape == (2, 1)
    made = raw[raw["layer"] != ""]
    assert matrix.loc[("test:one@v1", "class"), judge.name] == made[made["model"] == "test:one@v1"]["correct"].mean()
    assert found.plot().get_ylabel() == "Metamers of"
    assert len(found.plot_layers().axes) == 2
    boot: Any = found.recognize_layers(interval="bootstrap")
    assert (boot["low"] <= boot["accuracy"]).all()
    assert np.array_equal(boot["low"], found.recognize_layers(interval="bootstrap")["low"])
    assert "2 networks" in repr(found)
    assert found.save(tmp_path / "all.csv").read_text().startswith("model,judge,decision,layer")


def test_every_network_judges_the_others_by_default(tmp_path):
    write_metamers(tmp_path / "metamers" / "shapes")
    found = judge_metamers(tmp_path / "metamers")
    assert found.judges == ("beholder:shapes@v1",)
