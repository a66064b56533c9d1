"""``analyze rsa``: layers × people × regions in one call."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED
from beholder.activations import Activations
from beholder.analysis._join import ArrayLayers, Joined, identify_input, join_stimuli, open_layers, open_recorded
from beholder.analysis._result import Result, make_result
from beholder.analysis.distances._registry import DISTANCES
from beholder.analysis.rsa._compare import ComparedLayers, Comparison, compare_target
from beholder.analysis.rsa._layers import (
    REPLICATES,
    Layers,
    Replicates,
    check_same_stimuli,
    compute_rdms,
    describe_model,
    list_layers,
    read_conditions,
)
from beholder.analysis.rsa._pictures import collect_arrays
from beholder.analysis.rsa._targets import RsaTarget, Targets, make_targets
from beholder.recordings import RecordedRDMs, Recordings
from beholder.statistics import RsaBootstrap, bootstrap_rsa, check_rdm_method, pool_rdms

logger = logging.getLogger("beholder")

_FEWEST_STIMULI = 3
_OVER = ("stimuli", "subjects", "both")


@suggest_keywords
def analyze_rsa(
    activations: Any,
    recordings: Any,
    *,
    layers: Sequence[str] | None = None,
    method: str = "spearman",
    distance: str = "correlation",
    recorded_distance: str | None = None,
    by: Sequence[str] = ("region",),
    conditions: str | None = None,
    replicates: Replicates = "average",
    id_pattern: str | None = None,
    stimulus_ids: Sequence[str] | None = None,
    recorded_ids: Sequence[str] | None = None,
    depth_bins: int | None = None,
    over: str = "both",
    n_draws: int = 1000,
    n_permutations: int = 1000,
    seed: int = DEFAULT_SEED,
) -> Result:
    """Compare the RDMs of a network's layers with those of brain regions, of people, or of another network's layers.

    Parameters
    ----------
    activations : Activations, path, mapping of str to array, or a list of these
        A store (what :func:`beholder.extract` gave), or arrays (n_stimuli, *features) by layer with ``stimulus_ids``.
        Several stores are networks or conditions whose differences are told, each with an interval.
    recordings : Recordings, RecordedRDMs, Activations, path, or mapping of str to array
        Stimuli × units × repeats, RDMs, or another network's store, each of whose layers is a target.
    layers : sequence of str, optional
        Default all of the store.
    method : str
        How RDMs are compared: a name of :data:`beholder.analysis.RDM_METHODS`.
    distance, recorded_distance : str
        How stimuli are: a name of :data:`beholder.analysis.DISTANCES`, of layers and of recordings (default the same).
    by : sequence of str
        Columns of the recordings' table of units that tell targets apart. ``subject`` tells people apart.
    conditions : str, optional
        A column of the stores' stimuli (``label`` is the folder of each picture): RDMs are of conditions, between mean
        activations; the recordings' ids are the conditions' names.
    replicates : {"average", "cross"}
        Distances between means over exposures, or between unlike exposures.
    id_pattern : str, optional
        As for :func:`~beholder.analysis.join_stimuli`.
    stimulus_ids, recorded_ids : sequence of str, optional
        Of arrays.
    depth_bins : int, optional
        Also means over layers in so many bins of relative depth, which compare networks of unlike depth.
    over : {"both", "stimuli", "subjects"}
        What intervals generalise to: other stimuli and people, or one of them. Of one person: stimuli.
    n_draws, n_permutations, seed : int

    Returns
    -------
    Result
        Statistics, each for every layer and target: ``comparison`` (one person), ``mean over subjects``,
        ``averaged RDM`` (people's RDMs pooled first), ``mean of depth bin``; for every target ``ceiling lower``,
        ``ceiling upper``, ``ceiling chance``, ``nearest layer`` (chosen on other people or stimuli than those that
        give its estimate); ``difference`` of two layers, or of two networks or conditions.

    Raises
    ------
    InputError
        Nothing joins; fewer than three stimuli; settings that do not fit the data.

    Notes
    -----
    ComparedLayers: Kriegeskorte, Mur and Bandettini, 2008; Nili et al., 2014; Schütt et al., 2023.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> ids = [f"stimulus_{i}" for i in range(12)]
    >>> features = rng.normal(size=(12, 20))
    >>> brain = Recordings(features + rng.normal(size=(12, 20)), ids, {"region": ["IT"] * 20})
    >>> layers = {"conv1": rng.normal(size=(12, 20)), "conv2": features}
    >>> found = analyze_rsa(layers, brain, stimulus_ids=ids, n_draws=50)
    >>> found.table.query("statistic == 'nearest layer'")["layer"].tolist()
    ['conv2']
    """
    check_rdm_method(method)
    _check_names(distance, recorded_distance, replicates, over)
    sources = _open_sources(activations, stimulus_ids)
    recorded = open_recorded(recordings, recorded_ids)
    chosen = [list_layers(each, layers) for each in sources]
    labels = [read_conditions(each, conditions) if conditions else None for each in sources]
    ids, rows, rows_recorded, joined = _join(sources, labels, recorded, id_pattern)
    for each, own in zip(sources, rows, strict=True):
        if isinstance(recorded, Activations | ArrayLayers) and not conditions:
            check_same_stimuli(each, recorded, own, rows_recorded)
    targets = make_targets(recorded, rows_recorded, ids, by=list(by), distance=recorded_distance or distance)
    logger.info("%s %d layers, %d targets", joined, sum(map(len, chosen)), len(targets.found))
    names = _name_sources(sources)
    found: list[ComparedLayers] = []
    for name, source, own, own_rows, own_labels in zip(names, sources, chosen, rows, labels, strict=True):
        rdms = compute_rdms(
            source, own_rows, ids, layers=own, distance=distance, replicates=replicates, labels=own_labels
        )
        found.append(ComparedLayers(describe_model(source), name if len(sources) > 1 else "", own, rdms))
    found, targets, ids, kept = _leave_out_stimuli(found, targets, ids)
    notes = [*targets.notes]
    rows_of_table, arrays = _compare_all(
        found, targets, method=method, over=over, n_draws=n_draws, n_permutations=n_permutations, seed=seed,
        depth_bins=depth_bins, notes=notes,
    )  # fmt: skip
    arrays |= collect_arrays(
        found, targets, rows_of_table, ids, sources[0], rows[0][kept], method, by_label=not conditions
    )
    settings: dict[str, Any] = {
        "activations": [_describe_source(each, name) for each, name in zip(sources, names, strict=True)],
        "recordings": _describe_recorded(recorded), "layers": list(layers) if layers is not None else None,
        "method": method, "distance": distance, "recorded_distance": recorded_distance or distance,
        "by": list(by), "conditions": conditions, "replicates": replicates, "id_pattern": id_pattern,
        "depth_bins": depth_bins, "over": over, "n_draws": n_draws, "n_permutations": n_permutations, "seed": seed,
        "n_stimuli": len(ids), "joined": joined,
    }  # fmt: skip
    return make_result("rsa", rows_of_table, settings, warnings=notes, arrays=arrays)


def _check_names(distance: str, recorded_distance: str | None, replicates: str, over: str) -> None:
    for name in (distance, recorded_distance or distance):
        if name not in DISTANCES:
            raise UnknownNameError("distance", name, DISTANCES.names())
    if replicates not in REPLICATES:
        raise UnknownNameError("way to take replicates", replicates, REPLICATES)
    if over not in _OVER:
        raise UnknownNameError("what to draw", over, _OVER)


def _open_sources(activations: Any, stimulus_ids: Sequence[str] | None) -> list[Layers]:
    several: list[Any] = list(cast(Any, activations)) if isinstance(activations, list | tuple) else [activations]
    if not several:
        raise InputError("activations", got="an empty list")
    return [open_layers(each, stimulus_ids) for each in several]


def _name_sources(sources: Sequence[Layers]) -> list[str]:
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


def _join(
    sources: Sequence[Layers], labels: Sequence[Sequence[str] | None], recorded: Any, id_pattern: str | None
) -> tuple[list[str], list[np.ndarray], np.ndarray, str]:
    """Ids that all have, the rows of each source, the rows of the recordings, and how many joined."""
    names = ("the activations", "the recordings")
    joins: list[tuple[tuple[str, ...], Joined]] = []
    for source, own in zip(sources, labels, strict=True):
        ids = source.stimulus_ids if own is None else tuple(dict.fromkeys(own))
        joins.append((ids, join_stimuli(ids, recorded.stimulus_ids, id_pattern, names=names)))
    shared = set(joins[0][1].ids).intersection(*(join.ids for _, join in joins))
    common = [key for key in joins[0][1].ids if key in shared]
    if len(common) < _FEWEST_STIMULI:
        raise InputError(f"{_FEWEST_STIMULI} stimuli or more in common", got=joins[0][1].sentence)
    rows, plain = list[np.ndarray](), list[str]()
    for ids, join in joins:
        place = {key: (a, b) for key, a, b in zip(join.ids, join.rows_a, join.rows_b, strict=True)}
        places: list[int] = [int(place[key][0]) for key in common]
        rows.append(np.array(places, dtype=np.int64))
        plain = plain or [ids[row] for row in places]
    first = dict(zip(joins[0][1].ids, joins[0][1].rows_b, strict=True))
    sentence = joins[0][1].sentence
    if len(common) != len(joins[0][1]):
        sentence += f" {len(common):,} of them are in all activations."
    return plain, rows, np.array([first[key] for key in common], dtype=np.int64), sentence


def _leave_out_stimuli(
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
                    f"{int(own.sum())} of {n} stimuli have no distance from others at {layer} (no unit differs) and "
                    "are left out everywhere."
                )
    kept = np.flatnonzero(~lost)
    if len(kept) == n:
        return sources, targets, ids, kept
    pairs = ~lost[first] & ~lost[second]
    cut = [ComparedLayers(each.model, each.name, each.layers, each.rdms[:, pairs]) for each in sources]
    fewer = [RsaTarget(each.name, each.subjects, each.rdms[:, pairs], each.time) for each in targets.found]
    return cut, Targets(fewer, targets.notes, targets.is_network), [ids[row] for row in kept], kept


def _compare_all(
    sources: Sequence[ComparedLayers], targets: Targets, *, method: str, over: str, n_draws: int, n_permutations: int,
    seed: int, depth_bins: int | None, notes: list[str],
) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:  # fmt: skip
    """Rows of the table. All people of all targets, and their pooled RDMs, go through one bootstrap."""
    models = np.concatenate([source.rdms for source in sources])
    pooled = np.stack([pool_rdms(target.rdms, method) for target in targets.found])
    people = np.concatenate([target.rdms for target in targets.found])
    drawn_over: Any = "subjects" if over == "subjects" and all(len(t.subjects) > 1 for t in targets.found) else "both"
    everyone = np.concatenate([people, pooled])
    boot: RsaBootstrap = bootstrap_rsa(models, everyone, method, over=drawn_over, n_draws=n_draws, seed=seed)
    rows: list[dict[str, Any]] = []
    start = 0
    for place, target in enumerate(targets.found):
        own = range(start, start + len(target.subjects))
        start += len(target.subjects)
        one: Any = over if len(own) > 1 else "stimuli"
        comparison = Comparison(
            sources, target, pooled[place], boot.select(own, one), boot.select([len(people) + place], "stimuli"),
            method, n_permutations, seed,
        )  # fmt: skip
        rows += compare_target(comparison, depth_bins, differences=not targets.is_network, notes=notes)
    return rows, {}


def _describe_source(source: Layers, name: str) -> dict[str, Any]:
    told: dict[str, Any] = {"name": name, "model": describe_model(source), "n_stimuli": len(source.stimulus_ids)}
    told["content"] = identify_input(source)
    if isinstance(source, Activations):
        settings: Any = source.attributes.get("settings") or {}
        told |= {"network": settings.get("network"), "pool": settings.get("pool")}
    return told


def _describe_recorded(recorded: Any) -> dict[str, Any]:
    if isinstance(recorded, Recordings | RecordedRDMs):
        content = identify_input(recorded)
        n_stimuli = len(recorded.stimulus_ids)
        return {"name": recorded.name, "kind": type(recorded).__name__, "n_stimuli": n_stimuli, "content": content}
    return _describe_source(recorded, "") | {"kind": "network"}
