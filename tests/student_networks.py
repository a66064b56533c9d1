"""Networks as one writes them oneself: ten architectures, and habits that make a network hard to run for others."""

from __future__ import annotations

import math
from types import SimpleNamespace

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class LeNet(nn.Module):
    """One channel, ``view`` after a map of 5 × 5."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 20)
        self.fc2 = nn.Linear(20, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = x.view(x.size(0), -1)
        return self.fc2(F.relu(self.fc1(x)))


class AlexNet(nn.Module):
    """``view`` with a fixed width, dropout, ReLU in place."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 11, stride=4, padding=2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2),
            nn.Conv2d(8, 12, 5, padding=2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2),
        )  # fmt: skip
        self.classifier = nn.Sequential(
            nn.Dropout(), nn.Linear(12 * 3 * 3, 16), nn.ReLU(inplace=True), nn.Linear(16, 7)
        )

    def forward(self, x):
        x = self.features(x)
        x = x.view(-1, 12 * 3 * 3)
        return self.classifier(x)


class VGG(nn.Module):
    """Layers from a list, normalisation by batch, ``view``."""

    def __init__(self):
        super().__init__()
        layers, width = [], 3
        for size in (6, "M", 8, 8, "M"):
            if size == "M":
                layers.append(nn.MaxPool2d(2))
            else:
                layers += [nn.Conv2d(width, size, 3, padding=1), nn.BatchNorm2d(size), nn.ReLU(True)]
                width = size
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(8 * 8 * 8, 5)

    def forward(self, x):
        x = self.features(x)
        return self.classifier(x.view(x.shape[0], -1))


class Block(nn.Module):
    def __init__(self, before, after):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after)
        self.conv2, self.bn2 = nn.Conv2d(after, after, 3, padding=1), nn.BatchNorm2d(after)
        self.shortcut = nn.Conv2d(before, after, 1) if before != after else None

    def forward(self, x):
        self.identity = x if self.shortcut is None else self.shortcut(x)
        x = F.relu_(self.bn1(self.conv1(x)))
        x = self.bn2(self.conv2(x))
        x += self.identity
        return F.relu(x)


class SmallResNet(nn.Module):
    """Keeps the skip on ``self``, adds in place."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, stride=2, padding=1)
        self.layer1, self.layer2 = Block(6, 6), Block(6, 8)
        self.fc = nn.Linear(8, 4)

    def forward(self, x):
        x = self.layer2(self.layer1(self.stem(x)))
        return self.fc(F.adaptive_avg_pool2d(x, 1).view(-1, 8))


class AutoEncoder(nn.Module):
    """Flattens to a code and back."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), nn.Conv2d(4, 6, 3, 2, 1))
        self.to_code, self.from_code = nn.Linear(6 * 8 * 8, 12), nn.Linear(12, 6 * 8 * 8)
        self.decoder = nn.Sequential(nn.ConvTranspose2d(6, 4, 2, 2), nn.ReLU(), nn.ConvTranspose2d(4, 3, 2, 2))

    def forward(self, x):
        maps = self.encoder(x)
        self.code = self.to_code(maps.view(len(x), -1))
        return torch.sigmoid(self.decoder(self.from_code(self.code).view(maps.shape)))


class UNet(nn.Module):
    """Keeps its skips in a dictionary on ``self`` that parts of its own share."""

    def __init__(self):
        super().__init__()
        self.down1, self.down2 = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 6, 3, padding=1)
        self.up1 = nn.ConvTranspose2d(6, 4, 2, 2)
        self.out = nn.Conv2d(8, 2, 1)
        self.skips = {}

    def encode(self, x):
        self.skips["first"] = F.relu(self.down1(x))
        return F.relu(self.down2(F.max_pool2d(self.skips["first"], 2)))

    def forward(self, x):
        deep = self.encode(x)
        return self.out(torch.cat([self.up1(deep), self.skips["first"]], 1))


class FrameNet(nn.Module):
    """A GRU and an LSTM over frames (n, time, features)."""

    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(5, 6, batch_first=True, bidirectional=True)
        self.lstm = nn.LSTM(12, 7, num_layers=2, batch_first=True, dropout=0.3)
        self.head = nn.Linear(7, 3)

    def forward(self, x):
        out, self.hidden = self.gru(x)
        out, (h, _) = self.lstm(out)
        return self.head(h[-1])


class SampleNet(nn.Module):
    """One-dimensional convolutions on samples (n, samples)."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv1d(1, 6, 9, 4), nn.Conv1d(6, 8, 9, 4)
        self.bn = nn.BatchNorm1d(8)
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        x = F.relu(self.conv1(x.unsqueeze(1)))
        x = F.relu(self.bn(self.conv2(x)))
        return self.head(x.mean(-1))


class HandViT(nn.Module):
    """Patches by a convolution, attention by hand, its weights kept on ``self``."""

    def __init__(self):
        super().__init__()
        self.patch = nn.Conv2d(3, 12, 8, 8)
        self.cls = nn.Parameter(torch.randn(1, 1, 12) * 0.1)
        self.pos = nn.Parameter(torch.randn(1, 17, 12) * 0.1)
        self.norm = nn.LayerNorm(12)
        self.qkv, self.proj = nn.Linear(12, 36), nn.Linear(12, 12)
        self.head = nn.Linear(12, 5)

    def forward(self, x):
        n = x.shape[0]
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(n, -1, -1), x], 1) + self.pos
        q, k, v = self.qkv(self.norm(x)).view(n, 17, 3, 2, 6).permute(2, 0, 3, 1, 4)
        self.attention = (q @ k.transpose(-2, -1) / math.sqrt(6)).softmax(-1)
        x = x + self.proj((self.attention @ v).transpose(1, 2).reshape(n, 17, 12))
        return self.head(x[:, 0])


class Siamese(nn.Module):
    """Two pictures in one stimulus (n, 2, 3, height, width), one tower for both."""

    def __init__(self):
        super().__init__()
        self.tower = nn.Sequential(nn.Conv2d(3, 6, 3, 2), nn.ReLU(), nn.Conv2d(6, 8, 3, 2), nn.ReLU())
        self.embed = nn.Linear(8 * 7 * 7, 6)
        self.head = nn.Linear(6, 2)

    def forward_once(self, x):
        x = self.tower(x)
        return self.embed(x.view(x.size(0), -1))

    def forward(self, x):
        return self.head(torch.abs(self.forward_once(x[:, 0]) - self.forward_once(x[:, 1])))


TEN = {
    "lenet": (LeNet, (1, 32, 32), "conv2"),
    "alexnet": (AlexNet, (3, 64, 64), "features.3"),
    "vgg": (VGG, (3, 32, 32), "features.7"),
    "resnet": (SmallResNet, (3, 32, 32), "layer2"),
    "autoencoder": (AutoEncoder, (3, 32, 32), "encoder.2"),
    "unet": (UNet, (3, 32, 32), "up1"),
    "frames": (FrameNet, (9, 5), "head"),
    "samples": (SampleNet, (400,), "conv2"),
    "vit": (HandViT, (3, 32, 32), "proj"),
    "siamese": (Siamese, (2, 3, 32, 32), "head"),
}
"""Network, shape of a stimulus, and a layer that runs once."""


def make_network(kind: type[nn.Module], seed: int = 0) -> nn.Module:
    """One with weights, and statistics of batches, that a seed decides."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = kind()
        for name, buffer in network.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_(std=0.1)
            elif name.endswith("running_var"):
                buffer.uniform_(0.5, 1.5)
    return network


class Picture(nn.Module):
    """A convolution and a readout, between which others do what they like."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, padding=1)
        self.fc = nn.Linear(6, 4)

    def forward(self, x):
        return self.fc(self.middle(self.conv(x)).flatten(2).mean(2))

    def middle(self, x: Tensor) -> Tensor:
        return x


class AsStrided(Picture):
    """Reads memory as if it were contiguous."""

    def middle(self, x):
        n, c, h, w = x.shape
        return torch.as_strided(x, (n, c, h, w), (c * h * w, h * w, w, 1)).relu()


class DataView(Picture):
    def middle(self, x):
        return x + 0.1 * x.data.view(len(x), -1).mean(1)[:, None, None, None]


class ReadsStrides(Picture):
    def middle(self, x):
        return x * (1.0 if x.stride()[-1] == 1 else 2.0)


class AssertsContiguous(Picture):
    def middle(self, x):
        assert x.is_contiguous(), "a contiguous map"
        return x.relu()


class InputAssertsContiguous(Picture):
    def forward(self, x):
        assert x.is_contiguous()
        return super().forward(x)


class Volumes(nn.Module):
    """Three dimensions of space."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv3d(1, 4, 3)
        self.fc = nn.Linear(4 * 6 * 6 * 6, 3)

    def forward(self, x):
        return self.fc(self.conv(x).relu().view(len(x), -1))


LAYOUTS = {
    "as_strided": (AsStrided, (3, 16, 16), "conv"), "data": (DataView, (3, 16, 16), "conv"),
    "strides": (ReadsStrides, (3, 16, 16), "conv"), "asserted": (AssertsContiguous, (3, 16, 16), "conv"),
    "input": (InputAssertsContiguous, (3, 16, 16), "conv"), "volumes": (Volumes, (1, 8, 8, 8), "conv"),
}  # fmt: skip
"""Networks that care how their maps lie in memory."""


class Skip(Picture):
    def middle(self, x):
        self.skip = x
        for _ in range(3):
            x = torch.tanh(x)
        return x + self.skip


class Counter(Picture):
    """Counts its passes in a buffer, and lets the count count."""

    def __init__(self):
        super().__init__()
        self.register_buffer("count", torch.zeros(()))

    def middle(self, x):
        self.count += 1
        return x * self.count


class Recurrent(Picture):
    """Keeps its state from pass to pass."""

    def __init__(self):
        super().__init__()
        self.state = None

    def middle(self, x):
        self.state = x if self.state is None else 0.5 * self.state + x
        return self.state


class Helper(Picture):
    """Keeps what it computes in an object and a list of its own."""

    def __init__(self):
        super().__init__()
        self.memory = SimpleNamespace(last=None, all=[])

    def middle(self, x):
        self.memory.last = x.relu()
        self.memory.all.append(x)
        return self.memory.last + self.memory.all[-1] * len(self.memory.all)


class Closure(Picture):
    """Reaches its parts through a lambda, a bound method and a list."""

    def __init__(self):
        super().__init__()
        self.extra = nn.Conv2d(6, 6, 1)
        self.act = lambda x: self.extra(x).relu()
        self.step = self.take
        self.parts = [self.extra]

    def take(self, x):
        self.last = x
        return self.parts[0](self.last)

    def middle(self, x):
        return self.act(x) + self.step(x)


KEEPERS = {"skip": Skip, "counter": Counter, "recurrent": Recurrent, "helper": Helper, "closure": Closure}
"""Networks that keep something on themselves during a pass."""


class WritesInput(Picture):
    """Normalises its input in place."""

    def forward(self, x):
        x.sub_(0.5).mul_(2.0)
        return super().forward(x)


class FirstInPlace(nn.Module):
    def __init__(self):
        super().__init__()
        self.relu = nn.ReLU(inplace=True)
        self.fc = nn.Linear(12, 3)

    def forward(self, x):
        return self.fc(self.relu(x).flatten(1))


class Noisy(Picture):
    def middle(self, x):
        return F.dropout(x, 0.5, training=True)


class BatchStatistics(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3)
        self.bn = nn.BatchNorm2d(6, track_running_stats=False)
        self.fc = nn.Linear(6, 4)

    def forward(self, x):
        return self.fc(self.bn(self.conv(x)).relu().mean((2, 3)))


class MakesLayers(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.fc = None

    def forward(self, x):
        x = self.conv(x).flatten(1)
        if self.fc is None:
            self.fc = nn.Linear(x.shape[1], 3)
        return self.fc(x)
