"""``analyze combine``: what several layers, networks or models explain of a region together, and what each alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.progress import show_progress
from beholder._core.seeds import DEFAULT_SEED
from beholder._core.wording import format_count
from beholder.analysis._inputs import identify_inputs, number_inputs
from beholder.analysis._join import Layers, iter_layers, join_many, open_layers, open_recorded
from beholder.analysis._result import Result, make_result
from beholder.analysis.combinations._combine import check_score
from beholder.analysis.combinations._fits import Fits
from beholder.analysis.combinations._rows import describe_target
from beholder.analysis.distances._registry import DISTANCES, Distance
from beholder.recordings import RecordedRDMs, Recordings

_LEAST_STIMULI = 8


@suggest_keywords
def analyze_combine(
    activations: Any,
    recordings: Any,
    *,
    layers: Sequence[str] | None = None,
    models: Any = None,
    method: str = "spearman",
    distance: str = "correlation",
    recorded_distance: str | None = None,
    by: Sequence[str] = ("region",),
    id_pattern: str | None = None,
    stimulus_ids: Sequence[str] | None = None,
    n_folds: int = 2,
    n_repeats: int = 20,
    n_permutations: int = 200,
    seed: int = DEFAULT_SEED,
) -> Result:
    """Predict the RDM of each region by several RDMs together: weighted, unweighted, each alone, and what they share.

    Each layer of ``activations`` is a model, or, of several stores, each store with all its layers; so is each RDM (or
    region) of ``models``, such as of categories or of pixels.

    Parameters
    ----------
    activations : Activations, path, mapping of str to array, or a list of these
    recordings : Recordings, RecordedRDMs or path
        With times: select one beforehand.
    layers : sequence of str, optional
        Default all.
    models : RecordedRDMs, path, or a list of these, optional
        Further models, joined by id.
    method : {"spearman", "pearson"}
        How predictions are scored, and whether proportions of variance are of ranks.
    distance, recorded_distance : str
        A name of :data:`beholder.analysis.DISTANCES`, of layers and of recordings (default the same).
    by : sequence of str
        Columns of the recordings that tell targets apart; ``subject`` tells people apart.
    id_pattern : str, optional
        As for :func:`beholder.analysis.join_stimuli`.
    stimulus_ids : sequence of str, optional
        Of arrays.
    n_folds, n_repeats, seed
        As for :func:`combine_rdms`.
    n_permutations : int
        Orders of the stimuli drawn for p, weights fitted anew in each; 0 for no test.

    Returns
    -------
    Result
        For every target and person, and over several people (``subject`` empty, with an interval over people from three
        on): ``weighted sum``, ``unweighted sum``, ``single model`` and ``best single model`` (chosen on the training
        stimuli), all scored on stimuli that nothing was fitted to; ``gain`` of the weighted sum over the latter;
        ``weight``, of all stimuli; of two or three models ``variance alone`` (R² of a model), ``variance shared`` (of
        these models and no others; of one: its own) and ``variance total``.

    Raises
    ------
    InputError
        Fewer than two models; too few stimuli for the folds; recordings with times.

    Notes
    -----
    Sources: Khaligh-Razavi and Kriegeskorte (2014), PLoS Comput. Biol. 10; Groen et al. (2018), eLife 7.

    Examples
    --------
    >>> from beholder.recordings import Recordings
    >>> rng = np.random.default_rng(0)
    >>> ids = [f"s{i}" for i in range(16)]
    >>> early, late = rng.normal(size=(2, 16, 8))
    >>> brain = Recordings(np.hstack([early, late]), ids, {"region": ["IT"] * 16})
    >>> found = analyze_combine({"early": early, "late": late}, brain, stimulus_ids=ids, n_permutations=19)
    >>> table = found.table.set_index(["statistic", "layer"])["estimate"]
    >>> bool(table["weighted sum", "early + late"] > table["single model", "late"])
    True
    """
    check_score(method)
    own, recorded = DISTANCES[distance], DISTANCES[recorded_distance or distance]
    sources = [open_layers(each, stimulus_ids) for each in _list(activations)]
    target = open_recorded(recordings)
    if not isinstance(target, Recordings | RecordedRDMs):
        raise InputError("recordings or RDMs", got="another network", hint="its layers as models")
    if isinstance(target, Recordings) and target.times is not None:
        raise InputError("recordings without a time axis, or of one time", got=f"{len(target.times)} times")
    others = [_open_rdms(each) for each in _list(models)]
    inputs = identify_inputs(
        **number_inputs("activations", sources), recordings=target, **number_inputs("models", others)
    )
    sides = [*sources, target, *others]
    names = ["the activations"] * len(sources) + ["the recordings"] + ["the models"] * len(others)
    joined = join_many([side.stimulus_ids for side in sides], id_pattern, names=names)
    ids, rows, sentence = joined.ids, joined.rows, joined.sentences[len(sources) - 1]
    if len(ids) < _LEAST_STIMULI:
        raise InputError(f"{_LEAST_STIMULI} stimuli in common or more", got=sentence)
    notes: list[str] = []
    groups = _make_models(sources, rows[: len(sources)], ids, layers, own)
    for other, places in zip(others, rows[len(sources) + 1 :], strict=True):
        groups |= _name_rdms(_take(other, places), groups)
    if len(groups) < 2:
        raise InputError(
            "two models or more", got=f"{len(groups)}: {', '.join(groups)}", hint="more --layers, or --models"
        )
    targets = list(_iter_targets(target, rows[len(sources)], by, recorded, notes))
    fits = Fits(groups, len(ids), method, n_folds, n_repeats, seed)
    table: list[dict[str, Any]] = []
    with show_progress("combine", len(targets), "RDMs", tells_end=False) as advance:
        for name in dict.fromkeys(name for name, _, _ in targets):
            people = [(subject, rdm) for found, subject, rdm in targets if found == name]
            table += describe_target(fits, name, people, n_permutations, seed, notes, advance)
    shared = {
        "model": " + ".join(dict.fromkeys(str(source.model) for source in sources)),
        "method": method,
        "seed": seed,
    }
    settings = {
        "model": shared["model"], "models": list(groups), "n_rdms": {name: len(each) for name, each in groups.items()},
        "layers": None if layers is None else list(layers), "method": method, "distance": distance,
        "recorded_distance": recorded_distance or distance, "by": list(by), "id_pattern": id_pattern,
        "n_folds": n_folds, "n_repeats": n_repeats, "n_permutations": n_permutations, "n_stimuli": len(ids),
        "joined": sentence, "seed": seed, "inputs": inputs,
    }  # fmt: skip
    return make_result("combine", [shared | row for row in table], settings, warnings=notes)


def _list(given: Any) -> list[Any]:
    if given is None:
        return []
    return list(cast(Any, given)) if isinstance(given, list | tuple) else [given]


def _open_rdms(given: Any) -> RecordedRDMs:
    found = open_recorded(given)
    if not isinstance(found, RecordedRDMs):
        raise InputError("RDMs as models", got=repr(found)[:80], hint="activations, for layers of a network")
    return found


def _take(rdms: RecordedRDMs, rows: np.ndarray) -> RecordedRDMs:
    places: list[int] = rows.tolist()
    return rdms.select(stimulus_ids=[rdms.stimulus_ids[row] for row in places])


def _make_models(
    sources: Sequence[Layers], rows: Sequence[np.ndarray], ids: Sequence[str], layers: Sequence[str] | None,
    distance: Distance,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Name to RDMs: of one store each layer, of several each store with all its layers."""
    found: dict[str, np.ndarray] = {}
    for number, (source, places) in enumerate(zip(sources, rows, strict=True)):
        wanted = None if layers is None else [name for name in source.layers if name in layers]
        rdms = {
            name: distance.compute(values)
            for name, values in iter_layers(source, places, ids, wanted if wanted or len(sources) > 1 else layers)
        }
        flat = [name for name, rdm in rdms.items() if not np.isfinite(rdm).any() or np.nanmin(rdm) == np.nanmax(rdm)]
        if flat or not rdms:
            raise InputError(
                "layers whose RDMs vary", got=f"{len(flat)} that do not, {flat[0]} first" if flat else "none"
            )
        if len(sources) == 1:
            return {name: rdm[None] for name, rdm in rdms.items()}
        name = str(source.model) or "network"
        found[name if name not in found else f"{name} ({number + 1})"] = np.stack(list(rdms.values()))
    return found


def _name_rdms(rdms: RecordedRDMs, taken: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Each RDM as a model, called by its region, or by the file."""
    table: Any = rdms.table
    found: dict[str, np.ndarray] = {}
    for number, values in enumerate(rdms.values):
        words = [str(table[column].iloc[number]) for column in ("region", "subject")]
        name = " ".join(word for word in words if word) or (rdms.name or "model")
        while name in taken or name in found:
            name += " (2)"
        found[name] = np.asarray(values, dtype=np.float64)[None]
    return found


def _iter_targets(
    recorded: Recordings | RecordedRDMs, rows: np.ndarray, by: Sequence[str], distance: Distance, notes: list[str]
) -> Iterator[tuple[str, str, np.ndarray]]:
    """Name, person and RDM of each target."""
    chosen = _take(recorded, rows) if isinstance(recorded, RecordedRDMs) else recorded
    for labels, part in chosen.split_by([*by, "subject"]):
        name, subject = (
            " ".join(str(labels[each]) for each in by if str(labels[each])) or "recordings",
            labels["subject"],
        )
        if isinstance(part, RecordedRDMs):
            if len(part.values) > 1:
                raise InputError("one RDM a target and person", got=f"{len(part.values)} of {name}", hint="--by")
            yield name, subject, np.asarray(part.values[0], dtype=np.float64)
            continue
        values = part.values[rows]
        whole: Any = np.isfinite(values).any(axis=2).all(axis=0)
        if not whole.all():
            notes.append(
                f"{subject} {name}: {int((~whole).sum())} of "
                f"{format_count(len(whole), 'unit')} lack some stimuli.".strip()
            )
        if not whole.any():
            raise InputError(f"units of {name} with all {format_count(len(rows), 'stimulus')}", got="none")
        folds = None if part.runs is None else part.runs[rows]
        yield name, subject, distance.compute(values[:, whole].transpose(0, 2, 1), folds=folds)
