"""``beholder analyze anova``: whether answers differ over stages, conditions, observers."""

from __future__ import annotations

from pathlib import Path

from beholder.cli._analyze_flags import ResultFlags, TrialFlags
from beholder.cli._flags import Seed, Words


def anova(
    answers: list[Path],
    /,
    *,
    value: str = "correct",
    within: Words = None,
    between: Words = None,
    subject: str = "participant",
    paired: bool = False,
    variable: str | None = None,
    n_permutations: int = 10_000,
    rnd_seed: Seed = 42,
    trials: TrialFlags = TrialFlags(),
    output: ResultFlags = ResultFlags(),
) -> None:
    """Analysis of variance of matrices participants × stages × [human, network], of answers, or of a table of values.

    Example: beholder analyze anova network_vs_humans.mat

    Example: beholder analyze anova people/ --within condition

    Parameters
    ----------
    answers
        Matrices (.mat, .npy), or what holds single answers or values: exports, tables, folders of tables.
    value
        Of answers correct, rt or confidence; or a column of tables of values.
    within
        Columns of factors within participants; of answers default condition.
    between
        Columns of factors between them.
    subject
        Column of participants.
    paired
        Of matrices: a participant's row and the network's on the same stimuli are a pair.
    variable
        Which array of a .mat file with several.
    n_permutations
        Of labels, and of stages within rows; 0 for none.
    rnd_seed
        Of the permutations.
    """
    from beholder.analysis import analyze_anova

    output.run(
        "anova", analyze_anova, answers, value=value, within=within, between=between, subject=subject, paired=paired,
        variable=variable, n_permutations=n_permutations, seed=rnd_seed, **vars(trials),
    )  # fmt: skip
