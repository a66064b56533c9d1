"""CochCNN9: nine layers on a cochleagram, trained to name the word in the middle of two seconds.

Source: Kell, Yamins, Shook, Norman-Haignere & McDermott (2018), A task-optimized neural network replicates human
auditory behavior, predicts brain responses, and reveals a cortical processing hierarchy; in the form of Feather,
Leclerc, Mądry & McDermott (2023), Model metamers reveal divergent invariances between biological and artificial neural
networks, Methods, Auditory models. Modules are named as in the published checkpoints.
"""

from __future__ import annotations

import math
from typing import final

from torch import Tensor, nn

from beholder.models.front_ends._cochleagram import Cochleagram
from beholder.models.nets._same_padding import find_same_padding, find_same_size

_Size = tuple[int, int]


@final
class CochCNN9(nn.Module):
    """Five convolutions, each with its ReLU, and two linear layers; pooling and batch norm between the first three.

    =========================================== ========== ==============
    layer (kernels are frequency × time)        stride     output
    =========================================== ========== ==============
    ``cochleagram``, ``batchnorm0``                        1×211×390
    ``conv0`` 7×14, ``relu0``                   3          96×71×130
    ``maxpool0`` 2×5, ``batchnorm1``            2          96×36×65
    ``conv1`` 4×8, ``relu1``                    2          256×18×33
    ``maxpool1`` 2×5, ``batchnorm2``            2          256×9×17
    ``conv2``, ``relu2`` … ``conv4``, ``relu4`` 1          512, 1024, 512 ×9×17
    ``avgpool`` 2×5                             2          512×5×9
    ``fullyconnected``, ``relufc``                         4096
    ``classification``                                     n_classes
    =========================================== ========== ==============

    Convolutions have no bias. The modules ``pad…`` add what makes the strides divide the sizes: zeros, and minus
    infinity before a maximum; in ``avgpool`` the zeros count.

    Parameters
    ----------
    n_classes : int
    """

    def __init__(self, n_classes: int = 794) -> None:
        super().__init__()
        self.cochleagram = Cochleagram()
        size = self.cochleagram.output_shape
        self.batchnorm0 = nn.BatchNorm2d(1)
        self.pad_conv0, self.conv0, size = _make_convolution(1, 96, size, (7, 14), 3)
        self.relu0 = nn.ReLU()
        self.pad_maxpool0, self.maxpool0, size = _make_max_pool(size, (2, 5), 2)
        self.batchnorm1 = nn.BatchNorm2d(96)
        self.pad_conv1, self.conv1, size = _make_convolution(96, 256, size, (4, 8), 2)
        self.relu1 = nn.ReLU()
        self.pad_maxpool1, self.maxpool1, size = _make_max_pool(size, (2, 5), 2)
        self.batchnorm2 = nn.BatchNorm2d(256)
        self.pad_conv2, self.conv2, size = _make_convolution(256, 512, size, (2, 5), 1)
        self.relu2 = nn.ReLU()
        self.pad_conv3, self.conv3, size = _make_convolution(512, 1024, size, (2, 5), 1)
        self.relu3 = nn.ReLU()
        self.pad_conv4, self.conv4, size = _make_convolution(1024, 512, size, (2, 5), 1)
        self.relu4 = nn.ReLU()
        self.pad_avgpool = nn.ZeroPad2d(find_same_padding(size, (2, 5), 2))
        self.avgpool = nn.AvgPool2d((2, 5), stride=2)
        self.flatten = nn.Flatten()
        self.fullyconnected = nn.Linear(512 * math.prod(find_same_size(size, 2)), 4096)
        self.relufc = nn.ReLU()
        self.dropout = nn.Dropout()
        self.classification = nn.Linear(4096, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, (n_stimuli, n_classes), of sounds, (n_stimuli, 40000)."""
        x = self.batchnorm0(self.cochleagram(x)[:, None])
        x = self.relu0(self.conv0(self.pad_conv0(x)))
        x = self.batchnorm1(self.maxpool0(self.pad_maxpool0(x)))
        x = self.relu1(self.conv1(self.pad_conv1(x)))
        x = self.batchnorm2(self.maxpool1(self.pad_maxpool1(x)))
        x = self.relu2(self.conv2(self.pad_conv2(x)))
        x = self.relu3(self.conv3(self.pad_conv3(x)))
        x = self.relu4(self.conv4(self.pad_conv4(x)))
        x = self.flatten(self.avgpool(self.pad_avgpool(x)))
        x = self.dropout(self.relufc(self.fullyconnected(x)))
        return self.classification(x)


def _make_convolution(
    n_in: int, n_out: int, size: _Size, kernel: _Size, stride: int
) -> tuple[nn.Module, nn.Conv2d, _Size]:
    """Padding, convolution, and the size of what comes out."""
    pad = nn.ZeroPad2d(find_same_padding(size, kernel, stride))
    return pad, nn.Conv2d(n_in, n_out, kernel, stride=stride, bias=False), find_same_size(size, stride)


def _make_max_pool(size: _Size, kernel: _Size, stride: int) -> tuple[nn.Module, nn.MaxPool2d, _Size]:
    """Padding, maximum, and the size of what comes out."""
    pad = nn.ConstantPad2d(find_same_padding(size, kernel, stride), -math.inf)
    return pad, nn.MaxPool2d(kernel, stride=stride), find_same_size(size, stride)
