"""What a distance between stimuli has to do."""

from __future__ import annotations

import numpy as np

from beholder._core.errors import suggest_keywords
from beholder._core.wording import format_count
from beholder.analysis import DISTANCES
from beholder.testing._expect import expect, explain

_N_STIMULI, _N_REPEATS, _N_FEATURES = 6, 3, 5


@suggest_keywords
def check_distance(name: str) -> None:
    """Check a distance, as ``--distance`` takes it, on drawn values of several repeats, some of them missing.

    Parameters
    ----------
    name : str
        Its name in :data:`beholder.analysis.DISTANCES`: that of the entry point, or as it was added there.

    Raises
    ------
    AssertionError
        It says nothing of itself; gives no number for each pair, or another one where stimuli come in another order;
        a repeat that is missing costs more than itself, or a stimulus without any has a distance; values are changed.

    Examples
    --------
    >>> check_distance("correlation")
    """
    with explain(f"a distance called {name!r}", hint="an entry point beholder.distances"):
        distance = DISTANCES[name]
    expect(bool(distance.words.strip()), f"words of {name} for a Methods paragraph", got="none")
    values = np.random.default_rng(6).random((_N_STIMULI, _N_REPEATS, _N_FEATURES))
    kept = values.copy()
    whole = _compute(name, values)
    expect(bool((values == kept).all()), f"{name} to leave the values as they are", got="others")
    expect(bool(np.isfinite(whole).all()), f"a number for each pair from {name}", got=str(whole))
    if not distance.can_be_negative:
        expect(bool((whole >= 0).all()), f"{name} from 0, or can_be_negative=True", got=f"{whole.min():g}")
    order = np.random.default_rng(7).permutation(_N_STIMULI)
    square = np.zeros((_N_STIMULI, _N_STIMULI))
    square[np.triu_indices(_N_STIMULI, 1)] = whole
    square += square.T
    expected = square[np.ix_(order, order)][np.triu_indices(_N_STIMULI, 1)]
    same = np.allclose(_compute(name, values[order]), expected, rtol=1e-6, atol=1e-9)
    expect(same, f"{name} to be the same for each pair in whatever order stimuli come", got="others")
    values[2, 1] = np.nan
    expect(bool(np.isfinite(_compute(name, values)).all()), f"{name} to leave out a repeat that is missing", got="NaN")
    values[2] = np.nan
    found = _compute(name, values)
    mine = (np.array(np.triu_indices(_N_STIMULI, 1)) == 2).any(axis=0)
    expect(bool(np.isnan(found[mine]).all()), f"NaN from {name} for a stimulus without values", got="a distance")
    others = _compute(name, np.delete(values, 2, axis=0))
    same = np.allclose(found[~mine], others, rtol=1e-6, atol=1e-9)
    expect(same, f"{name} of other stimuli to be as without the one that has no values", got="others")


def _compute(name: str, values: np.ndarray) -> np.ndarray:
    n_pairs = len(values) * (len(values) - 1) // 2
    with explain(f"{name} to compute an RDM of {values.shape[:2]} stimuli and repeats"):
        found = np.asarray(DISTANCES[name].compute(values))
    expect(
        found.shape == (n_pairs,),
        f"a condensed RDM of {format_count(n_pairs, 'pair')} from {name}",
        got=f"shape {found.shape}",
    )
    return found
