"""Texts to the tokens that CLIP reads."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, final

from beholder._core.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

CONTEXT_LENGTH = 77


@final
class TextTooLong(InputError, RuntimeError):
    """A text has more tokens than the network reads; also a :class:`RuntimeError`, as in CLIP's own package."""


@functools.cache
def _get_tokenizer() -> Any:
    from open_clip.tokenizer import SimpleTokenizer

    return SimpleTokenizer()


def tokenize(texts: str | Sequence[str], context_length: int = CONTEXT_LENGTH, truncate: bool = False) -> Tensor:
    """Turn texts into the tokens that CLIP reads.

    Parameters
    ----------
    texts : str or sequence of str
        One text, or several.
    context_length : int
        Number of columns; 77 for all of OpenAI's networks.
    truncate : bool
        Cut a text that does not fit; its last token is the end token.

    Returns
    -------
    Tensor
        (n_texts, context_length), int64: start token, the text's tokens, end token, zeros.

    Raises
    ------
    TextTooLong
        A text does not fit, and ``truncate`` is off. Also a :class:`RuntimeError`.

    Examples
    --------
    >>> tokenize("a diagram")[0, :5].tolist()
    [49406, 320, 22697, 49407, 0]
    """
    import torch

    tokenizer = _get_tokenizer()
    lines = [texts] if isinstance(texts, str) else list(texts)
    result = torch.zeros(len(lines), context_length, dtype=torch.int64)
    for row, line in zip(result, lines, strict=True):
        if not isinstance(line, str):
            raise InputError("texts", got=type(line).__name__)
        tokens = [tokenizer.sot_token_id, *tokenizer.encode(line), tokenizer.eot_token_id]
        if len(tokens) > context_length and truncate:
            tokens = [*tokens[: context_length - 1], tokenizer.eot_token_id]
        if len(tokens) > context_length:
            shown = line if len(line) <= 60 else f"{line[:57]}..."
            raise TextTooLong(
                f"a text of at most {context_length} tokens", got=f"{len(tokens)} tokens in {shown!r}, too long for it",
                hint="truncate=True",
            )  # fmt: skip
        row[: len(tokens)] = torch.tensor(tokens)
    return result
