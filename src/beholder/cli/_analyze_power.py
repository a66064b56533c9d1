"""``beholder analyze power``: how many participants or stimuli an experiment needs, by its pilot."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from beholder.cli._analyze_flags import FunctionFlags, ResultFlags, TrialFlags
from beholder.cli._flags import Seed, Words, flags

Numbers = Annotated[list[int] | None, Parameter(consume_multiple=True)]


@flags
class _PlanFlags:
    n: Numbers = None
    """Participants to try (kappa: stimuli); of conditions or groups between participants, in each."""
    trials: Numbers = None
    """Trials of a participant in each condition (threshold: at each level, too); default as in the pilot."""
    effect_scale: float = 1.0
    """What the pilot's effect is multiplied by."""
    alpha: float = 0.05
    """Of the two-sided test."""
    target_power: float = 0.8
    """Power wanted."""
    n_simulations: int = 500
    """Experiments drawn for each number. Of accuracy, a million answers a second: 500 of 1,000 people with 500 answers
    each take four minutes."""


@flags
class _EffectFlags:
    condition: str = "condition"
    """Column of the two conditions."""
    effect: str | None = None
    """Of anova: such as observer:stage; default the interaction of all factors."""
    within: Words = None
    """Of anova, of answers: columns of factors within participants."""
    between: Words = None
    """And between them."""
    compared: Words = None
    """Of kappa: the two networks, by name."""


@flags
class _FunctionFlags(FunctionFlags):
    lapse: float = 0.02
    """Lapse rate."""


def power(
    pilot: list[Path],
    /,
    *,
    design: Literal["accuracy", "anova", "kappa", "threshold"],
    plan: _PlanFlags = _PlanFlags(),
    effect: _EffectFlags = _EffectFlags(),
    function: _FunctionFlags = _FunctionFlags(),
    rnd_seed: Seed = 42,
    trials: TrialFlags = TrialFlags(),
    output: ResultFlags = ResultFlags(),
) -> None:
    """Power over numbers of participants or stimuli, by drawing experiments from pilot data and testing each.

    Example: beholder analyze power network_vs_humans.mat --design anova --effect observer:stage --n 5 10 20

    Example: beholder analyze power pilot/ --design accuracy --trials 40 80

    Parameters
    ----------
    pilot
        Exports, tables of answers, folders of tables; of anova also a matrix (.mat, .npy).
    design
        accuracy: two conditions; anova: an effect; kappa: which of two networks fails more like people; threshold: two
        conditions.
    rnd_seed
        Of the draws.
    """
    from beholder.analysis import analyze_power

    output.run(
        "power", analyze_power, pilot, design=design, seed=rnd_seed, **vars(plan), **vars(effect), **vars(function),
        **vars(trials),
    )  # fmt: skip
