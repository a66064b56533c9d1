"""Metamers judged by other networks: verdicts, the growing table, kills, summaries."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.metamer_folders import SHAPES, touch_metamer, write_metamers, write_sound_metamers
from torch import nn

import beholder as bh
from beholder._core.errors import ConfigurationChanged, InputError
from beholder.evaluation import judge_metamers, read_judgements
from beholder.evaluation._judgement_table import JUDGEMENTS
from beholder.models import ImagePreprocessing
from beholder.stimuli import MetamerSet, load_wnids


@pytest.fixture(scope="module")
def shapes():
    return bh.load_model("beholder:shapes", device="cpu")


class Brightness(nn.Module):
    """Says class ``i`` of a picture whose mean brightness is nearest to i / 999."""

    def forward(self, x):
        mean = x.mean((1, 2, 3), keepdim=False)[:, None]
        return -((mean - torch.linspace(0, 1, 1000)) ** 2)


def wrap_thousand(name="first"):
    form = ImagePreprocessing(resize=32, crop=(32, 32), mean=(0,) * 3, std=(1,) * 3)
    return bh.wrap(Brightness(), preprocess=form, name=name)


@pytest.fixture
def folder(tmp_path):
    return write_metamers(tmp_path / "metamers" / "shapes")


def test_a_network_recognises_what_is_close_to_the_original(folder, shapes):
    found = judge_metamers(folder, shapes, batch_size=2)
    table = found.to_pandas()
    assert set(table["decision"]) == {"class"}
    by_layer = table.groupby("layer")["correct"].mean()
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


def test_sixteen_and_thousand_way(folder):
    judge = wrap_thousand()
    found = judge_metamers(folder, [judge], batch_size=2)
    table = found.to_pandas()
    assert set(table["decision"]) == {"category", "class"}
    assert found.decision == "category"
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
    new = found[found["judge"] == first.name].set_index(["decision", "layer", "stimulus_id"])["sha256"]
    assert [key[1:] for key in new.index[new != old]] == 2 * [(one.layer, one.stimulus_id)]
    assert "2 verdicts of other judges are dropped" in caplog.text


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


def test_other_settings_are_refused(folder):
    judge_metamers(folder, wrap_thousand())
    with pytest.raises(ConfigurationChanged, match="batch_size"):
        judge_metamers(folder, wrap_thousand(), batch_size=3)
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


def test_shares_by_layer_and_matrix(tmp_path):
    judge = wrap_thousand()
    for name in ("one", "two"):
        write_metamers(tmp_path / name, model=f"test:{name}@v1")
    found = judge_metamers(tmp_path, judge)
    layers = found.recognize_layers()
    assert layers["layer"].tolist() == ["", "block1", "classifier"] * 2
    assert layers["n"].tolist() == [3] * 6
    raw = found.to_pandas()
    raw = raw[raw["decision"] == "category"]
    for row in layers.to_dict("records"):
        own = raw[(raw["model"] == row["model"]) & (raw["layer"] == row["layer"])]["correct"]
        assert row["accuracy"] == own.mean()
    matrix = found.to_matrix()
    assert matrix.shape == (2, 1)
    made = raw[raw["layer"] != ""]
    assert matrix.loc["test:one@v1", judge.name] == made[made["model"] == "test:one@v1"]["correct"].mean()
    assert found.plot().get_ylabel() == "Metamers of"
    assert len(found.plot_layers().axes) == 2
    boot = found.recognize_layers(interval="bootstrap")
    assert (boot["low"] <= boot["accuracy"]).all()
    assert np.array_equal(boot["low"], found.recognize_layers(interval="bootstrap")["low"])
    assert "2 networks" in repr(found)
    assert found.save(tmp_path / "all.csv").read_text().startswith("model,judge,decision,layer")


def test_every_network_judges_the_others_by_default(tmp_path):
    write_metamers(tmp_path / "metamers" / "shapes")
    found = judge_metamers(tmp_path / "metamers")
    assert found.judges == ("beholder:shapes@v1",)
