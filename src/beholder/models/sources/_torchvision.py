"""Torchvision: every image classifier and segmentation network; the rest says why not."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any, final

from beholder._core.errors import InputError, UnknownNameError
from beholder.models.definitions._base import ModelDefinition, Source, Weights, call_module
from beholder.models.preprocessing._read import ImagePreprocessing, from_torchvision
from beholder.models.weights._read import fetch_checkpoint, load_file_weights

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor, nn

DEFAULT_TAG = "IMAGENET1K_V1"

_REFUSED = {
    "detection": "a detector, which gives boxes and no logits; try wrap(model.backbone) of torchvision's own model",
    "video": "a network for clips, not pictures; try wrap() of torchvision's own model, with arrays as stimuli",
    "optical_flow": "a network for pairs of frames; try wrap() of torchvision's own model",
    "quantization": "an integer network, through which no gradient flows; try the same name without quantized_",
}
_DENSENET_KEY = re.compile(
    r"^(.*denselayer\d+\.(?:norm|relu|conv))\.((?:[12])\.(?:weight|bias|running_mean|running_var|num_batches_tracked))$"
)


@final
class TorchvisionSource(Source):
    """What :func:`torchvision.models.list_models` lists.

    Detection, video, optical-flow and quantised networks are refused with the reason in one line. Random weights
    come from the builders' own initialisation.
    """

    def list_names(self) -> list[str]:
        """Names of the classifiers and segmentation networks."""
        return sorted(name for name, kind in _list_kinds().items() if kind in ("classification", "segmentation"))

    def find(self, name: str, tag: str | None) -> ModelDefinition:
        """Definition of a network by its builder's name, case ignored."""
        kinds = _list_kinds()
        kind = kinds.get(name, kinds.get(name.lower()))
        if kind is None:
            raise UnknownNameError("torchvision model", name, self.list_names())
        name = name if name in kinds else name.lower()
        if kind in _REFUSED:
            raise InputError(
                "a torchvision network that classifies or segments pictures", got=f"{name}, {_REFUSED[kind]}"
            )
        from torchvision.models import get_model_weights

        published = {weights.name: weights for weights in get_model_weights(name)}
        default = DEFAULT_TAG if DEFAULT_TAG in published else next(iter(published), None)
        weights = published.get(tag or "", published.get(default or ""))
        return ModelDefinition(
            source="torchvision",
            name=name,
            build=partial(_build, name, kind, None if weights is None else weights.meta.get("min_size")),
            preprocessing=ImagePreprocessing() if weights is None else from_torchvision(weights.transforms()),
            default_tag=default,
            tags=tuple(published),
            fetch_tag=partial(_fetch_tag, name),
            load_tag=partial(_load_tag, name),
            published_file=lambda tag: published[tag].url.rsplit("/", 1)[-1] if tag in published else None,
            adapt_state_dict=_adapt_state,
            forward=_call_segmentation if kind == "segmentation" else call_module,
            classes=None if weights is None else tuple(weights.meta["categories"]),
        )


def _list_kinds() -> dict[str, str]:
    from torchvision import models

    kinds = dict.fromkeys(models.list_models(models), "classification")
    for kind in ("segmentation", "detection", "video", "optical_flow", "quantization"):
        kinds.update(dict.fromkeys(models.list_models(getattr(models, kind)), kind))
    return kinds


def _build(name: str, kind: str, min_size: tuple[int, int] | None) -> nn.Module:
    from torchvision.models import get_model

    options: dict[str, Any] = {"weights": None}
    if name in ("googlenet", "inception_v3"):
        options |= {"aux_logits": False, "init_weights": True, "transform_input": True}
    elif name.startswith("vit_") and min_size is not None:
        options["image_size"] = min_size[0]
    elif kind == "segmentation":
        options |= {"weights_backbone": None}
        if not name.startswith("lraspp"):
            options["aux_loss"] = True
    return get_model(name, **options)


def _call_segmentation(module: nn.Module, x: Tensor) -> Tensor:
    return module(x)["out"]


def _load_tag(name: str, module: nn.Module, tag: str) -> Weights:
    return load_file_weights(module, _fetch_tag(name, tag), tag=tag, adapt=_adapt_state)


def _fetch_tag(name: str, tag: str) -> Path:
    from torchvision.models import get_model_weights

    url = get_model_weights(name)[tag].url
    digits = re.search(r"-([0-9a-f]{8,})\.", url.rsplit("/", 1)[-1])
    return fetch_checkpoint(url, model=f"torchvision:{name}", tag=tag, sha256=digits and digits.group(1))


def _adapt_state(state: dict[str, Any], module: nn.Module) -> dict[str, Any]:
    """Rename the old keys of DenseNet files, and drop the auxiliary heads of GoogLeNet's and Inception's."""
    own = module.state_dict()
    renamed = {}
    for key, value in state.items():
        match = _DENSENET_KEY.match(key)
        key = "".join(match.groups()) if match and key not in own else key
        if key in own or not key.startswith(("aux1.", "aux2.", "AuxLogits.")):
            renamed[key] = value
    return renamed
