"""The recipe ``searched``: strengths of the diversity term one after the other, as the released code tries them."""

from __future__ import annotations

from collections.abc import Sequence

POWERS = (1.0, 10.0, 100.0, 1e3, 1e4, 1e5)

Trial = tuple[float, bool]
"""A strength, and whether its weakest image still beat the yardstick."""


def propose_strength(trials: Sequence[Trial], max_loops: int) -> float | None:
    """The next strength to try: powers of ten until one fails, then bisections; None when the search is over.

    Parameters
    ----------
    trials : sequence of (strength, accepted)
        What was tried, in order, each as this function proposed it.
    max_loops : int
        Bisections between the strongest that was accepted, or 0, and the first power that was not.

    Notes
    -----
    Source: Zimmermann et al. 2023, "Scale alone does not improve mechanistic interpretability in vision models",
    released code (``get_diverse_optimized_stimuli``).

    Examples
    --------
    >>> propose_strength([], 2), propose_strength([(1.0, True)], 2)
    (1.0, 10.0)
    >>> propose_strength([(1.0, True), (10.0, False)], 2)
    5.5
    >>> propose_strength([(1.0, True), (10.0, False), (5.5, True)], 2)
    7.75
    """
    failed = [i for i, (_, accepted) in enumerate(trials) if not accepted]
    if not failed:
        return POWERS[len(trials)] if len(trials) < len(POWERS) else None
    first = failed[0]
    if len(trials) - first - 1 >= max_loops:
        return None
    low, high = find_bracket(trials)
    return (low + high) / 2


def find_bracket(trials: Sequence[Trial]) -> tuple[float, float]:
    """The strongest that was accepted, or 0, and the weakest that was not, or infinity."""
    accepted = [strength for strength, fine in trials if fine]
    refused = [strength for strength, fine in trials if not fine]
    return max(accepted, default=0.0), min(refused, default=float("inf"))
