"""The architecture of the bundled sound networks: a small cochleagram, four blocks of convolution, a linear readout.

Made like the picture networks (no in-place operation, means for resampling), with the sound's samples as the input and
the cochleagram as its first layer.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import final

from torch import Tensor, nn

from beholder.models.front_ends._cochleagram import Cochleagram

BLOCK_CHANNELS = (32, 64, 128, 192)
RATE, N_SAMPLES = 16_000, 16_000


@final
class BundledSoundNetwork(nn.Module):
    """Cochleagram, batch norm, four blocks (convolution, batch norm, ReLU) with 2 × 2 means between, the readout.

    Of one second at 16 kHz: ``cochleagram`` 65×94, ``block1`` 32×65×94, ``block2`` 64×32×47, ``block3`` 128×16×23,
    ``block4`` 192×8×11, ``avgpool`` 192, ``classifier`` n_classes.

    Parameters
    ----------
    n_classes : int
    """

    def __init__(self, n_classes: int) -> None:
        super().__init__()
        c1, c2, c3, c4 = BLOCK_CHANNELS
        self.cochleagram = Cochleagram(
            N_SAMPLES, RATE, n_filters=30, low=60.0, high=7600.0, sample_factor=2,
            envelope_rate=100, window="sinc-centered", n_taps=961,
        )  # fmt: skip
        self.norm = nn.BatchNorm2d(1)
        self.block1 = _make_block(1, c1, kernel_size=5)
        self.pool1 = nn.AvgPool2d(2)
        self.block2 = _make_block(c1, c2)
        self.pool2 = nn.AvgPool2d(2)
        self.block3 = _make_block(c2, c3)
        self.pool3 = nn.AvgPool2d(2)
        self.block4 = _make_block(c3, c4)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.classifier = nn.Linear(c4, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, (n_stimuli, n_classes), of sounds, (n_stimuli, 16000)."""
        x = self.norm(self.cochleagram(x)[:, None])
        x = self.pool1(self.block1(x))
        x = self.pool2(self.block2(x))
        x = self.pool3(self.block3(x))
        return self.classifier(self.flatten(self.avgpool(self.block4(x))))


def _make_block(n_in: int, n_out: int, *, kernel_size: int = 3) -> nn.Sequential:
    convolution = nn.Conv2d(n_in, n_out, kernel_size, padding=kernel_size // 2, bias=False)
    return nn.Sequential(
        OrderedDict([("conv", convolution), ("norm", nn.BatchNorm2d(n_out)), ("relu", nn.ReLU(inplace=False))])
    )
