"""The examples run as they are."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

import beholder as bh

from .conftest import ROOT

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def run_example(name: str, *arguments: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = ROOT / "examples" / name
    monkeypatch.setattr(sys, "argv", [str(path), *arguments])
    runpy.run_path(str(path), run_name="__main__")


def test_every_example_has_a_test() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    assert EXAMPLES
    for path in EXAMPLES:
        assert f'run_example("{path.name}"' in text


def test_single_model_over_a_folder(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_example(
        "single_model.py",
        "images",
        "--layers",
        "block3",
        "classifier",
        "--out",
        "out",
        "--device",
        "cpu",
        monkeypatch=monkeypatch,
    )
    out = capsys.readouterr().out
    assert "16 images" in out
    assert "block3: stimulus 16, channel 96, height 28, width 28" in out
    assert (workplace / "out" / "shapes.zarr").is_dir()


def test_single_model_draws_its_own_pictures(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_example("single_model.py", "--pool", "mean", "--out", "own", "--device", "cpu", monkeypatch=monkeypatch)
    assert "block5: stimulus 16, channel 256" in capsys.readouterr().out
    assert len(list((workplace / "own" / "pictures").glob("*/*.png"))) == 16


def test_read_activations_of_a_panel_and_of_a_store(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import beholder as bh

    (file,) = bh.extract_panel(
        "images", "out", folders=["star"], models=["beholder:shapes"], layers=["block3", "classifier"],
        replicates=2, pool="mean", device="cpu",
    )  # fmt: skip
    run_example("read_activations.py", str(file), "--model", "shapes", "--show_layers", monkeypatch=monkeypatch)
    out = capsys.readouterr().out
    assert "models: shapes" in out
    assert "block3: (2, 96) float32" in out
    assert "classifier: (2, 16) float32" in out
    store = file.with_suffix(".stores") / "shapes.zarr"
    run_example("read_activations.py", str(store), "--stimulus", "star_0000", "--average", monkeypatch=monkeypatch)
    assert "block3: (96,) float32" in capsys.readouterr().out


def test_rehearsal_of_an_experiment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--participants", "2", "--out", str(tmp_path / "out"))
    run_example("rehearse_experiment.py", *arguments, monkeypatch=monkeypatch)
    out = capsys.readouterr().out
    assert "Experiment(2afc, 4 tasks of 5 trials, 5 for practice)" in out
    assert "Simulation(ideal, 2 participants, 2 done, 100.0 % right)" in out
    assert "PowerAnalysis(difference 0.05" in out


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("read_activations.py", ("out.zarr",), "out.zarr"),
        ("read_activations.py", ("shapes.zarr", "--model", "ResNet51"), "'ResNet51'"),
        ("read_activations.py", ("shapes.zarr", "--stimulus", "nothing"), "'nothing'"),
        ("single_model.py", ("images", "--model", "resnet51"), "'resnet51'"),
        ("single_model.py", ("nowhere",), "nowhere"),
    ],
)
def test_a_slip_is_one_line(
    workplace: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    arguments: tuple[str, ...],
    told: str,
) -> None:
    if "shapes.zarr" in arguments:
        bh.extract("beholder:shapes", "images", ["block5"], out_path=".", device="cpu", pool="mean").path.rename(
            "shapes.zarr"
        )
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        run_example(name, *arguments, monkeypatch=monkeypatch)
    err = capsys.readouterr().err.strip().splitlines()
    assert stop.value.code == 2 and told in err[-1] and err[-1].startswith("error: expected")
