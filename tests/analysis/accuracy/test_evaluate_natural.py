"""Accuracy of a network: numbers against sklearn and scipy, cells, classes, what is told, drawn and printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, top_k_accuracy_score
from torch import nn

import beholder as bh
from beholder._core.errors import ConfigurationChanged, InputError, UnknownNameError
from beholder.analysis import RESULT_KINDS, open_result, write_result
from beholder.models import ImagePreprocessing
from beholder.statistics import bootstrap_proportion

NAMES = ("ant", "bee", "cat", "dog", "elk", "fox", "gnu")
FORM = ImagePreprocessing(resize=16, crop=(16, 16), mean=(0,) * 3, std=(1,) * 3)  # pyright: ignore[reportArgumentType]


class Mixed(nn.Module):
    """Outputs that are fixed mixtures of a few pixels."""

    def __init__(self, n_outputs: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.randn((n_outputs, 12), generator=torch.Generator().manual_seed(0)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x[:, :, ::8, ::8].flatten(1) - 0.5) @ self.weights.T


def make_network(classes: tuple[str, ...] = NAMES, n_outputs: int | None = None) -> Any:
    return bh.wrap(Mixed(n_outputs or len(classes)), preprocess=FORM, name="mixed", classes=classes or None)


def make_set(labels: Any, **further: Any) -> Any:
    """Pictures, of which the labels of some are what the network answers."""
    arrays = np.random.default_rng(5).integers(0, 256, (len(labels), 16, 16, 3), dtype=np.uint8)
    return bh.StimulusSet.from_arrays(arrays, labels=labels, **further)


def compute_outputs(stimuli: Any, net: Any) -> np.ndarray:
    pixels = torch.from_numpy(np.asarray(stimuli.arrays)).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode():
        return net.module(pixels).numpy()


def take(found: Any, statistic: str, target: str = "all") -> Any:
    table = found.to_pandas()
    (row,) = table[(table["statistic"] == statistic) & (table["target"] == target)].to_dict("records")
    return row


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """65 pictures, of which the network is right about some."""
    net = make_network()
    answers = compute_outputs(make_set(["ant"] * 65), net).argmax(axis=1)
    labels = [NAMES[answer if i % 2 else i % 7] for i, answer in enumerate(answers)]
    stimuli = make_set(labels)
    found = bh.evaluate_natural(net, stimuli, out_path=tmp_path_factory.mktemp("natural") / "natural", seed=3)
    return found, compute_outputs(stimuli, net), np.array([NAMES.index(label) for label in labels])


@pytest.mark.parametrize(("statistic", "k"), [("accuracy_top1", 1), ("accuracy_top5", 5)])
def test_accuracies_are_sklearns_with_scipys_wilson_interval(measured: Any, statistic: str, k: int) -> None:
    found, outputs, truths = measured
    row = take(found, statistic)
    assert row["estimate"] == pytest.approx(top_k_accuracy_score(truths, outputs, k=k, labels=np.arange(7)))
    assert 0.4 < row["estimate"] < 1 and row["n"] == row["n_answers"] == 65
    interval = binomtest(int(row["n_right"]), 65).proportion_ci(0.95, "wilson")
    assert (row["low"], row["high"]) == pytest.approx((interval.low, interval.high))
    assert row["method"] == "Wilson over stimuli"


def test_classes_and_confusions_are_sklearns(measured: Any) -> None:
    found, outputs, truths = measured
    counts = confusion_matrix(truths, outputs.argmax(axis=1), labels=np.arange(7))
    assert found.arrays["confusions"].tolist() == counts.tolist()
    assert found.arrays["confusion_labels"].tolist() == list(NAMES)
    for i, name in enumerate(NAMES):
        row = take(found, "accuracy_of_class", name)
        assert (row["estimate"], row["n"]) == (pytest.approx(counts[i, i] / counts[i].sum()), counts[i].sum())
    mean = take(found, "mean_of_classes")
    assert mean["estimate"] == pytest.approx(np.mean(np.diag(counts) / counts.sum(axis=1))) and mean["n"] == 7
    wrong = counts - np.diag(np.diag(counts))
    table = found.to_pandas()
    rows = table[table["statistic"] == "confusion"]
    first = rows.iloc[0]
    assert wrong[NAMES.index(first["target"]), NAMES.index(first["response"])] == wrong.max() == first["n_answers"]
    assert len(rows) == (wrong > 0).sum()


def test_top_5_is_not_told_of_five_classes_or_fewer(tmp_path: Path) -> None:
    found = bh.evaluate_natural(make_network(NAMES[:5]), make_set(["ant", "bee", "cat"]), out_path=tmp_path)
    assert "accuracy_top5" not in set(found.to_pandas()["statistic"])
    assert found.to_json()["natural"][0].keys() >= {"norm", "eps", "accuracy_top1", "n", "attack"}
    assert "accuracy_top5" not in found.to_json()["natural"][0] and "top-5" not in " ".join(found.sentences())


def make_graded() -> Any:
    """Six pictures at two levels of two kinds; labels of the first level are the network's answers."""
    n = 24
    columns = {
        "grade": ["blur"] * 12 + ["noise"] * 12, "level": [0.5] * 6 + [2.0] * 6 + [0.1] * 6 + [0.2] * 6,
        "original": [f"picture{i % 6}" for i in range(n)],
    }  # fmt: skip
    answers = compute_outputs(make_set(["ant"] * n), make_network()).argmax(axis=1)
    labels = [NAMES[answer if (i // 6) % 2 == 0 else (answer + i) % 7] for i, answer in enumerate(answers)]
    return make_set(labels, conditions=columns)


def test_each_kind_and_level_is_measured_apart_and_all_together_by_stimulus(tmp_path: Path) -> None:
    found = bh.evaluate_natural(make_network(), make_graded(), out_path=tmp_path, seed=7)
    table = found.to_pandas()
    rows = table[table["statistic"] == "accuracy_top1"]
    assert rows["target"].tolist() == ["all", "blur 0.5", "blur 2", "noise 0.1", "noise 0.2"]
    assert all(take(found, "accuracy_top1", name)["estimate"] == 1 for name in ("blur 0.5", "noise 0.1"))
    assert take(found, "accuracy_top1", "blur 2")["method"] == "Wilson over stimuli"
    whole = take(found, "accuracy_top1")
    assert whole["method"] == "bootstrap over stimuli" and whole["n"] == 6
    trials: Any = pd.read_parquet(tmp_path / "mixed.parquet")
    counts = trials.groupby("stimulus")["correct"].agg(["sum", "count"])
    assert (whole["low"], whole["high"]) == bootstrap_proportion(counts["sum"], counts["count"], seed=7)
    assert whole["n_answers"] == 24 and whole["seed"] == 7
    (blur,) = [text for text in found.sentences() if text.startswith("blur (top-1)")]
    assert "from 100.0 % [61.0, 100.0] at 0.5 to " in blur and "n = 6 each" in blur
    records = found.to_json()["natural"]
    assert [(each["condition"], each["level"]) for each in records[1:3]] == [("blur", 0.5), ("blur", 2.0)]
    assert {"all", "levels", "confusions"} <= {drawing.name for drawing in _draw(found)}


def _draw(found: Any) -> list[Any]:
    return list(RESULT_KINDS[found.kind].draw(found))


def test_intervals_may_speak_of_other_classes(tmp_path: Path) -> None:
    labels = [NAMES[i % 7] for i in range(28)]
    found = bh.evaluate_natural(make_network(), make_set(labels), out_path=tmp_path, over="classes")
    row = take(found, "accuracy_top1")
    assert (row["method"], row["n"], row["n_answers"]) == ("bootstrap over classes", 7, 28)
    assert "other classes" in found.methods()
    with pytest.raises(UnknownNameError, match="unit of intervals"):
        bh.evaluate_natural(make_network(), make_set(labels), over="people", out_path=tmp_path)  # pyright: ignore


def test_levels_in_words_are_conditions_and_a_condition_may_be_called_all(tmp_path: Path) -> None:
    columns = {"condition": ["all", "all", "b", "b"], "level": ["low", "high"] * 2}
    found = bh.evaluate_natural(make_network(), make_set(["ant"] * 4, conditions=columns), out_path=tmp_path / "a")
    assert [cell["name"] for cell in found.settings["cells"]] == ["all", "all low", "all high", "b low", "b high"]
    plain = make_set(["ant"] * 4, conditions={"condition": ["all", "all", "b", "b"]})
    found = bh.evaluate_natural(make_network(), plain, out_path=tmp_path / "b")
    assert [cell["name"] for cell in found.settings["cells"]] == ["all", "condition all", "b"]
    assert take(found, "accuracy_top1")["n_answers"] == 4


def test_columns_of_the_set_tell_conditions_apart(tmp_path: Path) -> None:
    stimuli = make_set(["ant"] * 4, conditions={"Site": ["x", "y", "x", "y"]})
    found = bh.evaluate_natural(make_network(), stimuli, out_path=tmp_path, by=["site"])
    assert [cell["name"] for cell in found.settings["cells"]] == ["all", "x", "y"]
    with pytest.raises(UnknownNameError, match="'sight'; try 'Site'"):
        bh.evaluate_natural(make_network(), stimuli, out_path=tmp_path, by=["sight"])


def test_sixteen_categories_of_imagenets_classes(tmp_path: Path) -> None:
    stimuli = make_set(["n02690373", "n03041632", "barn", "tench"] * 3)
    found = bh.evaluate_natural(make_network((), 1000), stimuli, out_path=tmp_path / "a", rule="mean")
    row = take(found, "accuracy_sixteen")
    assert row["n"] == 6 and row["rule"] == "mean" and take(found, "accuracy_top1")["n"] == 12
    assert "6 stimuli that are in one (rule mean, chance 6.25 %)" in found.sentences()[0]
    categories = make_set(["airplane", "knife", "dog"] * 2)
    alone = bh.evaluate_natural(make_network((), 1000), categories, out_path=tmp_path / "b")
    assert set(alone.to_pandas()["statistic"]) - {"confusion"} == {"accuracy_sixteen", "accuracy_of_class"}
    assert alone.sentences()[0].startswith("mixed names the right one of 16 categories for")
    assert alone.to_json()["natural"][0]["n"] == 6


def test_saved_drawn_printed_and_other_settings_refused(measured: Any, tmp_path: Path) -> None:
    found, _, _ = measured
    files = write_result(found, tmp_path)
    assert {path.name for path in files} >= {"natural.parquet", "natural_all.svg", "natural_classes.svg"}
    read = open_result(tmp_path / "natural.parquet")
    assert read.sentences() == found.sentences() and read.methods() == found.methods()
    assert "Wilson" in found.methods() and "Russakovsky" in found.methods() and "Geirhos" not in found.methods()
    json.dumps(found.to_json(), allow_nan=False)
    with pytest.raises(ConfigurationChanged):
        write_result(type(found)(found.kind, found.table, {**found.settings, "seed": 9}, (), found.arrays), tmp_path)


def test_labels_that_fit_nothing_are_refused_before_anything_is_computed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"1 of 2 that are none \(1 of 2 stimuli\): 'ape'"):
        bh.evaluate_natural(make_network(), make_set(["ape", "bee"]), out_path=tmp_path / "out")
    with pytest.raises(InputError, match="a folder, table or named set"):
        bh.evaluate_natural(make_network(), out_path=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_one_class_is_said_and_words_are_words(tmp_path: Path) -> None:
    found = bh.evaluate_natural(make_network(), make_set(["ant"] * 3), out_path=tmp_path)
    assert found.warnings == ("All 3 stimuli are of one class, 'ant': the accuracy is that of one class.",)


def test_folders_that_sort_otherwise_than_the_classes(tmp_path: Path) -> None:
    net = make_network(("zebra", "ant"))
    rng = np.random.default_rng(0)
    for name in ("ant", "zebra"):
        (tmp_path / "shown" / name).mkdir(parents=True)
        for i in range(6):
            Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(tmp_path / f"shown/{name}/{i}.png")
    found = bh.evaluate_natural(net, tmp_path / "shown", out_path=tmp_path / "out")
    right = 0
    for path in sorted((tmp_path / "shown").glob("*/*.png")):
        pixels = torch.from_numpy(np.array(Image.open(path))).permute(2, 0, 1)[None].float() / 255
        right += ("zebra", "ant")[int(net.module(pixels).argmax())] == path.parent.name
    assert take(found, "accuracy_top1")["n_right"] == right
    path = tmp_path / "shown/ant/0.png"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(InputError, match=r"ant/0\.png .*truncated.*; try moving it away, or skip_bad=True of "):
        bh.evaluate_natural(net, tmp_path / "shown", out_path=tmp_path / "other")
    with pytest.raises(InputError, match=r"ant/0\.png .*truncated"):
        bh.evaluate_adversarial(net, tmp_path / "shown", eps="l2:1", out_path=tmp_path / "attacked")


def test_folders_of_imagenet_c_are_told_apart_by_corruption_and_severity(tmp_path: Path) -> None:
    """As they are published: the same picture's name in every one of them, corruptions in folders of groups or not."""
    root = tmp_path / "imagenet-c"
    for place in ("blur/defocus_blur/1", "blur/defocus_blur/5", "noise/gaussian_noise/3"):
        for i in range(4):
            file = root / place / NAMES[i % 2] / f"picture_{i}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (16, 16), (60 * i, int(place[-1]) * 20, 0)).save(file)
    found = bh.evaluate_natural(make_network(), root, out_path=tmp_path / "a")
    names = ["all", "defocus_blur 1", "defocus_blur 5", "gaussian_noise 3"]
    assert sorted(cell["name"] for cell in found.settings["cells"]) == names
    assert take(found, "accuracy_top1")["n"] == 4 and take(found, "accuracy_top1")["n_answers"] == 12
    some = [root / "blur/defocus_blur", root / "noise/gaussian_noise/3"]
    again = bh.evaluate_natural(make_network(), some, out_path=tmp_path / "b")
    assert take(again, "accuracy_top1")["n_right"] == take(found, "accuracy_top1")["n_right"]
    (root / "noise/readme").mkdir()
    with pytest.raises(InputError):
        bh.evaluate_natural(make_network(), root, out_path=tmp_path / "c")


def test_several_sets_are_one_and_are_called_by_their_folders(tmp_path: Path) -> None:
    tables: list[Path] = []
    for kind in ("fog", "snow"):
        (tmp_path / kind).mkdir()
        rows = ["file,label,grade,level,original"]
        for i in range(4):
            Image.new("RGB", (16, 16), (60 * i, 0, 0)).save(tmp_path / kind / f"{kind}_{i}.png")
            rows.append(f"{kind}_{i}.png,{NAMES[i % 2]},{kind},{i // 2},o{i % 2}")
        tables.append(tmp_path / kind / "stimuli.csv")
        tables[-1].write_text("\n".join(rows), encoding="utf-8")
    found = bh.evaluate_natural(make_network(), tables, out_path=tmp_path / "out")
    assert found.settings["set"] == "fog, snow" and "right about fog, snow?" in RESULT_KINDS["natural"].title(found)
    assert [cell["name"] for cell in found.settings["cells"]] == ["all", "fog 0", "fog 1", "snow 0", "snow 1"]
    assert take(found, "accuracy_top1")["n"] == 2 and take(found, "accuracy_top1")["n_answers"] == 8
