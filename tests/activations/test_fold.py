"""Whose rows are whose, also where their number depends on what is shown."""

import numpy as np
import pytest
import torch
from torch import nn

import beholder as bh
from beholder._core.errors import InputError
from beholder.activations.forward._fold import find_changed, find_rows


class Proposals(nn.Module):
    """Keeps the bright places of all stimuli in one list, as detectors keep their proposals."""

    def forward(self, x):
        return x.flatten()[x.flatten() > 0.5][:, None]


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.proposals, self.head = nn.Conv2d(3, 4, 3), Proposals(), nn.Linear(1, 2)

    def forward(self, x):
        maps = self.conv(x)
        boxes = self.head(self.proposals(maps.sigmoid()))
        return [{"boxes": boxes} for _ in maps]


def test_rows_are_all_changed_where_their_number_is():
    assert find_changed(torch.zeros(3, 2), torch.zeros(4, 2), 0).tolist() == [True] * 3
    assert find_changed(torch.zeros(3, 2), torch.tensor([[0, 0], [0, 1], [0, 0.0]]), 0).tolist() == [False, True, False]


def test_rows_whose_number_depends_on_the_stimuli_belong_to_none():
    example = torch.rand(1, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    found = find_rows(lambda batch: {"proposals": Proposals()(batch)}, example, {"proposals": 0})
    assert found == {"proposals": None}
    windows = find_rows(
        lambda batch: {"windows": batch.flatten(2).movedim(2, 1).flatten(0, 1)}, example, {"windows": 0}
    )
    place = windows["windows"]
    assert place is not None and (place.axis, place.before, place.after) == (0, 1, 36)


@pytest.mark.parametrize("seed", range(2))
def test_metamers_of_a_detector_are_made_at_the_layers_that_have_rows(tmp_path, seed):
    torch.manual_seed(seed)
    net = bh.wrap(Detector(), input_shape=(3, 8, 8), input_range=(0, 1), name="detector")
    x = torch.rand(2, 3, 8, 8)
    made = bh.make_metamers(net, x, ["conv"], iterations=3, out_path=tmp_path, device="cpu")
    table = made.to_pandas()
    assert set(table["measured_layer"]) == {"conv"}
    assert np.isfinite(table["db_snr"]).all()
    null = bh.null_distribution(net, x, ["conv"], out_path=tmp_path, device="cpu")
    assert "1 layer" in repr(null)
    with pytest.raises(InputError, match="shows no rows of each stimulus"):
        bh.extract(net, x, ["head"], out_path=tmp_path / "activations", device="cpu")
