"""``beholder analyze psychometrics``: thresholds, sensitivity and response times of people and networks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from beholder.cli._analyze_flags import FunctionFlags, ResultFlags, TrialFlags
from beholder.cli._flags import Seed, Words, flags

Files = Annotated[list[Path] | None, Parameter(consume_multiple=True)]


@flags
class _FitFlags(FunctionFlags):
    direction: Literal["auto", "rising", "falling"] = "auto"
    """Whether higher levels are easier; default by the trend of all answers."""
    lapse: float | Literal["free", "shared"] = 0.02
    """A number, free in each condition, or shared by all conditions of an observer."""
    prior: Literal["none", "weak"] = "none"
    """Maximum likelihood, or the maximum with weak priors."""
    p_correct: float | None = None
    """The threshold is the level at this proportion correct; default midway between guessing and lapsing."""


@flags
class _TaskFlags:
    task: Literal["mafc", "yes-no", "odd-one-out"] = "mafc"
    """For d' and for guessing."""
    n_alternatives: int | None = None
    """Alternatives with --task mafc; default the choices of an exported experiment, of other tables the labels that
    occur."""
    signal: str | None = None
    """With --task yes-no: the label that says that there is a signal."""


def psychometrics(
    answers: list[Path],
    /,
    *,
    networks: Files = None,
    by: Words = None,
    fit: _FitFlags = _FitFlags(),
    asked: _TaskFlags = _TaskFlags(),
    n_draws: Annotated[int, Parameter(name="--n-draws")] = 1000,
    rnd_seed: Seed = 42,
    trials: TrialFlags = TrialFlags(),
    output: ResultFlags = ResultFlags(),
) -> None:
    """Thresholds of psychometric functions, d' and criterion, response times, by observer and condition.

    Example: beholder stimuli draw shapes --n_per_category 2
    Example: beholder stimuli grade --grade contrast --levels 0.05 0.1 0.3 1
    Example: beholder tasks plan --kind recognition -s stimuli/graded/stimuli.csv -nh 4 --set 'choices=[]'
    Example: beholder tasks build
    Example: beholder tasks simulate exp_data --db simulated.db --participants 4 --observer model -m beholder:shapes
    Example: beholder tasks export --db simulated.db
    Example: beholder analyze psychometrics responses/ --p_correct 0.75
    Example: beholder analyze psychometrics contrast/ --scale log --columns participant=subj response=object_response
        truth=category level=condition

    Parameters
    ----------
    answers
        What holds single answers with levels; a .csv of level, n_right, n_shown; logs of staircases and QUEST+ (.json).
    networks
        Answers of networks, drawn into the same panels.
    by
        Columns that tell conditions apart; default condition.
    n_draws
        Bootstrap draws for intervals; 0 for none. 1,000 take a quarter of a second a person and condition, with --lapse
        free 0.7 s.
    rnd_seed
        Seed of the draws.
    """
    from beholder.analysis import analyze_psychometrics

    output.run(
        "psychometrics", analyze_psychometrics, answers, networks, by=by, n_draws=n_draws, seed=rnd_seed,
        **vars(fit), **vars(asked), **vars(trials),
    )  # fmt: skip
