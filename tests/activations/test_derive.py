"""Processed stores against plain numpy and scikit-learn."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from beholder._core.errors import ConfigurationChanged
from beholder.activations import Activations, extract, plan_steps, process_activations
from beholder.models import wrap
from beholder.stimuli import StimulusSet

sys.path.insert(0, str(Path(__file__).parent))

from toy_nets import InPlaceNet


@pytest.fixture
def acts(tmp_path: Path) -> Activations:
    arrays = np.random.default_rng(3).random((23, 3, 8, 8), dtype=np.float32)
    return extract(wrap(InPlaceNet(), name="net"), StimulusSet.from_arrays(arrays, kind="array"), ["conv2", "head"],
                   out_path=tmp_path)  # fmt: skip


def test_centred_and_normalised(acts: Activations) -> None:
    done = process_activations(acts, plan_steps(center_acts=True, normalize_reps=True))
    assert done.path.name == "net.centered-normalized.zarr" and done.layers == ["conv2", "head"]
    rows = acts["conv2"].to_numpy().reshape(23, -1)
    rows = rows - rows.mean(0)
    expected = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    np.testing.assert_allclose(done["conv2"].to_numpy(), expected, atol=1e-6)
    assert list(done.stimulus_ids) == list(acts.stimulus_ids)


def test_compressed(acts: Activations) -> None:
    from sklearn.decomposition import PCA

    done = process_activations(acts, plan_steps(compress_acts=True, n_components=3), layers=["conv2"])
    rows = acts["conv2"].to_numpy().reshape(23, -1).astype(np.float64)
    expected = PCA(3, svd_solver="full").fit_transform(rows)
    found = done["conv2"].to_numpy()
    np.testing.assert_allclose(np.abs(found), np.abs(expected), rtol=1e-4, atol=1e-5)


def test_layers_are_added_and_other_settings_refused(acts: Activations) -> None:
    steps = plan_steps(center_acts=True)
    process_activations(acts, steps, layers=["head"])
    both = process_activations(acts, steps, layers=["conv2"])
    assert both.layers == ["conv2", "head"], "as in the store that they come from"
    with pytest.raises(ConfigurationChanged, match="seed was 42, now 7"):
        process_activations(acts, steps, seed=7)
    assert process_activations(acts, steps, seed=7, layers=["head"], overwrite=True).layers == ["head"]
