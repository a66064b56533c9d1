"""Made stimuli as files: what is written, and what a network sees when the file is read again."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
from PIL import Image

from beholder._core.errors import StimulusError
from beholder.models import Model

_PNG_LEVEL = 1


@final
@dataclass(frozen=True)
class StimulusFormat:
    """How one model's stimuli are saved: pictures with 8 bits, sounds and other arrays as they are.

    Attributes
    ----------
    suffix : {".png", ".wav", ".npy"}
    low, high : float
        Range of a picture's values.
    sample_rate : int
        Of a sound; 0 for others.
    """

    suffix: str
    low: float = 0.0
    high: float = 1.0
    sample_rate: int = 0

    @classmethod
    def of_model(cls, model: Model, shape: tuple[int, ...]) -> StimulusFormat:
        """``.png`` for pictures of a known range, ``.wav`` for sounds, ``.npy`` for other arrays.

        Parameters
        ----------
        model : Model
        shape : tuple of int
            Of one stimulus.
        """
        if len(shape) == 1 and model.sample_rate:
            return cls(".wav", sample_rate=int(model.sample_rate))
        if len(shape) == 3 and shape[0] in (1, 3) and model.input_range is not None:
            return cls(".png", *model.input_range)
        return cls(".npy")

    def to_pixels(self, images: np.ndarray) -> np.ndarray:
        """8-bit pixels of pictures, rounded; (..., height, width) as given."""
        scaled = (images.astype(np.float64) - self.low) * (255.0 / (self.high - self.low))
        return np.rint(scaled).clip(0, 255).astype(np.uint8)

    def from_pixels(self, pixels: np.ndarray) -> np.ndarray:
        """Float32 values of 8-bit pixels, as ``prepare`` gives them."""
        unit = pixels.astype(np.float32) / np.float32(255)
        if (self.low, self.high) == (0.0, 1.0):
            return unit
        return unit * np.float32(self.high - self.low) + np.float32(self.low)

    def round(self, images: np.ndarray) -> np.ndarray:
        """Stimuli as they come back from their files, float32."""
        if self.suffix == ".png":
            return self.from_pixels(self.to_pixels(images))
        return images.astype(np.float32, copy=False)

    def encode(self, image: np.ndarray) -> bytes:
        """The bytes of the file of one stimulus.

        Parameters
        ----------
        image : (channels, height, width) in range, (n_samples,), or any shape for ``.npy``; float32
        """
        buffer = io.BytesIO()
        if self.suffix == ".png":
            return encode_png(self.to_pixels(image))
        if self.suffix == ".wav":
            from scipy.io import wavfile

            wavfile.write(buffer, self.sample_rate, np.asarray(image, np.float32))
        else:
            np.save(buffer, np.asarray(image, np.float32), allow_pickle=False)
        return buffer.getvalue()

    def decode(self, path: Path) -> np.ndarray:
        """One stimulus from its file, float32, as it was encoded."""
        try:
            if self.suffix == ".png":
                with Image.open(path) as image:
                    pixels = np.asarray(image)
                return self.from_pixels(pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1))
            if self.suffix == ".wav":
                from scipy.io import wavfile

                return np.asarray(wavfile.read(path)[1], np.float32)
            return np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise StimulusError(f"a {self.suffix} file of a made stimulus", got=f"{path} ({error})") from error


def encode_png(pixels: np.ndarray) -> bytes:
    """The bytes of a PNG.

    Parameters
    ----------
    pixels : uint8, (height, width), (1, height, width) or (3, height, width)
    """
    if pixels.ndim == 3:
        pixels = pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0))
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=_PNG_LEVEL)
    return buffer.getvalue()


def compute_opacity(transparency: np.ndarray) -> np.ndarray:
    """Where the optimiser kept working: the gradient's summed size, clipped at its 80th percentile, as 0 to 1.

    Parameters
    ----------
    transparency : (channels, height, width), float
        Sum over the steps of the gradient's size at each value.

    Returns
    -------
    (height, width), float64
        1 is opaque.

    Notes
    -----
    Source: Fel et al. (2023), section 3.4; Horama, ``plot_maco``.
    """
    size = np.asarray(transparency, np.float64).mean(0)
    top = np.percentile(size, 80)
    return np.ones_like(size) if not top > 0 else np.minimum(size, top) / top
