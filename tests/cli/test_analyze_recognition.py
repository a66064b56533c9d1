"""Recognition from the command line: tables of others, and matrices."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from beholder.responses import RecognitionMatrix, write_recognition_matrix

COLUMNS = ["--columns", "participant=subj", "response=object_response", "truth=category", "stimulus=imagename"]


def write_people(folder: Path) -> Path:
    """Two people, a file each; the second's columns are spelled otherwise."""
    folder.mkdir()
    head = "subj,object_response,category,condition,imagename\n"
    for place, who in enumerate("ab"):
        rows = [
            f"{who},{'dog' if k < 2 + place else 'cat'},cat,c{5 * (k % 2)},000{k}_{who}_cat{k}.png\n" for k in range(6)
        ]
        text = (head if who == "a" else head.title()) + "".join(rows)
        (folder / f"{who}.csv").write_text(text, encoding="utf-8")
    return folder


def test_tables_of_others_with_a_network(beholder: Any, tmp_path: Path) -> None:
    people = write_people(tmp_path / "human")
    lines = ["participant,stimulus,truth,response,condition,rule\n"]
    lines += [f"net,cat{k},cat,{'cat' if k else 'dog'},c{5 * (k % 2)},first\n" for k in range(6)]
    (tmp_path / "net.csv").write_text("".join(lines), encoding="utf-8")
    argv = ["analyze", "recognition", people, "--networks", tmp_path / "net.csv", *COLUMNS, "--out", tmp_path / "out"]
    code, out, err = beholder(*argv, "--id_pattern", r"_[ab]_(.*)\.png$", "--json")
    assert code == 0, err
    rows = {
        (e["observer"], e["condition"]): e
        for e in json.loads(out)["recognition"]
        if e["statistic"] == "proportion correct"
    }
    assert rows["people", "c0"]["estimate"] == (2 / 3 + 1 / 3) / 2 and rows["people", "c0"]["n"] == 2
    assert rows["network", "c5"]["estimate"] == 1 and rows["network", "c5"]["rule"] == "first"
    assert (tmp_path / "out" / "recognition_net.mat").is_file()
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "What do people and networks recognise?" in page
    code, _, err = beholder(*argv, "--overwrite")  # without the pattern nothing joins
    assert code == 2 and "--id_pattern" in err and "'0000_a_cat0.png'" in err


def test_matrices_of_named_networks(beholder: Any, tmp_path: Path) -> None:
    values = np.random.default_rng(0).uniform(0.2, 0.9, (4, 3, 2))
    path = write_recognition_matrix(
        tmp_path / "m.mat", RecognitionMatrix(values, tuple("abcd"), ("natural", "l1", "l2"))
    )
    argv = ["analyze", "recognition", f"net={path}", f"other={path}", "--out", tmp_path / "out"]
    code, out, err = beholder(*argv, "--stages", "original", "conv1", "conv2")
    assert code == 0, err
    assert "net: people are right in" in out and "at conv2" in out and "note: A matrix tells no single answers" in out
    assert (tmp_path / "out" / "recognition_other.mat").is_file()
    code, _, err = beholder("analyze", "recognition", path, path.parent / "x.csv")
    assert code == 2 and "single answers, or matrices" in err
