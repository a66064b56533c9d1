"""How a picture is shown to a network more than once: masked, framed, and with small changes of colour."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, final

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from beholder._core.errors import InputError, suggest_keywords, suggest_method_keywords
from beholder._core.seeds import DEFAULT_SEED, make_generator
from beholder.stimuli.images._image import composite_alpha


@suggest_method_keywords
@final
@dataclass(frozen=True)
class Exposure:
    """What happens to a picture before a model's own preprocessing.

    Parameters
    ----------
    alpha_mask : bool
        Make fully transparent pixels black and leave partly transparent ones as they are; otherwise transparency is
        laid over the mean colour.
    border : float
        Black border at each side, as a proportion of the picture's width (left, right) and height (top, bottom).
    saturation : float
        In [0, 1]; replicates other than 0 get a saturation factor drawn from [1 - saturation, 1 + saturation].
    hue : float
        In [0, 0.5]; and their hue turned by a proportion of the circle drawn from [-hue, hue].

    Raises
    ------
    InputError
        A number is out of its range.

    Examples
    --------
    >>> Exposure(border=0.2)
    Exposure(alpha_mask=True, border=0.2, saturation=0.05, hue=0.05)
    """

    alpha_mask: bool = True
    border: float = 0.1
    saturation: float = 0.05
    hue: float = 0.05

    def __post_init__(self) -> None:
        for name, most in (("border", 10.0), ("saturation", 1.0), ("hue", 0.5)):
            value = getattr(self, name)
            if not 0 <= value <= most:
                raise InputError(f"{name} in [0, {most:g}]", got=str(value))

    def to_dict(self) -> dict[str, Any]:
        """The settings, JSON-able."""
        return asdict(self)

    @classmethod
    def from_dict(cls, settings: dict[str, Any]) -> Exposure:
        """The exposure that :meth:`to_dict` described."""
        known = {each.name for each in fields(cls)}
        if unknown := sorted(set(settings) - known):
            raise InputError(f"exposure settings {', '.join(sorted(known))}", got=", ".join(unknown))
        return cls(**settings)


@suggest_keywords
def expose_image(
    image: Image.Image,
    replicate: int,
    *,
    exposure: Exposure | None = None,
    seed: int = DEFAULT_SEED,
    stimulus_id: str,
) -> Image.Image:
    """One showing of a picture: replicate 0 clean, the others with slightly changed saturation and hue.

    The changes depend on ``seed``, ``stimulus_id`` and ``replicate`` alone, in either order with equal probability.

    Parameters
    ----------
    image : PIL.Image.Image
        RGB or RGBA, as :func:`open_image` gives it with ``keep_alpha=True``.
    replicate : int
        From 0.
    exposure : Exposure, optional
        By default alpha mask, 10 % border, saturation and hue within 5 %.
    seed : int
        The run's seed.
    stimulus_id : str
        Which stimulus this is.

    Returns
    -------
    PIL.Image.Image
        RGB, (w + 2 round(border w), h + 2 round(border h)).

    Raises
    ------
    InputError
        ``replicate`` is negative.
    """
    exposure = exposure or Exposure()
    if replicate < 0:
        raise InputError("a replicate from 0 up", got=str(replicate))
    if exposure.alpha_mask:
        image = apply_alpha_mask(image)
    elif image.mode == "RGBA":
        image = composite_alpha(image)
    image = pad_border(image, exposure.border)
    if replicate == 0:
        return image
    rng = make_generator(seed, "exposure", stimulus_id, replicate)
    factor = float(rng.uniform(1 - exposure.saturation, 1 + exposure.saturation))
    turn = float(rng.uniform(-exposure.hue, exposure.hue))
    if rng.random() < 0.5:
        return shift_hue(ImageEnhance.Color(image).enhance(factor), turn)
    return ImageEnhance.Color(shift_hue(image, turn)).enhance(factor)


@suggest_keywords
def apply_alpha_mask(image: Image.Image) -> Image.Image:
    """RGB := 0 where alpha = 0, every other pixel's RGB unchanged; alpha is dropped."""
    if image.mode != "RGBA":
        return image.convert("RGB") if image.mode != "RGB" else image
    visible = image.getchannel("A").point(lambda alpha: 255 if alpha else 0)
    black = Image.new("RGB", image.size, (0, 0, 0))
    return Image.composite(image.convert("RGB"), black, visible)


@suggest_keywords
def pad_border(image: Image.Image, border: float = 0.1) -> Image.Image:
    """Add black: ``round(border * w)`` pixels left and right, ``round(border * h)`` above and below."""
    beside, above = round(border * image.width), round(border * image.height)
    if beside == above == 0:
        return image
    return ImageOps.expand(image, (beside, above), fill=0)


@suggest_keywords
def shift_hue(image: Image.Image, turn: float) -> Image.Image:
    r"""Turn the hue of an RGB picture.

    In 8-bit HSV, :math:`h' = (h + \lfloor 255 \, turn \rfloor) \bmod 256`, rounding towards zero.

    Parameters
    ----------
    image : PIL.Image.Image
        RGB.
    turn : float
        Proportion of the colour circle, in [-0.5, 0.5].
    """
    hue, saturation, value = image.convert("HSV").split()
    moved = np.asarray(hue) + np.uint8(int(turn * 255) % 256)
    return Image.merge("HSV", (Image.fromarray(moved), saturation, value)).convert("RGB")
