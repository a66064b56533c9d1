"""``beholder evaluate adversarial``: the script's flags, what is printed and written, bad days."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Call = Callable[..., tuple[int, str, str]]

NETWORK = """
import torch
from torch import nn


class Mixed(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(48, 7)

    def forward(self, x):
        return self.linear(torch.tanh(x.flatten(1) - 0.5))


def build():
    torch.manual_seed(0)
    return Mixed()


input_range = (0.0, 1.0)
preprocessing = {"kind": "image", "resize": 4, "crop": 4}
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A network in a file, and twelve pictures in folders called by numbers of its outputs."""
    (tmp_path / "net.py").write_text(NETWORK, encoding="utf-8")
    rng = np.random.default_rng(0)
    for k in range(12):
        folder = tmp_path / "images" / str(k % 3)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)).save(folder / f"p{k}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_scripts_flags_do_what_they_did(place: Path, beholder: Call) -> None:
    """Radii 0 and ten to -2, -1.5, -1; ten pictures; three steps of a quarter."""
    line = ["evaluate", "adversarial", "file:net.py", "images", "--json"]
    script = ["-R", "0", "-N", "10", "-I", "3", "-B", "4", "-T", "inf", "-D", "4", "-L", "-2", "-M", "-1", "-U", "2"]
    code, out, err = beholder(*line, *script, "--n_checked", "2")
    assert code == 0, err
    document = json.loads(out)
    rows = document["adversarial"]
    assert [row["eps"] for row in rows] == pytest.approx([0, 0.01, 0.01 * 10**0.5, 0.1])
    assert {row["norm"] for row in rows} == {"linf"} and {row["n"] for row in rows} == {10}
    assert {(row["steps"], row["step"]) for row in rows[1:]} == {(3, "eps/4")}
    accuracies = [row["accuracy_top1"] for row in rows]
    assert accuracies == sorted(accuracies, reverse=True)
    assert all((place / each["file"]).is_file() for each in document["files"])

    code, out, err = beholder(*line, "-R", "0", "-N", "10", "-I", "3", "-B", "4", "-T", "2", "-D", "4", "-E", "0,1/4,3")
    assert code == 0, err
    rows = json.loads(out)["adversarial"]
    assert [(row["norm"], row["eps"]) for row in rows if row["attack"] == "pgd"] == [
        ("l2", 0.25), ("l2", 3), *[("linf", pytest.approx(eps)) for eps in (0.01, 0.01 * 10**0.5, 0.1)],
    ]  # fmt: skip
    code, _, err = beholder(*line, "-T", "2", "-E", "1", "-I", "4", "-R", "0", "-N", "10", "-D", "4")
    assert code == 2 and "steps was 3, now 4" in err
    assert beholder(*line, "-T", "2", "-E", "1", "-I", "4", "-R", "0", "-N", "10", "-D", "4", "-O")[0] == 0


def test_two_networks_and_saved_stimuli(place: Path, beholder: Call) -> None:
    (place / "other.py").write_text(NETWORK.replace("manual_seed(0)", "manual_seed(1)"), encoding="utf-8")
    code, out, err = beholder(
        "evaluate", "adversarial", "file:net.py", "images", "--models", "file:other.py", "--eps", "l2:0.5", "--steps",
        "2", "--n_checked", "0", "--save_stimuli", "saved", "--transfer", "file:other.py",
    )  # fmt: skip
    assert code == 2 and "another network" in err and "itself" in err, err
    code, out, err = beholder(
        "evaluate", "adversarial", "file:net.py", "images", "--models", "file:other.py", "--eps", "l2:0.5", "--steps",
        "2", "--n_checked", "0", "--save_stimuli", "saved",
    )  # fmt: skip
    assert code == 0, err
    assert "as they were saved" in out and "net.py is right" in out and "other.py is right" in out
    assert len(list((place / "saved").rglob("l2_pgd_0.5/*.png"))) > 12
    code, _, err = beholder(
        "tasks", "plan", "-s", "saved/net/l2_pgd.csv", "--kind", "recognition", "-o", "plan.json", "--n_tasks", "2",
        "--set", "choices=[]",
    )  # fmt: skip
    assert code == 0, err
    assert "l2_pgd_0.5" in (place / "plan.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ([], "--norm and --eps, or --preset published"),
        (["--eps", "0.5"], "--eps l2:0.5"),
        (["--norm", "l2", "--eps", "0"], "at least one radius above 0"),
        (["--norm", "l2", "--eps=-1"], "radii above 0"),
        (["--norm", "l1"], "none are published for l1 of pictures"),
        (["-T", "2", "-L", "-1"], "--min_exponent and --max_exponent"),
        (["--eps", "l2:1", "--attacks", "fgsm"], "attack"),
    ],
)
def test_bad_lines_are_refused_in_one_line(place: Path, beholder: Call, more: list[str], words: str) -> None:
    code, _, err = beholder("evaluate", "adversarial", "file:net.py", "images", *more)
    assert code == 2 and words in err and "Traceback" not in err
