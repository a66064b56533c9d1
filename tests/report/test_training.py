"""The section of a training run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.text import Annotation
from torch import nn

import beholder as bh
from beholder._core.errors import InputError
from beholder.figures import plot_training
from beholder.report import write_report
from beholder.training import TrainingRecord, open_training_record, train


def test_a_run_has_its_curves_and_words(tmp_path: Path) -> None:
    x, y = torch.rand(40, 3, 4, 4, generator=torch.Generator().manual_seed(0)), torch.arange(40) % 2
    net = nn.Sequential(nn.Flatten(), nn.Linear(48, 2))
    run = tmp_path / "run"
    result = train(
        bh.wrap(net, input_shape=(3, 4, 4), input_range=(0.0, 1.0), name="flat"), (x, y), preset="adversarial", eps=0.1,
        epochs=2, batch_size=16, held_out=0.25, eval_steps=2, out_path=run,
    )  # fmt: skip
    record = open_training_record(run)
    assert [row["train_loss"] for row in record.history] == [row["train_loss"] for row in result.history]
    told = " ".join(record.sentences())
    assert "flat learnt 2 classes in 2 epochs." in told
    assert f"{100 * result.best['attacked_accuracy']:.1f} % of 10 under attack (l2, radius 0.1)" in told
    page = write_report(tmp_path).read_text(encoding="utf-8")
    assert "How did flat learn?" in page
    assert told in page.replace("&#39;", "'")
    assert "3 steps of PGD of 0.06667 in the l2 ball of radius 0.1" in page
    assert "attacks see the network in eval mode" in page
    assert "train_accuracy" in page
    assert "They were varied by" not in page
    described = {**record.described, "data": {**record.described["data"], "augment": ["crop=0.5", "mixup=0.2"]}}
    assert "They were varied by crop=0.5, mixup=0.2." in TrainingRecord(described, record.history).methods()


def test_other_folders_are_no_runs(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text('{"settings": {}, "classes": [], "model": "x"}')
    (tmp_path / "log.jsonl").write_text("{}\n")
    with pytest.raises(InputError, match="the folder of a training run"):
        open_training_record(tmp_path)
    with pytest.raises(InputError, match="results that a report can show"):
        write_report(tmp_path)


def test_names_of_curves_that_end_close_by_stand_apart() -> None:
    rows = [
        {"epoch": i, "train_loss": 2.3 - 0.1 * i, "loss": 2.3 - 0.3 * i, "attacked_loss": 2.3 - 0.27 * i,
         "train_accuracy": 0.1, "accuracy": 0.5, "attacked_accuracy": 0.4, "n": 49, "n_attacked": 49}
        for i in range(3)
    ]  # fmt: skip
    left, right = plot_training(rows, n_classes=10).axes
    for ax in (left, right):
        low, high = ax.get_ylim()
        places = sorted(text.xy[1] for text in ax.texts if isinstance(text, Annotation) and text.xy[0] == 3)
        assert len(places) == 3 and min(np.diff(places)) >= 0.0749 * (high - low)


def test_curves_hold_the_numbers() -> None:
    rows = [
        {
            "epoch": i,
            "train_loss": 2 - i,
            "train_accuracy": 0.2,
            "loss": 1.5,
            "accuracy": 0.25 * i,
            "n": 8,
            "is_best": i == 1,
        }
        for i in range(2)
    ]
    figure = plot_training(rows, n_classes=4)
    loss, right = figure.axes
    assert [np.asarray(line.get_ydata()).tolist() for line in right.lines[:2]] == [[20.0, 20.0], [0.0, 25.0]]
    assert np.asarray(loss.lines[0].get_ydata()).tolist() == [2.0, 1.0]
    words = [text.get_text() for text in right.texts]
    assert words[-1] == "chance 25 %"
    assert "held out, n = 8" in words
    assert not any("attacked" in each for each in words)
    with pytest.raises(InputError, match="an epoch or more"):
        plot_training([])
