"""One layer's probe: fitted, its penalty chosen, tested."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np

from beholder._core.seeds import make_generator
from beholder.analysis.probes._rows import open_rows
from beholder.statistics import (
    SgdRecipe,
    SoftmaxFit,
    fit_softmax_path,
    predict_scores,
    train_softmax,
)

PENALTIES = tuple(float(10.0**k) for k in range(-4, 5))
"""Values of C, the inverse of the penalty's strength."""

Recipe = Literal["logistic", "simclr", "moco", "hmax"]
RECIPES: dict[str, SgdRecipe] = {
    "simclr": SgdRecipe(n_epochs=100, lr=30.0, step=30),
    "moco": SgdRecipe(n_epochs=100, lr=30.0, step=30),
    "hmax": SgdRecipe(n_epochs=30, lr=0.1, step=10, clip=1.0),
}
"""How the metamer study trained read-outs of self-supervised networks and of HMAX."""


@final
@dataclass(frozen=True)
class ProbeSettings:
    """How layers are probed.

    Attributes
    ----------
    recipe : str
    penalties : tuple of float
        To choose from; without effect on a recipe of stochastic gradient descent.
    scale : bool
    seed : int
    """

    recipe: Recipe = "logistic"
    penalties: tuple[float, ...] = PENALTIES
    scale: bool = True
    seed: int = 42


@final
@dataclass(frozen=True, eq=False)
class LayerProbe:
    """What a probe of one layer came to.

    Attributes
    ----------
    fit : SoftmaxFit
        Of the layer's own features.
    scores : (n_test, n_classes), float64
        Of the test part.
    penalty : float or None
        The value of C that was chosen.
    path : (n_penalties,), float64
        Accuracy on the validation part with each.
    validation : float
        That of the probe; NaN without a validation part.
    """

    fit: SoftmaxFit
    scores: np.ndarray
    penalty: float | None
    path: np.ndarray
    validation: float


def probe_layer(
    layer: Any, name: str, rows: list[np.ndarray], labels: np.ndarray, n_classes: int, how: ProbeSettings
) -> LayerProbe:
    """Fit to the train part, choose by the validation part, score the test part.

    Parameters
    ----------
    layer : (n_stimuli, n_replicates, *features)
    name : str
    rows : list of (n_rows,), int
        Places of the three parts.
    labels : (n_stimuli,), int
    n_classes : int
    how : ProbeSettings
    """
    recipe = RECIPES.get(how.recipe)
    opened = open_rows(layer, rows, name, scale=how.scale, turn=recipe is None)
    train, validation, test = opened.parts
    known, held = labels[rows[0]], labels[rows[1]]

    def score(fit: SoftmaxFit) -> float:
        return float((predict_scores(validation, fit).argmax(axis=1) == held).mean()) if len(held) else float("nan")

    if recipe is None:
        fit, place, path = fit_softmax_path(train, known, n_classes, how.penalties, score)
        penalty, reached = how.penalties[place], float(path[place])
    else:
        fit = train_softmax(train, known, n_classes, recipe, make_generator(how.seed, "probe", name))
        penalty, path, reached = None, np.empty(0), score(fit)
    return LayerProbe(opened.to_features(fit), predict_scores(test, fit), penalty, path, reached)
