"""How linear probes are told and drawn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from beholder._core.wording import flow_text, format_count
from beholder.analysis._result import RESULT_KINDS, Drawing, Result, ResultKind, format_estimate
from beholder.analysis.kinds._telling import format_value, get_figure, list_estimates, select_rows, shorten_model
from beholder.figures import plot_layer_lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NAMES = {"top1": "Top-1 accuracy", "top5": "Top-5 accuracy", "balanced-accuracy": "Balanced accuracy"}
_SGD = {
    "simclr": "100 epochs at rate 30, divided by 10 every 30",
    "moco": "100 epochs at rate 30, divided by 10 every 30",
    "hmax": "30 epochs at rate .1, divided by 10 every 10, with the norm of the gradient at most 1",
}


def _tell(result: Result) -> list[str]:
    """Accuracy at each layer, and where it is highest."""
    asked = result.settings
    rows = select_rows(result, "top1")
    parts = [f"{row['layer']} {format_value(row)}" for _, row in rows.iterrows()]
    shown = "; ".join(parts[:6]) + (f"; and {format_count(len(parts) - 6, 'more layer')}" if len(parts) > 6 else "")
    told = [
        f"A linear read-out names {asked['labels']} "
        f"({format_count(len(asked['classes']), 'class')}) right: {shown}; chance is "
        f"{format_estimate(1 / len(asked['classes']))}, n = "
        f"{format_count(asked['n_test'], 'stimulus')} that it was not fitted to."
    ]
    if len(parts) > 1:
        best: Any = rows.loc[rows["estimate"].idxmax()]
        told.append(f"It is right most often at {best['layer']}, {format_value(best)}.")
    return told


def _describe_methods(result: Result) -> str:
    """A paragraph for a paper."""
    asked = result.settings
    n = len(asked["layers"])
    layers = f"{'each of ' if n > 1 else ''}{n} layer{'s' if n > 1 else ''} of {shorten_model(asked['model'])}"
    by = {
        "stratified": "by the hash of their ids within each class",
        "hash": "by the hash of their ids",
    }.get(asked["split"], "as given")
    by = f"by the hash of {asked['groups']}, whose stimuli share a part" if asked["groups"] else by
    scaled = "standardised by the train part" if asked["scale"] else "left as they are"
    if asked["recipe"] == "logistic":
        penalties = asked["penalties"]
        fit = f"""Multinomial logistic regression with an L2 penalty was fitted to the train part with
        {format_count(len(penalties), "value")} of C from {min(penalties):g} to {max(penalties):g}; the one
        with the highest accuracy on
        the validation part was kept, of equal ones the strongest penalty."""
    else:
        fit = f"""A linear layer was trained by stochastic gradient descent as published for read-outs
        ({_SGD[asked["recipe"]]}; 256 stimuli a step, momentum .9), on stored activations, without augmentation."""
    return flow_text(
        f"""{asked["labels"]} ({format_count(len(asked["classes"]), "class")}) was read out of {layers},
        whose weights stayed as they
        are, by a linear probe (Alain & Bengio, 2017). Stimuli were split {by} into {asked["n_train"]} to fit,
        {asked["n_validation"]} to choose and {asked["n_test"]} to test (seed {asked["seed"]}); features were {scaled}.
        {fit} Intervals are 95 %, over the stimuli tested: Wilson's for top-1 and top-5 accuracy, Agresti and Coull's
        for balanced accuracy. Alain, G. & Bengio, Y. (2017). Understanding intermediate layers using linear classifier
        probes. arXiv 1610.01644."""
    )


def _plot(result: Result, ax: Axes | None = None) -> Axes:
    """Top-1 accuracy of the test part at each layer."""
    return _plot_statistic(result, "top1", ax)


def _plot_statistic(result: Result, statistic: str, ax: Axes | None = None) -> Axes:
    rows = select_rows(result, statistic)
    words = f"line: 95 % interval over stimuli, n = {result.settings['n_test']}"
    chance = float(rows["chance"].iloc[0])
    return plot_layer_lines(
        {"": list_estimates(rows)}, ax, value_name=_NAMES[statistic], interval=words, chance=chance
    )  # fmt: skip


def _draw(result: Result) -> Iterator[Drawing]:
    """A curve over layers for each way of counting."""
    for statistic, name in _NAMES.items():
        if len(select_rows(result, statistic)):
            yield Drawing(
                statistic.replace("-", "_"), get_figure(_plot_statistic(result, statistic)),
                f"{name} of a linear read-out of each layer, early to late.",
                "Of stimuli that neither fitted the read-out nor chose its penalty.",
            )  # fmt: skip


RESULT_KINDS.register("probe")(
    ResultKind(lambda _: "What does a linear read-out of each layer name?", _tell, _describe_methods, _plot, _draw)
)
