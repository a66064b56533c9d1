"""RDMs of a published network do not depend on how its activations were computed and kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import beholder as bh
from beholder.analysis.rsa._layers import compute_layer_rdm


@pytest.mark.slow
def test_rdms_are_the_same_whatever_workers_batch_and_storage(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, sample = shared_data / "torch_home", shared_data / "imagenet_sample"
    files = sorted(path for path in sample.rglob("*") if path.suffix.lower() in (".jpeg", ".jpg"))[:600:100]
    if not home.is_dir() or len(files) < 6:
        pytest.skip("no weights or pictures")
    monkeypatch.setenv("TORCH_HOME", str(home))
    net = bh.load_model("squeezenet1_1", pretrained=True)
    runs = [{}, {"workers": 2, "batch_size": 1}, {"batch_size": 4}, {"dtype": "float16"}]
    found = []
    for place, options in enumerate(runs):
        acts = bh.extract(net, files, layers=["features.3", "features.12"], out_path=tmp_path / str(place), **options)
        found.append([compute_layer_rdm(acts[layer], "correlation", "average") for layer in acts.layers])
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], atol=1e-4)
