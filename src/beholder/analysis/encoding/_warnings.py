"""What a reader should not conclude from an encoding analysis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from beholder._core.wording import format_count, format_share
from beholder.analysis.encoding._participants import Participant
from beholder.analysis.encoding._settings import EncodeSettings
from beholder.analysis.encoding._splits import Split
from beholder.analysis.encoding._summary import Tested
from beholder.analysis.encoding._uncertainty import FEWEST_ORDERS

_FEWEST_TESTED = 10


_JOINT = "joint fits are too dear to be repeated for it; method ridge tests each layer"


def list_warnings(
    settings: EncodeSettings,
    layers: Sequence[str],
    people: Sequence[Participant],
    plans: Sequence[Sequence[Split]],
    found: Sequence[Sequence[Tested]],
) -> list[str]:
    """Whole sentences on edges of the grid, values that were not computed, and choices that could not be made."""
    told: list[str] = []
    for i, layer in enumerate(layers):
        mine = [tested[i] for tested in found]
        for share, edge, why in (
            (np.mean([tested.at_smallest for tested in mine]), "smallest", "smaller penalties may fit better"),
            (
                np.mean([tested.at_largest for tested in mine]),
                "largest",
                "it predicts them hardly better than their mean",
            ),
        ):
            if share >= 0.2:
                told.append(f"{format_share(float(share))} of units take the {edge} penalty at {layer}: {why}.")
    if settings.method == "banded":
        told.append("Joint predictions are not corrected for noise.")
    once = [person.subject for person in people if person.runs is None]
    if once:
        who = _name(once, people)
        have = "has" if who.startswith("Participant ") else "have"
        told.append(f"{who} {have} one response a stimulus: variance explained cannot be corrected for noise.")
    elif settings.method != "banded":
        torn = [
            person.subject
            for person, mine in zip(people, found, strict=True)
            if all(np.isnan(tested.corrected).all() for tested in mine)
        ]
        if torn:
            why = "no unit has all repeats of all stimuli, so that nothing is corrected for noise"
            told.append(f"{_name(torn, people)}: {why}.")
    n_units = sum(len(person.units) for person in people)
    n_lost = n_units - min(_count_scored(found, i) for i in range(len(layers)))
    if n_lost:
        told.append(
            f"{n_lost} of {format_count(n_units, 'unit')}, which give all test "
            "stimuli of a fold the same response, have no r there: "
            "left out."
        )
    smallest = min(len(test) for plan in plans for _, test in plan)
    if smallest < _FEWEST_TESTED:
        told.append(f"r is told from as few as {smallest} stimuli a fold.")
    if settings.n_permutations and not any(
        len(score.null) for mine in found for tested in mine for score in tested.regions.values()
    ):
        why = "groups are of different sizes, or there are too few orders of them for a p below .05"
        if settings.n_permutations < FEWEST_ORDERS:
            why = f"{FEWEST_ORDERS} permutations are the fewest for a p below .05"
        told.append(f"No test was made: {_JOINT if settings.method == 'banded' else why}.")
    if len(people) == 1 and len(layers) > 1 and settings.method == "pls":
        told.append("No best layer is named: with one participant PLS has no data to choose it on.")
    return told


def _count_scored(found: Sequence[Sequence[Tested]], layer: int) -> int:
    return sum(score.n_units for mine in found for score in mine[layer].regions.values())


def _name(subjects: Sequence[str], people: Sequence[Participant]) -> str:
    """Some of the participants."""
    if not any(subjects):
        return "The recordings"
    if len(subjects) > 1 and len(subjects) == len(people):
        return "All participants"
    return f"Participant{'s' if len(subjects) > 1 else ''} {', '.join(subjects)}"
