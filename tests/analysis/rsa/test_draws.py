"""Draws of RSA in parts: the same rows in whichever ranges, here, on a cluster, or by the tasks of a job array."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import beholder as bh
from beholder._core.errors import ConfigurationChanged, InputError
from beholder.jobs import DryRun, verify_outputs
from beholder.recordings import RecordedRDMs
from beholder.statistics import RDM_METHODS, bootstrap_rsa, permute_stimuli, plan_rsa_draws, plan_stimulus_shuffles

RNG = np.random.default_rng(4)
IDS = [f"picture_{i}" for i in range(8)]
LAYERS = {name: RNG.normal(size=(8, 5)) for name in ("early", "late")}
PEOPLE = RecordedRDMs(RNG.random((5, 28)), IDS, {"subject": list("abcab"), "region": ["IT"] * 3 + ["V1"] * 2})


def compute_in_parts(draws: Any, size: int) -> np.ndarray:
    starts = list(range(0, draws.n_rows, size))
    return np.concatenate([draws.prepare()(start, min(draws.n_rows, start + size)) for start in reversed(starts)][::-1])


@pytest.mark.parametrize("method", RDM_METHODS)
def test_rows_are_the_same_in_whichever_ranges(method: str) -> None:
    models, people = RNG.random((2, 15)), RNG.random((3, 15))
    people[0, :5] = np.nan
    draws = plan_rsa_draws(models, people, method, over="both", n_draws=12, seed=3)
    whole = bootstrap_rsa(models, people, method, n_draws=12, seed=3)
    found = draws.sum_up(compute_in_parts(draws, 5))
    for name in ("values", "draws", "interactions"):
        np.testing.assert_array_equal(getattr(found, name), getattr(whole, name))
    asked: dict[str, Any] = {"n_permutations": 40, "alpha": 0.05, "seed": 2}
    shuffles = plan_stimulus_shuffles(models, people, method, **asked)
    tested, once = shuffles.sum_up(compute_in_parts(shuffles, 7)), permute_stimuli(models, people, method, **asked)
    np.testing.assert_array_equal((tested.p, tested.p_max), (once.p, once.p_max))
    assert tested.smallest_p == once.smallest_p


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some draws a part, as at real sizes."""
    for name in ("_rsa_draws", "_stimulus_permutation"):
        monkeypatch.setattr(f"beholder.statistics.{name}._WORK_AT_ONCE", 28 * 40)


def analyze(**options: Any) -> Any:
    asked = {"stimulus_ids": IDS, "n_draws": 30, "n_permutations": 40, **options}
    return bh.analyze_rsa(LAYERS, PEOPLE, **asked)


@pytest.mark.usefixtures("small_parts")
def test_a_cluster_draws_what_one_process_draws_and_goes_on(tmp_path: Path) -> None:
    plain = analyze()
    table = analyze(out_path=tmp_path, cluster="local:1").table
    pd.testing.assert_frame_equal(table, plain.table)
    files = sorted((tmp_path / "rsa.parts").iterdir())
    assert len(files) > 10
    before = {path: path.stat().st_mtime_ns for path in files}
    files[3].unlink()
    assert verify_outputs(tmp_path)[0].files[0].state == "missing"
    found = analyze(out_path=tmp_path, cluster="local:1", depth_bins=2)
    assert found.settings["depth_bins"] == 2, "which draws nothing"
    assert [path for path in files if path.stat().st_mtime_ns != before[path]] == [files[3]]
    with pytest.raises(ConfigurationChanged, match="n_draws was 30, now 20"):
        analyze(out_path=tmp_path, cluster="local:1", n_draws=20)
    again = analyze(out_path=tmp_path, cluster="local:1", n_draws=20, overwrite=True)
    pd.testing.assert_frame_equal(again.table, analyze(n_draws=20).table)
    with pytest.raises(InputError, match="out_path, a folder that all workers see"):
        analyze(cluster="local:2")


def test_a_dry_run_measures_draws(tmp_path: Path) -> None:
    for options in ({}, {"out_path": tmp_path / "found"}):
        found = analyze(dry_run=True, **options)
        assert isinstance(found, DryRun) and found.phases[0].unit == "draws" and found.seconds > 0
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.usefixtures("small_parts")
def test_processes_draw_the_same(tmp_path: Path) -> None:
    pd.testing.assert_frame_equal(analyze(out_path=tmp_path, cluster="local:2").table, analyze().table)
