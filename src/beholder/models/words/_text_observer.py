"""The text tower of a CLIP network as an observer of its own: texts in, activations out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from torch import Tensor, nn

from beholder._core.errors import suggest_keywords
from beholder.models.definitions._base import call_module
from beholder.models.network._model import Model
from beholder.models.preprocessing._read import ArrayPreprocessing
from beholder.models.words._zero_shot import get_text_tower


class TextTower(nn.Module):
    """``encode_text`` as a forward pass; layers keep the names they have in the CLIP network, below ``network``.

    Parameters
    ----------
    network : nn.Module
        A CLIP of open_clip.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (n_texts, context_length) to embeddings (n_texts, n_dimensions), not scaled to unit length."""
        return self.network.encode_text(tokens.long())  # type: ignore[operator]


@suggest_keywords
def make_text_observer(model: Model, texts: Sequence[str]) -> tuple[Model, np.ndarray]:
    """A model of tokens from a CLIP model, and the tokens of some texts.

    Parameters
    ----------
    model : Model
        A CLIP network of open_clip.
    texts : sequence of str
        (n_texts,)

    Returns
    -------
    model : Model
        Takes tokens; its output is the text embedding. Called ``{path_name}.texts`` in paths.
    tokens : ndarray
        (n_texts, context_length), int64.

    Raises
    ------
    InputError
        The network has no text tower, or a text is too long for it.
    """
    network, _, tokenize = get_text_tower(model)
    tokens = tokenize(list(texts)).numpy()
    observer = replace(
        model,
        path_name=f"{model.path_name}.texts",
        module=TextTower(network),
        preprocessing=ArrayPreprocessing(shape=tokens.shape[1:]),
        layers=(),
        taps={},
        classes=None,
        forward=call_module,
        spec=None,
        pool=None,
    )
    return observer, tokens
