"""Categories and conditions told from layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED
from beholder.analysis._features import IN_MEMORY_BYTES, flatten_rows, read_features
from beholder.analysis._inputs import identify_inputs
from beholder.analysis._join import iter_layers, open_layers, read_condition
from beholder.analysis._result import Result, make_result
from beholder.analysis.decoding._classifiers import Classifier, check_classifier
from beholder.analysis.decoding._decode import Decoded, DecodeSettings, decode_conditions
from beholder.analysis.decoding._folds import draw_label_orders, plan_class_folds

_FEWEST_ORDERS = 20


@suggest_keywords
def analyze_decode(
    activations: Any,
    labels: str | Sequence[Any] | np.ndarray = "label",
    *,
    layers: Sequence[str] | None = None,
    classifier: Classifier = "logistic",
    n_folds: int = 5,
    groups: str | Sequence[Any] | np.ndarray | None = None,
    across: str | Sequence[Any] | np.ndarray | None = None,
    scale: bool = True,
    n_components: int | None = None,
    n_permutations: int = 200,
    stimulus_ids: Sequence[str] | None = None,
    seed: int = DEFAULT_SEED,
) -> Result:
    """Tell categories or conditions of stimuli from each layer, and say how well on stimuli left out.

    Scaler and principal components are fitted within the folds. Accuracy is balanced: the mean over classes of the
    share told right, whose chance is one in the number of classes.

    Parameters
    ----------
    activations : Activations, path, or mapping of str to array, (n_stimuli, *features)
        Replicates are averaged.
    labels : str or (n_stimuli,)
        A column of the stimuli's table, or a class for each stimulus. Stimuli with an empty one are left out.
    layers : sequence of str, optional
        Default all.
    classifier : {"centroid", "logistic", "svm", "lda"}
    n_folds : int
        Folds, with each class in every one.
    groups : str or (n_stimuli,), optional
        Stimuli of one group stay in one fold: exemplars of one object, frames of one film.
    across : str or (n_stimuli,), optional
        A condition: fit in each and test in each, a generalisation matrix.
    scale : bool
        Divide features by their standard deviation over training stimuli.
    n_components : int, optional
        Principal components of the training stimuli to keep.
    n_permutations : int
        Orders of the labels drawn for p, each fitted anew; 0 for no test.
    stimulus_ids : sequence of str, optional
        Ids of activations that are arrays.
    seed : int
        Of folds and permutations.

    Returns
    -------
    Result
        ``kind`` is ``decode``; the statistic ``balanced-accuracy``, with ``chance``, ``p_of_all_layers`` and, with
        ``across``, ``fitted_in`` and ``tested_in``. ``arrays["confusions"]`` are (n_layers, n_conditions, n_conditions,
        n_classes, n_classes).

    Raises
    ------
    InputError
        Fewer than two classes, a class with fewer stimuli than folds, a fold without a class.

    Source: Haxby et al. (2001), Science 293, 2425-2430; Ojala & Garriga (2010), Journal of Machine Learning Research
    11, 1833-1863.

    Examples
    --------
    >>> import numpy as np
    >>> kinds = np.repeat(["cat", "dog"], 20)
    >>> x = np.random.default_rng(1).normal(size=(40, 3)) + (kinds == "cat")[:, None] * 9
    >>> ids = [f"s{i}" for i in range(40)]
    >>> result = analyze_decode({"conv": x}, kinds, classifier="centroid", stimulus_ids=ids)
    >>> float(result.table.estimate[0])
    1.0
    """
    check_classifier(classifier)
    store = open_layers(activations, stimulus_ids)
    words = np.array([_name(value) for value in read_condition(store, labels, "labels")])
    known = np.flatnonzero(words != "")
    classes, numbers = np.unique(words[known], return_inverse=True)
    group_of = None if groups is None else read_condition(store, groups, "groups")[known].astype(str)
    if across is None:
        conditions, condition_of = [""], np.zeros(len(known), dtype=np.int64)
    else:
        found = np.array([_name(value) for value in read_condition(store, across, "across")[known]])
        conditions, condition_of = np.unique(found, return_inverse=True)
        conditions = [str(each) for each in conditions]
    inputs = identify_inputs(activations=store, labels=numbers, across=condition_of, groups=group_of)
    folds = _plan_folds(numbers, condition_of, n_folds, seed, group_of, [str(each) for each in classes], conditions)
    orders = _draw_orders(numbers, condition_of, n_permutations, seed, group_of)
    how = DecodeSettings(classifier=classifier, scale=scale, n_components=n_components, seed=seed)
    names = list(layers or store.layers)
    decoded: list[dict[tuple[int, int], Decoded]] = []
    for name, rows in iter_layers(store, known, [store.stimulus_ids[row] for row in known], names):
        decoded.append(decode_conditions(_read(rows, name, scale), numbers, condition_of, folds, orders, how))
    told = labels if isinstance(labels, str) else "labels"
    table = _make_rows(names, decoded, conditions, condition_of, told, how, len(classes))
    for row in table:
        row["model"] = str(store.model)
    settings = {
        "model": str(store.model), "layers": names, "labels": told, "classes": [str(each) for each in classes],
        "n_stimuli": len(known), "classifier": classifier, "n_folds": n_folds, "scale": scale,
        "groups": groups if isinstance(groups, str) or groups is None else "given",
        "across": across if isinstance(across, str) or across is None else "given", "conditions": conditions,
        "n_components": n_components, "n_permutations": n_permutations, "seed": seed,
        "inputs": inputs,
    }  # fmt: skip
    confusions = np.array(
        [[[own[a, b].confusions for b in range(len(conditions))] for a in range(len(conditions))] for own in decoded]
    )
    warnings: list[str] = []
    if len(known) < len(words):
        warnings.append(f"{len(words) - len(known)} of {len(words)} stimuli have no label and were left out.")
    if n_permutations and not len(orders):
        warnings.append("No test was made: groups neither have one class each nor several each.")
    elif 0 < n_permutations < _FEWEST_ORDERS:
        warnings.append(f"No test was made: {_FEWEST_ORDERS} permutations are the fewest for a p below .05.")
    return make_result("decode", table, settings, warnings=warnings, arrays={"confusions": confusions})


def _name(value: Any) -> str:
    if value is None:
        return ""
    if np.asarray(value).dtype.kind != "f":
        return str(value)
    number = float(value)
    return "" if math.isnan(number) else str(int(number)) if number.is_integer() else str(number)


def _plan_folds(
    numbers: np.ndarray, conditions: np.ndarray, n_folds: int, seed: int, groups: np.ndarray | None, names: list[str],
    told: Sequence[str],
) -> np.ndarray:  # fmt: skip
    """Folds with every class of every condition in each."""
    if len(names) < 2:
        raise InputError("labels of two classes or more", got=f"{len(names)}")
    cells = [names[int(number)] for number in numbers]
    if len(told) > 1:
        cells = [f"{own} in {told[int(place)]}" for own, place in zip(cells, conditions, strict=True)]
    return plan_class_folds(np.array(cells), n_folds, seed, groups)


def _draw_orders(
    numbers: np.ndarray, conditions: np.ndarray, n_permutations: int, seed: int, groups: np.ndarray | None
) -> np.ndarray:
    """Labels in other orders; within each condition where there are several and no groups."""
    nothing = np.empty((0, len(numbers)), dtype=numbers.dtype)
    if not n_permutations:
        return nothing
    if groups is not None or not conditions.max(initial=0):
        return draw_label_orders(numbers, n_permutations, seed, groups)
    return draw_label_orders(numbers, n_permutations, seed, conditions.astype(str))


def _read(layer: Any, name: str, scale: bool) -> np.ndarray:
    """All features of a layer; turned where it is larger than memory and need not be scaled."""
    n_bytes = 8 * math.prod(int(size) for size in (layer.shape[0], *layer.shape[2:]))
    if n_bytes <= IN_MEMORY_BYTES:
        features = flatten_rows(layer[0 : int(layer.shape[0])])
        if not np.isfinite(features).all():
            raise InputError("finite activations", got=f"NaN or infinite values in {name}")
        return features
    if scale:
        raise InputError(
            f"a layer of at most {IN_MEMORY_BYTES / 2**30:.0f} GiB to scale its features",
            got=f"{n_bytes / 2**30:.1f} GiB at {name}",
            hint="features that are not scaled, or activations that are pooled",
        )
    return read_features(layer, name)


def _make_rows(
    layers: Sequence[str], decoded: Sequence[dict[tuple[int, int], Decoded]], conditions: Sequence[str],
    condition_of: np.ndarray, labels: str, how: DecodeSettings, n_classes: int,
) -> list[dict[str, Any]]:  # fmt: skip
    rows: list[dict[str, Any]] = []
    for a, fitted_in in enumerate(conditions):
        for b, tested_in in enumerate(conditions):
            mine = [own[a, b] for own in decoded]
            has_test = min(len(own.null) for own in mine) >= _FEWEST_ORDERS
            largest = np.max([own.null for own in mine], axis=0) if has_test else None
            for layer, own in zip(layers, mine, strict=True):
                row = {
                    "layer": layer, "target": labels, "statistic": "balanced-accuracy", "method": how.classifier,
                    "estimate": own.accuracy, "low": own.low, "high": own.high,
                    "p": None if largest is None else _read_p(own.accuracy, own.null),
                    "n": int((condition_of == b).sum()), "seed": how.seed, "chance": 1 / n_classes,
                    "p_of_all_layers": None if largest is None else _read_p(own.accuracy, largest),
                }  # fmt: skip
                if len(conditions) > 1:
                    row |= {"fitted_in": fitted_in, "tested_in": tested_in}
                rows.append(row)
    return rows


def _read_p(accuracy: float, null: np.ndarray) -> float:
    """One-sided p: (1 + draws as large) / (1 + draws)."""
    return (1 + int((null >= accuracy - 1e-12).sum())) / (1 + len(null))
