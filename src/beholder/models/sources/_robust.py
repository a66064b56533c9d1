"""The source ``robust``: adversarially trained networks in the checkpoint format of the robustness library.

Published checkpoints: Engstrom, Ilyas, Salman, Santurkar & Tsipras (2019), "Robustness (Python library)", the table
"Pretrained models"; Salman, Ilyas, Engstrom, Kapoor & Madry (2020), "Do adversarially robust ImageNet models transfer
better?", appendix A. Such a file holds the network twice (as itself and inside the attacker) and the constants of a
normaliser that stands before it; here the network is loaded once, under its own layer names, and the normaliser is
the model's ``normalize``, so that what is shown and attacked is a picture in [0, 1].
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

from beholder._core.errors import InputError, UnknownNameError
from beholder.models.definitions._base import ModelDefinition, Source
from beholder.models.preprocessing._read import IMAGENET_MEAN, IMAGENET_STD, ImagePreprocessing
from beholder.models.weights._published import (
    PublishedWeights,
    make_file_finder,
    make_tag_fetcher,
    make_tag_loader,
)
from beholder.models.weights._robustness import split_robustness
from beholder.models.words._vocabulary import list_imagenet_classes

if TYPE_CHECKING:
    from torch import nn

_HUB = "https://huggingface.co/madrylab/robust-imagenet-models/resolve/main"
_LIBRARY = {
    "imagenet_l2_3_0": "https://www.dropbox.com/s/knf4uimlqsi1yz8/imagenet_l2_3_0.pt?dl=1",
    "imagenet_linf_4": "https://www.dropbox.com/s/axfuary2w1cnyrg/imagenet_linf_4.pt?dl=1",
    "imagenet_linf_8": "https://www.dropbox.com/s/yxn15a9zklz3s8q/imagenet_linf_8.pt?dl=1",
}
_L2 = tuple(f"l2_eps{eps}" for eps in ("3", "0", "0.01", "0.03", "0.05", "0.1", "0.25", "0.5", "1", "5"))
_LINF = tuple(f"linf_eps{eps}" for eps in ("0.5", "1.0", "2.0", "4.0", "8.0"))
_TWO = ("l2_eps3", "l2_eps0")
_PUBLISHED: dict[str, tuple[str, tuple[str, ...]]] = {
    "resnet18": ("resnet18", _L2 + _LINF),
    "resnet50": ("resnet50", _L2 + _LINF),
    "wide_resnet50_2": ("wide_resnet50_2", _L2 + _LINF),
    "wide_resnet50_4": ("wide_resnet50_4", _L2),
    "densenet161": ("densenet", _TWO),
    "mnasnet1_0": ("mnasnet", _TWO),
    "mobilenet_v2": ("mobilenet", _TWO),
    "resnext50_32x4d": ("resnext50_32x4d", _TWO),
    "shufflenet_v2_x1_0": ("shufflenet", _TWO),
    "vgg16_bn": ("vgg16_bn", _TWO),
}
_UNPUBLISHED = ("alexnet", "resnet34", "resnet101", "resnet152", "squeezenet1_0", "vgg16", "vgg19")
_WIDTH_PER_GROUP = 256


def build_architecture(name: str) -> nn.Module:
    """A torchvision network without weights, or the four times as wide ResNet-50 of the transfer study."""
    from torchvision.models import get_model
    from torchvision.models.resnet import Bottleneck, ResNet

    if name == "wide_resnet50_4":
        return ResNet(Bottleneck, [3, 4, 6, 3], width_per_group=_WIDTH_PER_GROUP)
    return get_model(name, weights=None)


def pick_network(state: dict[str, Any], module: nn.Module) -> dict[str, Any]:
    """Tensors of the network itself, under its own names, out of a robustness checkpoint.

    Left out are the attacker's copy and, once checked, the normaliser's constants.

    Raises
    ------
    InputError
        When the checkpoint's normaliser is not ImageNet's: its network then wants other pictures.
    """
    found = split_robustness(state, set(module.state_dict()))
    _check_constants(found.mean, IMAGENET_MEAN)
    _check_constants(found.std, IMAGENET_STD)
    return found.tensors


def _check_constants(found: tuple[float, ...] | None, expected: tuple[float, ...]) -> None:
    if found is None:
        return
    if len(found) != len(expected) or any(abs(a - b) > 1e-3 for a, b in zip(found, expected, strict=True)):
        raise InputError(
            f"a checkpoint of a network for ImageNet, whose normaliser holds {list(expected)}",
            got=f"one with {[round(each, 4) for each in found]}",
            hint="`beholder models import`, which keeps it as the network's preprocessing",
        )


@final
class RobustSource(Source):
    """Networks of the robustness library: ``robust:resnet50@resnet50_l2_eps3``, ``robust:resnet50@FILE``."""

    def list_names(self) -> list[str]:
        """The architectures, under torchvision's names."""
        return sorted([*_PUBLISHED, *_UNPUBLISHED])

    def find(self, name: str, tag: str | None) -> ModelDefinition:
        """One architecture; a tag is a published file's stem, such as ``imagenet_l2_3_0`` or ``resnet50_l2_eps3``."""
        short = {prefix: canonical for canonical, (prefix, _) in _PUBLISHED.items()}
        canonical = short.get(name.lower(), name.lower())
        if canonical not in self.list_names():
            raise UnknownNameError("architecture of robust", name, self.list_names())
        published: dict[str, PublishedWeights] = {}
        if canonical in _PUBLISHED:
            prefix, variants = _PUBLISHED[canonical]
            published = {
                f"{prefix}_{variant}": PublishedWeights(f"{_HUB}/{prefix}_{variant}.ckpt") for variant in variants
            }
        if canonical == "resnet50":
            published |= {stem: PublishedWeights(url) for stem, url in _LIBRARY.items()}
        tags = tuple(published)
        return ModelDefinition(
            source="robust",
            name=canonical,
            build=lambda: build_architecture(canonical),
            preprocessing=ImagePreprocessing(),
            default_tag=tags[0] if tags else None,
            tags=tags,
            fetch_tag=make_tag_fetcher(f"robust:{canonical}", published),
            load_tag=make_tag_loader(f"robust:{canonical}", published, pick_network),
            published_file=make_file_finder(published),
            adapt_state_dict=pick_network,
            classes=list_imagenet_classes(),
        )
