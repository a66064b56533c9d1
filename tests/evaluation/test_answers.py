"""Networks' answers as tables of trials: what is asked, what is kept, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import beholder as bh
from beholder._core.errors import ConfigurationChanged, InputError, UnknownNameError
from beholder.evaluation import answer_stimuli, decide
from beholder.models import ImagePreprocessing
from beholder.responses import read_trials
from beholder.stimuli import SHAPE_CATEGORIES, load_categories, load_wnids

FORM = ImagePreprocessing(resize=32, crop=(32, 32), mean=(0,) * 3, std=(1,) * 3)  # pyright: ignore[reportArgumentType]


class Mixed(nn.Module):
    """Outputs that are fixed mixtures of a few pixels of a picture."""

    def __init__(self, n_outputs: int, seed: int = 0) -> None:
        super().__init__()
        weights = torch.randn((n_outputs, 3 * 16), generator=torch.Generator().manual_seed(seed))
        self.weights = nn.Parameter(weights)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, :, ::8, ::8].flatten(1) @ self.weights.T


def make_network(
    n_outputs: int = 1000, name: str = "mixed", classes: tuple[str, ...] | None = None, seed: int = 0
) -> Any:
    return bh.wrap(Mixed(n_outputs, seed), preprocess=FORM, name=name, classes=classes)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Nine pictures of 32 px in three folders, of which a network of 32 px sees every pixel."""
    rng = np.random.default_rng(3)
    for category in ("airplane", "dog", "clock"):
        (tmp_path / "shown" / category).mkdir(parents=True)
        for k in range(3):
            pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "shown" / category / f"{category}{k}.png")
    return tmp_path / "shown"


def test_answers_are_decisions_on_pictures_as_they_are(pictures: Path, tmp_path: Path) -> None:
    net = make_network()
    found = answer_stimuli(net, pictures, rule="mean", out_path=tmp_path / "answers", batch_size=4)
    files = sorted(pictures.glob("*/*.png"))
    pixels = np.stack([np.asarray(Image.open(path), np.float32).transpose(2, 0, 1) / 255 for path in files])
    with torch.inference_mode():
        expected = decide(net.module(torch.from_numpy(pixels)), rule="mean").tolist()
    table: Any = found.table
    assert dict(zip(table["stimulus"], table["response"], strict=True)) == dict(
        zip([path.stem for path in files], expected, strict=True)
    )
    assert table["truth"].tolist() == [path.parent.name for path in files]
    assert table["correct"].tolist() == (table["truth"] == table["response"]).tolist()
    assert set(table["participant"]) == {"mixed"} and set(table["rule"]) == {"mean"}
    read: Any = read_trials(tmp_path / "answers").table
    for column in table.columns:
        assert read[column].tolist() == table[column].tolist(), column


def test_what_is_answered_is_kept_and_another_question_refused(pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "answers"
    asked = {"out_path": out, "name": "one"}
    before = answer_stimuli(make_network(), pictures, **asked).table
    receipts = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("receipts/*.json")}
    content = (out / "one.parquet").read_bytes()
    (out / "one.parquet").unlink()
    assert answer_stimuli(make_network(), pictures, **asked).table.equals(before)
    assert (out / "one.parquet").read_bytes() == content
    assert receipts and {path: path.stat().st_mtime_ns for path in tmp_path.rglob("receipts/*.json")} == receipts
    with pytest.raises(ConfigurationChanged, match="rule was"):
        answer_stimuli(make_network(), pictures, rule="sum", **asked)
    with pytest.raises(ConfigurationChanged, match="other weights"):
        answer_stimuli(make_network(seed=1), pictures, **asked)
    next(pictures.glob("dog/*.png")).unlink()
    with pytest.raises(ConfigurationChanged, match="stimuli was"):
        answer_stimuli(make_network(), pictures, **asked)
    again = answer_stimuli(make_network(), pictures, rule="sum", overwrite=True, **asked)
    assert len(again.table) == 8 and set(again.table["rule"]) == {"sum"}
    answer_stimuli(make_network(), pictures, out_path=out, name="other")
    assert set(read_trials(out).table["participant"]) == {"one", "other"}


def test_other_content_under_the_same_names_is_another_question(pictures: Path, tmp_path: Path) -> None:
    answer_stimuli(make_network(), pictures, out_path=tmp_path / "answers")
    Image.fromarray(np.full((32, 32, 3), 7, np.uint8)).save(pictures / "dog" / "dog1.png")
    with pytest.raises(ConfigurationChanged, match="stimuli was"):
        answer_stimuli(make_network(), pictures, out_path=tmp_path / "answers")


def test_networks_of_their_own_classes_and_given_categories(pictures: Path, tmp_path: Path) -> None:
    net = make_network(4, classes=("clock", "dog", "barn", "airplane"))
    table = answer_stimuli(net, pictures, out_path=tmp_path / "a").table
    assert set(table["response"]) <= {"clock", "dog", "barn", "airplane"}
    animals = {"animal": ["dog"], "thing": ["clock", "airplane", 2]}
    named: Any = answer_stimuli(net, pictures, animals, out_path=tmp_path / "b").table
    assert set(named["response"]) <= {"animal", "thing"}
    assert dict(zip(named["stimulus"], named["truth"], strict=True))["dog0"] == "animal"
    assert named["truth"].tolist().count("thing") == 6
    numbers = {name: [load_wnids().index(each) for each in members] for name, members in load_categories().items()}
    by_number: Any = answer_stimuli(make_network(), pictures, numbers, out_path=tmp_path / "c").table
    by_default: Any = answer_stimuli(make_network(), pictures, out_path=tmp_path / "d").table
    assert by_number["response"].tolist() == by_default["response"].tolist()
    ids = [load_wnids()[numbers[path.parent.name][0]] for path in sorted(pictures.glob("*/*.png"))]
    arrays = np.stack([np.asarray(Image.open(path)) for path in sorted(pictures.glob("*/*.png"))])
    labelled = bh.StimulusSet.from_arrays(arrays, labels=ids, conditions={"grade": ["noise"] * 9, "Level": [0.5] * 9})
    of_arrays: Any = answer_stimuli(make_network(), labelled, out_path=tmp_path / "e").table
    assert of_arrays["response"].tolist() == by_default["response"].tolist()
    assert of_arrays["truth"].tolist() == by_default["truth"].tolist()
    assert set(of_arrays["condition"]) == {"noise"} and set(of_arrays["level"]) == {0.5}


def test_versions_of_stimuli_are_called_as_in_answers_of_people(tmp_path: Path) -> None:
    arrays = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    columns = {"grade": ["noise"] * 4, "level": [0.1, 0.1, 0.5, 0.5], "original": ["a", "b"] * 2}
    shown = bh.StimulusSet.from_arrays(arrays, labels=["dog", "clock"] * 2, conditions=columns)
    table: Any = answer_stimuli(make_network(), shown, out_path=tmp_path).table
    assert table["stimulus"].tolist() == ["a", "b"] * 2
    assert table["condition"].tolist() == ["level=0.1"] * 2 + ["level=0.5"] * 2
    assert table["level"].tolist() == columns["level"]


def test_labels_that_are_none_of_the_categories(pictures: Path, tmp_path: Path) -> None:
    (pictures / "clock").rename(pictures / "harpsichord")
    found = answer_stimuli(make_network(), pictures, out_path=tmp_path / "answers")
    assert len(found.table) == 6 and "3 of 9" in found.sentences[1] and "'harpsichord'" in found.sentences[1]
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in pictures.glob("*/*.png"):
        path.rename(flat / path.name)
    found = answer_stimuli(make_network(), flat, out_path=tmp_path / "others")
    assert len(found.table) == 9 and "correct" not in found.table and "No labels" in found.sentences[1]


def test_who_cannot_answer_is_told(pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "answers"
    with pytest.raises(InputError, match="none of 'airplane', 'clock', 'dog'"):
        answer_stimuli(make_network(16, classes=tuple(SHAPE_CATEGORIES)), pictures, out_path=out)
    with pytest.raises(InputError, match="whose 12 have none"):
        answer_stimuli(make_network(12), pictures, out_path=out)
    with pytest.raises(InputError, match="a number a class"):
        answer_stimuli(bh.wrap(nn.Conv2d(3, 2, 3), preprocess=FORM, name="maps"), pictures, out_path=out)
    with pytest.raises(InputError, match="'harpsichord9'"):
        answer_stimuli(make_network(), pictures, {"dog": ["harpsichord9"]}, out_path=out)
    with pytest.raises(UnknownNameError, match="rule"):
        answer_stimuli(make_network(), pictures, rule="median", out_path=out)
    assert not out.exists()
