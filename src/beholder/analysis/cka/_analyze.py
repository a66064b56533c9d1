"""``analyze cka``: every layer with every region, person, or layer of another network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED, make_generator
from beholder.activations import compute_gram
from beholder.analysis._join import identify_input, iter_layers, join_stimuli, open_layers, open_recorded
from beholder.analysis._result import Result, make_result
from beholder.analysis.cka._cka import align_kernel
from beholder.recordings import RecordedRDMs, Recordings

_FEWEST_STIMULI = 4
_Target = tuple[dict[str, Any], np.ndarray, np.ndarray]


@suggest_keywords
def analyze_cka(
    activations: Any,
    recordings: Any,
    *,
    layers: Sequence[str] | None = None,
    debiased: bool = True,
    by: Sequence[str] = ("region",),
    id_pattern: str | None = None,
    stimulus_ids: Sequence[str] | None = None,
    recorded_ids: Sequence[str] | None = None,
    n_permutations: int = 200,
    seed: int = DEFAULT_SEED,
) -> Result:
    """Linear CKA of every layer with every region and person, or with every layer of another network.

    Each layer of either side is read once. A kernel (n_stimuli², float64) is held for each layer of ``activations``.

    Parameters
    ----------
    activations : Activations, path, or mapping of str to array
        A store, or arrays (n_stimuli, *features) by layer with ``stimulus_ids``.
    recordings : Recordings, Activations, path, or mapping of str to array
        Responses of units, or another network's store.
    layers : sequence of str, optional
        Of the first side; default all.
    debiased : bool
        :func:`compute_cka`. Biased values are not comparable between layers of different width.
    by : sequence of str
        Columns of the recordings' table of units that tell targets apart; ``subject`` tells people apart.
    id_pattern : str, optional
        As for :func:`beholder.analysis.join_stimuli`.
    stimulus_ids, recorded_ids : sequence of str, optional
        Of arrays.
    n_permutations : int
        Orders of the stimuli drawn for p, that of the largest CKA over layers; 0 for no test.
    seed : int

    Returns
    -------
    Result
        Statistic ``cka`` for every layer, target and person.

    Raises
    ------
    InputError
        Nothing joins; fewer than four stimuli; RDMs, which have no features.

    Notes
    -----
    Source: Kornblith et al. (2019), Similarity of neural network representations revisited, ICML.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> ids = [f"s{i}" for i in range(12)]
    >>> one, two = {"a": rng.normal(size=(12, 9))}, {"b": rng.normal(size=(12, 7)), "c": rng.normal(size=(12, 7))}
    >>> found = analyze_cka(one, two | one, stimulus_ids=ids, recorded_ids=ids, n_permutations=19)
    >>> found.table[["layer", "target"]].to_numpy().tolist(), round(float(found.table["estimate"].iloc[2]), 6)
    ([['a', 'b'], ['a', 'c'], ['a', 'a']], 1.0)
    """
    ours = open_layers(activations, stimulus_ids)
    recorded = open_recorded(recordings, recorded_ids)
    if isinstance(recorded, RecordedRDMs):
        raise InputError("responses of units, or another network's store", got="RDMs", hint="`beholder analyze rsa`")
    is_network = not isinstance(recorded, Recordings)
    joined = join_stimuli(
        ours.stimulus_ids, recorded.stimulus_ids, id_pattern,
        names=("the activations", "the other network" if is_network else "the recordings"),
    )  # fmt: skip
    if len(joined) < _FEWEST_STIMULI:
        raise InputError(f"{_FEWEST_STIMULI} stimuli in common or more", got=joined.sentence)
    notes: list[str] = []
    grams = {name: compute_gram(values) for name, values in iter_layers(ours, joined.rows_a, joined.ids, layers)}
    targets = (
        _iter_regions(recorded, joined.rows_b, by, notes)
        if isinstance(recorded, Recordings)
        else (
            ({"target": name}, np.arange(len(joined)), compute_gram(values))
            for name, values in iter_layers(recorded, joined.rows_b, joined.ids)
        )
    )
    rows: list[dict[str, Any]] = []
    generator = make_generator(seed, "cka permutations")
    for words, stimuli, gram in targets:
        own = np.stack([align_kernel(each[np.ix_(stimuli, stimuli)], debiased) for each in grams.values()])
        other = align_kernel(gram, debiased)
        found = own @ other
        p = _test(own, gram, found, debiased, n_permutations, generator)
        for row, layer in enumerate(grams):
            rows.append(
                {
                    "model": ours.model, "layer": layer, **words, "statistic": "cka",
                    "method": "debiased" if debiased else "biased", "estimate": float(found[row]), "p": float(p[row]),
                    "n": len(stimuli), "seed": seed,
                }
            )  # fmt: skip
    undefined = sum(1 for row in rows if np.isnan(row["estimate"]))
    if undefined:
        notes.append(f"{undefined} of {len(rows)} values are not defined: one side does not vary.")
    if not debiased:
        notes.append("Biased CKA rises with the number of features and falls with that of stimuli: .96 between noise.")
    settings = {
        "model": ours.model, "other": "" if isinstance(recorded, Recordings) else recorded.model,
        "is_network": is_network, "layers": list(grams), "debiased": debiased, "by": list(by),
        "id_pattern": id_pattern, "n_stimuli": len(joined), "joined": joined.sentence,
        "n_permutations": n_permutations, "seed": seed, "inputs": [identify_input(ours), identify_input(recorded)],
    }  # fmt: skip
    return make_result("cka", rows, settings, warnings=notes)


def _iter_regions(recorded: Recordings, rows: np.ndarray, by: Sequence[str], notes: list[str]) -> Iterator[_Target]:
    """Words, stimuli and kernel of each region, person and time."""
    for labels, part in recorded.split_by([*by, "subject"]):
        name = " ".join(str(labels[column]) for column in by if str(labels[column])) or "recordings"
        subject = str(labels["subject"])
        means = part.average()[rows]
        series = means[..., None] if means.ndim == 2 else means
        for moment in range(series.shape[2]):
            time = None if part.times is None else float(part.times[moment])
            label = name if time is None else f"{name} {1000 * time:g} ms"
            values = series[..., moment]
            there = np.flatnonzero(np.isfinite(values).any(axis=1))
            kept = np.asarray(np.isfinite(values[there]).all(axis=0))
            who = f"{subject + ', ' if subject else ''}{label}"
            if not kept.all():
                notes.append(f"{who}: {int((~kept).sum())} of {len(kept)} units lack some stimuli and are left out.")
            if len(there) < len(rows):
                notes.append(f"{who}: {len(rows) - len(there)} of {len(rows)} stimuli have no data.")
            if len(there) < _FEWEST_STIMULI or not kept.any():
                raise InputError(
                    f"units with {_FEWEST_STIMULI} stimuli or more in {who}",
                    got=f"{int(kept.sum())} units, {len(there)} stimuli",
                )
            words = {"target": label, "subject": subject} | ({} if time is None else {"time": time})
            yield words, there, compute_gram(values[there][:, kept])


def _test(
    own: np.ndarray, gram: np.ndarray, found: np.ndarray, debiased: bool, n_permutations: int, generator: Any
) -> np.ndarray:
    """P of each layer against the largest CKA of any layer with stimuli permuted, one-sided."""
    if not n_permutations or np.isnan(found).all():
        return np.full(len(found), np.nan)
    reached = np.zeros(len(found))
    for _ in range(n_permutations):
        order = generator.permutation(len(gram))
        largest = np.nanmax(own @ align_kernel(gram[np.ix_(order, order)], debiased))
        reached += largest >= found - 1e-12
    return np.where(np.isnan(found), np.nan, (1 + reached) / (1 + n_permutations))
