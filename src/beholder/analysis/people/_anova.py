"""The published design: participants × stages × [human, network]."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED
from beholder._core.wording import format_count
from beholder.statistics import fit_anova, permute_mixed_anova

if TYPE_CHECKING:
    import pandas as pd


_EFFECTS = ["observer", "stage", "observer:stage"]
_ORDER = [
    *("F", "df_1", "df_2", "p", "p_gg", "p_hf", "p_lb", "epsilon_gg", "epsilon_hf", "epsilon_lb"),
    *("partial_eta_squared", "generalized_eta_squared", "sum_sq", "error_sum_sq", "mauchly_w", "mauchly_p"),
]


@suggest_keywords
def run_mixed_anova(
    values: Any, *, paired: bool = False, n_permutations: int = 0, seed: int = DEFAULT_SEED
) -> pd.DataFrame:
    """Does a network's recognition fall otherwise over stages than people's? A mixed analysis of variance.

    The observer (human or network) is the factor between rows, the stage the one within. A network is scored on each
    participant's stimuli, so it fills as many rows as there are participants, but it stays one observer: the table
    speaks of these stimuli and people, not of networks at large.

    Parameters
    ----------
    values : (n_participants, n_stages, 2), or two arrays (n_rows, n_stages)
        Proportions correct: people first, then the network on the same stimuli; or two groups of rows, also of unequal
        numbers.
    paired : bool
        Take the two rows of one participant's stimuli as the pair that they are: both factors within. Default: the
        published design, rows as if independent.
    n_permutations : int
        Adds ``p_permutation``: labels dealt anew (observer), labels and stages (interaction); empty for the stage.
    seed : int

    Returns
    -------
    DataFrame
        Indexed by effect (``observer``, ``stage``, ``observer:stage``), with ``F, df_1, df_2, p, p_gg, p_hf, p_lb,
        epsilon_gg, epsilon_hf, epsilon_lb, partial_eta_squared, generalized_eta_squared, sum_sq, error_sum_sq,
        mauchly_w, mauchly_p``.

    Raises
    ------
    InputError
        Another shape, groups of other stages, missing values, ``paired`` for groups of unequal numbers or with
        permutations.

    Notes
    -----
    Source: Feather et al. 2023, Nature Neuroscience 26, Methods, "Statistical tests". Sums of squares are of type III.

    Examples
    --------
    >>> values = [[[0.9, 0.9], [0.5, 0.8]], [[0.8, 0.9], [0.6, 0.9]], [[1.0, 0.8], [0.7, 0.8]]]
    >>> run_mixed_anova(values).loc["observer:stage", "df_2"]
    np.float64(4.0)
    """
    import pandas as pd

    people, network = _split(values)
    both = np.concatenate([people, network])
    labels = ["human"] * len(people) + ["network"] * len(network)
    if paired:
        if len(people) != len(network) or n_permutations:
            raise InputError(
                "as many rows of the network as participants, and no permutations, with paired",
                got=f"{len(people)} and {format_count(len(network), 'row')}, "
                f"{format_count(n_permutations, 'permutation')}",
            )
        found = fit_anova(np.stack([people, network], axis=1), within=["observer", "stage"])
    else:
        found = fit_anova(both, within=["stage"], between={"observer": labels})
    rows = [asdict(found[name]) for name in _EFFECTS]
    columns: dict[str, list[float]] = {name: [row[name] for row in rows] for name in _ORDER}
    table = pd.DataFrame(columns, index=pd.Index(_EFFECTS, name="effect"))
    if n_permutations:
        main, interaction = permute_mixed_anova(both, labels, n_permutations=n_permutations, seed=seed)
        table["p_permutation"] = [main, np.nan, interaction]
    return table


def _split(values: Any) -> tuple[np.ndarray, np.ndarray]:
    """Rows of people and of the network: two groups where there are two tables, else the halves of one array."""
    expected = "values (n_participants, n_stages, 2), or two groups of rows (n_rows, n_stages)"
    parts: list[Any] = list(cast(Sequence[Any], values)) if isinstance(values, list | tuple) else []
    if len(parts) == 2:
        first, second = (np.asarray(each, dtype=np.float64) for each in parts)
        if first.ndim == second.ndim == 2:
            plain = not any(hasattr(each, "shape") for each in parts)
            if plain and first.shape == second.shape and first.shape[1] == 2:
                got = f"lists of shape (2, {len(first)}, 2), which are both"
                raise InputError(expected, got=got, hint="an array for participants, two arrays for groups")
            if first.shape[1:] != second.shape[1:]:
                raise InputError(expected, got=f"groups of shapes {first.shape} and {second.shape}")
            return first, second
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 3 or array.shape[2] != 2:
        raise InputError(expected, got=f"shape {array.shape}")
    return array[:, :, 0], array[:, :, 1]
