"""``analyze rsa``: layers × people × regions in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from beholder._core.errors import UnknownNameError, suggest_keywords
from beholder._core.progress import tell
from beholder._core.seeds import DEFAULT_SEED
from beholder._core.wording import format_count
from beholder.activations import Activations
from beholder.analysis._inputs import identify_inputs, number_inputs
from beholder.analysis._join import ArrayLayers, join_many
from beholder.analysis._result import Result, make_result
from beholder.analysis.distances._registry import DISTANCES
from beholder.analysis.rsa._compare import ComparedLayers, Comparison, compare_target
from beholder.analysis.rsa._layers import (
    REPLICATES,
    Replicates,
    check_same_stimuli,
    compute_rdms,
    describe_model,
    list_layers,
    read_conditions,
)
from beholder.analysis.rsa._pictures import collect_arrays
from beholder.analysis.rsa._recordings import compare_recordings
from beholder.analysis.rsa._sides import (
    describe_recorded,
    describe_source,
    leave_out_stimuli,
    list_ids,
    name_recordings,
    name_sources,
    open_sources,
    open_targets,
    tell_sides,
)
from beholder.analysis.rsa._targets import Targets, join_targets, make_targets
from beholder.analysis.rsa._tests import draw_all
from beholder.analysis.rsa._times import gather_moments, list_time_clusters
from beholder.jobs import long_work
from beholder.statistics import JACKKNIFED, check_rdm_method, pool_rdms

_FEW_STIMULI = 24
_OVER = ("stimuli", "subjects", "both")


@suggest_keywords
@long_work
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
    out_path: Path | str | None = None,
    overwrite: bool = False,
    cluster: str | None = None,
    mixed: bool = False,
    dry_run: bool = False,
) -> Result:
    """Compare the RDMs of a network's layers with those of brain regions, of people, or of another network's layers.

    Parameters
    ----------
    activations : Activations, path, mapping of str to array, or a list of these
        A store (what :func:`beholder.extract` gave), or arrays (n_stimuli, *features) by layer with ``stimulus_ids``.
        Several stores are networks or conditions whose differences are told, each with an interval.
    recordings : Recordings, RecordedRDMs, Activations, path, mapping of str to array, or a list of these
        Stimuli × units × repeats, RDMs, or another network's store, each of whose layers is a target. Several are
        regions or conditions; those of one name, such as IT before and after, are told apart with an interval.
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
    out_path : path, optional
        With ``cluster``: what was drawn is kept here, in ``rsa.parts/``, and interrupted work is continued.
    overwrite : bool
        Replace what was drawn with other settings.
    cluster, mixed, dry_run
        As for :func:`beholder.extract`: draws of stimuli and their shuffles are shared among workers, the same for any
        number of them.

    Returns
    -------
    Result
        Statistics, each for every layer and target: ``comparison`` (one person), ``mean over subjects``,
        ``averaged RDM`` (people's RDMs pooled first), ``mean of depth bin``; for every target ``ceiling lower``,
        ``ceiling upper``, ``ceiling chance``, ``nearest layer`` (chosen on other people or stimuli than those that
        give its estimate); ``difference`` of two layers, or of two networks or conditions; ``difference of
        recordings``; ``cluster over time`` of recordings with times (:func:`find_time_clusters`).

    Raises
    ------
    InputError
        Nothing joins; fewer than three stimuli; settings that do not fit the data.

    Notes
    -----
    Sources: Kriegeskorte, Mur and Bandettini, 2008; Nili et al., 2014; Schütt et al., 2023.

    Examples
    --------
    >>> from beholder.recordings import Recordings
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
    sources, recorded = open_sources(activations, stimulus_ids), open_targets(recordings, recorded_ids)
    inputs = identify_inputs(**number_inputs("activations", sources), **number_inputs("recordings", recorded))
    names, recorded_names = name_sources(sources), name_recordings(recorded)
    chosen = [list_layers(each, layers) for each in sources]
    labels = [read_conditions(each, conditions) if conditions else None for each in sources]
    own_ids, sides = list_ids(sources, labels), ["the activations"] * len(sources) + ["the recordings"] * len(recorded)
    all_ids = [*own_ids, *(each.stimulus_ids for each in recorded)]
    joined = tell_sides(join_many(all_ids, id_pattern, names=sides), own_ids)
    parts: list[Targets] = []
    for other, rows in zip(recorded, joined.rows_recorded, strict=True):
        for source, own_rows in zip(sources, joined.rows, strict=True):
            if isinstance(other, Activations | ArrayLayers) and not conditions:
                check_same_stimuli(source, other, own_rows, rows)
        parts.append(make_targets(other, rows, joined.ids[0], by=list(by), distance=recorded_distance or distance))
    targets = join_targets(parts, recorded_names)
    tell("%s %d layers, %d targets", joined.sentence, sum(map(len, chosen)), len(targets.found))
    found: list[ComparedLayers] = []
    for place, (source, own) in enumerate(zip(sources, chosen, strict=True)):
        rdms = compute_rdms(
            source, joined.rows[place], joined.ids[place], layers=own, distance=distance, replicates=replicates,
            labels=labels[place],
        )  # fmt: skip
        found.append(ComparedLayers(describe_model(source), names[place] if len(sources) > 1 else "", own, rdms))
    found, targets, ids, kept = leave_out_stimuli(found, targets, joined.ids[0])
    notes = [*targets.notes]
    if over != "subjects" and n_draws and len(ids) < _FEW_STIMULI and method not in JACKKNIFED:
        notes.append(
            f"{format_count(len(ids), 'stimulus')}: with fewer than {_FEW_STIMULI}, "
            f"intervals over stimuli by {method} are wider "
            "than need be, those of differences most (at 10 to 20 they held 97 to 100 % of true ones), and p of "
            "differences are too large. Pearson's are not."
        )
    settings: dict[str, Any] = {
        "activations": [describe_source(each, name) for each, name in zip(sources, names, strict=True)],
        "recordings": [describe_recorded(each, name) for each, name in zip(recorded, recorded_names, strict=True)],
        "layers": list(layers) if layers is not None else None,
        "method": method, "distance": distance, "recorded_distance": recorded_distance or distance,
        "by": list(by), "conditions": conditions, "replicates": replicates, "id_pattern": id_pattern,
        "depth_bins": depth_bins, "over": over, "n_draws": n_draws, "n_permutations": n_permutations, "seed": seed,
        "n_stimuli": len(ids), "joined": joined.sentence, "inputs": inputs,
    }  # fmt: skip
    rows_of_table = _compare_all(
        found, targets, method=method, over=over, n_draws=n_draws, n_permutations=n_permutations, seed=seed,
        depth_bins=depth_bins, notes=notes, out_path=out_path, overwrite=overwrite,
        settings={name: value for name, value in settings.items() if name != "depth_bins"},
    )  # fmt: skip
    arrays = collect_arrays(
        found, targets, rows_of_table, ids, sources[0], joined.rows[0][kept], method, by_label=not conditions
    )
    return make_result("rsa", rows_of_table, settings, warnings=notes, arrays=arrays)


def _check_names(distance: str, recorded_distance: str | None, replicates: str, over: str) -> None:
    for name in (distance, recorded_distance or distance):
        if name not in DISTANCES:
            raise UnknownNameError("distance", name, DISTANCES.names())
    if replicates not in REPLICATES:
        raise UnknownNameError("way to take replicates", replicates, REPLICATES)
    if over not in _OVER:
        raise UnknownNameError("what to draw", over, _OVER)


def _compare_all(
    sources: Sequence[ComparedLayers], targets: Targets, *, method: str, over: str, n_draws: int, n_permutations: int,
    seed: int, depth_bins: int | None, notes: list[str], settings: Mapping[str, Any], out_path: Path | str | None,
    overwrite: bool,
) -> list[dict[str, Any]]:  # fmt: skip
    """Rows of the table. All people of all targets, and their pooled RDMs, go through one bootstrap."""
    pooled = np.stack([pool_rdms(target.rdms, method) for target in targets.found])
    drawn_over: Any = "subjects" if over == "subjects" and all(len(t.subjects) > 1 for t in targets.found) else "both"
    drawn = draw_all(
        [source.rdms for source in sources], [target.rdms for target in targets.found], pooled, method=method,
        over=drawn_over, n_draws=n_draws, n_permutations=n_permutations, seed=seed, settings=settings,
        out_path=out_path, overwrite=overwrite,
    )  # fmt: skip
    boot, n_people = drawn.boot, drawn.boot.n_subjects - len(pooled)
    rows: list[dict[str, Any]] = []
    columns: list[range] = []
    start = 0
    for place, target in enumerate(targets.found):
        own = range(start, start + len(target.subjects))
        columns.append(own)
        start += len(target.subjects)
        one: Any = over if len(own) > 1 else "stimuli"
        comparison = Comparison(
            sources, target, place, drawn, boot.select(own, one), boot.select([n_people + place], "stimuli"),
            method, n_permutations, seed,
        )  # fmt: skip
        rows += compare_target(comparison, depth_bins, differences=not targets.is_network, notes=notes)
    rows += compare_recordings(sources, targets.found, columns, boot, method, over, notes)
    rows += list_time_clusters(rows, notes, seed)
    notes[:] = gather_moments(notes, targets.found)
    return rows
