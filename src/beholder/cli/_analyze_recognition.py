"""``beholder analyze recognition``: how often people and networks are right."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from beholder.cli._analyze_flags import ResultFlags, TrialFlags
from beholder.cli._flags import Seed, Words, flags

Files = Annotated[list[Path] | None, Parameter(consume_multiple=True)]


@flags
class _CountedFlags:
    by: Words = None
    """Columns that tell conditions apart; default those that vary of model and layer, else level, else condition."""
    stages: Words = None
    """Values of the last of --by, in order, which alone are counted; of matrices the names of their stages."""
    texture_pattern: str | None = None
    """For stimuli whose cues disagree: a regular expression whose group in their ids is the texture's label."""
    chance: float | None = None
    """Proportion correct by guessing; default 1 over an exported experiment's choices, else the labels that occur."""
    rule: Literal["first", "mean", "max", "sum"] | None = None
    """How networks' categories follow from their outputs, where their tables do not tell."""


@flags
class _MeasuredFlags:
    attacked: Path | None = None
    """Accuracy under attack of networks that stimuli were made for: a table of model, norm, eps, accuracy_top1."""
    attack: str | None = None
    """Which attack of that file, NORM:EPS or NORM:EPS:ATTACK, such as l2:3."""
    brain: Path | None = None
    """How well they predict brains: a table of network, value."""


def recognition(
    answers: list[str],
    /,
    *,
    networks: Files = None,
    counted: _CountedFlags = _CountedFlags(),
    measured: _MeasuredFlags = _MeasuredFlags(),
    seed: Seed = 42,
    trials: TrialFlags = TrialFlags(),
    output: ResultFlags = ResultFlags(),
) -> None:
    """Proportion correct by condition, level or layer, of people and networks; confusions; shape bias.

    Example: beholder stimuli draw shapes --n_per_category 2
    Example: beholder stimuli grade --grade contrast --levels 0.1 1
    Example: beholder tasks plan --kind recognition -s stimuli/graded/stimuli.csv -nh 4 --set 'choices=[]'
    Example: beholder tasks build
    Example: beholder tasks simulate exp_data --db simulated.db --participants 4 --observer lapse:0.2
    Example: beholder tasks export --db simulated.db
    Example: beholder analyze recognition responses/
    Example: beholder analyze recognition human/edge --columns participant=subj response=object_response truth=category

    Parameters
    ----------
    answers
        What holds single answers: exports, tables, folders of tables. Or matrices participants × stages × [human,
        network] (.mat, .npy), one a network, also as NETWORK=FILE.
    networks
        Answers of networks to the same stimuli, or folders of metamers that were judged.
    seed
        Seed of bootstrap draws, where one observer answered stimuli several times.
    """
    from beholder.analysis import analyze_recognition

    output.run(
        "recognition", analyze_recognition, answers, networks, seed=seed, **vars(trials), **vars(counted),
        **vars(measured),
    )  # fmt: skip
