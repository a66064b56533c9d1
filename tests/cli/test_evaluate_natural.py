"""Accuracy from the command line: records of --json, old flags, a directory, bad input in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def test_records_old_flags_and_a_directory(beholder: Any, place: Path, tmp_path: Path) -> None:
    directory = tmp_path / "net"
    directory.mkdir()
    source = (place / "net.py").read_text(encoding="utf-8")
    more = 'input_range = (0.0, 1.0)\npreprocessing = {"kind": "image", "resize": 40, "crop": 40}\n'
    (directory / "build_network.py").write_text(source.replace("def build", "def main") + more, encoding="utf-8")
    labelled = tmp_path / "stimuli.csv"
    rows = [f"{place}/images/{name}/picture_{i}.png,{i % 4},{i % 2}" for i, name in enumerate(["cat", "dog"] * 3)]
    labelled.write_text("file,label,severity\n" + "\n".join(rows) + "\n", encoding="utf-8")
    argv = [
        "evaluate",
        "natural",
        "-D",
        directory,
        labelled,
        "-R",
        "3",
        "-B",
        "2",
        "-N",
        "1",
        "--out",
        tmp_path / "out",
    ]
    code, out, err = beholder(*argv, "--device", "cpu", "--json")
    assert code == 0, err
    document = json.loads(out)
    assert next(iter(document)) == "natural" and set(document) >= {"table", "sentences", "warnings", "files"}
    whole, *levels = document["natural"]
    assert (whole["eps"], whole["attack"], whole["norm"], whole["n"]) == (0, "none", "", 6)
    assert 0 <= whole["accuracy_top1"] <= 1 and "accuracy_top5" not in whole
    assert [(each["level"], each["n"]) for each in levels] == [(0, 3), (1, 3)]
    assert {row["seed"] for row in document["table"]} <= {0, 3}
    assert (tmp_path / "out" / "report.html").is_file() and (tmp_path / "out" / "natural").is_dir()
    again = beholder(*argv, "--device", "cpu", "--json")
    assert again[0] == 0 and json.loads(again[1])["table"] == document["table"]
    code, _, err = beholder(*argv, "--device", "cpu", "--as_shown")
    assert code == 2 and "as_shown" in err


def test_labels_that_fit_nothing_are_one_line(beholder: Any, place: Path, tmp_path: Path) -> None:
    code, _, err = beholder("evaluate", "natural", "beholder:shapes", place / "images", "--out", tmp_path / "out")
    assert code == 2 and err.count("error:") == 1
    assert "2 of 2 that are none (6 of 6 stimuli): 'cat', 'dog'" in err
    code, _, err = beholder("evaluate", "natural", "--out", tmp_path / "out")
    assert code == 2 and "MODEL [FOLDER]" in err
