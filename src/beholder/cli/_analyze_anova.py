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

    Example: beholder stimuli draw shapes --n_per_category 2
    Example: beholder stimuli grade --grade contrast --levels 0.1 1
    Example: beholder tasks plan --kind recognition -s stimuli/graded/stimuli.csv -nh 4 --set 'choices=[]'
    Example: beholder tasks build
    Example: beholder tasks simulate exp_data --db simulated.db --participants 4 --observer lapse:0.2
    Example: beholder tasks export --db simulated.db
    Example: beholder analyze anova responses/ --within level
    Example: beholder analyze anova network_vs_humans.mat

    Parameters
    ----------
    answers
        Matrices (.mat, .npy), or what holds single answers or values: exports, tables, folders of tables.
    value
        What is analysed: correct, rt or confidence of answers, or a column of a table of values.
    within
        Columns of factors within participants; for answers default condition.
    between
        Columns of factors between participants.
    subject
        Column that names participants.
    paired
        For matrices: a participant's row and the network's, on the same stimuli, are a pair.
    variable
        Which array of a .mat file with several.
    n_permutations
        Permutations of labels, and of stages within rows; 0 for no test.
    rnd_seed
        Seed of the permutations.
    """
    from beholder.analysis import analyze_anova

    output.run(
        "anova", analyze_anova, answers, value=value, within=within, between=between, subject=subject, paired=paired,
        variable=variable, n_permutations=n_permutations, seed=rnd_seed, **vars(trials),
    )  # fmt: skip
