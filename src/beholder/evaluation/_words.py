"""What a page says about the pictures of judged metamers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from beholder._core.errors import suggest_keywords
from beholder._core.wording import format_count, format_share
from beholder.evaluation._judgement import CHANCE, Judgement, describe_decisions, shorten_names
from beholder.evaluation._judgement_table import NATURAL
from beholder.figures import FigureRecord

if TYPE_CHECKING:
    import pandas as pd

    from beholder.evaluation._scatter import NetworkScatter

_ASKED = {
    "category": "Of stimuli in one of 16 categories, each judge of ImageNet's classes names a category",
    "word": "Each judge names one of 793 words, or none",
    "class": "Else a judge names one of its own classes",
}
_RULES = {
    "first": "the first of its classes, from the most to the least likely, that belongs to one",
    "max": "that of the most likely class in any of them",
    "mean": "that with the largest mean probability of its classes",
    "sum": "that with the largest summed probability of its classes",
}
_AGAINST = {
    "label": "the stimulus's true class",
    "maker": "what the network it was made for calls the original",
    "judge": "what the judge itself calls the original",
}


@suggest_keywords
def describe_matrix_figure(found: Judgement, proportions: pd.DataFrame) -> FigureRecord:
    """Words for the matrix generating × judging network."""
    table: Any = proportions
    others = table[table["model"] != table["judge"]]
    told = others if len(others) else table
    who = "other networks" if len(others) else "the network itself"
    spans = [
        (each, _format_span(told[told["decision"] == each]["accuracy"])) for each in dict.fromkeys(told["decision"])
    ]
    several = len(spans) > 1
    span = ", ".join(f"{words} ({describe_decisions([each])})" if several else words for each, words in spans)
    return FigureRecord(
        title="Do other networks recognise the metamers?",
        answer=f"Over all matched layers, {who} recognise{'' if len(others) else 's'} {span} of the metamers.",
        explanation="A row is the network that the metamers were made for, a column the network that judges them. "
        "On the diagonal, where there is one, a network judges its own.",
        alt=f"Matrix of {len(found.models)} by {format_count(len(found.judges), 'network')} "
        "with the share recognised in each cell.",
        method=_format_method(found, proportions),
        order=420,
    )


@suggest_keywords
def describe_layers_figure(found: Judgement, proportions: pd.DataFrame) -> FigureRecord:
    """Words for the proportions by layer."""
    table: Any = proportions
    others = table[(table["model"] != table["judge"])]
    told = others if len(others) else table
    parts = []
    several = told["decision"].nunique() > 1
    names = dict(zip(found.models, shorten_names(found.models), strict=True))
    for model, decision in dict.fromkeys(zip(told["model"], told["decision"], strict=True)):
        short = f"{names[model]} ({describe_decisions([decision])})" if several else names[model]
        own = told[(told["model"] == model) & (told["decision"] == decision) & (told["layer"] != NATURAL)]
        layers = [layer for layer in found.layers.get(model, ()) if layer in set(own["layer"])]
        if layers:
            first, last = (
                format_share(own[own["layer"] == layer]["accuracy"].mean()) for layer in (layers[0], layers[-1])
            )
            parts.append(f"{first} at {layers[0]} to {last} at {layers[-1]} of {short}")
    more = f", and {format_count(len(parts) - 3, 'network')} more" if len(parts) > 3 else ""
    return FigureRecord(
        title="At which layers do metamers stay recognisable to other networks?",
        answer=f"Recognised, on average over judges: {'; '.join(parts[:3])}{more}." if parts else "",
        explanation="One dot a judge and layer, early layers above late ones; “original” is the natural stimulus. "
        "A network whose metamers others do not recognise has learned to ignore what others rely on.",
        alt=f"Share recognised at each layer by {format_count(len(found.judges), 'judge')}, with 95 percent intervals.",
        method=_format_method(found, proportions),
        order=410,
    )


@suggest_keywords
def describe_scatter_figure(scatter: NetworkScatter) -> FigureRecord:
    """Words for a scatter over networks."""
    correlation = scatter.correlation
    measure = scatter.y_name[:1].lower() + scatter.y_name[1:].partition(" (")[0]
    staged = bool((scatter.table["layer"] != "").any())
    few = ("With so few dots the interval is wide, or there is none.",) if correlation.n < 10 else ()
    return FigureRecord(
        title=f"Does recognition by other networks go with {measure}?",
        answer=f"{correlation} {'layers of networks' if staged else 'networks'}.",
        explanation=f"One dot a {'layer of a network' if staged else 'network'}.",
        alt=f"Scatter of {measure} on recognition by other networks: {correlation}.",
        method="Pearson's r; the interval is Fisher's, which takes the dots as independent. Recognition is the mean "
        "over the judges other than the network itself.",
        warnings=few,
        order=430,
    )


def _format_span(proportions: Any) -> str:
    low, high = format_share(proportions.min()), format_share(proportions.max())
    return f"{low.removesuffix(' %')} to {high}" if low != high else low


def _format_method(found: Judgement, proportions: pd.DataFrame) -> str:
    """How verdicts were got and counted."""
    decisions = list(dict.fromkeys(proportions["decision"]))
    rows: Any = found.table[found.table["decision"].isin(decisions)]
    against = " or ".join(words for key, words in _AGAINST.items() if key in set(rows["against"]))
    rules = {decision: next(iter(proportions[proportions["decision"] == decision]["rule"])) for decision in decisions}
    parts = [f"{_ASKED[each]}{f': {_RULES[rules[each]]}' if rules[each] else ''}." for each in decisions]
    parts.append(f"An answer is right when it is {against}.")
    chance = [f"{100 * CHANCE[decision]:.3g} %" for decision in decisions if decision in CHANCE]
    if chance:
        parts.append(f"Chance is {' or '.join(chance)}.")
    n = sorted({int(value) for value in proportions["n"]})
    parts.append(f"n = {n[0]}{f' to {n[-1]}' if len(n) > 1 else ''} answers a value. Metamers are shown as saved.")
    return " ".join(parts)
