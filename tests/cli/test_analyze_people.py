"""Answers of people from the command line to tables and a page."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from beholder import analyze_anova, analyze_mixed, analyze_psychometrics

Call = Callable[..., tuple[int, str, str]]
COLUMNS = ["--columns", "participant=Subj", "response=answer", "truth=label", "stimulus=picture"]


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people's files, whose columns differ in case and whose ids have prefixes."""
    folder = tmp_path_factory.mktemp("people") / "contrast"
    folder.mkdir()
    rng = np.random.default_rng(0)
    labels = ("cat", "dog", "car", "bus")
    for person in range(3):
        head = "subj,Condition,level,answer,label,picture,rt"
        lines = [head if person else head.swapcase()]
        for place in range(72):
            level, item = 2.0 ** (place % 4), place % 12
            condition = ("edge", "photo")[place // 4 % 2]
            right = rng.random() < 0.25 + 0.7 / (1 + np.exp(-2 * (np.log2(level) - 1.2 - 0.5 * (condition == "edge"))))
            answer = labels[item % 4] if right else labels[(item + 1) % 4]
            lines.append(
                f"p{person},{condition},{level:g},{answer},{labels[item % 4]},{place:04d}_s{person}_x{item}.png,0.6"
            )
        (folder / f"p{person}.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_a_published_matrix_by_one_command(beholder: Call, shared_data: Path, tmp_path: Path) -> None:
    name = "VisionExperiment1_network_vs_humans_datamatrix_cornet_s_public.mat"
    argv = ["analyze", "anova", shared_data / "human_recognition" / name, "--n_permutations", "99", "--out", tmp_path]
    code, out, err = beholder(*argv, "--json")
    assert code == 0, err
    rows = {row["effect"]: row for row in json.loads(out)["anova"] if row["statistic"] == "F"}
    line = rows["observer:stage"]
    assert (f"{line['estimate']:.2f}", f"{line['p_gg']:.4e}", f"{line['p_hf']:.3e}", f"{line['p_lb']:.4e}") == (
        "293.64", "7.6509e-78", "3.551e-87", "1.4458e-20",
    )  # fmt: skip
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Do people and the network differ" in page and "one network" in page
    code, _, err = beholder(*argv, "--paired")
    assert code == 2 and "paired was False" in err


def test_answers_by_each_command(beholder: Call, trials: Path, tmp_path: Path) -> None:
    read = [*COLUMNS, "--id_pattern", "_(x[0-9]+)"]
    argv = ["analyze", "anova", trials, *read, "--within", "condition"]
    code, out, err = beholder(*argv, "--out", tmp_path / "a", "--json")
    assert code == 0, err
    options = {"columns": COLUMNS[1:], "id_pattern": "_(x[0-9]+)"}
    table = analyze_anova(trials, within=["condition"], **options).table
    assert [row["estimate"] for row in json.loads(out)["anova"]] == pytest.approx(table["estimate"].tolist())
    argv = ["analyze", "mixed", trials, *read, "--formula", "correct ~ condition + level", "--groups", "participant"]
    code, out, err = beholder(*argv, "--out", tmp_path / "m", "--json")
    assert code == 0, err
    told = json.loads(out)
    found = analyze_mixed(trials, "correct ~ condition + level", groups=["participant"], **options)
    expected = found.table
    assert [row["estimate"] for row in told["mixed"]] == pytest.approx(expected["estimate"].tolist())
    assert {"mixed_lme4.R", "mixed_trials.csv"} <= {Path(each["file"]).name for each in told["files"]}
    assert "logistic mixed model" in (tmp_path / "m" / "report.html").read_text(encoding="utf-8")


def test_thresholds_by_command(beholder: Call, trials: Path, tmp_path: Path) -> None:
    argv = ["analyze", "psychometrics", trials, *COLUMNS, "--scale", "log", "--n_draws", "0", "--out", tmp_path]
    code, out, err = beholder(*argv, "--lapse", "free", "--prior", "weak", "--json")
    assert code == 0, err
    options = {"columns": COLUMNS[1:], "scale": "log", "n_draws": 0, "lapse": "free", "prior": "weak"}
    table = analyze_psychometrics(trials, **options).table
    rows = json.loads(out)["psychometrics"]
    assert [row["estimate"] for row in rows] == pytest.approx(table["estimate"].tolist(), nan_ok=True)
    assert {"threshold", "d'", "median response time, right answers"} <= {row["statistic"] for row in rows}
    assert (tmp_path / "figures" / "psychometrics_functions.svg").is_file()


def test_power_by_command(beholder: Call, tmp_path: Path) -> None:
    values = np.clip(np.random.default_rng(0).normal([[0.9, 0.9], [0.6, 0.9]], 0.1, (8, 2, 2)), 0, 1)
    np.save(tmp_path / "pilot.npy", values)
    argv = ["analyze", "power", tmp_path / "pilot.npy", "--design", "anova", "--n", "4", "20", "--n_simulations", "30"]
    code, out, err = beholder(*argv, "--out", tmp_path / "out")
    assert code == 0, err
    assert out.startswith("20 participants in each group reach a power of 0.8") or "4 participants" in out


def test_bad_input_is_one_line(beholder: Call, trials: Path, tmp_path: Path) -> None:
    for argv, told in (
        (["anova", trials, *COLUMNS, "--within", "colour"], "colour"),
        (["mixed", trials, *COLUMNS, "--formula", "correct ~ colour"], "colour"),
        (["mixed", trials, *COLUMNS, "--formula", "correct"], "a formula such as"),
        (["psychometrics", trials, *COLUMNS, "--lapse", "some"], "some"),
        (["psychometrics", trials, *COLUMNS, "--task", "yes-no"], "--signal LABEL"),
        (["power", trials, *COLUMNS, "--design", "kappa"], "--compared"),
        (["power", trials, *COLUMNS, "--design", "anova", "--effect", "observer:stage"], "observer"),
        (["anova", tmp_path / "none.mat"], "no file at"),
    ):
        code, out, err = beholder("analyze", *argv, "--out", tmp_path / "out")
        assert (code, out, err.count("\n")) == (2, "", 1) and told in err, err
    assert not (tmp_path / "out").exists()
