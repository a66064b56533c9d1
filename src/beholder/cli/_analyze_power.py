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
    """Significance level of the two-sided test."""
    target_power: float = 0.8
    """The power that is wanted."""
    n_simulations: int = 500
    """Experiments drawn for each number. Of accuracy, a million answers a second: 500 of 1,000 people with 500 answers
    each take four minutes."""


@flags
class _EffectFlags:
    condition: str = "condition"
    """Column that tells the two conditions apart."""
    effect: str | None = None
    """With --design anova: the effect, such as observer:stage; default the interaction of all factors."""
    within: Words = None
    """With --design anova, for answers: columns of factors within participants."""
    between: Words = None
    """With --design anova, for answers: columns of factors between participants."""
    compared: Words = None
    """With --design kappa: the two networks, by name."""


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

    Example: beholder stimuli draw shapes --n_per_category 2
    Example: beholder stimuli grade --grade contrast --levels 0.1 1
    Example: beholder tasks plan --kind recognition -s stimuli/graded/stimuli.csv -nh 4 --set 'choices=[]'
    Example: beholder tasks build
    Example: beholder tasks simulate exp_data --db simulated.db --participants 4 --observer lapse:0.2
    Example: beholder tasks export --db simulated.db
    Example: beholder analyze power responses/ --design accuracy --condition level --trials 40 80
    Example: beholder analyze power network_vs_humans.mat --design anova --effect observer:stage --n 5 10 20

    Parameters
    ----------
    pilot
        Exports, tables of answers, folders of tables; of anova also a matrix (.mat, .npy).
    design
        accuracy: two conditions; anova: an effect; kappa: which of two networks fails more like people; threshold: two
        conditions.
    rnd_seed
        Seed of the draws.
    """
    from beholder.analysis import analyze_power

    output.run(
        "power", analyze_power, pilot, design=design, seed=rnd_seed, **vars(plan), **vars(effect), **vars(function),
        **vars(trials),
    )  # fmt: skip
