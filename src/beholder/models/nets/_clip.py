"""CLIP's documented interface as a module of the two towers of an open_clip network."""

from __future__ import annotations

import logging
import warnings
from typing import Any, ClassVar, final

import torch
from torch import Tensor, nn
from torch.nn import functional

logger = logging.getLogger("beholder")


@final
class ClipModel(nn.Module):
    """Pictures and texts to embeddings, and to their similarities.

    Modules and parameters go by the names of CLIP's own state dict, which loads as it is.

    Parameters
    ----------
    network : nn.Module
        A CLIP of open_clip, whose towers and parameters are taken, not copied.

    Attributes
    ----------
    visual : nn.Module
        The image tower; ``visual.input_resolution`` is the side of its pictures, ``visual.output_dim`` its width.
    context_length, vocab_size : int
    logit_scale : Parameter
        Logarithm of what cosines are multiplied by.
    """

    __jit_unused_properties__: ClassVar = ["dtype"]

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.context_length = int(network.context_length)
        self.vocab_size = int(network.vocab_size)
        self.positional_embedding = network.positional_embedding
        self.text_projection = network.text_projection
        self.logit_scale = network.logit_scale
        self.visual = network.visual
        self.transformer = network.transformer
        self.token_embedding = network.token_embedding
        self.ln_final = network.ln_final
        self.register_buffer("attn_mask", network.attn_mask, persistent=False)
        size = network.visual.image_size
        self.visual.input_resolution = int(size if isinstance(size, int) else size[0])

    @property
    def dtype(self) -> torch.dtype:
        """Of the image tower's weights."""
        return self.visual.conv1.weight.dtype

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
        return self.visual(image.to(self.visual.conv1.weight.dtype))

    @torch.jit.export
    def encode_text(self, text: Tensor) -> Tensor:
        """Embeddings of texts, not scaled to unit length.

        Parameters
        ----------
        text : (n_texts, context_length), integers, from :func:`~beholder.models.clip.tokenize`

        Returns
        -------
        Tensor
            (n_texts, n_dimensions).
        """
        x = self.token_embedding(text) + self.positional_embedding
        x = self.ln_final(self.transformer(x, attn_mask=self.attn_mask))
        # the end token is the highest number of a text
        return x[torch.arange(x.shape[0], device=x.device), text.argmax(dim=-1)] @ self.text_projection

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
        logits = self.logit_scale.exp() * image_features @ text_features.t()
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
