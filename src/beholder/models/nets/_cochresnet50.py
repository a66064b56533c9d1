"""CochResNet50: ResNet-50 on a cochleagram, as a picture with one channel.

Source: He, Zhang, Ren & Sun (2016), Deep residual learning for image recognition, table 1; Feather, Leclerc, Mądry &
McDermott (2023), Model metamers reveal divergent invariances between biological and artificial neural networks,
Methods, Auditory models. Modules are named as in the published checkpoints, which are torchvision's names.
"""

from __future__ import annotations

from typing import final

from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck, ResNet

from beholder.models.front_ends._cochleagram import Cochleagram


@final
class CochResNet50(nn.Module):
    """ResNet-50 whose first convolution sees one channel.

    ``cochleagram`` 211×390, ``conv1`` … ``relu`` 64×106×195, ``maxpool`` 64×53×98, ``layer1`` 256×53×98, ``layer2``
    512×27×49, ``layer3`` 1024×14×25, ``layer4`` 2048×7×13, ``avgpool`` 2048×1×1, ``fc`` n_classes.

    Parameters
    ----------
    n_classes : int
    """

    def __init__(self, n_classes: int = 794) -> None:
        super().__init__()
        net = ResNet(Bottleneck, [3, 4, 6, 3], num_classes=n_classes)
        for module in net.modules():
            if isinstance(module, nn.ReLU):
                module.inplace = False
        self.cochleagram = Cochleagram()
        self.conv1 = nn.Conv2d(1, 64, kernel_size=7, stride=2, padding=3, bias=False)
        nn.init.kaiming_normal_(self.conv1.weight, mode="fan_out", nonlinearity="relu")
        self.bn1, self.relu, self.maxpool = net.bn1, net.relu, net.maxpool
        self.layer1, self.layer2, self.layer3, self.layer4 = net.layer1, net.layer2, net.layer3, net.layer4
        self.avgpool, self.fc = net.avgpool, net.fc
        self.flatten = nn.Flatten()

    def forward(self, x: Tensor) -> Tensor:
        """Logits, (n_stimuli, n_classes), of sounds, (n_stimuli, 40000)."""
        x = self.cochleagram(x)[:, None]
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.flatten(self.avgpool(x)))
