"""Results that two runs write at once, or that are interrupted: one result whole, or a word that there is none."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from tests.forking import FORKING

from beholder._core.errors import ConfigurationChanged, DamagedOutput
from beholder.analysis import Result, make_result, open_result, write_result


def make(seed: int) -> Result:
    rng = np.random.default_rng(seed)
    rows = [
        {"layer": f"l{i}", "target": "IT", "statistic": "cka", "estimate": float(rng.random()), "n": 9, "n_stimuli": 9}
        for i in range(3)
    ]
    settings = {
        "model": "net", "other": "", "is_network": False, "layers": [row["layer"] for row in rows], "debiased": True,
        "n_permutations": 0, "seed": seed, "n_stimuli": 9, "joined": "", "inputs": {"activations": str(seed)},
    }  # fmt: skip
    return make_result("cka", rows, settings, arrays={"some": rng.random(50_000)})


def write(seed: int, folder: Path, overwrite: bool) -> None:
    try:
        write_result(make(seed), folder, overwrite=overwrite, figures=False)
    except ConfigurationChanged:
        os._exit(2)


def start(seed: int, folder: Path, *, overwrite: bool = False) -> multiprocessing.Process:
    process = FORKING.Process(target=write, args=(seed, folder, overwrite))
    process.start()
    return process  # pyright: ignore[reportReturnType]


def read_tree(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {
        path.name: path.read_bytes() for path in files if path.suffix in (".parquet", ".npz") or "result" in path.name
    }


def test_of_two_results_at_once_one_is_written_whole_and_the_other_refused(tmp_path: Path) -> None:
    both = [start(seed, tmp_path) for seed in (1, 2)]
    codes: list[int | None] = []
    for process in both:
        process.join(60)
        codes.append(process.exitcode)
    assert sorted(codes, key=str) == [0, 2]
    kept = make(1 + codes.index(0))
    found = open_result(tmp_path / "cka.parquet")
    np.testing.assert_array_equal(found.arrays["some"], kept.arrays["some"])
    assert found.settings == kept.settings and found.table["estimate"].tolist() == kept.table["estimate"].tolist()


def test_the_same_result_at_once_leaves_its_bytes(tmp_path: Path) -> None:
    write(1, tmp_path / "whole", False)
    both = [start(1, tmp_path / "out") for _ in range(2)]
    for process in both:
        process.join(60)
    assert [process.exitcode for process in both] == [0, 0]
    assert read_tree(tmp_path / "out") == read_tree(tmp_path / "whole")


def test_a_killed_run_is_completed_to_the_same_bytes(tmp_path: Path) -> None:
    write(1, tmp_path / "whole", False)
    killed = 0
    for number in range(5):
        folder = tmp_path / f"broken{number}"
        process = start(1, folder)
        time.sleep(0.006 * number)
        if process.is_alive():
            os.kill(process.pid or 0, signal.SIGKILL)
        process.join(60)
        killed += process.exitcode == -signal.SIGKILL
        write(1, folder, False)
        assert read_tree(folder) == read_tree(tmp_path / "whole"), number
    assert killed


def test_arrays_of_another_result_are_refused(tmp_path: Path) -> None:
    """What a kill between the files of a result that is replaced leaves."""
    write_result(make(1), tmp_path, figures=False)
    arrays = (tmp_path / "cka.npz").read_bytes()
    write_result(make(2), tmp_path, figures=False, overwrite=True)
    (tmp_path / "cka.npz").write_bytes(arrays)
    with pytest.raises(DamagedOutput, match="those of another result"):
        open_result(tmp_path / "cka.parquet")
    write_result(make(2), tmp_path, figures=False)
    np.testing.assert_array_equal(open_result(tmp_path / "cka.parquet").arrays["some"], make(2).arrays["some"])


def test_what_a_killed_writer_left_goes_with_the_next_and_nothing_of_other_results(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    names = (".tmp-cka.parquet-x.parquet", ".tmp-cka.result.json-x.json", "figures/.tmp-cka_curve.svg-x.svg")
    others = (".tmp-rsa.parquet-x.parquet", "figures/.tmp-rsa_curve.svg-x.svg")
    for name in (*names, *others):
        (tmp_path / name).touch()
    write_result(make(1), tmp_path, figures=False)
    assert [name for name in (*names, *others) if (tmp_path / name).exists()] == list(others)
