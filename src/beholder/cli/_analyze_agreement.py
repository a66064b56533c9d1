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

    Example: beholder analyze agreement people/ --networks shapes.csv

    Parameters
    ----------
    files
        Single answers: an export, tables, folders of tables; people's, and networks' where they name a rule.
    networks
        The same, of networks.
    conditions
        Only these; default all that people answered in.
    """
    from beholder.analysis import analyze_agreement

    others = None if networks is None else trials.read(networks)
    output.run("agreement", analyze_agreement, trials.read(files), others, conditions=conditions, **vars(asked))
