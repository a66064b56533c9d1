"""CLIP's own interface: ``available_models``, ``load``, ``tokenize``, and a model that encodes pictures and texts.

The networks and OpenAI's weights come by way of open_clip. Source: Radford et al. (2021), "Learning transferable
visual models from natural language supervision".

Examples
--------
>>> from beholder.models import clip
>>> model, transform = clip.load("ViT-B/32", device="cpu")                       # doctest: +SKIP
>>> images = transform(picture).unsqueeze(0)                                     # doctest: +SKIP
>>> per_image, per_text = model(images, clip.tokenize(["a dog", "a cat"]))       # doctest: +SKIP
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from beholder._core.errors import InputError, UnknownNameError

if TYPE_CHECKING:
    import torch
    from PIL import Image
    from torch import Tensor, nn

__all__ = ["TextTooLong", "available_models", "load", "tokenize"]

CONTEXT_LENGTH = 77

_ARCHITECTURES = {
    "RN50": "RN50",
    "ViT-B/32": "ViT-B-32",
    "RN101": "RN101",
    "RN50x4": "RN50x4",
    "RN50x16": "RN50x16",
    "RN50x64": "RN50x64",
    "ViT-B/16": "ViT-B-16",
    "ViT-L/14": "ViT-L-14",
    "ViT-L/14@336px": "ViT-L-14-336",
}
_SPELLINGS = {"vit-32": "ViT-B/32", "clip-vit": "ViT-B/32", "clip-rn": "RN50"}
_SCALE = 100.0


@final
class TextTooLong(InputError, RuntimeError):
    """A text has more tokens than the network reads; also a :class:`RuntimeError`, as in CLIP's own package."""


def available_models() -> list[str]:
    """Names that :func:`load` knows: the two of the first release, then OpenAI's later ones.

    >>> available_models()[:2]
    ['RN50', 'ViT-B/32']
    """
    return list(_ARCHITECTURES)


def load(
    name: str,
    device: str | torch.device | None = None,
    jit: bool = True,
    *,
    model_path: Path | str | None = None,
    weights: str | None = None,
) -> tuple[nn.Module, Any]:
    """Load a CLIP network and the transform that its pictures need.

    Parameters
    ----------
    name : str
        One of :func:`available_models`.
    device : str or torch.device, optional
        Default: the first CUDA device if there is any, otherwise the CPU.
    jit : bool
        Compile the model with TorchScript; where that does not work, one line is logged and the model is as with False.
    model_path : path, optional
        A file with the weights, OpenAI's own archives included, in place of a download.
    weights : {"openai", "random"}, optional
        Default ``"openai"``.

    Returns
    -------
    model : nn.Module
        In eval mode, float32, with ``encode_image(image)``, ``encode_text(text)`` and ``model(image, text)``, which
        gives ``(logits_per_image, logits_per_text)``: cosine similarities times 100.
    transform : torchvision.transforms.Compose
        PIL image to a (3, height, width) float32 tensor: bicubic resize of the short side, centre crop, RGB, CLIP's
        normalisation.

    Raises
    ------
    UnknownNameError
        There is no such network.
    WeightsUnavailable
        The weights are not here and cannot be fetched.
    """
    import torch

    from beholder.models._clip_model import ClipModel, script_model
    from beholder.models._load import load_model

    known = _find_name(name)
    if device is None:
        device = "cuda:0" if torch.cuda.is_available() else "cpu"
    if weights not in {None, "openai", "random"}:
        raise InputError("weights of CLIP: 'openai' or 'random', or model_path", got=repr(weights))
    if weights is not None and model_path is not None:
        raise InputError("weights or model_path", got="both")
    start = "random" if model_path is not None else (weights or "openai")
    loaded = load_model(f"open_clip:{_ARCHITECTURES[known]}", weights=start, device=str(device))
    if model_path is not None:
        _load_file(loaded.module, Path(model_path))
    elif start == "random":
        torch.nn.init.constant_(loaded.module.get_parameter("logit_scale"), math.log(_SCALE))
    model = ClipModel(loaded.module).eval()
    transform = make_transform(loaded.preprocessing)
    return (script_model(model, f"CLIP {known}") if jit else model), transform


def _find_name(name: str) -> str:
    wanted = name.lower().replace("/", "-")
    spellings = {known.lower().replace("/", "-"): known for known in _ARCHITECTURES} | _SPELLINGS
    if wanted not in spellings:
        raise UnknownNameError("CLIP network", name, _ARCHITECTURES)
    return spellings[wanted]


def _load_file(module: nn.Module, path: Path) -> None:
    from beholder.models._open_clip import OpenClipSource
    from beholder.models._weights import load_file_weights

    adapt = OpenClipSource().find("ViT-B-32", None).adapt_state_dict
    load_file_weights(module, path, tag=path.stem, adapt=adapt)


def make_transform(preprocessing: Any) -> Any:
    """CLIP's picture transform as a torchvision ``Compose``.

    Parameters
    ----------
    preprocessing : ImagePreprocessing
        With a square ``resize`` and ``crop``.
    """
    from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Normalize, Resize, ToTensor

    return Compose(
        [
            Resize(preprocessing.resize, interpolation=InterpolationMode(preprocessing.interpolation)),
            CenterCrop(preprocessing.crop),
            _to_rgb,
            ToTensor(),
            Normalize(preprocessing.mean, preprocessing.std),
        ]
    )


def _to_rgb(image: Image.Image) -> Image.Image:
    return image.convert("RGB")


@functools.cache
def _get_tokenizer() -> Any:
    from open_clip.tokenizer import SimpleTokenizer

    return SimpleTokenizer()


def tokenize(text: str | Sequence[str], context_length: int = CONTEXT_LENGTH) -> Tensor:
    """Turn texts into the tokens that CLIP reads.

    Parameters
    ----------
    text : str or sequence of str
        One text, or several.
    context_length : int
        Number of columns; 77 for all of OpenAI's networks.

    Returns
    -------
    Tensor
        (n_texts, context_length), int64: start token, the text's tokens, end token, zeros.

    Raises
    ------
    TextTooLong
        A text does not fit. Also a :class:`RuntimeError`.

    Examples
    --------
    >>> tokenize("a diagram")[0, :5].tolist()
    [49406, 320, 22697, 49407, 0]
    """
    import torch

    tokenizer = _get_tokenizer()
    texts = [text] if isinstance(text, str) else list(text)
    result = torch.zeros(len(texts), context_length, dtype=torch.int64)
    for row, line in zip(result, texts, strict=True):
        if not isinstance(line, str):
            raise InputError("texts", got=type(line).__name__)
        tokens = [tokenizer.sot_token_id, *tokenizer.encode(line), tokenizer.eot_token_id]
        if len(tokens) > context_length:
            shown = line if len(line) <= 60 else f"{line[:57]}..."
            raise TextTooLong(f"a text of at most {context_length} tokens", got=f"{len(tokens)} tokens in {shown!r}")
        row[: len(tokens)] = torch.tensor(tokens)
    return result
