"""Two networks whose metamers other networks recognise more or less often: the difference over stimuli."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED
from beholder.statistics import Interval, compute_bca_interval, compute_mean_interval

if TYPE_CHECKING:
    from beholder.evaluation._judgement import Judgement


@final
@dataclass(frozen=True)
class MakerComparison:
    """How often other networks are right about two networks' metamers of the same stimuli.

    Attributes
    ----------
    layer : str
        At which both were matched.
    first, second : Interval
        Proportions in [0, 1], means over stimuli of the mean over judges, with Student's interval over stimuli.
    difference : Interval
        ``second`` minus ``first``, stimulus by stimulus, with the BCa bootstrap's interval over stimuli.
    judges : (tuple of str, tuple of str)
        Who judged the first's, and the second's.
    """

    layer: str
    first: Interval
    second: Interval
    difference: Interval
    judges: tuple[tuple[str, ...], tuple[str, ...]]


@suggest_keywords
def compare_makers(
    judgement: Judgement,
    first: str,
    second: str,
    layer: str,
    *,
    judges: Sequence[str] | None = None,
    failed: bool = False,
    seed: int = DEFAULT_SEED,
) -> MakerComparison:
    """Whose metamers are recognised more often by networks other than the one that they were made for.

    Parameters
    ----------
    judgement : Judgement
        From :func:`judge_metamers` or :func:`read_judgements`.
    first, second : str
        Names of two networks whose metamers were judged.
    layer : str
        Matched layer.
    judges : sequence of str, optional
        Default all; a network's own verdicts on its metamers never count.
    failed : bool
        With metamers that did not pass.
    seed : int
        Of the bootstrap.

    Returns
    -------
    MakerComparison
        Over the stimuli whose metamers both networks have.

    Raises
    ------
    InputError
        Fewer than two stimuli in common.
    """
    table: Any = judgement.select_metamers(failed=failed)
    table = table[(table["layer"] == layer) & (table["model"] != table["judge"])]
    if judges is not None:
        table = table[table["judge"].isin(list(judges))]
    own = {name: table[table["model"] == name] for name in (first, second)}
    shares = [rows.groupby("stimulus_id", sort=True)["correct"].mean().astype(float) for rows in own.values()]
    common = shares[0].index.intersection(shares[1].index)
    if len(common) < 2:
        raise InputError(
            f"metamers of two stimuli or more at {layer} from both networks, judged by others", got=f"{len(common)}"
        )
    before, after = (share.loc[common].to_numpy() for share in shares)
    told = [tuple(dict.fromkeys(rows["judge"])) for rows in own.values()]
    return MakerComparison(
        layer, compute_mean_interval(before, (0, 1)), compute_mean_interval(after, (0, 1)),
        compute_bca_interval(after - before, seed=seed), (told[0], told[1]),
    )  # fmt: skip
