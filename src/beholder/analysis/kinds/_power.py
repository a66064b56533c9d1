"""How power analyses are told and drawn."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from beholder._core.wording import flow_text, format_count
from beholder.analysis._result import RESULT_KINDS, Drawing, Result, ResultKind, format_estimate
from beholder.analysis.kinds._telling import get_figure, pick_rows
from beholder.figures import plot_power

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _name_counted(result: Result) -> str:
    if result.settings["design"] == "kappa":
        return "stimuli"
    return "participants in each group" if result.settings["each"] else "participants"


def _ask(result: Result) -> str:
    return f"How many {_name_counted(result)} does it take?"


def _name_effect(result: Result) -> str:
    asked = result.settings
    scaled = "" if asked["effect_scale"] == 1 else f", times {asked['effect_scale']:g}"
    if asked["design"] == "anova":
        return f"{asked['effect'].replace(':', ' × ')} ({asked['kind']} analysis of variance), as in the pilot{scaled}"
    if asked["design"] == "kappa":
        networks = " and ".join(asked["compared"])
        return f"the difference of error consistency of {networks} with people, as in the pilot{scaled}"
    first, second = asked["levels"]
    if asked["design"] == "accuracy":
        one, two = (f"{100 * each:.3g} %" for each in asked["proportions"])
        changed = f", the pilot's effect{scaled[1:]}" if scaled else ""
        return f"{one} right in {first}, {two} in {second} ({asked['kind']} participants){changed}"
    unit = "decades" if asked.get("log") else "levels"
    return f"a difference of thresholds of {abs(asked['difference']):.3g} {unit} between {first} and {second}{scaled}"


def _tell(result: Result) -> list[str]:
    """What is needed, for each number of trials; then the powers."""
    asked = result.settings
    told: list[str] = []
    for row in pick_rows(result, "needed"):
        m = int(row["n_trials"])
        trials = f" with {m} trials in each condition{' and level' * (asked['design'] == 'threshold')}" if m else ""
        powers = [each for each in pick_rows(result, "power") if each["n_trials"] == row["n_trials"]]
        listed = ", ".join(f"{format_estimate(each['estimate'])} with {each['n']:,}" for each in powers)
        if math.isnan(row["estimate"]):
            start = f"None of the numbers tried reaches a power of {asked['target_power']:g}{trials}"
        else:
            start = (
                f"{int(row['estimate']):,} {_name_counted(result)} reach a power of {asked['target_power']:g}{trials}"
            )
        told.append(f"{start} for {_name_effect(result)}: {listed}; {asked['n_simulations']:,} drawn experiments each.")
    return [*told, *asked["read"]]


def _describe_methods(result: Result) -> str:
    """A paragraph for a paper."""
    asked = result.settings
    how = {
        "anova": """participants were drawn with replacement from the pilot's, within groups, and tested by analysis of
        variance with Greenhouse and Geisser's correction""",
        "accuracy": """the proportions and the standard deviations between participants, of their own effects and
        between stimuli were estimated by a logistic mixed model; participants, stimuli and answers were drawn from it
        and tested by a t-test, or min F' where conditions have their own stimuli (Clark, 1973)""",
        "kappa": """stimuli were drawn with replacement from the pilot's, all answers to one together, and the
        difference of the two kappas tested by its large-sample standard error over stimuli (Fleiss et al., 1969)""",
        "threshold": """the spread of thresholds between people beyond the noise of their fits was estimated; people
        and their answers were drawn, functions fitted to these answers, and thresholds compared by a paired t-test""",
    }[asked["design"]]
    cited = {
        "anova": "Greenhouse, S. W. & Geisser, S. (1959). Psychometrika 24, 95-112.",
        "accuracy": "Clark, H. H. (1973). Journal of Verbal Learning and Verbal Behavior 12, 335-359.",
        "kappa": "Fleiss, J. L., Cohen, J. & Everitt, B. S. (1969). Psychological Bulletin 72, 323-327.",
        "threshold": "Wichmann, F. A. & Hill, N. J. (2001). Perception & Psychophysics 63, 1293-1329.",
    }[asked["design"]]
    scaled = f" The pilot's effect was multiplied by {asked['effect_scale']:g}." if asked["effect_scale"] != 1 else ""
    return flow_text(
        f"""Power was simulated from pilot data: {how}. Each number is the proportion of {asked["n_simulations"]:,}
        experiments with p < {asked["alpha"]:g}, two-sided (seed {asked["seed"]}).{scaled} References: {cited}"""
    )


def _plot(result: Result, ax: Axes | None = None) -> Axes:
    """Power over the numbers tried, a line a number of trials."""
    lines: dict[str, list[tuple[float, float, float, float]]] = {}
    for row in pick_rows(result, "power"):
        name = format_count(int(row["n_trials"]), "trial") if row["n_trials"] else result.settings["design"]
        lines.setdefault(name, []).append((row["n"], row["estimate"], row["low"], row["high"]))
    return plot_power(
        lines, ax, count_name=_name_counted(result).capitalize(), target=float(result.settings["target_power"]),
        note=f"line: 95 % interval over {result.settings['n_simulations']:,} drawn experiments",
    )  # fmt: skip


def _draw(result: Result) -> Iterator[Drawing]:
    figure = get_figure(_plot(result))
    yield Drawing(
        "curve", figure, f"Power over numbers of {_name_counted(result)}.",
        "Proportion of drawn experiments in which the effect comes out. "
        "Pilots that were followed up overestimate effects.",
    )  # fmt: skip


RESULT_KINDS.add("power", ResultKind(_ask, _tell, _describe_methods, _plot, _draw))
