"""``beholder train``: what it prints, keeps and refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from beholder.stimuli import StimulusSet

Call = Callable[..., tuple[int, str, str]]
NETWORK = """
from torch import nn

preprocessing = {"kind": "image", "resize": 16, "crop": [16, 16], "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}

def build():
    blocks = nn.Conv2d(3, 4, 3, 2), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    return nn.Sequential(*blocks, nn.Linear(4, 3))
"""


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for k, name in enumerate(("ape", "bee", "cow")):
        for i in range(8):
            pixels = rng.integers(0, 90, (16, 16, 3), dtype=np.uint8)
            pixels[..., k] += 120
            path = tmp_path / "pictures" / name / f"{name}_{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    return tmp_path / "pictures"


LINE = ["--epochs", "4", "--batch_size", "8", "-lr", "0.1", "--device", "cpu", "--threads", "1"]


@pytest.fixture
def network(tmp_path: Path) -> str:
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "build_network.py").write_text(NETWORK)
    return f"file:{folder / 'build_network.py'}@random"


def test_a_network_of_ones_own_from_pictures_to_answers(
    beholder: Call, pictures: Path, network: str, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    code, told, err = beholder("train", network, str(pictures), "--out_path", str(out), "--held_out", "0.25", *LINE)
    assert code == 0, err
    assert told.startswith("best epoch ") and "held-out stimuli right" in told
    assert f"@{out}/checkpoints/best.safetensors" in told
    assert "epoch 4 of 4: loss" in err
    code, told, _ = beholder(
        "train", network, str(pictures), "--out_path", str(out), "--held_out", "0.25", *LINE, "--json"
    )
    document = json.loads(told)
    assert code == 0 and len(document["epochs"]) == 4
    assert {Path(row["file"]).name for row in document["files"]} == {
        "best.safetensors", "last.safetensors", "log.csv", "log.jsonl",
    }  # fmt: skip
    name = f"{network.removesuffix('@random')}@{out}/checkpoints/best.safetensors"
    code, _, err = beholder(
        "extract",
        "--model_name",
        name,
        "--module_name",
        "5",
        "--in_path",
        str(pictures),
        "--out_path",
        str(tmp_path / "acts"),
    )
    assert code == 0, err
    code, _, err = beholder(
        "train", network, str(pictures), "--out_path", str(out), "--held_out", "0.25", *LINE, "--seed", "7"
    )
    assert code == 2
    assert "settings.seed was 42, now 7" in err and "--overwrite" in err


def test_a_picture_that_is_damaged_in_the_third_epoch(
    beholder: Call, pictures: Path, network: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is named; what was learnt is kept; the same command with --skip_bad goes on."""
    out = tmp_path / "run"
    bad = pictures / "bee" / "bee_3.png"
    line = ["train", network, str(pictures), *LINE, "--held_out", "0", "--augment", "none", "--cache_gb", "0"]
    line += ["--out_path", str(out)]
    reads = 0
    read = StimulusSet.read

    def break_in_epoch_3(self: StimulusSet, i: int) -> Any:
        nonlocal reads
        reads += self.files[i].endswith("bee_3.png")
        if reads == 4:  # the first time it is hashed
            bad.write_bytes(bad.read_bytes()[:40])
        return read(self, i)

    monkeypatch.setattr(StimulusSet, "read", break_in_epoch_3)
    code, _, err = beholder(*line)
    assert code == 2 and "bee_3.png" in err and "try --skip_bad" in err, err
    monkeypatch.setattr(StimulusSet, "read", read)
    assert "epoch 2 of 4" in err and "epoch 3 of 4" not in err
    assert len((out / "log.csv").read_text().splitlines()) == 3
    code, _, err = beholder(*line)
    assert code == 2 and "--overwrite" in err
    code, told, err = beholder(*line, "--skip_bad")
    assert code == 0, err
    assert "left out: " in err and "epoch 1 of 4" not in err and "epoch 4 of 4" in err
    assert "note: " in told and "bee_3.png" in told


def test_what_cannot_be_trained_is_refused(beholder: Call, pictures: Path, network: str, tmp_path: Path) -> None:
    out = ["--out_path", str(tmp_path / "run")]
    preset = tmp_path / "mine.toml"
    preset.write_text("learning_rat = 0.1\n")
    code, _, err = beholder("train", network, str(pictures), *out, "--preset", str(preset))
    assert code == 2 and "try 'learning_rate'" in err and err.count("\n") == 1
    code, _, err = beholder("train", network, str(pictures / "ape"), *out)
    assert code == 2 and err.count("\n") == 1
    code, _, err = beholder("train", "beholder:shapes", str(pictures), *out, *LINE)
    assert code == 2 and "try --new_head" in err, err
    assert not (tmp_path / "run").exists()
