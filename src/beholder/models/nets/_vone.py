r"""VOneAlexNet: AlexNet behind a fixed model of primary visual cortex.

The front end is a bank of Gabor filters drawn from what was measured in macaque V1, simple cells (half-wave
rectified) and complex cells (the energy of a pair), noise, and a rectifier. A 1 x 1 convolution takes its 512 maps to
AlexNet's second convolution.

Sources: Dapello, Marques et al. (2020), "Simulating a primary visual cortex at the front of CNNs improves robustness
to image perturbations", NeurIPS 33, section 3 and supplement; the distributions are those of De Valois, Yund & Hepler
(1982) for orientation, De Valois, Albrecht & Thorell (1982) for spatial frequency, Ringach (2002) for the shape of
the envelope, Schiller, Finlay & Volman (1976) for how shape and frequency go together. Gaussian instead of
Poisson-like noise: Dapello et al. (2021), "Neural population geometry reveals the role of stochasticity in robust
perception". The numbers drawn are those of the published code. Modules are named as in its checkpoints.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from beholder._core.errors import InputError
from beholder.models.nets._metamers import N_CLASSES, build_classifier

NOISES = ("none", "gaussian", "neuronal")

_ORIENTATION_EDGES = np.array([-22.5, 22.5, 67.5, 112.5, 157.5])
_ORIENTATION_COUNTS = np.array([66.0, 49.0, 77.0, 54.0])
_FREQUENCY_EDGES = np.array([0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0])
_FREQUENCY_COUNTS = np.array([4.0, 4.0, 8.0, 25.0, 32.0, 26.0, 28.0, 12.0])
_CYCLE_EDGES = np.logspace(-1, 0.2, 6)
_CYCLE_COUNTS = np.array(
    [[2.0, 0, 1, 0, 0], [8.0, 9, 4, 1, 0], [1.0, 2, 19, 17, 3], [0.0, 0, 1, 7, 4], [0.0, 0, 0, 0, 0]]
)
_TINY, _NEURONAL_FLOOR = 1e-5, 1e-4


@final
@dataclass(frozen=True)
class GaborParameters:
    """Filters of a population of cells, each array (n_cells,).

    Parameters
    ----------
    frequency : ndarray
        Cycles per degree.
    orientation, phase : ndarray
        Degrees.
    cycles_across, cycles_along : ndarray
        Standard deviation of the envelope in cycles of the grating, across and along the bars.
    """

    frequency: np.ndarray
    orientation: np.ndarray
    phase: np.ndarray
    cycles_across: np.ndarray
    cycles_along: np.ndarray


def draw_gabor_parameters(
    n_cells: int, *, seed: int = 0, correlation: float = 0.75, max_frequency: float = 6.0
) -> GaborParameters:
    """Draw cells from the distributions measured in V1.

    Parameters
    ----------
    n_cells : int
    seed : int
        Of numpy's older generator, as in the published code.
    correlation : float
        Between the ranks of frequency and width of the envelope.
    max_frequency : float
        Cycles per degree; bins of the histogram that begin at more are left out.
    """
    random = np.random.RandomState(seed)
    phase = _draw(random.rand(n_cells), np.array([1.0]), np.array([0.0, 360.0]))
    orientation = _draw(random.rand(n_cells), _ORIENTATION_COUNTS, _ORIENTATION_EDGES)
    pairs = random.multivariate_normal([0, 0], [[1, correlation], [correlation, 1]], n_cells)
    ranks = _rank_normal(pairs)
    across = 10 ** _draw(ranks[:, 0], _CYCLE_COUNTS.sum(1), np.log10(_CYCLE_EDGES))
    rows = _CYCLE_COUNTS[np.searchsorted(_CYCLE_EDGES, across) - 1]
    levels = random.rand(n_cells)
    along = np.array([_draw(level, row, np.log10(_CYCLE_EDGES)) for level, row in zip(levels, rows, strict=True)])
    n_bins = int(np.flatnonzero(max_frequency >= _FREQUENCY_EDGES)[-1])
    edges = np.log2(_FREQUENCY_EDGES[: n_bins + 1])
    frequency = 2 ** _draw(ranks[:, 1], _FREQUENCY_COUNTS[:n_bins], edges)
    return GaborParameters(frequency, orientation % 180, phase, across, 10**along)


def _draw(level: np.ndarray | float, counts: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Quantiles of a histogram, linear within its bins."""
    return np.asarray(np.interp(level, np.concatenate([[0], np.cumsum(counts / counts.sum())]), edges))


def _rank_normal(values: np.ndarray) -> np.ndarray:
    from scipy.special import ndtr

    return ndtr(values)


def make_gabor_kernels(
    frequency: np.ndarray,
    sigma_across: np.ndarray,
    sigma_along: np.ndarray,
    orientation: np.ndarray,
    phase: np.ndarray,
    size: int,
) -> np.ndarray:
    r"""Gabor filters.

    .. math:: g(x, y) = \frac{1}{2\pi\sigma_u\sigma_v} e^{-\frac12(u^2/\sigma_u^2 + v^2/\sigma_v^2)}
        \cos(2\pi f u + \varphi),\quad u = x\cos\theta + y\sin\theta,\; v = y\cos\theta - x\sin\theta

    Parameters
    ----------
    frequency : (n,) cycles per pixel
    sigma_across, sigma_along : (n,) pixels
        Of the envelope, along u and v.
    orientation, phase : (n,) radians
    size : int
        Odd number of pixels a side; x counts rows, y columns, both from the centre.

    Returns
    -------
    ndarray
        (n, size, size), float64.
    """
    axis = np.arange(size, dtype=np.float64) - size // 2
    x, y = axis[None, :, None], axis[None, None, :]
    f, a, b, theta, phi = (
        np.asarray(v)[:, None, None] for v in (frequency, sigma_across, sigma_along, orientation, phase)
    )
    u = x * np.cos(theta) + y * np.sin(theta)
    v = y * np.cos(theta) - x * np.sin(theta)
    envelope = np.exp(-0.5 * ((u / a) ** 2 + (v / b) ** 2)) / (2 * np.pi * a * b)
    return envelope * np.cos(2 * np.pi * f * u + phi)


@final
class GaborBank(nn.Module):
    """A convolution with fixed filters, each of which looks at one colour channel."""

    weight: Tensor

    def __init__(self, kernels: np.ndarray, colours: np.ndarray, stride: int) -> None:
        super().__init__()
        n_cells, size, _ = kernels.shape
        weight = np.zeros((n_cells, 3, size, size), np.float32)
        weight[np.arange(n_cells), colours] = kernels
        self.stride, self.padding = stride, size // 2
        self.register_buffer("weight", torch.tensor(weight))

    def forward(self, x: Tensor) -> Tensor:
        """Pictures (n, 3, h, w) to maps (n, n_cells, h / stride, w / stride)."""
        return functional.conv2d(x, self.weight, stride=self.stride, padding=self.padding)


@final
class CorticalNoise(nn.Module):
    """Noise of the cells' responses, frozen or drawn anew in every pass.

    Parameters
    ----------
    shape : (n_cells, height, width)
        Of the responses to one picture.
    kind : {"none", "gaussian", "neuronal"}
        Independent of the response, or with a variance that grows with it as in cortex.
    sd : float
        Of Gaussian noise.
    scale, baseline : float
        Of neuronal noise: spikes per unit of response, and spontaneous spikes.
    seed : int or None
        Of frozen noise, the same for every picture; None draws anew from torch's generator.
    """

    frozen: Tensor | None

    def __init__(
        self,
        shape: tuple[int, int, int],
        kind: str = "gaussian",
        *,
        sd: float = 4.0,
        scale: float = 0.35,
        baseline: float = 0.07,
        seed: int | None = 0,
    ) -> None:
        super().__init__()
        if kind not in NOISES:
            raise InputError(f"a kind of noise: {', '.join(NOISES)}", got=repr(kind))
        self.shape, self.kind, self.sd, self.scale, self.baseline = shape, kind, sd, scale, baseline
        self.register_buffer("frozen", None, persistent=False)
        self.freeze(seed)

    def freeze(self, seed: int | None) -> None:
        """Use the same noise in every pass from now on; with None, new noise in each."""
        if seed is None or self.kind == "none":
            self.frozen = None
            return
        drawn = np.random.default_rng(seed).standard_normal((1, *self.shape), dtype=np.float32)
        place = None if self.frozen is None else self.frozen.device
        self.frozen = torch.tensor(drawn, device=place)

    def forward(self, x: Tensor) -> Tensor:
        """Responses (n, n_cells, h, w), and the noise added."""
        if self.kind == "none":
            return x
        noise = torch.randn_like(x) if self.frozen is None else self.frozen
        if self.kind == "gaussian":
            return x + self.sd * noise
        rate = x * self.scale + self.baseline
        return (rate + noise * torch.sqrt(functional.relu(rate) + _NEURONAL_FLOOR) - self.baseline) / self.scale


@final
class VOneBlock(nn.Module):
    """The front end: Gabor filters, simple and complex cells, noise, rectifier.

    Parameters
    ----------
    n_simple, n_complex : int
        Cells of either kind, in this order in the output.
    noise : {"none", "gaussian", "neuronal"}
    sd : float
        Of Gaussian noise.
    seed : int or None
        Of frozen noise; see :class:`CorticalNoise`.
    image_size : int
        Pixels a side.
    degrees : float
        Visual angle that they span.
    size, stride : int
        Of the filters.
    gain : float
        Of all responses.
    """

    def __init__(
        self,
        n_simple: int = 256,
        n_complex: int = 256,
        *,
        noise: str = "gaussian",
        sd: float = 4.0,
        seed: int | None = 0,
        image_size: int = 224,
        degrees: float = 8.0,
        size: int = 25,
        stride: int = 4,
        gain: float = 25.0,
    ) -> None:
        super().__init__()
        n_cells = n_simple + n_complex
        drawn = draw_gabor_parameters(n_cells)
        frequency = drawn.frequency * degrees / image_size
        theta, phase = np.deg2rad(drawn.orientation), np.deg2rad(drawn.phase)
        envelope = (drawn.cycles_across / frequency, drawn.cycles_along / frequency)
        colours = torch.Generator().manual_seed(0)
        banks = []
        for shift in (0.0, np.pi / 2):
            kernels = make_gabor_kernels(frequency, *envelope, theta, phase + shift, size)
            chosen = torch.randint(0, 3, (n_cells,), generator=colours, device="cpu").numpy()
            banks.append(GaborBank(kernels, chosen, stride))
        self.n_simple, self.gain = n_simple, gain
        self.simple_conv_q0, self.simple_conv_q1 = banks
        self.simple = nn.ReLU()
        self.gabors = nn.Identity()
        side = -(-image_size // stride)
        self.noise = CorticalNoise((n_cells, side, side), noise, sd=sd, seed=seed)
        self.output = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Normalised pictures (n, 3, 224, 224) to responses (n, n_cells, 56, 56)."""
        even, odd = self.simple_conv_q0(x), self.simple_conv_q1(x)
        energy = even[:, self.n_simple :] ** 2 + odd[:, self.n_simple :] ** 2
        complex_cells = torch.sqrt(energy + _TINY) / np.sqrt(2)
        cells = torch.cat([self.simple(even[:, : self.n_simple]), complex_cells], 1)
        return self.output(self.noise(self.gabors(self.gain * cells)))


@final
class AlexNetBackEnd(nn.Module):
    """AlexNet from its second convolution on, for 64 maps of 56 x 56."""

    def __init__(self, n_classes: int = N_CLASSES) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(64, 192, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2, padding=1),
            nn.Conv2d(192, 384, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(256, 256, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(7)
        self.classifier = build_classifier(256 * 7 * 7, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (n, 64, 56, 56) to logits (n, n_classes)."""
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def build_vone_alexnet(noise: str = "gaussian", sd: float = 4.0, seed: int | None = 0) -> nn.Sequential:
    """The front end, a 1 x 1 convolution to 64 maps, and AlexNet's rest.

    Parameters
    ----------
    noise, sd, seed
        As for :class:`VOneBlock`; ``net.vone_block.noise.freeze(None)`` draws new noise in every pass.
    """
    bottleneck = nn.Conv2d(512, 64, 1, bias=False)
    nn.init.kaiming_normal_(bottleneck.weight, mode="fan_out", nonlinearity="relu")
    block = VOneBlock(noise=noise, sd=sd, seed=seed)
    return nn.Sequential(OrderedDict(vone_block=block, bottleneck=bottleneck, model=AlexNetBackEnd()))
