"""Categories and conditions told from layers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.progress import Advance, show_progress
from beholder._core.seeds import DEFAULT_SEED
from beholder._core.wording import format_count
from beholder.analysis._features import IN_MEMORY_BYTES, flatten_rows, read_features
from beholder.analysis._inputs import identify_inputs, number_inputs
from beholder.analysis._join import iter_layers, name_class
from beholder.analysis._result import Result, make_result
from beholder.analysis.decoding._circular import CircularTask, check_circle, decode_layer, make_circular_rows
from beholder.analysis.decoding._classifiers import Classifier, check_classifier
from beholder.analysis.decoding._decode import DecodeSettings, decode_conditions
from beholder.analysis.decoding._folds import draw_label_orders, plan_class_folds, plan_value_folds
from beholder.analysis.decoding._sources import LabelledStore, open_sources, read_shared
from beholder.analysis.decoding._streamed import StreamedFeatures
from beholder.analysis.decoding._table import FEWEST_ORDERS, DecodedCell, make_rows

T = TypeVar("T")


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
    period: float | None = None,
    reference: str | Sequence[float] | np.ndarray | None = None,
    depth_bins: int | None = None,
    n_permutations: int = 200,
    stimulus_ids: Sequence[str] | None = None,
    seed: int = DEFAULT_SEED,
) -> Result:
    """Tell categories or conditions of stimuli from each layer, and say how well on stimuli left out.

    Scaler and principal components are fitted within the folds. Accuracy is balanced: the mean over classes of the
    proportion correct, whose chance is one in the number of classes.

    Parameters
    ----------
    activations : Activations, path, mapping of str to array, (n_stimuli, *features), or a list of these
        Replicates are averaged. Several are networks whose differences are told, over the stimuli that all have.
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
    period : float, optional
        The labels are numbers around a circle, 180 for orientation, 360 for direction or hue: their value is decoded by
        ridge regression to its cosine and sine, in place of a class.
    reference : str or (n_stimuli,), optional
        Of a circular variable: values that may attract or repel what is decoded, such as the orientation before.
    depth_bins : int, optional
        Also means over layers in so many bins of relative depth, which compare networks of unlike depth.
    n_permutations : int
        Orders of the labels drawn for p, each fitted anew; 0 for no test.
    stimulus_ids : sequence of str, optional
        Ids of activations that are arrays.
    seed : int
        Of folds and permutations.

    Returns
    -------
    Result
        ``kind`` is ``decode``; statistics ``balanced-accuracy``, with ``chance``, ``p_of_all_layers`` and, with
        ``across``, ``fitted_in`` and ``tested_in``; ``mean of depth bin``; ``difference`` of two networks.
        ``arrays["confusions"]`` are (n_layers, n_conditions, n_conditions, n_classes, n_classes), of one network after
        the other.
        With ``period`` the kind is ``decode-circular``: ``circular-error``, the mean absolute error, and
        ``circular-bias``, above 0 attraction to the reference; ``arrays["decoded"]`` are (n_layers, n_stimuli).

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
    if depth_bins is not None and depth_bins < 1:
        raise InputError("1 bin of depth or more", got=f"{depth_bins}")
    sources, note = open_sources(activations, stimulus_ids, layers)
    notes = [note] if note else []
    words = np.array([name_class(value) for value in read_shared(sources, labels, "labels")])
    known = np.flatnonzero(words != "")
    if len(known) < len(words):
        notes.append(
            f"{len(words) - len(known)} of {format_count(len(words), 'stimulus')} have no label and were left out."
        )
    group_of = None
    if groups is not None:
        group_of = read_shared(sources, groups, "groups")[known].astype(str)
    told = labels if isinstance(labels, str) else "labels"
    settings: dict[str, Any] = {
        "model": ", ".join(source.model for source in sources), "sources": [source.name for source in sources],
        "layers": list(dict.fromkeys(layer for source in sources for layer in source.layers)), "labels": told,
        "n_stimuli": len(known), "n_folds": n_folds, "groups": _tell_column(groups), "depth_bins": depth_bins,
        "n_permutations": n_permutations, "seed": seed,
    }  # fmt: skip
    stores = number_inputs("activations", [source.store for source in sources])
    if period is not None:
        if across is not None or n_components is not None or not scale or classifier != "logistic":
            raise InputError(
                "a circular variable, decoded by ridge regression",
                got="a classifier, across, n_components or no scaling",
            )
        task = _plan_circle(words[known], period, sources, known, reference, group_of, n_folds, n_permutations, seed)
        settings |= {"period": period, "reference": _tell_column(reference)}
        settings["inputs"] = identify_inputs(**stores, labels=task.values, groups=group_of, reference=task.references)
        return _analyze_circle(sources, known, task, settings, depth_bins, notes)
    if reference is not None:
        raise InputError("a reference with the period of a circular variable", got="a reference alone")
    classes, numbers = np.unique(words[known], return_inverse=True)
    if across is None:
        conditions, condition_of = [""], np.zeros(len(known), dtype=np.int64)
    else:
        found = read_shared(sources, across, "across")[known]
        conditions, condition_of = np.unique(np.array([name_class(value) for value in found]), return_inverse=True)
        conditions = [str(each) for each in conditions]
    settings |= {
        "classes": [str(each) for each in classes], "classifier": classifier, "scale": scale,
        "across": _tell_column(across), "conditions": conditions, "n_components": n_components,
    }  # fmt: skip
    settings["inputs"] = identify_inputs(**stores, labels=numbers, across=condition_of, groups=group_of)
    folds = _plan_folds(numbers, condition_of, n_folds, seed, group_of, [str(each) for each in classes], conditions)
    orders = _draw_orders(numbers, condition_of, n_permutations, seed, group_of)
    how = DecodeSettings(classifier=classifier, scale=scale, n_components=n_components, seed=seed)
    decoded = _decode_all(
        sources, known,
        lambda name, rows, advance: decode_conditions(
            _read(rows, name, scale), numbers, condition_of, folds, orders, how, advance
        ),
        "folds", (int(folds.max()) + 1) * len(conditions),
    )  # fmt: skip
    table: list[dict[str, Any]] = []
    for a, fitted_in in enumerate(conditions):
        for b, tested_in in enumerate(conditions):
            start = {
                "target": told, "method": classifier, "n": int((condition_of == b).sum()), "seed": seed,
                "chance": 1 / len(classes),
            }  # fmt: skip
            start |= {"fitted_in": fitted_in, "tested_in": tested_in} if len(conditions) > 1 else {}
            cell = DecodedCell(start, [[own[a, b] for own in mine] for mine in decoded], numbers)
            table += make_rows(cell, sources, depth_bins)
    places = range(len(conditions))
    confusions = np.array(
        [[[own[a, b].confusions for b in places] for a in places] for mine in decoded for own in mine]
    )
    notes += _warn_of_no_test(n_permutations, len(orders))
    return make_result("decode", table, settings, warnings=notes, arrays={"confusions": confusions})


def _tell_column(values: Any) -> str | None:
    return values if isinstance(values, str) or values is None else "given"


def _decode_all(
    sources: Sequence[LabelledStore], known: np.ndarray, decode: Callable[[str, Any, Advance], T], unit: str, n: int
) -> list[list[T]]:
    """What is decoded from each layer of each source, in ``n`` steps a layer."""
    n_layers = sum(len(source.layers) for source in sources)
    with show_progress("decode", n_layers * n, unit, tells_end=False) as advance:
        return [[decode(name, rows, advance) for name, rows in _iter_rows(source, known)] for source in sources]


def _iter_rows(source: LabelledStore, known: np.ndarray) -> Iterator[tuple[str, Any]]:
    ids = [source.ids[int(row)] for row in known]
    return iter_layers(source.store, source.rows[known], ids, source.layers)


def _warn_of_no_test(n_permutations: int, n_orders: int) -> list[str]:
    if n_permutations and not n_orders:
        return ["No test was made: groups neither have one class each nor several each."]
    if 0 < n_permutations < FEWEST_ORDERS:
        return [f"No test was made: {FEWEST_ORDERS} permutations are the fewest for a p below .05."]
    return []


def _plan_circle(
    words: np.ndarray, period: float, sources: Sequence[LabelledStore], known: np.ndarray, reference: Any,
    groups: np.ndarray | None, n_folds: int, n_permutations: int, seed: int,
) -> CircularTask:  # fmt: skip
    values = _to_numbers(words, "labels that are numbers, to decode a circular variable")
    check_circle(values, period)
    references = None
    if reference is not None:
        found = read_shared(sources, reference, "reference")[known]
        references = _to_numbers(np.array([name_class(value) or "nan" for value in found]), "a reference of numbers")
    folds = plan_value_folds(len(values), n_folds, seed, groups)
    unique, numbers = np.unique(values, return_inverse=True)
    orders = draw_label_orders(numbers, n_permutations, seed, groups)
    return CircularTask(
        values, period, folds, unique[orders.astype(np.int64)],
        np.arange(len(values)) if groups is None else np.unique(groups, return_inverse=True)[1], references, seed,
    )  # fmt: skip


def _to_numbers(words: np.ndarray, expected: str) -> np.ndarray:
    try:
        return words.astype(np.float64)
    except ValueError as error:
        raise InputError(expected, got=str(error)) from error


def _analyze_circle(
    sources: Sequence[LabelledStore], known: np.ndarray, task: CircularTask, settings: dict[str, Any],
    depth_bins: int | None, notes: list[str],
) -> Result:  # fmt: skip
    decoded = _decode_all(
        sources, known, lambda name, rows, advance: decode_layer(_read_circle(rows, name), task, advance), "layers", 1
    )
    start = {"target": settings["labels"], "method": "ridge", "n": len(task.values), "seed": task.seed}
    table = make_circular_rows(task, sources, decoded, start, depth_bins)
    arrays = {"decoded": np.stack([own.decoded for mine in decoded for own in mine]), "values": task.values}
    notes += _warn_of_no_test(settings["n_permutations"], len(task.orders))
    return make_result("decode-circular", table, settings, warnings=notes, arrays=arrays)


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


def _read_whole(layer: Any, name: str) -> np.ndarray | None:
    """All features of a layer; None where it is larger than memory."""
    n_bytes = 8 * math.prod(int(size) for size in (layer.shape[0], *layer.shape[2:]))
    if n_bytes <= IN_MEMORY_BYTES:
        features = flatten_rows(layer[0 : int(layer.shape[0])])
        if not np.isfinite(features).all():
            raise InputError("finite activations", got=f"NaN or infinite values in {name}")
        return features
    return None


def _read(layer: Any, name: str, scale: bool) -> np.ndarray | StreamedFeatures:
    """Features of a layer; of one that is larger than memory turned, or scaled as it is read."""
    features = _read_whole(layer, name)
    if features is not None:
        return features
    return StreamedFeatures(layer, name) if scale else read_features(layer, name)


def _read_circle(layer: Any, name: str) -> np.ndarray:
    features = _read_whole(layer, name)
    if features is None:
        raise InputError(
            f"a layer of at most {IN_MEMORY_BYTES / 2**30:.0f} GiB to decode a circular variable",
            got=f"more at {name}", hint="activations that are pooled",
        )  # fmt: skip
    return features
