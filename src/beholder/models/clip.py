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

import logging
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from beholder._core.downloads import DownloadFailed, download_file
from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.hashing import hash_file
from beholder.models.words._tokens import TextTooLong, tokenize

if TYPE_CHECKING:
    import torch
    from PIL import Image
    from torch import nn

__all__ = ["TextTooLong", "UnknownNetwork", "available_models", "load", "tokenize"]

logger = logging.getLogger("beholder")

_ARCHITECTURES = {
    "RN50": "RN50",
    "RN101": "RN101",
    "RN50x4": "RN50x4",
    "RN50x16": "RN50x16",
    "RN50x64": "RN50x64",
    "ViT-B/32": "ViT-B-32",
    "ViT-B/16": "ViT-B-16",
    "ViT-L/14": "ViT-L-14",
    "ViT-L/14@336px": "ViT-L-14-336",
}
_SPELLINGS = {"vit-32": "ViT-B/32", "clip-vit": "ViT-B/32", "clip-rn": "RN50"}
_SCALE = 100.0


@final
class UnknownNetwork(UnknownNameError, RuntimeError):
    """No such network, and no such file; also a :class:`RuntimeError`, as in CLIP's own package."""


def available_models() -> list[str]:
    """Names that :func:`load` knows, in the order of OpenAI's package.

    >>> available_models()[5]
    'ViT-B/32'
    """
    return list(_ARCHITECTURES)


@suggest_keywords
def load(
    name: str,
    device: str | torch.device | None = None,
    jit: bool = False,
    download_root: str | Path | None = None,
    *,
    model_path: Path | str | None = None,
    weights: str | None = None,
) -> tuple[nn.Module, Any]:
    """Load a CLIP network and the transform that its pictures need.

    Parameters
    ----------
    name : str
        One of :func:`available_models`, or a file with the weights of any CLIP network, OpenAI's own archives included.
    device : str or torch.device, optional
        Default: the first CUDA device if there is any, otherwise the CPU.
    jit : bool
        Compile the model with TorchScript; where that does not work, one line is logged and the model is as with False.
    download_root : path, optional
        Folder where OpenAI's files are looked for and downloaded to. Default: one that lies in ``~/.cache/clip``
        is used, else the weights come through the hub's cache.
    model_path : path, optional
        A file with the weights of the network ``name``, in place of a download.
    weights : {"openai", "random"}, optional
        Default ``"openai"``.

    Returns
    -------
    model : nn.Module
        In eval mode, float32, with ``encode_image(image)``, ``encode_text(text)`` and ``model(image, text)``, which
        gives ``(logits_per_image, logits_per_text)``: cosine similarities times 100. Names of modules and parameters
        are those of CLIP's own state dict.
    transform : torchvision.transforms.Compose
        PIL image to a (3, height, width) float32 tensor: bicubic resize of the short side, centre crop, RGB, CLIP's
        normalisation.

    Raises
    ------
    UnknownNetwork
        There is no such network or file. Also a :class:`RuntimeError`, as in CLIP's own package.
    InputError
        A file that does not hold a CLIP network.
    WeightsUnavailable
        The weights are not here and cannot be fetched.
    """
    import torch

    from beholder.models.nets._clip import ClipModel
    from beholder.models.network._load import load_model

    if device is None:
        device = "cuda:0" if torch.cuda.is_available() else "cpu"
    if weights not in {None, "openai", "random"}:
        raise InputError("weights of CLIP: 'openai' or 'random', or model_path", got=repr(weights))
    if weights is not None and model_path is not None:
        raise InputError("weights or model_path", got="both")
    known = _find_name(name)
    if known is None:
        return _finish(ClipModel(_open_file(Path(name))), Path(name).name, device, jit)
    found = None if model_path or weights else _find_published(known, download_root)
    start = "random" if model_path or found else (weights or "openai")
    loaded = load_model(f"open_clip:{_ARCHITECTURES[known]}", weights=start, device=str(device))
    if model_path or found:
        _load_file(loaded.module, Path(model_path or found or ""))
    elif start == "random":
        torch.nn.init.constant_(loaded.module.get_parameter("logit_scale"), math.log(_SCALE))
    return _finish(ClipModel(loaded.module), f"CLIP {known}", device, jit)


def _finish(model: Any, name: str, device: Any, jit: bool) -> tuple[nn.Module, Any]:
    from beholder.models.nets._clip import script_model
    from beholder.models.preprocessing._read import from_open_clip

    model = model.to(device).requires_grad_(True).eval()
    preprocessing = from_open_clip({"size": model.visual.input_resolution})
    return (script_model(model, name) if jit else model), make_transform(preprocessing)


def _find_published(known: str, download_root: str | Path | None) -> Path | None:
    """OpenAI's own file of a network: in ``download_root``, where it is put if need be, or in CLIP's own cache."""
    import open_clip

    url = open_clip.get_pretrained_cfg(_ARCHITECTURES[known], "openai").get("url") or ""
    sha256, _, file_name = url.removeprefix("https://").rpartition("/")
    sha256 = sha256.rpartition("/")[2]
    if not url:
        return None
    if download_root is None:
        own = Path("~/.cache/clip").expanduser() / file_name
        return own if own.is_file() and _is_whole(own, sha256) else None
    target = Path(download_root).expanduser() / file_name
    try:
        if not target.is_file() or _is_whole(target, sha256):
            return download_file(url, target, sha256=sha256)
        logger.warning("%s is not the file that OpenAI publishes (its sha256 differs); it is fetched again", target)
        return download_file(url, target.with_name(f"{file_name}.new"), sha256=sha256).replace(target)
    except DownloadFailed as error:
        from beholder.models.weights._read import explain_missing

        model = f"open_clip:{_ARCHITECTURES[known]}"
        raise explain_missing(model, "openai", got=error.got or "", place=str(target), url=url) from error


def _is_whole(file: Path, sha256: str) -> bool:
    return hash_file(file) == sha256


def _open_file(path: Path) -> nn.Module:
    """The network whose weights a file holds; their shapes tell which."""
    import torch
    from open_clip.model import build_model_from_openai_state_dict

    from beholder.models.sources._open_clip import SETTINGS_IN_STATE
    from beholder.models.weights._read import read_weights

    state = {name: value for name, value in read_weights(path).items() if name not in SETTINGS_IN_STATE}
    try:
        network = build_model_from_openai_state_dict(dict(state), cast_dtype=torch.float32).float()
        network.load_state_dict(state)  # once more: the builder rounds to half precision
        return network
    except (KeyError, RuntimeError, AssertionError, IndexError) as error:
        missing = f"no {error}" if isinstance(error, KeyError) else str(error).splitlines()[0]
        raise InputError("the weights of a CLIP network", got=f"{path} ({missing})") from error


def _find_name(name: str) -> str | None:
    """The network's own name; None for a file."""
    wanted = name.lower().replace("/", "-")
    spellings = {known.lower().replace("/", "-"): known for known in _ARCHITECTURES} | _SPELLINGS
    if wanted not in spellings and not Path(name).is_file():
        raise UnknownNetwork("CLIP network, or a file with one", name, _ARCHITECTURES)
    return spellings.get(wanted)


def _load_file(module: nn.Module, path: Path) -> None:
    from beholder.models.sources._open_clip import OpenClipSource
    from beholder.models.weights._read import load_file_weights

    adapt = OpenClipSource().find("ViT-B-32", None).adapt_state_dict
    load_file_weights(module, path, tag=path.stem, adapt=adapt)


@suggest_keywords
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
