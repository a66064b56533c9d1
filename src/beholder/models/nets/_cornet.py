"""The networks CORnet Z, R, RT and S: the ventral stream as four areas, named inside as in the published checkpoints.

Sources: Kubilius et al. (2018), "CORnet: modeling the neural mechanisms of core object recognition", bioRxiv 408385,
sections CORnet-Z, -R and -S; Kubilius et al. (2019), "Brain-like object recognition with high-performing shallow
recurrent ANNs", NeurIPS 32, figure 1 and section 2. Checkpoints: https://github.com/dicarlolab/CORnet.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import final

from torch import Tensor, nn

AREAS = ("V1", "V2", "V4", "IT")
N_STEPS = 5


@final
class ZBlock(nn.Module):
    """Area of CORnet-Z: convolution, ReLU, 3 x 3 max pooling of stride 2."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride=stride, padding=kernel_size // 2)
        self.nonlin = nn.ReLU()
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.output = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Images or the area below (n, in_channels, h, w) to (n, out_channels, h', w')."""
        return self.output(self.pool(self.nonlin(self.conv(x))))


@final
class RBlock(nn.Module):
    """Area of CORnet-R and -RT: its state of the last step is added to the drive from below, then convolved."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int = 3, stride: int = 2) -> None:
        super().__init__()
        self.conv_input = nn.Conv2d(in_channels, out_channels, kernel_size, stride=stride, padding=kernel_size // 2)
        self.norm_input = nn.GroupNorm(32, out_channels)
        self.nonlin_input = nn.ReLU()
        self.conv1 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.norm1 = nn.GroupNorm(32, out_channels)
        self.nonlin1 = nn.ReLU()
        self.output = nn.Identity()

    def measure_output(self, n: int, height: int, width: int) -> tuple[int, int, int, int]:
        """Shape of the area's output for an input of ``height`` x ``width``."""
        kernel, stride = self.conv_input.kernel_size[0], self.conv_input.stride[0]
        rows, columns = ((size + 2 * (kernel // 2) - kernel) // stride + 1 for size in (height, width))
        return n, self.conv_input.out_channels, rows, columns

    def forward(self, drive: Tensor | None, state: Tensor) -> Tensor:
        """One step: input from below (None before anything has arrived) and own state to the new state."""
        if drive is not None:
            state = self.nonlin_input(self.norm_input(self.conv_input(drive))) + state
        return self.output(self.nonlin1(self.norm1(self.conv1(state))))


@final
class RecurrentNet(nn.Module):
    """CORnet-R and CORnet-RT.

    In R a step goes through all areas in turn, each reading what the area below has just written. In RT
    (biological time) every area reads what the area below held at the step before.

    Parameters
    ----------
    simultaneous : bool
        True for RT.
    n_steps : int
        Steps in time; each area runs once a step, so ``V1@1`` to ``V1@5`` are its states.
    """

    def __init__(self, *, simultaneous: bool, n_steps: int = N_STEPS) -> None:
        super().__init__()
        self.simultaneous, self.n_steps = simultaneous, n_steps
        self.V1 = RBlock(3, 64, kernel_size=7, stride=4)
        self.V2 = RBlock(64, 128)
        self.V4 = RBlock(128, 256)
        self.IT = RBlock(256, 512)
        self.decoder = build_decoder()

    def forward(self, x: Tensor) -> Tensor:
        """Images (n, 3, h, w) to logits (n, 1000)."""
        areas = [self.V1, self.V2, self.V4, self.IT]
        states: list[Tensor] = []
        shape = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
        for area in areas:
            shape = area.measure_output(shape[0], shape[2], shape[3])
            states.append(x.new_zeros(shape))
        for step in range(self.n_steps):
            below = [x, *states[:-1]]
            for index, area in enumerate(areas):
                source = below[index] if self.simultaneous or index == 0 else states[index - 1]
                drive = source if step > 0 or index == 0 else None
                states[index] = area(drive, states[index])
        return self.decoder(states[-1])


@final
class SBlock(nn.Module):
    """Area of CORnet-S: a bottleneck block run ``n_steps`` times with shared weights, normalised apart at each step."""

    scale = 4

    def __init__(self, in_channels: int, out_channels: int, n_steps: int) -> None:
        super().__init__()
        self.n_steps = n_steps
        wide = out_channels * self.scale
        self.conv_input = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.skip = nn.Conv2d(out_channels, out_channels, 1, stride=2, bias=False)
        self.norm_skip = nn.BatchNorm2d(out_channels)
        self.conv1 = nn.Conv2d(out_channels, wide, 1, bias=False)
        self.nonlin1 = nn.ReLU()
        self.conv2 = nn.Conv2d(wide, wide, 3, stride=2, padding=1, bias=False)
        self.nonlin2 = nn.ReLU()
        self.conv3 = nn.Conv2d(wide, out_channels, 1, bias=False)
        self.nonlin3 = nn.ReLU()
        self.output = nn.Identity()
        for step in range(n_steps):
            self.add_module(f"norm1_{step}", nn.BatchNorm2d(wide))
            self.add_module(f"norm2_{step}", nn.BatchNorm2d(wide))
            self.add_module(f"norm3_{step}", nn.BatchNorm2d(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        """The area below (n, in_channels, h, w) to (n, out_channels, h/2, w/2)."""
        x = self.conv_input(x)
        for step in range(self.n_steps):
            skip = self.norm_skip(self.skip(x)) if step == 0 else x
            self.conv2.stride = (2, 2) if step == 0 else (1, 1)
            x = self.nonlin1(self.get_submodule(f"norm1_{step}")(self.conv1(x)))
            x = self.nonlin2(self.get_submodule(f"norm2_{step}")(self.conv2(x)))
            x = self.get_submodule(f"norm3_{step}")(self.conv3(x))
            x = self.output(self.nonlin3(x + skip))
        return x


def build_decoder() -> nn.Sequential:
    """Global average, then a linear readout of 1000 classes."""
    return nn.Sequential(
        OrderedDict(
            avgpool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(), linear=nn.Linear(512, 1000), output=nn.Identity()
        )
    )


def build_cornet_z() -> nn.Module:
    """CORnet-Z: four feedforward areas. Weights are drawn Xavier-uniform, biases are zero."""
    blocks = [ZBlock(3, 64, kernel_size=7, stride=2), ZBlock(64, 128), ZBlock(128, 256), ZBlock(256, 512)]
    net = nn.Sequential(OrderedDict([*zip(AREAS, blocks, strict=True), ("decoder", build_decoder())]))
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return net


def build_cornet_r(n_steps: int = N_STEPS) -> nn.Module:
    """CORnet-R: recurrent areas, updated one after another within a step."""
    return RecurrentNet(simultaneous=False, n_steps=n_steps)


def build_cornet_rt(n_steps: int = N_STEPS) -> nn.Module:
    """CORnet-RT: recurrent areas, all updated at once from the step before."""
    return RecurrentNet(simultaneous=True, n_steps=n_steps)


def build_cornet_s() -> nn.Module:
    """CORnet-S: V2, V4 and IT run 2, 4 and 2 times. Convolutions are drawn with variance 2 / fan-out."""
    v1 = nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False),
            norm1=nn.BatchNorm2d(64),
            nonlin1=nn.ReLU(),
            pool=nn.MaxPool2d(3, stride=2, padding=1),
            conv2=nn.Conv2d(64, 64, 3, padding=1, bias=False),
            norm2=nn.BatchNorm2d(64),
            nonlin2=nn.ReLU(),
            output=nn.Identity(),
        )
    )
    areas = [v1, SBlock(64, 128, 2), SBlock(128, 256, 4), SBlock(256, 512, 2)]
    net = nn.Sequential(OrderedDict([*zip(AREAS, areas, strict=True), ("decoder", build_decoder())]))
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.kernel_size[0] * module.kernel_size[1] * module.out_channels
            nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))
    return net
