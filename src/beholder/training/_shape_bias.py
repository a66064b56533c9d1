"""Shape bias of a network on pictures whose shape and texture disagree, measured while it learns."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from beholder._core.errors import InputError
from beholder.evaluation import decide, find_categories, prepare_as_shown
from beholder.models import Model, check_modality, collect_stimuli
from beholder.synthesis import hold_still
from beholder.training._space import LearningSpace

_TWO_CUES = re.compile(r"(?P<shape>[A-Za-z_]+?)\d*-(?P<texture>[A-Za-z_]+?)\d*$")
_BATCH = 32


def open_shape_bias(folder: Path | str, model: Model) -> Callable[[LearningSpace], float]:
    r"""A measure of the shape bias of a network on a folder of cue-conflict pictures.

    .. math:: \frac{n_\text{shape}}{n_\text{shape} + n_\text{texture}}

    over the pictures whose two cues differ and that are answered by one of them; NaN where none is.

    Parameters
    ----------
    folder : path
        Pictures whose names tell both cues, ``bird3-knife2.png``, as those of Geirhos et al. (2019).
    model : Model
        With the classes that it is trained on, the 16 categories among them, or ImageNet's.

    Raises
    ------
    InputError
        No such pictures; a network that does not know their categories.

    Source: Geirhos et al. (2019), "ImageNet-trained CNNs are biased towards texture", ICLR.
    """
    stimuli = collect_stimuli(model, Path(folder))
    check_modality(model, stimuli)
    cues = [_TWO_CUES.search(each.rpartition("__")[2]) for each in stimuli.ids]
    chosen = [(i, cue["shape"], cue["texture"]) for i, cue in enumerate(cues) if cue and cue["shape"] != cue["texture"]]
    if not chosen:
        raise InputError("pictures named by shape and texture, bird3-knife2", got=f"none in {folder}")
    shapes = [shape for _, shape, _ in chosen]
    known = find_categories(model, len(model.classes or ()), shapes)
    meant = [(i, known.look_up(shape), known.look_up(texture)) for i, shape, texture in chosen]
    meant = [each for each in meant if each[1] and each[2]]
    if not meant:
        raise InputError("pictures of categories that the network knows", got=f"{shapes[0]!r} and others in {folder}")

    def measure(space: LearningSpace) -> float:
        counts = np.zeros(2, np.int64)
        with hold_still(space.model.module), torch.no_grad():
            for start in range(0, len(meant), _BATCH):
                part = meant[start : start + _BATCH]
                shown: Any = np.stack([prepare_as_shown(stimuli, i, model.preprocessing) for i, _, _ in part])
                logits = space.compute_logits(space.enter(torch.as_tensor(shown).to(space.model.device)))
                answers = decide(logits, known.outputs).tolist()
                for answer, (_, shape, texture) in zip(answers, part, strict=True):
                    counts += [answer == shape, answer == texture]
        return float(counts[0] / counts.sum()) if counts.sum() else float("nan")

    return measure
