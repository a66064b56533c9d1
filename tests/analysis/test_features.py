"""Layers as matrices that are never larger than stimuli by stimuli."""

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from beholder import InputError
from beholder.activations import write_activations
from beholder.analysis import fit_ridge
from beholder.analysis._features import read_features


@pytest.mark.parametrize("n_bytes", [2**30, 3000])
def test_turned_features_give_the_same_regression(n_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("beholder.activations.similarity._condensed._BLOCK_BYTES", n_bytes)
    monkeypatch.setattr("beholder.activations.similarity._condensed._GROUP_BYTES", 4 * n_bytes)
    generator = np.random.default_rng(0)
    layer = generator.normal(size=(25, 2, 4, 15)) + 100
    plain, y = layer.mean(axis=1).reshape(25, -1), generator.normal(size=(25, 3))
    turned = read_features(layer)
    assert turned.shape == (25, 24)
    train, test = np.arange(15), np.arange(15, 25)
    own, expected = (fit_ridge(x[train], y[train], [10.0, 100.0]).predict(x[test]) for x in (turned, plain))
    np.testing.assert_allclose(own, expected, atol=1e-9)


def test_a_layer_with_fewer_features_than_stimuli_stays_as_it_is() -> None:
    layer = np.random.default_rng(0).normal(size=(10, 1, 3)).astype(np.float16)
    np.testing.assert_array_equal(read_features(layer), layer[:, 0].astype(np.float64))


def test_values_that_mean_nothing_are_refused_with_the_layers_name() -> None:
    with pytest.raises(InputError, match="NaN or infinite values in conv1"):
        read_features(np.full((4, 1, 9), np.nan), "conv1")
    with pytest.raises(InputError, match="conv1, where all stimuli are alike"):
        read_features(np.ones((4, 1, 9)), "conv1")


def test_a_unit_that_drowns_all_others_loses_none_of_them() -> None:
    """In single precision directions of a millionth of the largest would be rounding."""
    layer = np.random.default_rng(1).normal(size=(20, 1, 60)).astype(np.float32)
    layer[:, 0, 0] *= 1e4
    turned, plain = read_features(layer), layer[:, 0].astype(np.float64)
    y = plain[:, 1:4]
    train, test = np.arange(14), np.arange(14, 20)
    own, expected = (fit_ridge(x[train], y[train], [1.0]).predict(x[test]) for x in (turned, plain))
    np.testing.assert_allclose(own, expected, atol=1e-6)


_LIMITED = textwrap.dedent(
    """
    import resource, sys
    import numpy as np
    import beholder as bh
    from beholder.activations.similarity import _condensed
    from beholder.recordings import Recordings

    _condensed._BLOCK_BYTES, _condensed._GROUP_BYTES = 8 * 2**20, 32 * 2**20
    store = bh.open(sys.argv[1])
    ids, mega = list(store.stimulus_ids), 2**20
    values = np.random.default_rng(0).normal(size=(len(ids), 3))
    small = {"a": values}
    bh.analyze_encode(small, Recordings(values, ids), stimulus_ids=ids, n_permutations=20)  # imports, threads
    held = next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmData"))
    resource.setrlimit(resource.RLIMIT_DATA, (held + 120 * mega,) * 2)
    try:
        np.ones(150 * mega // 8)
    except MemoryError:
        pass
    else:
        raise SystemExit("no limit")
    result = bh.analyze_encode(store, Recordings(values, ids), n_permutations=20)
    print(store["big"].nbytes // mega, float(result.table.estimate[0]))
    """
)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
def test_a_layer_larger_than_memory_is_encoded(tmp_path: Path) -> None:
    """A store's layer of 170 MB, 340 in double precision, in a process that may have 120 MB more."""
    values = np.memmap(tmp_path / "values", np.float32, "w+", shape=(150, 300_000))
    for start in range(0, 150, 15):
        values[start : start + 15] = np.random.default_rng(start).normal(size=(15, 300_000))
    write_activations(tmp_path / "s.zarr", {"big": values}, [f"s{i}" for i in range(150)], model="m", settings={})
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(tmp_path / "s.zarr")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("171 ")
