"""``beholder analyze agreement``: whether people and networks fail on the same stimuli."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from beholder.cli._analyze_flags import DrawFlags, ResultFlags, TrialFlags
from beholder.cli._flags import Words, flags


@flags
class _AgreementFlags(DrawFlags):
    width: float = 0.2
    """Width of an interval of one error consistency, for which the number of stimuli is told."""
    over: Literal["both", "stimuli", "people"] = "both"
    """What intervals of means generalise to: other stimuli and other people, or one of them."""


def agreement(
    files: list[Path],
    /,
    *,
    networks: Annotated[list[Path] | None, Parameter(consume_multiple=True)] = None,
    conditions: Words = None,
    asked: _AgreementFlags = _AgreementFlags(),
    trials: TrialFlags = TrialFlags(),
    output: ResultFlags = ResultFlags(),
) -> None:
    """Error consistency and confusions of people and networks, and of people with one another as ceiling.

    Example: beholder stimuli draw shapes --n_per_category 2
    Example: beholder stimuli grade --grade contrast --levels 0.1 1
    Example: beholder tasks plan --kind recognition -s stimuli/graded/stimuli.csv -nh 4 --set 'choices=[]'
    Example: beholder tasks build
    Example: beholder tasks simulate exp_data --db simulated.db --participants 4 --observer lapse:0.2
    Example: beholder tasks export --db simulated.db
    Example: beholder analyze agreement responses/

    Parameters
    ----------
    files
        Single answers: an export, tables, folders of tables; people's, and networks' where they name a rule.
    networks
        Answers of networks to the same stimuli, in the same forms.
    conditions
        Only these conditions; default all in which people answered.
    """
    from beholder.analysis import analyze_agreement

    others = None if networks is None else trials.read(networks)
    output.run("agreement", analyze_agreement, trials.read(files), others, conditions=conditions, **vars(asked))
