"""The readout of class names that a zero-shot model ends in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

from beholder._core.hashing import hash_array

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

SCALE = 100.0


@final
@dataclass(frozen=True)
class ZeroShotForward:
    """``forward`` of a zero-shot model: 100 times the cosine between a picture's embedding and each class's.

    Parameters
    ----------
    embed : callable
        ``embed(module, x)`` gives embeddings.
    head : Tensor
        (n_classes, n_dimensions), rows of unit length.
    made_from : str
        What the head was computed from: the network, the class names and the templates; empty for a given head.
    made_content : str
        Hash of the head as it was computed.
    """

    embed: Callable[[nn.Module, Tensor], Any]
    head: torch.Tensor
    made_from: str = ""
    made_content: str = ""

    @property
    def origin(self) -> str:
        """What the readout is: what it was computed from, whose last digits may differ, else its values."""
        content = hash_array(self.head.detach().cpu().numpy())
        return self.made_from if self.made_from and content == self.made_content else content

    def __identity__(self) -> list[Any]:
        """What it is, for :func:`~beholder.models.identify_model`."""
        return [self.embed, self.origin]

    def __call__(self, module: nn.Module, x: Tensor) -> Tensor:
        """Normalised pictures (n_stimuli, 3, height, width) to logits (n_stimuli, n_classes)."""
        from torch.nn import functional

        features = functional.normalize(self.embed(module, x), dim=-1)
        return SCALE * features @ self.head.to(features).t()
