"""Class accuracy from recorded outputs: whether a network was shown what it should have been."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.wording import format_count, format_share
from beholder.activations import Activations
from beholder.stimuli import find_wnid, load_wnids

_N_TOP = 5


@final
@dataclass(frozen=True)
class Accuracy:
    """How many stimuli a network got right.

    Attributes
    ----------
    accuracy_top1, accuracy_top5 : float
        Proportion of stimuli whose class has the highest output, one of the five highest.
    n : int
        Number of stimuli.
    """

    accuracy_top1: float
    accuracy_top5: float
    n: int

    def __str__(self) -> str:
        one, five = format_share(self.accuracy_top1), format_share(self.accuracy_top5)
        return f"top-1 {one}, top-5 {five} of {format_count(self.n, 'stimulus')}"


@suggest_keywords
def measure_accuracy(
    acts: Activations, layer: str = "output", targets: Mapping[str, int] | None = None
) -> Accuracy | None:
    """Accuracy of a recorded output, where the stimuli's classes are the network's.

    Parameters
    ----------
    acts : Activations
        Holds ``layer``, a value a class.
    layer : str
        The output.
    targets : mapping of str to int, optional
        The right output of each stimulus, by its id; default what the stimuli's own classes tell. Stimuli without
        one are not counted.

    Returns
    -------
    Accuracy or None
        None when the layer is not recorded or the stimuli's classes are not the network's outputs.

    Raises
    ------
    InputError
        A target that is none of the outputs.
    """
    if layer not in acts:
        return None
    outputs = acts[layer].with_replicates
    if len(outputs.feature_shape) != 1:
        return None
    right = _find_right_outputs(acts, outputs.shape[-1], targets)
    if right is None or not (right >= 0).any():
        return None
    n_right1 = n_right5 = 0
    for start, block in outputs.iter_blocks():
        of_block = right[start : start + len(block)]
        place = find_places(block.mean(1, dtype=np.float64), of_block.clip(0))[of_block >= 0]
        n_right1 += int((place == 0).sum())
        n_right5 += int((place < _N_TOP).sum())
    n = int((right >= 0).sum())
    return Accuracy(n_right1 / n, n_right5 / n, n)


def _find_right_outputs(acts: Activations, n_outputs: int, targets: Mapping[str, int] | None) -> np.ndarray | None:
    """The right output of each stimulus, -1 where it is not told; None when nothing tells it."""
    if targets is not None:
        right = np.array([targets.get(stimulus_id, -1) for stimulus_id in acts.stimulus_ids], dtype=np.int64)
        wrong = [target for target in targets.values() if not 0 <= target < n_outputs]
        if wrong:
            raise InputError(f"classes from 0 to {n_outputs - 1}, the network's outputs", got=str(wrong[0]))
        return right
    table = acts.stimuli
    if "label" not in table or "target" not in table:
        return None
    return find_class_targets(list(table["label"]), table["target"].to_numpy(), n_outputs)


def find_places(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """How many classes have a higher output than the true one; outputs that are not numbers are never right.

    Parameters
    ----------
    logits : (n_stimuli, n_classes), float
    targets : (n_stimuli,), int
    """
    own = np.take_along_axis(logits, targets[:, None], axis=1)
    higher = (logits > own).sum(1)
    equal_before = ((logits == own) & (np.arange(logits.shape[1]) < targets[:, None])).sum(1)
    return np.where(np.isfinite(own[:, 0]), higher + equal_before, logits.shape[1])


def find_class_targets(labels: Sequence[Any], targets: np.ndarray, n_outputs: int) -> np.ndarray | None:
    """Class indices of stimuli among a network's outputs, or None when they are none.

    Synset names (``n01440764_tench``) mean ImageNet's 1,000 classes; else the classes count as the network's when
    there are exactly as many as outputs.

    Parameters
    ----------
    labels : sequence of str
        (n_stimuli,), class names.
    targets : (n_stimuli,), int
        Class indices among the stimuli.
    n_outputs : int
        Width of the output.
    """
    wnids = {wnid: i for i, wnid in enumerate(load_wnids())}
    if n_outputs == len(wnids):
        found = [find_wnid(str(label)) for label in labels]
        if all(wnid in wnids for wnid in found):
            return np.array([wnids[wnid] for wnid in found], dtype=np.int64)
    classes = np.unique(targets)
    is_set = len(classes) == n_outputs and classes[0] == 0 and classes[-1] == n_outputs - 1
    return targets.astype(np.int64) if is_set and len(targets) else None
