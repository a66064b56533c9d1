"""CLIP's documented interface as a module around a two-tower network of open_clip."""

from __future__ import annotations

import logging
import warnings
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn import functional

logger = logging.getLogger("beholder")


@final
class ClipModel(nn.Module):
    """Pictures and texts to embeddings, and to their similarities.

    Parameters
    ----------
    network : nn.Module
        A CLIP of open_clip: it has ``encode_image``, ``encode_text`` and ``logit_scale``.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network: Any = network

    @torch.jit.export
    def encode_image(self, image: Tensor) -> Tensor:
        """Embeddings of pictures, not scaled to unit length.

        Parameters
        ----------
        image : (n_images, 3, height, width), float32, as the transform of :func:`~beholder.models.clip.load` gives it

        Returns
        -------
        Tensor
            (n_images, n_dimensions).
        """
        return self.network.encode_image(image)

    @torch.jit.export
    def encode_text(self, text: Tensor) -> Tensor:
        """Embeddings of texts, not scaled to unit length.

        Parameters
        ----------
        text : (n_texts, context_length), int64, from :func:`~beholder.models.clip.tokenize`

        Returns
        -------
        Tensor
            (n_texts, n_dimensions).
        """
        return self.network.encode_text(text)

    def forward(self, image: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
        """Similarity of every picture to every text.

        The network's learnt scale times the cosine; in OpenAI's networks the scale is 100.

        Parameters
        ----------
        image, text : as for :meth:`encode_image` and :meth:`encode_text`

        Returns
        -------
        logits_per_image : Tensor
            (n_images, n_texts).
        logits_per_text : Tensor
            (n_texts, n_images), its transpose.
        """
        image_features = functional.normalize(self.encode_image(image), dim=-1)
        text_features = functional.normalize(self.encode_text(text), dim=-1)
        logits = self.network.logit_scale.exp() * image_features @ text_features.t()
        return logits, logits.t()


def script_model(model: ClipModel, name: str) -> nn.Module:
    """The model compiled by TorchScript; the model itself, and one logged line, where that does not work.

    Parameters
    ----------
    model : ClipModel
        In eval mode.
    name : str
        For the line.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch announces the end of TorchScript at every call
            return torch.jit.script(model)
    except Exception as error:  # what the compiler raises is not documented
        reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        logger.warning("%s is not scripted, it runs as an ordinary module (%s)", name, reason)
        return model
