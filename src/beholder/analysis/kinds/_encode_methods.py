"""The Methods paragraph of an encoding analysis."""

from __future__ import annotations

from typing import Any

from beholder._core.wording import flow_text
from beholder.analysis._result import Result

_CITED = {
    "ridge": "Hoerl, A. E. & Kennard, R. W. (1970). Technometrics 12, 55-67.",
    "corrected": "Schoppe, O. et al. (2016). Frontiers in Computational Neuroscience 10, 10.",
    "again": "Golub, G. H., Heath, M. & Wahba, G. (1979). Technometrics 21, 215-223.",
    "published": """Feather, J., Leclerc, G., Mądry, A. & McDermott, J. H. (2023). Nature Neuroscience 26,
        2017-2034.""",
    "banded": """Nunez-Elizalde, A. O., Huth, A. G. & Gallant, J. L. (2019). NeuroImage 197, 482-492. Dupré la Tour, T.
        et al. (2022). NeuroImage 264, 119728.""",
}


def describe_methods(result: Result) -> str:
    """What was computed, with which settings, and whom to cite."""
    asked, found = result.settings, _list_statistics(result)
    n_layers, model = len(asked["layers"]), asked["model"] or "a network"
    which = f"each of {n_layers} layers" if n_layers > 1 and asked["method"] != "banded" else f"{n_layers} layers"
    which = asked["layers"][0] if n_layers == 1 else which
    start = f"Responses to {asked['n_stimuli']} stimuli were predicted from {which} of {model}"
    has_test = bool(asked["n_permutations"]) and asked["method"] != "banded"
    cited = [name for name in ("ridge", "banded") if name == asked["method"]]
    if asked["recipe"] == "published":
        cited = ["published"]
        scores = f"""{start} by the procedure of Feather et al. (2023). In each of {asked["n_splits"]} random splits,
            half of the stimuli trained a ridge regression for each unit, its penalty one of 80 (10^-40 to 10^39)
            chosen by leave-one-out within the training stimuli; r² of predicted and measured responses to the other
            half was divided by the reliability of the training responses and by that of predictions from each of three
            runs (Spearman-Brown of the median of three pairs, not below the correlation that chance exceeds with
            p = .05). Values are medians over splits and over units; values above 1 were kept."""
    else:
        scores = f"""{start} {_name_regression(asked)}, in {asked["n_folds"]} folds of which each was predicted once
            from the others (seed {asked["seed"]}). Scores are Pearson's r, signed, averaged over folds and units."""
        if "corrected-r2" in found:
            cited.append("corrected")
            scores += """ Corrected variance explained is r² divided by the reliability of the responses and by that of
                predictions made from single runs (Schoppe et al., 2016); values above 1 were kept."""
    parts = [scores, _describe_intervals(result, found)]
    if has_test:
        parts.append(_describe_test(asked))
        cited += ["again"] if asked["method"] == "ridge" else []
    if "r-best-layer" in found:
        parts.append("Layers that are called best were chosen on other data than those that gave their r.")
    return flow_text(" ".join([*parts, *(_CITED[name] for name in cited)]))


def _list_statistics(result: Result) -> set[str]:
    table: Any = result.table
    return set(table["statistic"])


def _name_regression(asked: dict[str, Any]) -> str:
    inner = "leave-one-out" if asked["inner_folds"] is None else f"{asked['inner_folds']}-fold cross-validation"
    return {
        "ridge": f"""by ridge regression, with a penalty for each unit chosen by {inner} within the training stimuli
            (Hoerl & Kennard, 1970)""",
        "pls": f"by partial least squares with {asked['n_components']} components",
        "banded": """jointly by banded ridge regression (Nunez-Elizalde et al., 2019) with himalaya
            (Dupré la Tour et al., 2022)""",
    }[asked["method"]]


def _describe_intervals(result: Result, statistics: set[str]) -> str:
    table: Any = result.table
    over = set(table["interval"])
    said = ""
    if "stimuli" in over:
        weights = ", the weights of layers as they were chosen" if result.settings["method"] == "banded" else ""
        said = f"""95 % intervals over stimuli add the variance that the test stimuli give (infinitesimal jackknife) to
            that of leaving out tenths of the training stimuli (jackknife{weights})"""
        corrected = "; those of corrected variance explained are of leaving out tenths of all stimuli"
        said += (corrected if "corrected-r2" in statistics else "") + "."
    if "participants" in over:
        said += " Intervals of means of three participants or more are Student's over participants."
    return said


def _describe_test(asked: dict[str, Any]) -> str:
    ridge = (
        ", with penalties by generalised cross-validation (Golub et al., 1979)" if asked["method"] == "ridge" else ""
    )
    return f"""p is one-sided: the proportion of {asked["n_permutations"]} random orders of the stimuli, in each of
        which all units were fitted anew{ridge}, with a mean r as large; against the largest of all layers where layers
        are compared."""
