"""Attacked stimuli as stimulus sets that experiments are planned with: a table of each norm and attack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beholder._core.files import write_bytes
from beholder._core.tables import format_records
from beholder.evaluation._attack_plan import Chain
from beholder.evaluation._attack_protocol import TRANSFER
from beholder.evaluation._attacked_files import NATURAL, name_set
from beholder.evaluation._labels import Labels, has_labels
from beholder.models import Model
from beholder.stimuli import StimulusSet

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = ("file", "stimulus_id", "label", "target", "grade", "level", "original")


def describe_sets(chains: Sequence[Chain]) -> dict[str, list[float]]:
    """The sets that are written, ``{norm}_{attack}``, with their radii."""
    found: dict[str, set[float]] = {}
    for chain in chains:
        if chain.attack != TRANSFER:
            found.setdefault(f"{chain.norm}_{chain.attack}", set()).update(chain.radii)
    return {name: sorted(radii) for name, radii in sorted(found.items())}


def write_sets(
    folder: Path,
    stimuli: StimulusSet,
    labels: Labels,
    chains: Sequence[Chain],
    table: pd.DataFrame,
    model: Model,
) -> None:
    """Write ``{norm}_{attack}.csv``: every stimulus as it is, at level 0, and at every radius as it was found.

    A stimulus that a smaller radius has made wrong is shown as it was found there.
    """
    suffix = _find_suffix(folder, stimuli)
    for name, radii in describe_sets(chains).items():
        norm, _, attack = name.partition("_")
        rows = [_make_row(stimuli, labels, i, name, 0.0, f"{NATURAL}/{stimuli.ids[i]}{suffix}")
                for i in range(len(stimuli))]  # fmt: skip
        for eps in radii:
            shown: Any = table[(table["norm"] == norm) & (table["attack"] == attack) & (table["eps"] == eps)]
            places = shown.drop_duplicates("stimulus").set_index("stimulus")["found_at"]
            for i, stimulus_id in enumerate(stimuli.ids):
                at = float(places[stimulus_id])
                own = name_set(norm, attack, at) if at else NATURAL
                rows.append(_make_row(stimuli, labels, i, name, eps, f"{own}/{stimulus_id}{suffix}"))
        write_bytes(folder / f"{name}.csv", format_records(rows, _COLUMNS))


def _find_suffix(folder: Path, stimuli: StimulusSet) -> str:
    return next(path.suffix for path in (folder / NATURAL).iterdir() if path.stem == stimuli.ids[0])


def _make_row(stimuli: StimulusSet, labels: Labels, i: int, name: str, eps: float, file: str) -> Mapping[str, Any]:
    own = stimuli.ids[i]
    label = stimuli.labels[i] if has_labels(stimuli) else labels.names[i]
    return {
        "file": file, "stimulus_id": f"{name}_{eps:.9g}__{own}", "label": label,
        "target": int(labels.indices[i]), "grade": name, "level": f"{eps:.9g}", "original": own,
    }  # fmt: skip
