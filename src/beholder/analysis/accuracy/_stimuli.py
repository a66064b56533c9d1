"""The stimuli of an evaluation, as they may be given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from beholder.analysis.accuracy._corrupted import read_corrupted
from beholder.stimuli import StimulusSet, as_stimulus_set, is_packed, join_sets, list_named_sets

_TABLES = (".csv", ".tsv", ".parquet")


def open_stimuli(stimuli: Any) -> Any:
    """A named set by its name, where no path is called so; anything else as it is."""
    if isinstance(stimuli, str) and stimuli.partition("=")[0] in list_named_sets() and not Path(stimuli).exists():
        name, _, folder = stimuli.partition("=")
        return StimulusSet.from_named(name, folder or None)
    if isinstance(stimuli, list | tuple) and _are_sets(cast("list[Any]", stimuli)):
        return join_sets([open_stimuli(each) for each in cast("list[Any]", stimuli)])
    if isinstance(stimuli, str | Path) and (corrupted := read_corrupted(Path(stimuli))) is not None:
        return corrupted
    return as_stimulus_set(stimuli) if isinstance(stimuli, str | Path) else cast("Any", stimuli)


def _are_sets(given: Sequence[Any]) -> bool:
    """Whether a list names several sets, and not single files."""
    return len(given) > 0 and all(
        isinstance(each, StimulusSet)
        or (isinstance(each, str | Path) and (Path(each).is_dir() or Path(each).suffix in _TABLES or is_packed(each)))
        for each in given
    )
