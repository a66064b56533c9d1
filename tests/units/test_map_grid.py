"""Where the positions of a layer lie: against which pixels each position can see at all."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import beholder as bh
from beholder.models import load_skeleton, make_blank_input, read_preprocessing
from beholder.units import find_grids


def find_centres(module: nn.Module, layer: str, size: int) -> np.ndarray:
    """Centre and index of the positions whose view is not cut off by the picture's edge, (n, 2).

    A pixel that is not a number makes every position that sees it not a number.
    """
    batch = torch.zeros(size, 3, size, size, dtype=torch.float64)  # the float32 kernels may smear across a tile
    for i in range(size):
        batch[i, :, i, i] = torch.nan
    _, layers = bh.capture(module.double(), batch, [layer])
    views = torch.isnan(layers[layer]).any(1).any(1).numpy()
    centres = []
    for position in range(views.shape[1]):
        pixels = np.flatnonzero(views[:, position])
        if len(pixels) and pixels[0] > 0 and pixels[-1] < size - 1:
            centres.append((position, (pixels[0] + pixels[-1]) / 2))
    return np.array(centres)[2:-2]  # near the edge, taps of a dilated kernel fall into the padding unseen


class TensorflowSame(nn.Conv2d):
    """Pads as TensorFlow does: the odd one at the end."""

    def forward(self, input: Tensor) -> Tensor:
        n, kernel, stride = input.shape[-1], self.kernel_size[0], self.stride[0]
        needed = max(0, (-(-n // stride) - 1) * stride + kernel - n)
        before = needed // 2
        return super().forward(nn.functional.pad(input, (before, needed - before) * 2))


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(4, 4, 3, stride=2, padding=1)
        self.down = nn.Conv2d(4, 4, 1, stride=2)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.conv1(x) + self.down(x))


NETS = {
    "strided": ([nn.Conv2d(3, 4, 7, 2, 3), nn.ReLU(), nn.MaxPool2d(3, 2, 1), nn.Conv2d(4, 4, 3, padding=1)], "3"),
    "valid": ([nn.Conv2d(3, 4, 3, 2), nn.MaxPool2d(3, 2, ceil_mode=True), nn.Conv2d(4, 4, 3)], "2"),
    "dilated": ([nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 4, 3, dilation=2, padding=2)], "1"),
    "same": ([nn.Conv2d(3, 4, 5, padding="same"), nn.AvgPool2d(2), nn.Conv2d(4, 4, 3, padding="valid")], "2"),
    "tensorflow": ([TensorflowSame(3, 4, 3, 2), TensorflowSame(4, 4, 5, 2)], "1"),
    "patches": ([nn.Conv2d(3, 4, 4, 4), nn.Conv2d(4, 4, 7, padding=3)], "1"),
    "residual": ([nn.Conv2d(3, 4, 3, 2, 1), Residual()], "1.relu"),
}


@pytest.mark.parametrize("name", NETS)
def test_positions_are_where_they_see(name: str) -> None:
    parts, layer = NETS[name]
    module = nn.Sequential(*copy.deepcopy(parts))
    net = bh.wrap(module, input_shape=(3, 64, 64))
    grid = find_grids(net, [layer], torch.zeros(1, 3, 64, 64))[layer]
    assert grid is not None
    assert grid.is_aligned
    centres = find_centres(module, layer, 64)
    assert len(centres) > 2
    np.testing.assert_allclose(grid.x + grid.step_x * centres[:, 0], centres[:, 1], atol=0.5)
    assert (grid.x, grid.step_x) == (grid.y, grid.step_y)
    assert (grid.width, grid.height) == (64, 64)


def test_layers_that_cannot_be_followed_cover_the_picture_evenly() -> None:
    class Folded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(12, 4, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.conv(nn.functional.pixel_unshuffle(x, 2))

    net = bh.wrap(Folded(), input_shape=(3, 32, 16))
    grid = find_grids(net, ["conv"], torch.zeros(1, 3, 32, 16))["conv"]
    assert grid is not None
    assert not grid.is_aligned
    assert grid.shape == (16, 8)
    assert (grid.x, grid.step_x, grid.y, grid.step_y) == (0.5, 2.0, 0.5, 2.0)


def test_a_picture_that_shrinks_before_the_network_keeps_its_own_pixels() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 2, 2))
    net = bh.wrap(module, normalize=lambda x: nn.functional.avg_pool2d(x, 2), input_shape=(3, 64, 64))
    grid = find_grids(net, ["0"], torch.zeros(1, 3, 64, 64))["0"]
    assert grid is not None
    assert (grid.x, grid.step_x) == (1.5, 4.0)


def test_tokens_lie_on_their_patches() -> None:
    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patches = nn.Conv2d(3, 8, 8, 8)
            self.norm = nn.LayerNorm(8)

        def forward(self, x: Tensor) -> Tensor:
            y = self.patches(x).flatten(2).transpose(1, 2)
            return self.norm(torch.cat([torch.zeros(len(y), 2, 8), y], 1)).mean(1)

    net = bh.wrap(Tokens(), input_shape=(3, 32, 48))
    grid = find_grids(net, ["norm"], torch.zeros(1, 3, 32, 48))["norm"]
    assert grid is not None
    assert (grid.shape, grid.n_before) == ((4, 6), 2)
    assert (grid.x, grid.step_x, grid.y, grid.step_y) == (3.5, 8.0, 3.5, 8.0)
    values = torch.zeros(1, 26, 8)
    values[0, 2 + 6 + 5, 3] = 7.0
    maps = grid.to_maps(values, 3)
    assert maps.shape == (1, 4, 6)
    assert maps[0, 1, 5] == 7.0


def test_a_real_vision_transformer_has_a_grid() -> None:
    net = load_skeleton("timm:vit_tiny_patch16_224@random")
    grid = find_grids(net, ["blocks.0.mlp.fc1"], make_blank_input(net))["blocks.0.mlp.fc1"]
    assert grid is not None
    assert (grid.shape, grid.n_before, grid.x, grid.step_x) == ((14, 14), 1, 7.5, 16.0)


def test_layers_without_positions_have_no_grid() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    net = bh.wrap(module, input_shape=(3, 8, 8))
    grids = find_grids(net, ["0", "3"], torch.zeros(1, 3, 8, 8))
    assert grids["0"] is not None
    assert grids["3"] is None


class Ear(nn.Module):
    """A spectrogram with frequencies along the rows, or along the columns, then one convolution."""

    def __init__(self, *, turned: bool) -> None:
        super().__init__()
        self.turned = turned
        self.conv = nn.Conv2d(1, 2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        window = torch.hann_window(64)
        levels = torch.stft(x, 64, 32, window=window, return_complex=True).abs()
        return self.conv((levels.transpose(1, 2) if self.turned else levels)[:, None])


@pytest.mark.parametrize("turned", [False, True])
def test_the_frequencies_of_a_sound_are_averaged(turned: bool) -> None:
    preprocessing = read_preprocessing({"kind": "sound", "rate": 8000, "duration": 0.1})
    net = bh.wrap(Ear(turned=turned), preprocess=preprocessing, name="ear")
    grid = find_grids(net, ["conv"], torch.zeros(1, 800))["conv"]
    assert grid is not None
    assert grid.shape == (1, 26)
    assert grid.averaged == (1 if turned else 0)
    values = torch.rand(1, 2, *((26, 33) if turned else (33, 26)))
    torch.testing.assert_close(grid.to_maps(values, 1)[0, 0], values[0, 1].mean(1 if turned else 0))
    assert grid.step_x == pytest.approx(800 / 26)


def test_waveform_layers_keep_their_samples() -> None:
    class Wave(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv1d(1, 2, 9, stride=4)

        def forward(self, x: Tensor) -> Tensor:
            return self.conv(x[:, None])

    preprocessing = read_preprocessing({"kind": "sound", "rate": 8000, "duration": 0.1})
    net = bh.wrap(Wave(), preprocess=preprocessing, name="ear")
    grid = find_grids(net, ["conv"], torch.zeros(1, 800))["conv"]
    assert grid is not None
    assert (grid.x, grid.step_x, grid.is_aligned) == (4.0, 4.0, True)
    assert grid.shape == (1, 198)
