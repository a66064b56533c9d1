r"""HMAX: a fixed hierarchy of template matching (S) and maxima (C), after simple and complex cells.

S1: Gabor filters of 16 sizes and 4 orientations, rectified, divided by the picture's energy under the filter.
C1: 8 bands, each the maximum over two neighbouring sizes and over space. S2: likeness of each place in each band to
stored patches of C1 responses. C2: the best match of each patch anywhere.

Sources: Riesenhuber & Poggio (1999), "Hierarchical models of object recognition in cortex", Nature Neuroscience 2;
Serre, Oliva & Poggio (2007), "A feedforward architecture accounts for rapid categorization", PNAS 104, and its
supplement, table 1 (the sizes), with the differentiable square roots and the blank borders of Feather et al. (2023).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from beholder._core.seeds import make_generator
from beholder.models.network._latent import is_watched
from beholder.stimuli import SHAPE_CATEGORIES, make_shape_picture

INPUT_SIZE = 250
FILTER_SIZES = tuple(range(7, 38, 2))
TIGHTNESS = tuple(4.0 - 0.05 * i for i in range(len(FILTER_SIZES)))
ORIENTATIONS = (90.0, -45.0, 0.0, 45.0)
POOL_SIZES = (8, 10, 12, 14, 16, 18, 20, 22)
PATCH_SIZES = (2, 4, 6, 8, 10, 12, 14, 16)
N_PATCHES = 400

_ASPECT, _ENVELOPE, _TINY, _GREY = 0.3, 0.8, 1e-10, 127.5
_PROTOTYPE_BAND, _N_PICTURES = 1, 16


def make_hmax_filters(size: int, tightness: float) -> np.ndarray:
    r"""The four Gabor filters of one size, with zero mean and unit energy.

    .. math:: g = e^{-(u^2 + \gamma^2 v^2) / 2\sigma^2} \cos(2\pi u / \lambda),\quad
        \lambda = 2 s / d,\; \sigma = 0.8 \lambda,\; \gamma = 0.3

    within a disc of diameter s.

    Parameters
    ----------
    size : int
        s, odd.
    tightness : float
        d; 4 for the smallest filter, falling by 0.05 a size.

    Returns
    -------
    ndarray
        (4, size, size), float64; the order is that of ``ORIENTATIONS``.
    """
    wavelength = 2 * size / tightness
    axis = np.arange(size) - size // 2
    x, y = axis[:, None], axis[None, :]
    filters = []
    for orientation in ORIENTATIONS:
        theta = math.radians(orientation + 90)
        u = x * math.cos(theta) + y * math.sin(theta)
        v = y * math.cos(theta) - x * math.sin(theta)
        envelope = np.exp(-(u**2 + (_ASPECT * v) ** 2) / (2 * (_ENVELOPE * wavelength) ** 2))
        values = np.where(np.hypot(x, y) > size / 2, 0.0, envelope * np.cos(2 * np.pi * u / wavelength))
        values = values - values.mean()
        filters.append(values / np.linalg.norm(values))
    return np.stack(filters)


def _sum_windows(x: Tensor, size: int) -> Tensor:
    """Sums over all squares of a side, those that lie inside."""
    rows = functional.avg_pool2d(x, (size, 1), stride=1, divisor_override=1)
    return functional.avg_pool2d(rows, (1, size), stride=1, divisor_override=1)


@final
class S1(nn.Module):
    """Filters of all sizes, four orientations each, divided by the picture's energy under them; borders are 0.

    The filters are applied by FFT, in which large ones cost no more than small ones.
    """

    filters: Tensor

    def __init__(self) -> None:
        super().__init__()
        side = FILTER_SIZES[-1]
        filters = np.zeros((len(FILTER_SIZES), 4, side, side))
        for i, (size, tightness) in enumerate(zip(FILTER_SIZES, TIGHTNESS, strict=True)):
            filters[i, :, :size, :size] = make_hmax_filters(size, tightness)
        self.register_buffer("filters", torch.tensor(filters, dtype=torch.float32), persistent=False)
        self._spectra: dict[tuple[int, int, torch.device], Tensor] = {}

    def forward(self, x: Tensor) -> list[Tensor]:
        """Grey pictures (n, 1, h, w) to one (n, 4, h, w) a size."""
        spectrum = torch.fft.rfft2(x - _GREY)
        return [self.apply_size(x, spectrum, i) for i in range(len(FILTER_SIZES))]

    def apply_size(self, x: Tensor, spectrum: Tensor, index: int) -> Tensor:
        """One size; ``spectrum`` is the FFT of the pictures less a grey, which filters without a mean do not see."""
        size, (height, width) = FILTER_SIZES[index], x.shape[-2:]
        filtered = torch.fft.irfft2(spectrum * self._get_spectra(height, width)[index], s=(height, width))
        response = filtered[..., : height - size + 1, : width - size + 1].abs()
        return functional.pad(response / torch.sqrt(_sum_windows(x**2, size) + _TINY), (size // 2,) * 4)

    def _get_spectra(self, height: int, width: int) -> Tensor:
        key = height, width, self.filters.device
        spectra = self._spectra.get(key)
        if spectra is None:
            with torch.inference_mode(False), torch.no_grad():
                spectra = torch.fft.rfft2(self.filters.clone(), s=(height, width)).conj().resolve_conj()
            self._spectra = {key: spectra}
        return spectra


@final
class C1(nn.Module):
    """Maximum over two sizes of S1 and over a square whose neighbours overlap by half."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, small: Tensor, large: Tensor) -> Tensor:
        """Two times (n, 4, h, w) to (n, 4, h', w')."""
        half = self.size // 2
        return functional.max_pool2d(torch.maximum(small, large), self.size, stride=half, padding=half)


@final
class S2(nn.Module):
    r"""Likeness :math:`e^{-\lVert x - p \rVert^2 / 2}` of each place to patches of one size.

    Parameters
    ----------
    patches : Tensor
        (n_patches, 4, size, size): C1 responses.
    """

    patches: Tensor

    def __init__(self, patches: Tensor) -> None:
        super().__init__()
        self.register_buffer("patches", patches)

    def forward(self, x: Tensor) -> Tensor:
        """A band (n, 4, h, w) to (n, n_patches, h', w')."""
        size = self.patches.shape[-1]
        padded = functional.pad(x, (size // 2,) * 4)
        energy = _sum_windows((padded**2).sum(1, keepdim=True), size)
        own = (self.patches**2).sum((1, 2, 3))[:, None, None]
        distance = energy - 2 * functional.conv2d(padded, self.patches) + own
        return torch.exp(-distance / 2)


@final
class HMAX(nn.Module):
    """The whole hierarchy; ``s1_out`` to ``c2_out`` are modules that hand over a stage as one tensor.

    Parameters
    ----------
    patches : sequence of Tensor, optional
        Of S2, one (n_patches, 4, size, size) a size; default noise, which stands for nothing.

    Notes
    -----
    The output is C2, flattened, until :meth:`attach_readout` puts a linear layer behind it.
    """

    def __init__(self, patches: Sequence[Tensor] | None = None) -> None:
        super().__init__()
        self.s1 = S1()
        self.s1_out = nn.Identity()
        self.c1 = nn.ModuleList(C1(size) for size in POOL_SIZES)
        self.c1_out = nn.Identity()
        if patches is None:
            patches = [torch.rand(N_PATCHES, 4, size, size) / 2 for size in PATCH_SIZES]
        self.s2 = nn.ModuleList(S2(each) for each in patches)
        self.s2_out = nn.Identity()
        self.c2_out = nn.Identity()
        self.fc: nn.Module = nn.Identity()

    def attach_readout(self, n_classes: int) -> None:
        """Put a linear layer behind C2."""
        self.fc = nn.Linear(sum(len(layer.patches) for layer in self._list_s2()), n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Grey pictures (n, 1, 250, 250) in [0, 255] to C2 (n, 3200), or to logits."""
        scales = self.s1(x)
        self.s1_out(torch.cat(scales, 1))
        bands = [layer(*scales[2 * i : 2 * i + 2]) for i, layer in enumerate(self.c1)]
        self.c1_out(torch.cat([band.flatten(1) for band in bands], 1))
        likeness = [[layer(band) for band in bands] for layer in self.s2]
        if is_watched(self.s2_out):  # 42 million numbers a picture
            self.s2_out(torch.cat([each.flatten(1) for of_size in likeness for each in of_size], 1))
        best = [torch.stack([each.amax((2, 3)) for each in of_size]).amax(0) for of_size in likeness]
        return self.fc(self.c2_out(torch.stack(best, 1)).flatten(1))

    def find_band(self, x: Tensor, index: int) -> Tensor:
        """One C1 band of grey pictures (n, 1, h, w)."""
        spectrum = torch.fft.rfft2(x - _GREY)
        small, large = (self.s1.apply_size(x, spectrum, i) for i in (2 * index, 2 * index + 1))
        return self.c1[index](small, large)

    def _list_s2(self) -> list[S2]:
        return [layer for layer in self.s2 if isinstance(layer, S2)]


def draw_prototypes(net: HMAX, seed: int = 0) -> list[Tensor]:
    """Patches of C1 responses at random places of pictures that the package draws, 400 a size.

    They stand in for the published patches, which come from photographs: S2 and C2 then compare with other things,
    so that their values are not those of the published model.

    Parameters
    ----------
    net : HMAX
        Whose first two stages are used, on the CPU.
    seed : int

    Returns
    -------
    list of Tensor
        (400, 4, size, size) for each of ``PATCH_SIZES``.
    """
    from PIL import Image

    random = make_generator(seed, "hmax prototypes")
    pictures = []
    for i in range(_N_PICTURES):
        drawn = Image.fromarray(make_shape_picture(SHAPE_CATEGORIES[i % len(SHAPE_CATEGORIES)], seed + i)).convert("L")
        pictures.append(np.asarray(drawn.resize((INPUT_SIZE, INPUT_SIZE), Image.Resampling.BILINEAR), np.float32))
    with torch.no_grad():
        bands = net.find_band(torch.tensor(np.stack(pictures))[:, None], _PROTOTYPE_BAND)
    side = bands.shape[-1]
    prototypes = []
    for size in PATCH_SIZES:
        which = random.integers(len(bands), size=N_PATCHES)
        tops, lefts = random.integers(side - size + 1, size=(2, N_PATCHES))
        cut = [
            bands[i, :, top : top + size, left : left + size]
            for i, top, left in zip(which, tops, lefts, strict=True)
        ]  # fmt: skip
        prototypes.append(torch.stack(cut))
    return prototypes


def read_patch_set(path: Path) -> list[Tensor]:
    """The universal patches of HMAX's authors, from their MATLAB file.

    Its cell array ``patches`` holds a matrix a size, a column a patch (rows fastest, then columns, orientations); a
    column of ``patchSizes`` is rows, columns, orientations and number of patches.

    Returns
    -------
    list of Tensor
        (n_patches, 4, rows, columns) for each size.
    """
    from scipy.io import loadmat

    content = loadmat(path)
    patches = []
    for matrix, sizes in zip(content["patches"].ravel(), content["patchSizes"].T, strict=True):
        rows, columns, n_orientations, n_patches = (int(size) for size in sizes[:4])
        values = np.asarray(matrix, dtype=np.float32).reshape(n_orientations, columns, rows, n_patches)
        patches.append(torch.tensor(values.transpose(3, 0, 2, 1).copy()))
    return patches


def adapt_hmax_state(state: dict[str, Tensor], module: nn.Module) -> dict[str, Tensor]:
    """A published checkpoint's tensors under this module's names; the module takes on their sizes.

    The checkpoint holds the fixed filters too, and each patch set as (4 × n_patches, 1, size, size), orientation
    slowest. A readout in it is attached.
    """
    assert isinstance(module, HMAX)
    adapted = {name: value for name, value in state.items() if name.startswith(("s2.", "fc."))}
    for name, value in state.items():
        if name.startswith("s2_units.") and name.endswith(".conv.weight"):
            folded = value.reshape(4, -1, *value.shape[-2:]).transpose(0, 1)
            adapted[f"s2.{name.split('.')[1]}.patches"] = folded.contiguous()
    n_sizes = sum(name.startswith("s2.") for name in adapted)
    if n_sizes == 0:
        return state
    module.s2 = nn.ModuleList(S2(torch.zeros_like(adapted[f"s2.{i}.patches"])) for i in range(n_sizes))
    if "fc.weight" in adapted:
        module.attach_readout(len(adapted["fc.weight"]))
    return adapted
