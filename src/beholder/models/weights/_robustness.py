"""Names of tensors in checkpoints of the robustness library, which holds a network twice behind a normaliser.

Source: Engstrom, Ilyas, Salman, Santurkar & Tsipras (2019), "Robustness (Python library)":
``robustness/attacker.py``, ``robustness/model_utils.py``.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

if TYPE_CHECKING:
    from torch import Tensor

_FAMILIES = {
    "alexnet": [""],
    "densenet": ["121", "161", "169", "201"],
    "resnet": ["18", "34", "50", "101", "152"],
    "resnext": ["50_32x4d", "101_32x8d"],
    "squeezenet": ["1_0", "1_1"],
    "vgg": ["11", "11_bn", "13", "13_bn", "16", "16_bn", "19", "19_bn"],
    "wide_resnet": ["50_2", "50_4", "101_2"],
}
ARCHITECTURES = frozenset(family + size for family, sizes in _FAMILIES.items() for size in sizes)
"""Names that the library builds, as torchvision names them (``wide_resnet50_4``: as the source ``robust``)."""

_LAST_OF_ALEXNET = ("last_layer.", "classifier.6.")
_MEAN, _STD = "new_mean", "new_std"


@final
@dataclass(frozen=True)
class RobustnessState:
    """What such a checkpoint holds.

    Parameters
    ----------
    tensors : dict of str to Tensor
        Of the network, under its own names.
    mean, std : tuple of float or None
        Constants of the normaliser; None where the file has none.
    """

    tensors: dict[str, Any]
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None


def split_robustness(state: Mapping[str, Any], own: Container[str]) -> RobustnessState:
    """The network's tensors and the normaliser's constants out of a checkpoint; the attacker's copy is left out.

    Parameters
    ----------
    state : mapping of str to Tensor
        Names as the file spells them.
    own : container of str
        Names of the network.
    """
    picked: dict[str, Any] = {}
    constants: dict[str, tuple[float, ...]] = {}
    for full_name, value in state.items():
        name = full_name.removeprefix("module.")
        if name.startswith("attacker."):
            continue
        if name.endswith((_MEAN, _STD)) and name not in own:
            constants[name.rpartition(".")[2]] = tuple(round(float(each), 7) for each in value.flatten())
            continue
        while name not in own and name.startswith(("model.", "module.")):
            name = name.partition(".")[2]
        theirs, ours = _LAST_OF_ALEXNET
        if name not in own and name.replace(theirs, ours) in own:
            name = name.replace(theirs, ours)
        picked[name] = value
    return RobustnessState(picked, constants.get(_MEAN), constants.get(_STD))


def join_robustness(
    tensors: Mapping[str, Tensor], mean: tuple[float, ...], std: tuple[float, ...], *, architecture: str | None
) -> dict[str, Tensor]:
    """The same the other way round: what the library's ``AttackerModel`` calls its tensors, within ``DataParallel``.

    Parameters
    ----------
    tensors : mapping of str to Tensor
        Of the network.
    mean, std : tuple of float
        One a channel.
    architecture : str or None
        One of :data:`ARCHITECTURES`; None for a network of another, which the library takes as a module with
        ``add_custom_forward=True``.
    """
    import torch

    constants = {
        _MEAN: torch.tensor(mean, dtype=torch.float32)[:, None, None],
        _STD: torch.tensor(std, dtype=torch.float32)[:, None, None],
    }
    theirs, ours = _LAST_OF_ALEXNET
    named = {
        name.replace(ours, theirs) if architecture == "alexnet" else name: value for name, value in tensors.items()
    }
    inner = "model." if architecture in ARCHITECTURES else "model.model."
    found: dict[str, Tensor] = {}
    for place, normaliser in (("", "normalizer"), ("attacker.", "normalize")):
        found |= {f"module.{place}{normaliser}.{name}": value for name, value in constants.items()}
        found |= {f"module.{place}{inner}{name}": value for name, value in named.items()}
    return found
