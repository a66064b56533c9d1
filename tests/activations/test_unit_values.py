"""Columns of single units out of a store."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import beholder as bh
from beholder.activations import iter_unit_values
from beholder.models import Unit

STIMULI = np.random.default_rng(0).random((7, 3, 8, 8)).astype(np.float32)


@pytest.mark.parametrize("pool", ["none", "mean"])
def test_means_over_space(pool: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU()).eval()
    model = bh.wrap(net, input_shape=(3, 8, 8))
    stimuli = bh.StimulusSet.from_arrays(STIMULI, kind="array")
    acts = bh.extract(model, stimuli, ["0", "1"], pool=pool, out_path=tmp_path)
    units = [Unit("1", 4), Unit("0", 2), Unit("1", 0)]
    with torch.no_grad():
        values = {"0": net[0](torch.from_numpy(STIMULI)), "1": net(torch.from_numpy(STIMULI))}
    found = dict(iter_unit_values(acts, units))
    assert set(found) == set(units)
    for unit in units:
        expected = values[unit.layer][:, unit.channel].mean((1, 2))
        np.testing.assert_allclose(found[unit], expected, rtol=1e-5, atol=1e-7)
    with pytest.raises(bh.InputError, match="from 0 to 4; got 5"):
        list(iter_unit_values(acts, [Unit("0", 5)]))
    with pytest.raises(bh.InputError, match="'2', which is not recorded there"):
        list(iter_unit_values(acts, [Unit("2", 0)]))
