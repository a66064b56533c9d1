"""Layers and participants scored as shards: the numbers of one process, kept, gone on with, refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import beholder as bh
from beholder._core.errors import ConfigurationChanged, InputError, UnknownNameError
from beholder.jobs import DryRun
from beholder.recordings import Recordings

RNG = np.random.default_rng(2)
IDS = [f"s{i}" for i in range(24)]
LAYERS = {"one": RNG.normal(size=(24, 6)), "two": RNG.normal(size=(24, 30))}
UNITS = {"subject": ["a", "a", "b", "b"], "region": ["V1", "IT", "V1", "IT"]}
RESPONSES = LAYERS["one"][:, :4, None] + RNG.normal(size=(24, 4, 3))


def analyze(**options: Any) -> Any:
    asked = {"stimulus_ids": IDS, "n_folds": 3, "n_permutations": 25, **options}
    return bh.analyze_encode(LAYERS, Recordings(RESPONSES, IDS, UNITS), **asked)


def test_shards_give_the_numbers_of_one_process(tmp_path: Path) -> None:
    plain = analyze(predictions=tmp_path / "plain.zarr")
    cut: dict[str, Any] = {"out_path": tmp_path, "cluster": "local:1"}
    found = analyze(**cut, predictions=tmp_path / "cut.zarr")
    pd.testing.assert_frame_equal(found.table, plain.table, rtol=1e-9)
    assert found.warnings == plain.warnings and list(found.arrays) == list(plain.arrays)
    for name, values in plain.arrays.items():
        if values.dtype.kind == "f":
            np.testing.assert_allclose(found.arrays[name], values, rtol=1e-9)
        else:
            np.testing.assert_array_equal(found.arrays[name], values)
    stores = [bh.open(tmp_path / f"{name}.zarr")["two"].to_numpy() for name in ("plain", "cut")]
    np.testing.assert_allclose(*stores, rtol=1e-5)
    files = sorted((tmp_path / "encode.parts").iterdir())
    assert [path.name for path in files] == ["0-0.npz", "0-1.npz", "1-0.npz", "1-1.npz"]
    whole, before = files[2].read_bytes(), [path.stat().st_mtime_ns for path in files]
    files[2].unlink()
    again = analyze(**cut, predictions=tmp_path / "cut.zarr")
    pd.testing.assert_frame_equal(again.table, found.table)
    assert files[2].read_bytes() == whole
    assert [path.stat().st_mtime_ns == old for path, old in zip(files, before, strict=True)] == [
        True,
        True,
        False,
        True,
    ]
    with pytest.raises(ConfigurationChanged, match="n_folds was 3, now 4"):
        analyze(**cut, n_folds=4, predictions=tmp_path / "cut.zarr")


def test_what_cannot_be_cut_is_refused_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="banded, which fits all layers together"):
        analyze(method="banded", cluster="local:2", out_path=tmp_path)
    with pytest.raises(InputError, match="out_path, a folder that all workers see"):
        analyze(cluster="local:2")
    with pytest.raises(UnknownNameError, match="'three'"):
        analyze(layers=["one", "three"], out_path=tmp_path, cluster="local:1")
    assert not list(tmp_path.iterdir())


def test_a_dry_run_measures_layers(tmp_path: Path) -> None:
    found = analyze(dry_run=True, out_path=tmp_path / "found")
    assert isinstance(found, DryRun) and found.phases[0].n_shards_left == 4
    assert not list(tmp_path.iterdir())
