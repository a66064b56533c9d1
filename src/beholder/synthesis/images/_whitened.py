"""Images by their frequencies, each scaled by what the matched layer feels of it and by what there mostly is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from beholder._core.seeds import make_generator
from beholder.synthesis.gradients._network import Network
from beholder.synthesis.images._draws import draw_normal_field
from beholder.synthesis.images._fourier import make_frequency_scale
from beholder.synthesis.images._parameterization import Canvas, Parameterization

_EDGE = 1e-3
_N_PROBES = 4
_FLOOR = 0.1
_TURN = 0.1
_DECAY, _DECAY_OF_FEW_VALUES = 0.5, 0.75


@final
@dataclass(frozen=True, eq=False)
class Whitened(Parameterization):
    """``low + (high − low) · (1 + sin θ) / 2`` with ``θ = C · F⁻¹(scale · F(Cᵀ z))``.

    The sine keeps every value in range, and reaches both ends of it; F is the Fourier transform over the plane of a
    picture or the samples of a sound. Where ``scale`` is the inverse of a layer's sensitivity, a step of one length
    means about as much at every frequency, and an optimiser needs fewer of them.

    Parameters
    ----------
    scale : array, optional
        Pictures: (channels, height, width // 2 + 1); sounds: (n_samples // 2 + 1,). None: no transform.
    colors : array, (channels, channels), optional
        C, orthonormal, its columns the axes of colour that ``scale`` counts in. None: the channels themselves.
    sd : float
        Of the noise about the middle to start from, as a proportion of the range.
    """

    scale: Any = None
    colors: Any = None
    sd: float = 0.05

    def __post_init__(self) -> None:
        for name in ("scale", "colors"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, np.asarray(value, np.float32))
        object.__setattr__(self, "_placed", {})

    is_direct: ClassVar[bool] = False
    learning_rate: ClassVar[float] = 0.05

    def start(self, canvas: Canvas, seed: int) -> Tensor:
        """Noise."""
        low, high = canvas.value_range or (-1.0, 1.0)
        noise = torch.from_numpy(draw_normal_field(seed, canvas.shape, "start"))
        image = (low + high) / 2 + self.sd * (high - low) * noise
        return self.encode(image[None] if canvas.value_range is None else image[None].clamp(low, high), canvas)[0]

    def encode(self, images: Tensor, canvas: Canvas) -> Tensor:
        """Inverse of sine, colour and scale."""
        if canvas.value_range is not None:
            low, high = canvas.value_range
            images = torch.asin((2 * (images - low) / (high - low) - 1).clamp(_EDGE - 1, 1 - _EDGE))
        return self._apply(images, inverse=True)

    def to_images(self, params: Tensor, canvas: Canvas) -> Tensor:
        """Scale, colour, sine."""
        values = self._apply(params, inverse=False)
        if canvas.value_range is None:
            return values
        low, high = canvas.value_range
        return torch.sin(values).mul((high - low) / 2).add((high + low) / 2)

    def _apply(self, values: Tensor, *, inverse: bool) -> Tensor:
        if self.scale is None:
            return values
        scale, colors = self._place(values)
        if inverse:
            scale = 1 / scale
        if colors is not None:
            values = torch.matmul(colors.T, values.flatten(2)).view(values.shape)
        axes = (-2, -1) if scale.ndim == 3 else (-1,)
        sizes = [values.shape[axis] for axis in axes]
        values = torch.fft.irfftn(torch.fft.rfftn(values, dim=axes) * scale, s=sizes, dim=axes)
        if colors is not None:
            values = torch.matmul(colors, values.flatten(2)).view(values.shape)
        return values

    def _place(self, values: Tensor) -> tuple[Tensor, Tensor | None]:
        """The constants on the device, moved there once."""
        placed: dict[torch.device, tuple[Tensor, Tensor | None]] = self.__dict__["_placed"]
        if values.device not in placed:
            with torch.inference_mode(False):
                scale = torch.tensor(self.scale, device=values.device)
                colors = None if self.colors is None else torch.tensor(self.colors, device=values.device)
            placed[values.device] = (scale, colors)
        return placed[values.device]


def whiten_layer(network: Network, layer: str, image: Tensor, *, seed: int = 0) -> Whitened:
    """The parameterisation that suits one layer.

    The layer's sensitivity at a frequency is the mean power there of ``Jᵀ v``, J its Jacobian at an image and v
    random: the diagonal of ``F Jᵀ J F*``. It is smoothed over neighbouring frequencies, and its axes of colour are
    those of its mean over frequencies. ``scale = (sensitivity / mean + 0.1) ** -½ · (f / 0.1) ** -½``: the second
    factor, with f in cycles a pixel, stands for natural pictures, whose amplitude falls with frequency. Where the
    layer has fewer values than the picture, so that it leaves more of it open, its exponent is -¾.

    Parameters
    ----------
    network : Network
        Open for the layer.
    layer : str
    image : Tensor, (1, *input_shape)
        Where to look.
    seed : int
        Of the random vectors.

    Returns
    -------
    Whitened
        Without scales for stimuli that are neither pictures nor sounds, and for layers that feel nothing.
    """
    shape = tuple(image.shape[1:])
    if not (len(shape) == 1 or (len(shape) == 3 and shape[0] in (1, 3))):
        return Whitened()
    power, n_values = _measure_power(network, layer, image, seed)
    mean = power.mean(tuple(range(2, power.ndim)))
    if not bool(torch.isfinite(mean).all()) or not float(mean.diagonal().sum()) > 0:
        return Whitened()
    _, colors = torch.linalg.eigh(mean)
    sensitivity = torch.einsum("ia,ij...,ja->a...", colors, power, colors).clamp_min(0)
    scale = (sensitivity / sensitivity.mean() + _FLOOR) ** -0.5
    if len(shape) == 1:
        return Whitened(scale[0].numpy())
    decay = _DECAY if n_values >= image[0].numel() else _DECAY_OF_FEW_VALUES
    scale = scale * (make_frequency_scale(shape[1], shape[2], 1.0, scale.device) * _TURN) ** decay
    return Whitened(scale.numpy(), colors.numpy() if shape[0] > 1 else None)


def _measure_power(network: Network, layer: str, image: Tensor, seed: int) -> tuple[Tensor, int]:
    """Cross-power of the channels at each frequency, (channels, channels, *frequencies), float32 on the CPU.

    And how many values the layer has.
    """
    generator = make_generator(seed, "sensitivity", layer)
    total: Any = 0.0
    with torch.enable_grad():
        leaf = image.detach().clone().requires_grad_(True)
        values = network.run(leaf, [1], (layer,), {}).views()[0].layer(layer)
        for i in range(_N_PROBES):
            probe = torch.from_numpy(generator.standard_normal(tuple(values.shape), dtype=np.float32)).to(values.device)
            (found,) = torch.autograd.grad(values, leaf, probe, retain_graph=i < _N_PROBES - 1)
            found = found[0].float().cpu()
            spectrum = torch.fft.rfft(found)[None] if found.ndim == 1 else torch.fft.rfft2(found)
            total = total + torch.einsum("a...,b...->ab...", spectrum, spectrum.conj()).real
    return _smooth(total), values.numel()


def _smooth(power: Tensor) -> Tensor:
    """Mean over neighbours: 5 × 5 frequencies of pictures, a fiftieth of the axis for sounds."""
    flat = power.flatten(0, 1)[:, None]
    if power.ndim == 3:
        reach = max(flat.shape[-1] // 100, 1)
        mean = F.avg_pool1d(F.pad(flat, (reach, reach), mode="reflect"), 2 * reach + 1, 1)
    else:
        reach = min(2, flat.shape[-1] - 1, flat.shape[-2])
        around = torch.cat([flat[..., -reach:, :], flat, flat[..., :reach, :]], -2) if reach else flat
        mean = F.avg_pool2d(F.pad(around, (reach, reach, 0, 0), mode="reflect"), 2 * reach + 1, 1)
    return mean.view(power.shape)
