"""What layers are compared with: RDMs of people's regions, of recorded RDMs, or of another network's layers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast, final

import numpy as np

from beholder._core.errors import InputError
from beholder._core.wording import format_count
from beholder.activations import Activations
from beholder.analysis._join import ArrayLayers
from beholder.analysis.distances._registry import DISTANCES
from beholder.analysis.rsa._layers import Layers, compute_rdms, list_layers
from beholder.recordings import RecordedRDMs, Recordings

Recorded = Recordings | RecordedRDMs | Activations | ArrayLayers
UNNAMED = "recordings"


@final
@dataclass(frozen=True, eq=False)
class RsaTarget:
    """One thing that layers are compared with, such as a region.

    Attributes
    ----------
    name : str
    subjects : tuple of str
    rdms : (n_subjects, n_pairs)
        NaN where a person lacks a stimulus.
    time : float
        Seconds; NaN where there is no time.
    label : str
        The name without that of the recordings, where there are several: what they have in common.
    recordings : str
        Which of several.
    """

    name: str
    subjects: tuple[str, ...]
    rdms: np.ndarray
    time: float = float("nan")
    label: str = ""
    recordings: str = ""


@final
@dataclass
class Targets:
    """Targets, and what was left out on the way.

    Attributes
    ----------
    found : list of RsaTarget
    notes : list of str
    is_network : bool
        Whether they are another network's layers.
    """

    found: list[RsaTarget]
    notes: list[str] = field(default_factory=list[str])
    is_network: bool = False


def make_targets(
    recorded: Recorded, rows: np.ndarray, ids: Sequence[str], *, by: Sequence[str], distance: str
) -> Targets:
    """RDMs of all that layers are compared with, over the joined stimuli.

    Parameters
    ----------
    recorded : Recordings, RecordedRDMs, Activations or ArrayLayers
    rows : (n_stimuli,), int
        Places of the stimuli among those recorded.
    ids : sequence of str, (n_stimuli,)
    by : sequence of str
        Columns of the table of units (or RDMs) that tell targets apart; ``subject`` tells people apart.
    distance : str
        Of recordings and activations.
    """
    if isinstance(recorded, Recordings):
        return _of_recordings(recorded, rows, by, distance)
    if isinstance(recorded, RecordedRDMs):
        return _of_rdms(recorded, rows, by)
    return _of_network(recorded, rows, ids, distance)


def join_targets(parts: Sequence[Targets], names: Sequence[str]) -> Targets:
    """Targets of several recordings, named by these where a name alone is not enough."""
    if len(parts) == 1:
        return parts[0]
    counts = Counter(target.name for part in parts for target in part.found)
    found: list[RsaTarget] = []
    notes: list[str] = []
    for part, name in zip(parts, names, strict=True):
        notes += [f"{name}: {note}" for note in part.notes]
        for target in part.found:
            alone = counts[target.name] == 1 and target.name != UNNAMED
            told = target.name if alone else f"{name} {target.name.removeprefix(UNNAMED)}".strip()
            found.append(replace(target, name=told, label=target.name, recordings=name))
    return Targets(found, notes, parts[0].is_network)


def _of_recordings(recorded: Recordings, rows: np.ndarray, by: Sequence[str], distance: str) -> Targets:
    targets = Targets([])
    people: dict[str, dict[str, list[np.ndarray]]] = {}
    for labels, part in recorded.split_by([*by, "subject"]):
        name, subject = _name(labels, by), str(labels["subject"])
        values = part.values[rows]
        folds = None if part.runs is None else part.runs[rows]
        series = values[..., None] if values.ndim == 3 else values
        for moment in range(series.shape[3]):
            own = _leave_out(series[..., moment], f"{subject or 'the recordings'}, {name}", targets.notes)
            rdm = DISTANCES[distance].compute(own.transpose(0, 2, 1), folds=folds)
            people.setdefault(name, {}).setdefault(subject, []).append(rdm)
    times = recorded.times
    for name, subjects in people.items():
        for moment in range(1 if times is None else len(times)):
            time = float("nan") if times is None else float(times[moment])
            label = name if times is None else name_moment(name, time)
            rdms = np.stack([each[moment] for each in subjects.values()])
            targets.found.append(RsaTarget(label, tuple(subjects), rdms, time))
    return targets


def _leave_out(values: np.ndarray, who: str, notes: list[str]) -> np.ndarray:
    """Units without those that vary with nothing or lack stimuli that others have; a word for each kind."""
    finite: Any = np.isfinite(values)
    known: Any = finite.any(axis=2)  # (n_stimuli, n_units)
    there: Any = known.any(axis=1)
    lacking: Any = ~known[there].all(axis=0)
    means: Any = np.where(finite, values, 0).sum(axis=2) / np.maximum(finite.sum(axis=2), 1)
    constant: Any = ~lacking & (np.ptp(means[there], axis=0) == 0) if there.any() else lacking
    for which, words in ((lacking, "lack some of the stimuli"), (constant, "do not vary")):
        if which.any():
            notes.append(f"{who}: {int(which.sum())} of {values.shape[1]} units {words} and are left out.")
    if not there.all():
        notes.append(
            f"{who}: {int((~there).sum())} of {format_count(len(there), 'stimulus')} "
            "have no data; their pairs are left out."
        )
    kept = values[:, ~(lacking | constant)]
    if not kept.shape[1] or there.sum() < 3:
        raise InputError(
            f"units that vary over three stimuli or more in {who}",
            got=f"{kept.shape[1]} units and {format_count(int(there.sum()), 'stimulus')}",
        )
    return kept


def _of_rdms(recorded: RecordedRDMs, rows: np.ndarray, by: Sequence[str]) -> Targets:
    table: Any = recorded.table
    columns = [name for name in (*by, "subject", "time") if name in table.columns]
    unknown = [name for name in by if name not in table.columns]
    if unknown:
        raise InputError(f"columns of the recordings: {', '.join(map(str, table.columns))}", got=", ".join(unknown))
    chosen = recorded.select(stimulus_ids=[recorded.stimulus_ids[int(row)] for row in cast(Any, rows)])
    values = np.asarray(chosen.values, dtype=np.float64)
    groups: dict[str, dict[str, int]] = {}
    times: dict[str, float] = {}
    for row, record in enumerate(table[columns].to_dict("records")):
        name = _name(record, by)
        time = float(record["time"]) if str(record.get("time", "")) not in ("", "nan") else float("nan")
        name = name if np.isnan(time) else name_moment(name, time)
        subject = str(record.get("subject", ""))
        own = groups.setdefault(name, {})
        times[name] = time
        if subject in own:
            raise InputError(
                f"one RDM a subject and {' and '.join(by) or 'file'}", got=f"two of {subject or 'no subject'}, {name}",
                hint="--by with the columns that tell them apart",
            )  # fmt: skip
        own[subject] = row
    found = [RsaTarget(name, tuple(own), values[list(own.values())], times[name]) for name, own in groups.items()]
    return Targets(found)


def _of_network(recorded: Layers, rows: np.ndarray, ids: Sequence[str], distance: str) -> Targets:
    layers = list_layers(recorded, None)
    rdms = compute_rdms(recorded, rows, ids, layers=layers, distance=distance, replicates="average")
    found = [RsaTarget(layer, ("",), rdm[None]) for layer, rdm in zip(layers, rdms, strict=True)]
    return Targets(found, is_network=True)


def _name(labels: Any, by: Sequence[str]) -> str:
    told = [str(labels[column]) for column in by if str(labels[column])]
    return " ".join(told) or UNNAMED


def name_moment(name: str, time: float) -> str:
    """A target at a moment.

    >>> name_moment("IT", 0.1)
    'IT 100 ms'
    """
    return f"{name} {1000 * time:g} ms".strip()


def strip_moment(target: str, time: float) -> str:
    """Its name without the moment.

    >>> strip_moment("IT 100 ms", 0.1)
    'IT'
    """
    return target.removesuffix(f"{1000 * time:g} ms").strip() or target
