"""Both sides of an RSA: opened, named, joined by id, and without stimuli that have no distance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast, final

import numpy as np

from beholder._core.errors import InputError
from beholder._core.wording import format_count
from beholder.activations import Activations
from beholder.analysis._join import JoinedMany, open_layers, open_recorded
from beholder.analysis.rsa._compare import ComparedLayers
from beholder.analysis.rsa._layers import Layers, describe_model
from beholder.analysis.rsa._targets import Recorded, Targets
from beholder.recordings import RecordedRDMs, Recordings

_FEWEST_STIMULI = 3


def open_sources(activations: Any, stimulus_ids: Sequence[str] | None) -> list[Layers]:
    """One or several activations."""
    return [open_layers(each, stimulus_ids) for each in _list(activations, "activations")]


def open_targets(recordings: Any, stimulus_ids: Sequence[str] | None) -> list[Recorded]:
    """One or several recordings, or one or several networks, not both."""
    found = [open_recorded(each, stimulus_ids) for each in _list(recordings, "recordings")]
    n_brains = sum(isinstance(each, Recordings | RecordedRDMs) for each in found)
    if 0 < n_brains < len(found):
        raise InputError(
            "recordings of brains and people, or other networks", got=f"{n_brains} of {len(found)} of the first kind",
            hint="a command for each",
        )  # fmt: skip
    return found


def _list(given: Any, name: str) -> list[Any]:
    several: list[Any] = list(cast(Any, given)) if isinstance(given, list | tuple) else [given]
    if not several:
        raise InputError(name, got="an empty list")
    return several


def name_recordings(recorded: Sequence[Recorded]) -> list[str]:
    """A name for each of several: their own, or where that is not enough with their number."""
    if not isinstance(recorded[0], Recordings | RecordedRDMs):
        return name_sources([each for each in recorded if not isinstance(each, Recordings | RecordedRDMs)])
    names = [each.name if isinstance(each, Recordings | RecordedRDMs) else "" for each in recorded]
    if len(names) == 1:
        return names
    if all(names) and len(set(names)) == len(names):
        return names
    return [f"{name or 'recordings'} ({place + 1})" for place, name in enumerate(names)]


def name_sources(sources: Sequence[Layers]) -> list[str]:
    """A name for each: the model, or where that is not enough the store."""
    models = [describe_model(each) for each in sources]
    stems = [
        each.path.stem if isinstance(each, Activations) else model for each, model in zip(sources, models, strict=True)
    ]
    folders = [
        f"{each.path.parent.name}/{stem}" if isinstance(each, Activations) else stem
        for each, stem in zip(sources, stems, strict=True)
    ]
    for names in (models, stems, folders):
        if len(set(names)) == len(names):
            return names
    return [f"{name} ({place + 1})" for place, name in enumerate(folders)]


@final
@dataclass(frozen=True, eq=False)
class JoinedSides:
    """Stimuli (or conditions) that all activations and all recordings have.

    Attributes
    ----------
    ids : list of list of str
        As each of the activations calls them.
    rows : list of (n_stimuli,), int
        Their places in each of the activations.
    rows_recorded : list of (n_stimuli,), int
        In each of the recordings.
    sentence : str
        How many joined.
    """

    ids: list[list[str]]
    rows: list[np.ndarray]
    rows_recorded: list[np.ndarray]
    sentence: str


def list_ids(sources: Sequence[Layers], labels: Sequence[Sequence[str] | None]) -> list[tuple[str, ...]]:
    """What each source is joined by: its stimuli, or where there are labels the conditions that these name."""
    return [
        source.stimulus_ids if own is None else tuple(dict.fromkeys(own))
        for source, own in zip(sources, labels, strict=True)
    ]


def tell_sides(joined: JoinedMany, own_ids: Sequence[Sequence[str]]) -> JoinedSides:
    """What all activations and all recordings have, of what was joined in this order.

    Parameters
    ----------
    joined : JoinedMany
    own_ids : sequence
        Of the activations, as :func:`list_ids`.

    Raises
    ------
    InputError
        Fewer than three in common.
    """
    n_sources, n_sides = len(own_ids), len(joined.rows)
    sentence = joined.sentences[n_sources - 1]
    if len(joined) < _FEWEST_STIMULI:
        got = sentence if n_sides == 2 else f"{len(joined)} in all of them"
        raise InputError(f"{_FEWEST_STIMULI} stimuli or more in common", got=got)
    if n_sides > 2 and not sentence.startswith(f"{len(joined):,} "):
        where = "all activations" if n_sides - n_sources == 1 else "all recordings" if n_sources == 1 else "all of both"
        sentence += f" {len(joined):,} of them are in {where}."
    rows, rows_recorded = joined.rows[:n_sources], joined.rows[n_sources:]
    own = [_name(ids, places) for ids, places in zip(own_ids, rows, strict=True)]
    return JoinedSides(own, rows, rows_recorded, sentence)


def _name(ids: Sequence[str], rows: np.ndarray) -> list[str]:
    places: list[int] = rows.tolist()
    return [ids[row] for row in places]


def leave_out_stimuli(
    sources: list[ComparedLayers], targets: Targets, ids: list[str]
) -> tuple[list[ComparedLayers], Targets, list[str], np.ndarray]:
    """Without stimuli that have no distance at some layer, unless that layer has hardly any: then it has no RDM."""
    n = len(ids)
    first, second = np.triu_indices(n, 1)
    lost = np.zeros(n, dtype=bool)
    for source in sources:
        for layer, rdm in zip(source.layers, source.rdms, strict=True):
            missing = ~np.isfinite(rdm)
            if not missing.any():
                continue
            pairs = np.bincount(first, missing, n) + np.bincount(second, missing, n)
            own = pairs >= n - 1
            if own.sum() > n / 2 or own.sum() == 0:
                targets.notes.append(
                    f"{layer} of {source.model} has no RDM: its activations hardly differ between stimuli."
                )
                rdm[:] = math.nan
            else:
                lost |= own
                targets.notes.append(
                    f"{int(own.sum())} of {format_count(n, 'stimulus')} have no "
                    f"distance from others at {layer} (no unit differs) and "
                    "are left out everywhere."
                )
    kept = np.flatnonzero(~lost)
    if len(kept) == n:
        return sources, targets, ids, kept
    pairs = ~lost[first] & ~lost[second]
    cut = [ComparedLayers(each.model, each.name, each.layers, each.rdms[:, pairs]) for each in sources]
    fewer = [replace(each, rdms=each.rdms[:, pairs]) for each in targets.found]
    return cut, Targets(fewer, targets.notes, targets.is_network), [ids[row] for row in kept], kept


def describe_source(source: Layers, name: str) -> dict[str, Any]:
    """What the settings keep of activations, beside their content."""
    told: dict[str, Any] = {"name": name, "model": describe_model(source), "n_stimuli": len(source.stimulus_ids)}
    if isinstance(source, Activations):
        settings: Any = source.attributes.get("settings") or {}
        told |= {"network": settings.get("network"), "pool": settings.get("pool")}
    return told


def describe_recorded(recorded: Any, name: str) -> dict[str, Any]:
    """The same of recordings."""
    if isinstance(recorded, Recordings | RecordedRDMs):
        return {"name": name, "kind": type(recorded).__name__, "n_stimuli": len(recorded.stimulus_ids)}
    return describe_source(recorded, name) | {"kind": "network"}
