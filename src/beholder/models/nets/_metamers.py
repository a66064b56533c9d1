"""Two AlexNets of the metamer study: one that blurs before it subsamples, one with group normalisation.

Sources: Krizhevsky (2014), "One weird trick for parallelizing convolutional neural networks" (the architecture);
Feather, Leclerc, Madry & McDermott (2023), "Model metamers reveal divergent invariances between biological and
artificial neural networks", Nature Neuroscience 26, methods, "Reduced-aliasing AlexNet"; Konkle & Alvarez (2022),
"A self-supervised domain-general learning framework for human ventral stream representation", Nature Communications
13, methods. Inside, modules are named as in the published checkpoints.
"""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional

N_CLASSES = 1000


@final
class HannPool2d(nn.Module):
    r"""Average under a Hann window, then subsample.

    .. math:: y = x * (w \otimes w),\qquad w_k \propto 1 - \cos\frac{2\pi k}{P - 1},\quad 0 < k < P - 1

    The zeros at the window's ends are left out, so that a window of width ``P`` has ``P - 2`` weights a side; they
    add up to 1.

    Parameters
    ----------
    width : int
        P, at least 3.
    stride : int
        Of the subsampling.
    padding : int
        Zeros around the map.
    """

    window: Tensor

    def __init__(self, width: int, stride: int, padding: int = 0) -> None:
        super().__init__()
        self.width, self.stride, self.padding = width, stride, padding
        side = torch.hann_window(width, periodic=False, dtype=torch.float64)[1:-1]
        window = side[:, None] * side[None, :]
        self.register_buffer("window", (window / window.sum()).float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (n, channels, h, w) to (n, channels, h', w')."""
        n, channels, height, width = x.shape
        planes = x.reshape(n * channels, 1, height, width)
        pooled = functional.conv2d(planes, self.window[None, None], stride=self.stride, padding=self.padding)
        return pooled.view(n, channels, *pooled.shape[-2:])

    def extra_repr(self) -> str:
        """The arguments."""
        return f"{self.width}, stride={self.stride}, padding={self.padding}"


def build_classifier(n_inputs: int, n_classes: int = N_CLASSES) -> nn.Sequential:
    """AlexNet's three linear layers, with dropout before the first two."""
    return nn.Sequential(
        nn.Dropout(),
        nn.Linear(n_inputs, 4096),
        nn.ReLU(),
        nn.Dropout(),
        nn.Linear(4096, 4096),
        nn.ReLU(),
        nn.Linear(4096, n_classes),
    )


@final
class ReducedAliasingAlexNet(nn.Module):
    """AlexNet whose first convolution has stride 1 and whose every subsampling is a :class:`HannPool2d`.

    The cut-off of a window is near the frequency that its stride can still carry: widths 17 for stride 4, 9 for 2.
    """

    def __init__(self, n_classes: int = N_CLASSES) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Sequential(nn.Conv2d(3, 64, 11, padding=5), nn.ReLU(), HannPool2d(17, stride=4, padding=5)),
            nn.ReLU(),
            HannPool2d(9, stride=2, padding=2),
            nn.Conv2d(64, 192, 5, padding=2),
            nn.ReLU(),
            HannPool2d(9, stride=2, padding=2),
            nn.Conv2d(192, 384, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(256, 256, 3, padding=1),
            nn.ReLU(),
            HannPool2d(9, stride=2, padding=2),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(6)
        self.classifier = build_classifier(256 * 6 * 6, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Normalised pictures (n, 3, 224, 224) to logits (n, n_classes)."""
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


@final
class GroupNormAlexNet(nn.Module):
    """AlexNet with group normalisation in its convolutional blocks, and two blocks of linear layers.

    Parameters
    ----------
    n_outputs : int
        Size of ``fc8``: classes, or dimensions of the embedding that instance-prototype contrastive learning (IPCL)
        trains.
    has_readout : bool
        Classes are read from ``fc7`` by the linear layer ``classifier``; ``fc8`` is kept but not run.
    """

    def __init__(self, n_outputs: int = N_CLASSES, *, has_readout: bool = False) -> None:
        super().__init__()
        self.conv_block_1 = _make_block(3, 96, 11, stride=4, padding=2)
        self.maxpool_block_1 = nn.MaxPool2d(3, 2)
        self.conv_block_2 = _make_block(96, 256, 5, padding=2)
        self.maxpool_block_2 = nn.MaxPool2d(3, 2)
        self.conv_block_3 = _make_block(256, 384, 3, padding=1)
        self.conv_block_4 = _make_block(384, 384, 3, padding=1)
        self.conv_block_5 = _make_block(384, 256, 3, padding=1)
        self.maxpool_block_5 = nn.MaxPool2d(3, 2)
        self.ave_pool = nn.AdaptiveAvgPool2d(6)
        self.fc6 = nn.Sequential(nn.Linear(256 * 6 * 6, 4096), nn.BatchNorm1d(4096), nn.ReLU())
        self.fc7 = nn.Sequential(nn.Linear(4096, 4096), nn.BatchNorm1d(4096), nn.ReLU())
        self.fc8 = nn.Sequential(nn.Linear(4096, n_outputs))
        self.has_readout = has_readout
        if has_readout:
            self.classifier = nn.Linear(4096, N_CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Normalised pictures (n, 3, 224, 224) to logits (n, n_classes)."""
        x = self.maxpool_block_1(self.conv_block_1(x))
        x = self.maxpool_block_2(self.conv_block_2(x))
        x = self.conv_block_5(self.conv_block_4(self.conv_block_3(x)))
        x = self.ave_pool(self.maxpool_block_5(x)).flatten(1)
        x = self.fc7(self.fc6(x))
        return self.classifier(x) if self.has_readout else self.fc8(x)


def _make_block(n_in: int, n_out: int, kernel_size: int, *, stride: int = 1, padding: int = 0) -> nn.Sequential:
    convolution = nn.Conv2d(n_in, n_out, kernel_size, stride, padding, bias=False)
    return nn.Sequential(convolution, nn.GroupNorm(32, n_out), nn.ReLU())
