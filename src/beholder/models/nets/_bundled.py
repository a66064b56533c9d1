"""The architecture of the bundled picture networks: five blocks of convolution, a mean over space, a linear readout.

Small enough to ship and to train on one core, and kind to gradients: no in-place operation, every
resampling is a mean over 2 × 2 positions, so that made stimuli show no checkerboards, and each block's
output is a module's output of its own.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import final

import torch
from torch import Tensor, nn

BLOCK_CHANNELS = (24, 48, 96, 160, 256)


@final
class BundledPictureNetwork(nn.Module):
    """Five blocks (convolution, batch norm, ReLU), each but the last followed by a 2 × 2 mean; then the readout.

    At 224 px: ``block1`` 24×112×112, ``block2`` 48×56×56, ``block3`` 96×28×28, ``block4`` 160×14×14,
    ``block5`` 256×7×7, ``avgpool`` 256, ``classifier`` n_classes.

    Parameters
    ----------
    n_classes : int
    """

    def __init__(self, n_classes: int) -> None:
        super().__init__()
        c1, c2, c3, c4, c5 = BLOCK_CHANNELS
        self.block1 = _make_block(3, c1, kernel_size=7, stride=2)
        self.pool1 = nn.AvgPool2d(2)
        self.block2 = _make_block(c1, c2)
        self.pool2 = nn.AvgPool2d(2)
        self.block3 = _make_block(c2, c3)
        self.pool3 = nn.AvgPool2d(2)
        self.block4 = _make_block(c3, c4)
        self.pool4 = nn.AvgPool2d(2)
        self.block5 = _make_block(c4, c5)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.classifier = nn.Linear(c5, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, (n_images, n_classes), of normalised pictures, (n_images, 3, height, width)."""
        x = self.pool1(self.block1(x))
        x = self.pool2(self.block2(x))
        x = self.pool3(self.block3(x))
        x = self.pool4(self.block4(x))
        x = self.flatten(self.avgpool(self.block5(x)))
        return self.classifier(x)


def _make_block(n_in: int, n_out: int, *, kernel_size: int = 3, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(n_in, n_out, kernel_size, stride=stride, padding=kernel_size // 2, bias=False)
    return nn.Sequential(
        OrderedDict([("conv", convolution), ("norm", nn.BatchNorm2d(n_out)), ("relu", nn.ReLU(inplace=False))])
    )


def to_stored_state(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A state dict as it is shipped: convolution and readout weights in float16, the rest in float32, no counters."""
    stored = {}
    for name, value in state.items():
        if name.endswith("num_batches_tracked"):
            continue
        dtype = torch.float16 if value.ndim > 1 else torch.float32
        stored[name] = value.detach().to("cpu", dtype).contiguous()
    return stored


def load_stored_state(module: nn.Module, state: dict[str, Tensor]) -> None:
    """Load what :func:`to_stored_state` gave, as float32; every parameter must be there."""
    missing, unexpected = module.load_state_dict({k: v.float() for k, v in state.items()}, strict=False)
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing or unexpected:
        raise RuntimeError(f"stored weights do not fit: missing {missing}, unexpected {unexpected}")
