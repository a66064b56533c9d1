"""What a set of stimuli is made from: which there are, in which order, and where they lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, final

import numpy as np

Kind = Literal["image", "sound", "array"]
Layout = Literal["flat", "classes", "table", "arrays"]


@final
@dataclass(frozen=True, eq=False)
class Manifest:
    """What a folder, a table or an array says of its stimuli; fields as those of :class:`StimulusSet`."""

    kind: Kind
    ids: tuple[str, ...]
    files: tuple[str, ...]
    root: Path | None
    labels: tuple[str, ...]
    targets: np.ndarray
    conditions: Mapping[str, list[Any]] = field(default_factory=dict)
    arrays: Any = None
    layout: Layout = "flat"
    selection: dict[str, Any] = field(default_factory=dict)
