"""From single verdicts to proportions of right ones, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED
from beholder.statistics import bootstrap_proportion, wilson_interval

if TYPE_CHECKING:
    import pandas as pd

INTERVALS = ("wilson", "bootstrap")


@suggest_keywords
def summarize_verdicts(
    table: pd.DataFrame, by: Sequence[str], *, interval: str = "wilson", seed: int = DEFAULT_SEED
) -> pd.DataFrame:
    """Proportion of right verdicts in each group, with its 95 % interval.

    Parameters
    ----------
    table : DataFrame
        With ``correct``, ``stimulus_id`` and the columns of ``by``.
    by : sequence of str
        What makes a group; groups keep the order in which they first come.
    interval : {"wilson", "bootstrap"}
        Wilson's score interval, which takes verdicts as independent, or the 2.5th to 97.5th percentile of 1,000 draws
        of stimuli.
    seed : int
        Of the draws.

    Returns
    -------
    DataFrame
        ``by``, ``n_stimuli``, ``n``, ``n_right``, ``accuracy``, ``low``, ``high``.
    """
    import pandas as pd

    if interval not in INTERVALS:
        raise InputError("an interval: wilson or bootstrap", got=repr(interval))
    rows = []
    groups: Any = table.groupby(list(by), sort=False)
    for key, group in groups:
        n, n_right = len(group), int(group["correct"].sum())
        if interval == "wilson":
            low, high = (float(end) for end in wilson_interval(n_right, n))
        else:
            counts = group.groupby("stimulus_id", sort=True)["correct"].agg(["sum", "count"])
            low, high = bootstrap_proportion(counts["sum"], counts["count"], seed=seed)
        rows.append([*key, group["stimulus_id"].nunique(), n, n_right, n_right / n, low, high])
    return pd.DataFrame(rows, columns=[*by, "n_stimuli", "n", "n_right", "accuracy", "low", "high"])
