"""In which order a result tells its rows, and what it keeps of matrices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from beholder.analysis.recognition._confusion import CONFUSION
from beholder.analysis.recognition._matched import MATCHED
from beholder.analysis.recognition._proportions import PERSON
from beholder.responses import RecognitionMatrix


def get_turn(row: Mapping[str, Any]) -> int:
    """What is told first comes first: people and networks, then by label, then single people, then confusions."""
    if row["statistic"] == CONFUSION:
        return 3
    if row["statistic"] == MATCHED or row["observer"] == PERSON:
        return 2
    return 1 if row.get("truth") else 0


def keep_matrix(place: int, matrix: RecognitionMatrix) -> dict[str, np.ndarray]:
    """A matrix as arrays of a result."""
    return {
        f"matched_{place}": matrix.values, f"matched_{place}_people": np.array(matrix.participants),
        f"matched_{place}_stages": np.array(matrix.stages),
    }  # fmt: skip
