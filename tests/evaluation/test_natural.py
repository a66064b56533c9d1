"""Networks' answers to stimuli of known classes: ranks, categories, resumption, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import top_k_accuracy_score

import beholder as bh
from beholder._core.errors import ConfigurationChanged, InputError
from beholder.evaluation import answer_stimuli, classify_stimuli, draw_held_out
from beholder.evaluation._readouts import RankReadout, rank_truths
from beholder.models import list_imagenet_classes
from beholder.stimuli import SHAPE_CATEGORIES, SYLLABLE_CATEGORIES, decide_category, load_class_categories, load_wnids

from .test_answers import FORM, Mixed, make_network, pictures

__all__ = ["pictures"]

NAMES = ("ant", "bee", "cat", "dog", "elk", "fox", "gnu")


def make_set(labels: Any, **further: Any) -> bh.StimulusSet:
    arrays = np.random.default_rng(5).integers(0, 256, (len(labels), 32, 32, 3), dtype=np.uint8)
    return bh.StimulusSet.from_arrays(arrays, labels=labels, **further)


def compute_outputs(net: Any, stimuli: bh.StimulusSet) -> np.ndarray:
    pixels = torch.from_numpy(np.asarray(stimuli.arrays)).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode():
        return net.module(pixels).numpy()


@pytest.mark.parametrize("k", [1, 2, 5])
def test_ranks_are_top_k_as_sklearn_counts_it(k: int) -> None:
    rng = np.random.default_rng(k)
    outputs, truths = rng.normal(size=(200, 9)).astype(np.float32), rng.integers(0, 9, 200)
    expected = top_k_accuracy_score(truths, outputs, k=k, labels=np.arange(9))
    assert (rank_truths(outputs, truths) < k).mean() == pytest.approx(expected)


def test_of_equal_outputs_the_lower_class_comes_first_in_ranks_as_in_answers() -> None:
    outputs = np.array([[1, 1, 1, 1], [0, 2, 2, 0]], np.float32)
    read = RankReadout((0, 2), {}, "first").read(outputs, 0)
    assert (read["answers"], read["ranks"]) == ([0, 1], [0, 1])


def test_outputs_that_are_nan_are_refused_with_how_many() -> None:
    with pytest.raises(InputError, match="NaN for 1 of 2"):
        RankReadout((0, 0), {}, "first").read(np.array([[0, np.nan], [0, 1]], np.float32), 0)


def test_classes_of_a_network_in_any_order_of_folders(tmp_path: Path) -> None:
    stimuli = make_set([NAMES[i % 7] for i in (3, 1, 0, 6, 5, 4, 2, 2)])
    net = make_network(7, classes=NAMES)
    found = classify_stimuli(net, stimuli, out_path=tmp_path, batch_size=3)
    outputs = compute_outputs(net, stimuli)
    truths = np.array([NAMES.index(label) for label in stimuli.labels])
    table: Any = found.table
    assert table["response"].tolist() == [NAMES[i] for i in outputs.argmax(axis=1)]
    order = np.argsort(-outputs, axis=1)
    assert table["rank"].tolist() == [row.tolist().index(truth) for row, truth in zip(order, truths, strict=True)]
    assert table["correct"].tolist() == (table["truth"] == table["response"]).tolist()
    assert (found.decision, found.n_outputs, found.how) == ("class", 7, "names")
    assert "category" not in table


def test_imagenets_classes_are_asked_for_the_category_too_where_there_is_one(tmp_path: Path) -> None:
    labels = ["n02690373_airliner", "barn", "Chihuahua", "n03041632"]  # airplane, none, none, knife
    stimuli = make_set(labels)
    net = make_network()
    table: Any = classify_stimuli(net, stimuli, rule="mean", out_path=tmp_path).table
    categories = load_class_categories()
    truths = [load_wnids().index("n02690373"), 425, 151, load_wnids().index("n03041632")]
    decided = decide_category(compute_outputs(net, stimuli), "mean")
    assert table["category_truth"].tolist() == [categories[i] for i in truths]
    expected = [answer if categories[i] else "" for answer, i in zip(decided, truths, strict=True)]
    assert table["category"].tolist() == expected
    assert table["truth"].tolist() == [list_imagenet_classes()[i] for i in truths]


def test_labels_that_are_categories_ask_for_categories_alone(pictures: Path, tmp_path: Path) -> None:
    found = classify_stimuli(make_network(), pictures, out_path=tmp_path / "out")
    table: Any = found.table
    assert found.decision == "category" and "rank" not in table
    assert table["truth"].tolist() == table["category_truth"].tolist() == ["airplane"] * 3 + ["clock"] * 3 + ["dog"] * 3
    assert table["correct"].tolist() == (table["category"] == table["truth"]).tolist()


def test_pictures_are_prepared_as_the_network_does_or_shown_as_they_are(tmp_path: Path) -> None:
    wide = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 48, 3), dtype=np.uint8))
    for i in range(4):
        (tmp_path / "shown" / NAMES[i]).mkdir(parents=True)
        wide.rotate(90 * i).resize((32, 32)).save(tmp_path / "shown" / NAMES[i] / "a.png")
    form = bh.models.ImagePreprocessing(resize=64, crop=(32, 32), mean=(0,) * 3, std=(1,) * 3)  # pyright: ignore
    net = bh.wrap(Mixed(7, 1), preprocess=form, name="cropped", classes=NAMES)
    plain = bh.wrap(Mixed(7, 1), preprocess=FORM, name="cropped", classes=NAMES)
    own, shown = (
        classify_stimuli(net, tmp_path / "shown", out_path=tmp_path / str(k), as_shown=k).table["rank"].tolist()
        for k in (False, True)
    )
    whole = classify_stimuli(plain, tmp_path / "shown", out_path=tmp_path / "plain").table["rank"].tolist()
    assert shown == whole != own


def test_levels_and_conditions_stay_and_versions_share_their_stimulus(tmp_path: Path) -> None:
    columns = {"grade": ["noise"] * 4, "level": [0.1, 0.1, 0.5, 0.5], "original": ["a", "b"] * 2}
    table: Any = classify_stimuli(
        make_network(7, classes=NAMES), make_set(["ant", "bee"] * 2, conditions=columns), out_path=tmp_path
    ).table
    assert table["stimulus"].tolist() == ["a", "b"] * 2
    assert set(table["condition"]) == {"noise"} and table["level"].tolist() == columns["level"]


def test_what_is_there_is_kept_and_other_labels_or_stimuli_are_refused(tmp_path: Path) -> None:
    labels = [NAMES[i % 7] for i in range(9)]
    net = make_network(7, classes=NAMES)
    classify_stimuli(net, make_set(labels), out_path=tmp_path / "out")
    content = (tmp_path / "out" / "mixed.parquet").read_bytes()
    receipts = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("receipts/*.json")}
    (tmp_path / "out" / "mixed.parquet").unlink()
    classify_stimuli(net, make_set(labels), out_path=tmp_path / "out")
    assert (tmp_path / "out" / "mixed.parquet").read_bytes() == content
    assert receipts and {path: path.stat().st_mtime_ns for path in tmp_path.rglob("receipts/*.json")} == receipts
    with pytest.raises(ConfigurationChanged, match="labels was"):
        classify_stimuli(net, make_set(labels[::-1]), out_path=tmp_path / "out")
    with pytest.raises(ConfigurationChanged, match="as_shown was"):
        classify_stimuli(net, make_set(labels), out_path=tmp_path / "out", as_shown=True)
    with pytest.raises(ConfigurationChanged, match="other weights"):
        classify_stimuli(make_network(7, classes=NAMES, seed=1), make_set(labels), out_path=tmp_path / "out")
    assert len(classify_stimuli(net, make_set(labels[::-1]), out_path=tmp_path / "out", overwrite=True).table) == 9


def test_what_a_killed_run_left_half_written_goes_with_the_next_but_not_that_of_other_networks(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    own, other = (tmp_path / "out" / f".tmp-{name}.parquet-x.parquet" for name in ("mixed", "other"))
    for path in (own, other):
        path.touch()
    for ask, labels in ((classify_stimuli, [NAMES[i] for i in range(7)]), (answer_stimuli, list(NAMES))):
        own.touch()
        (tmp_path / "out" / "mixed.parquet").unlink(missing_ok=True)
        ask(make_network(7, classes=NAMES), make_set(labels), out_path=tmp_path / "out")
        assert not own.exists() and other.exists()


def test_numbers_that_seem_to_count_from_one_are_told(tmp_path: Path) -> None:
    net = make_network(7)
    answers = compute_outputs(net, make_set(["0"] * 40)).argmax(axis=1)
    shifted = np.minimum(answers + 1, 6).astype(str).tolist()
    (note,) = classify_stimuli(net, make_set(shifted), out_path=tmp_path / "a").notes
    assert "with the label's number less 1 for" in note and "count from another number" in note
    assert classify_stimuli(net, make_set(answers.astype(str).tolist()), out_path=tmp_path / "b").notes == ()


def test_held_out_stimuli_of_the_bundled_networks_are_not_those_of_training(tmp_path: Path) -> None:
    shapes = make_network(16, classes=SHAPE_CATEGORIES)
    drawn = draw_held_out(shapes, tmp_path, 1, seed=1)
    assert sorted(set(drawn.labels)) == sorted(SHAPE_CATEGORIES) and len(drawn) == 16
    plain = bh.stimuli.draw_shapes_set(tmp_path / "plain", 1, seed=1)
    assert {drawn.hash_stimulus(i) for i in range(16)}.isdisjoint({plain.hash_stimulus(i) for i in range(16)})
    sounds = draw_held_out(make_network(len(SYLLABLE_CATEGORIES), classes=SYLLABLE_CATEGORIES), tmp_path, 1)
    assert sounds.kind == "sound" and set(sounds.labels) == set(SYLLABLE_CATEGORIES)
    with pytest.raises(InputError, match="a folder, table or named set"):
        draw_held_out(make_network(7, classes=NAMES), tmp_path, 1)


def test_a_compiled_network_answers_the_same_and_its_answers_are_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from beholder.activations import compile_whole
    from beholder.activations.forward import _compiled

    monkeypatch.setattr(_compiled, "BACKEND", "aot_eager")
    stimuli, net = make_set([NAMES[i % 7] for i in range(6)]), make_network(7, classes=NAMES)
    batch = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        torch.testing.assert_close(compile_whole(bh.models.copy_model(net))(batch), net(batch), rtol=0, atol=1e-5)
    plain = classify_stimuli(net, stimuli, out_path=tmp_path / "plain", batch_size=4)
    found = classify_stimuli(net, stimuli, out_path=tmp_path / "compiled", batch_size=4, compile=True)
    assert found.settings["compile"] and found.table.equals(plain.table)
    with pytest.raises(ConfigurationChanged, match="compile"):
        classify_stimuli(net, stimuli, out_path=tmp_path / "plain", batch_size=4, compile=True)
    with pytest.raises(ConfigurationChanged, match="compile"):
        classify_stimuli(net, stimuli, out_path=tmp_path / "compiled", batch_size=4)
