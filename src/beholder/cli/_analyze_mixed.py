"""``beholder analyze mixed``: single answers of people to stimuli by a logistic mixed model."""

from __future__ import annotations

from pathlib import Path

from beholder.cli._analyze_flags import ResultFlags, TrialFlags
from beholder.cli._flags import Words


def mixed(
    answers: list[Path],
    /,
    *,
    formula: str = "correct ~ condition",
    groups: Words = None,
    trials: TrialFlags = TrialFlags(),
    output: ResultFlags = ResultFlags(),
) -> None:
    """Fit a logistic mixed model to single answers, people and stimuli crossed; Wald and likelihood-ratio tests.

    Writes the same model as a script for R's lme4, with the answers as a tidy table. Half a million answers take some
    three minutes, longer where effects differ between participants.

    Example: beholder stimuli draw shapes --n_per_category 2
    Example: beholder stimuli grade --grade contrast --levels 0.1 1
    Example: beholder tasks plan --kind recognition -s stimuli/graded/stimuli.csv -nh 4 --set 'choices=[]'
    Example: beholder tasks build
    Example: beholder tasks simulate exp_data --db simulated.db --participants 4 --observer lapse:0.2
    Example: beholder tasks export --db simulated.db
    Example: beholder analyze mixed responses/ --formula "correct ~ level"
    Example: beholder analyze mixed edge/ silhouette/ --columns participant=subj condition=source --groups participant
        condition:stimulus

    Parameters
    ----------
    answers
        Exports, tables of answers, folders of tables.
    formula
        Column of answers, then predictors: "correct ~ condition + level", a:b or a*b for interactions.
    groups
        Columns of what was drawn at random; default participant and stimulus. condition:stimulus where stimuli of one
        name are unlike in unlike conditions; participant=condition where that effect differs between participants.
    """
    from beholder.analysis import analyze_mixed

    chosen = tuple(groups or ("participant", "stimulus"))
    output.run("mixed", analyze_mixed, answers, formula=formula, groups=chosen, **vars(trials))
