"""Which category a network's outputs mean, by a named rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from beholder._core.errors import suggest_keywords
from beholder.stimuli import decide_category


@suggest_keywords
def decide(logits: Any, categories: Mapping[str, Sequence[int | str]] | None = None, rule: str = "first") -> np.ndarray:
    """Say which category a network's outputs mean: :func:`beholder.stimuli.decide_category`, of tensors as well.

    Parameters
    ----------
    logits : (n_stimuli, n_outputs), array or tensor
        Logits, or probabilities: rows that are not negative and add up to 1.
    categories : mapping of str to sequence of int or str, optional
        The classes of each category, as numbers of outputs or, where these are the 1,000 classes of ImageNet, as
        WordNet ids. Default the 16 entry-level categories.
    rule : {"first", "mean", "max", "sum"}
        The category of the first class, from the highest output down, that is in one; that with the highest mean,
        largest, or summed probability of its classes.

    Returns
    -------
    (n_stimuli,), str
        Names of the categories.

    Raises
    ------
    InputError
        Another shape or rule; outputs that are NaN or tell no category from another; categories without classes, with
        what is no output, or with classes of another one.

    Notes
    -----
    Source: ``first`` Feather et al. (2023); ``mean`` Geirhos et al. (2021), Partial success in closing the gap between
    human and machine vision.

    Examples
    --------
    >>> decide([[3.0, 1.0, 0.0, 2.9]], {"cat": [0], "dog": [1, 2, 3]}, "first").tolist()
    ['cat']
    >>> decide([[3.0, 1.0, 0.0, 2.9]], {"cat": [0], "dog": [1, 2, 3]}, "sum").tolist()
    ['dog']
    """
    values = logits.detach().float().cpu().numpy() if isinstance(logits, torch.Tensor) else np.asarray(logits)
    return decide_category(values, rule, categories=categories)
