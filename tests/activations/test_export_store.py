"""A store's layers as files for other programs."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from beholder._core.errors import ConfigurationChanged
from beholder.activations import Activations, export_activations, extract, plan_steps, process_activations
from beholder.models import wrap
from beholder.stimuli import StimulusSet

sys.path.insert(0, str(Path(__file__).parent))

from toy_nets import InPlaceNet


@pytest.fixture
def acts(tmp_path: Path) -> Activations:
    arrays = np.random.default_rng(3).random((5, 3, 8, 8), dtype=np.float32)
    return extract(wrap(InPlaceNet(), name="net"), StimulusSet.from_arrays(arrays, kind="array"), ["conv2", "head"],
                   out_path=tmp_path)  # fmt: skip


def test_every_layer_has_a_folder(acts: Activations, tmp_path: Path) -> None:
    files = export_activations(acts, tmp_path / "net", "npy")
    assert {file.relative_to(tmp_path / "net").as_posix() for file in files} == {
        f"{layer}/{name}"
        for layer in ("conv2", "head")
        for name in ("activations.npy", "targets.npy", "file_names.txt")
    }
    for layer in ("conv2", "head"):
        saved = np.load(tmp_path / "net" / layer / "activations.npy")
        np.testing.assert_array_equal(saved, acts[layer].to_numpy())
    export_activations(acts, tmp_path / "net", "npy", layers=["conv2"])


def test_an_export_of_other_values_is_only_replaced_when_asked(acts: Activations, tmp_path: Path) -> None:
    export_activations(acts, tmp_path / "net", "npy", layers=["head"])
    centred = process_activations(acts, plan_steps(center_acts=True), layers=["head"])
    with pytest.raises(ConfigurationChanged, match="head"):
        export_activations(centred, tmp_path / "net", "npy", layers=["head"])
    export_activations(centred, tmp_path / "net", "npy", layers=["head"], overwrite=True)
    saved = np.load(tmp_path / "net" / "head" / "activations.npy")
    np.testing.assert_array_equal(saved, centred["head"].to_numpy())
