"""Published regressions of voxels, from files to a page, by command."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import beholder as bh
from beholder._core.errors import InputError

META = [("subj_idx", "<i8"), ("hemi", "S2"), ("voxel_id", "<i8"), ("n_reps", "<f8")]


def write(path: Path, layer: str, r2: np.ndarray) -> None:
    meta = np.zeros(len(r2), dtype=META)
    meta["subj_idx"] = np.arange(len(r2)) % 2
    content = {
        "r2s": r2, "alphas": np.ones_like(r2), "layer_name": layer.encode(), "random_seed": 3882,
        "all_train_idxs": np.eye(3), "all_test_idxs": 1 - np.eye(3), "voxel_meta": meta,
        "roi_masks": {"masks": np.eye(len(r2))[:, :1], "mask_names": ["pitch"]},
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content))


def test_networks_are_folders_and_a_command_summarises_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from beholder.cli._main import run

    rng = np.random.default_rng(0)
    values = {(net, layer): 1.2 * rng.random((4, 3)) for net in ("coch9", "coch50") for layer in ("conv1", "fc")}
    for (net, layer), r2 in values.items():
        write(tmp_path / "audio" / net / "regression_results" / "natsound" / f"voxelwise_{layer}.pckl", layer, r2)
    out = tmp_path / "out"
    assert run(["analyze", "regressions", str(tmp_path / "audio"), "--out", str(out), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["regressions"]
    found = {(row["model"], row["layer"]): row for row in rows if row["target"] == "all"}
    for key, r2 in values.items():
        assert found[key]["estimate"] == pytest.approx(np.median(np.median(r2, axis=1)))
    medians = np.median(np.stack([values["coch9", "conv1"], values["coch9", "fc"]]), axis=2)
    assert found["coch9", ""]["estimate"] == pytest.approx(np.median(medians.max(axis=0)))
    assert found["coch9", ""]["statistic"] == "best stage" and {row["target"] for row in rows} == {"all", "pitch"}
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "published" in page and (out / "figures" / "regressions_stages.svg").is_file()


def test_stages_stand_from_the_input_to_the_output(tmp_path: Path) -> None:
    stages = ["input_after_preproc", "conv1_relu1", "relu2", "relu10", "avgpool", "relufc", "final"]
    for layer in stages:
        write(tmp_path / "net" / f"voxelwise_{layer}.pckl", layer, np.full((4, 3), 0.5))
    table = bh.analyze_regressions(tmp_path).table
    assert list(dict.fromkeys(table["layer"][table["layer"] != ""])) == stages


def test_files_that_are_not_there_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="none in"):
        bh.analyze_regressions(tmp_path)
    monkeypatch.setenv("BEHOLDER_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("beholder.analysis.encoding._published.find_asset", _nothing)
    with pytest.raises(InputError, match="assets fetch fmri-regressions"):
        bh.analyze_regressions()


_nothing: Callable[[str], None] = lambda _: None  # noqa: E731
