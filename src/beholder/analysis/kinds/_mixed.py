"""How logistic mixed models are told and drawn."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from beholder._core.wording import flow_text, format_count
from beholder.analysis._result import RESULT_KINDS, Drawing, Result, ResultKind, format_estimate, format_p
from beholder.analysis.kinds._telling import get_figure, pick_rows
from beholder.analysis.people._lme4 import write_lme4_files
from beholder.figures import plot_estimates

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INTERCEPT = "(Intercept)"


def _ask(result: Result) -> str:
    terms = [":".join(term) for term in result.settings["terms"]]
    what = " and ".join(term.replace(":", " × ") for term in terms) or "people and stimuli"
    return f"Do right answers depend on {what}, for other people and stimuli too?"


def _tell(result: Result) -> list[str]:
    """Each effect in logits with both tests; proportions; how much people and stimuli differ."""
    asked = result.settings
    levels = asked["n_levels"]
    n = f"{format_count(asked['n_trials'], 'answer')}, " + ", ".join(
        f"{levels[name]:,} {_name_many(name)}" for name, _ in asked["groups"]
    )
    tests = {row["target"]: row for row in pick_rows(result, "likelihood ratio")}
    told: list[str] = []
    for row in pick_rows(result, "coefficient"):
        if row["target"] == _INTERCEPT and len(asked["terms"]):
            continue
        odds = ", ".join(_format_odds(row[end]) for end in ("low", "high"))
        told.append(
            f"{row['target']}: {_format_logit(row['estimate'])} ± {row['se']:.2f} logits (odds × "
            f"{_format_odds(row['estimate'])} [{odds}]), z = {_format_logit(row['z'])}, {format_p(row['p'])} (Wald); "
            f"n = {n}."
        )
    for name, row in tests.items():
        told.append(
            f"{name.replace(':', ' × ')}: χ²({int(row['df'])}) = {row['estimate']:.2f}, {format_p(row['p'])} "
            "(likelihood ratio)."
        )
    proportions = pick_rows(result, "proportion correct")
    if proportions:
        parts = [
            f"{format_estimate(row['estimate'])} [{format_estimate(row['low'])}, {format_estimate(row['high'])}] in "
            f"{row['target']}"
            for row in proportions[:6]
        ]
        told.append(f"Proportion correct, over people and stimuli: {'; '.join(parts)}.")
    spread = "; ".join(
        f"{row['estimate']:.2f} between {_name_many(row['target'].split(': ')[0])}"
        + (f" in the effect of {row['target'].split(': ')[1]}" if ": " in row["target"] else "")
        for row in pick_rows(result, "standard deviation")
    )
    told.append(f"Standard deviations in logits: {spread}.")
    return [*told, *asked["read"]]


def _name_many(group: str) -> str:
    *of, last = group.split(":")
    return ({"stimulus": "stimuli"}.get(last, f"{last}s")) + "".join(f" of each {name}" for name in of)


def _name_one(group: str) -> str:
    *of, last = group.split(":")
    return last + "".join(f" in each {name}" for name in of)


def _format_logit(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def _format_odds(logit: float) -> str:
    odds = math.exp(min(max(logit, -50.0), 50.0))
    return f"{odds:.2f}" if odds < 100 else f"{odds:.3g}"


def _describe_methods(result: Result) -> str:
    """A paragraph for a paper."""
    asked = result.settings
    random = " and ".join(
        f"{name} (intercept and slope of {slope}, correlated)" if slope else f"{name} (intercept)"
        for name, slope in asked["groups"]
    )
    words = dict.fromkeys(name for term in asked["terms"] for name in term if name in asked["levels"])
    coded = " ".join(f"Levels of {name} were compared with {asked['levels'][name][0]}." for name in words)
    return flow_text(
        f"""Right and wrong answers were modelled by a logistic mixed model, {asked["formula"]}, with random effects of
        {random}, crossed (Baayen et al., 2008; Jaeger, 2008), fitted by maximum likelihood with Laplace's approximation
        (Bates et al., 2015) to {format_count(asked["n_trials"], "answer")}. {coded} Coefficients were tested by
        Wald's z, terms by likelihood-ratio tests against the model without them. Proportions correct are averaged over
        the fitted normal distributions of people and stimuli; intervals are 95 %. References: Baayen, R. H., Davidson,
        D. J. & Bates, D. M. (2008). Journal of Memory and Language 59, 390-412. Bates, D., Mächler, M., Bolker, B. &
        Walker, S. (2015). Journal of Statistical Software 67(1). Jaeger, T. F. (2008). Journal of Memory and Language
        59, 434-446."""
    )


def _plot(result: Result, ax: Axes | None = None) -> Axes:
    """Proportion correct in each cell, or without cells the coefficients."""
    rows = pick_rows(result, "proportion correct")
    if not rows:
        return _plot_coefficients(result, ax)
    single: dict[str, list[float]] = {}
    for row in pick_rows(result, "observed proportion"):
        single.setdefault(row["target"], []).append(100 * row["estimate"])
    proportions = {row["target"]: tuple(100 * row[key] for key in ("estimate", "low", "high")) for row in rows}
    first = result.settings["groups"][0][0]
    n = result.settings["n_levels"][first]
    return plot_estimates(
        proportions, ax, value_name="Right answers (%)", single=single,  # type: ignore[arg-type]
        interval=f"line: 95 % interval over people and stimuli\ngrey: each {_name_one(first)}, n = {n}",
    )  # fmt: skip


def _plot_coefficients(result: Result, ax: Axes | None = None) -> Axes:
    rows = pick_rows(result, "coefficient")
    shown = [row for row in rows if row["target"] != _INTERCEPT] or rows
    values = {row["target"]: (row["estimate"], row["low"], row["high"]) for row in shown}
    return plot_estimates(
        values, ax, value_name="Effect (logits)", reference=0, reference_name="no effect",
        interval=f"line: 95 % interval (Wald), n = {format_count(result.settings['n_trials'], 'answer')}",
    )  # fmt: skip


def _draw(result: Result) -> Iterator[Drawing]:
    if pick_rows(result, "proportion correct"):
        yield Drawing(
            "proportions", get_figure(_plot(result)), "Proportion of right answers in each cell, with intervals.",
            "Black: the model's proportion for other people and stimuli; grey: each participant's own.",
        )  # fmt: skip
    values = [row["estimate"] for row in pick_rows(result, "coefficient")]
    if len(result.settings["terms"]) and all(abs(value) < 12 for value in values):
        yield Drawing(
            "coefficients", get_figure(_plot_coefficients(result)), "Coefficients in logits, with intervals.",
            "0: no effect. A word in brackets is compared with the first in alphabetical order.",
        )  # fmt: skip


RESULT_KINDS.add("mixed", ResultKind(_ask, _tell, _describe_methods, _plot, _draw, write_lme4_files))
