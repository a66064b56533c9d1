"""``analyze cka``: every layer with every region, person, or layer of another network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED
from beholder._core.wording import format_count
from beholder.analysis._inputs import identify_inputs
from beholder.analysis._join import iter_layers, join_stimuli, open_layers, open_recorded
from beholder.analysis._result import Result, make_result
from beholder.analysis.cka._compare import CkaTarget, compare_kernels
from beholder.recordings import RecordedRDMs, Recordings

_FEWEST_STIMULI = 4


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

    Each layer of either side is read once where their kernels (n_stimuli², float64) fit in 1 GB together; else layers
    are read a few times, and tiles of kernels are computed from groups of stimuli: 50,000 stimuli need no more memory.

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
        Orders of the stimuli drawn for p, that of the largest CKA over layers; 0 for no test. Above 2,000 stimuli, of
        as many drawn ones.
    seed : int

    Returns
    -------
    Result
        Statistic ``cka`` for every layer, target and person, with the interval over stimuli (jackknife); ``mean over
        subjects`` where there are several, with that over stimuli and people.

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
    inputs = identify_inputs(activations=ours, recordings=recorded)
    is_network = not isinstance(recorded, Recordings)
    joined = join_stimuli(
        ours.stimulus_ids, recorded.stimulus_ids, id_pattern,
        names=("the activations", "the other network" if is_network else "the recordings"),
    )  # fmt: skip
    if len(joined) < _FEWEST_STIMULI:
        raise InputError(f"{_FEWEST_STIMULI} stimuli in common or more", got=joined.sentence)
    notes: list[str] = []
    layer_rows = dict(iter_layers(ours, joined.rows_a, joined.ids, layers))
    if isinstance(recorded, Recordings):
        targets = list(_iter_regions(recorded, joined.rows_b, by, notes))
    else:
        everyone = np.arange(len(joined))
        others = iter_layers(recorded, joined.rows_b, joined.ids)
        targets = [CkaTarget({"target": name}, everyone, values) for name, values in others]
    rows = compare_kernels(
        layer_rows, targets, debiased=debiased, n_permutations=n_permutations, seed=seed, notes=notes
    )
    shared = {"model": ours.model, "method": "debiased" if debiased else "biased", "seed": seed}
    rows = [shared | row for row in rows]
    undefined = sum(1 for row in rows if np.isnan(row["estimate"]))
    if undefined:
        notes.append(f"{undefined} of {format_count(len(rows), 'value')} are not defined: one side does not vary.")
    if not debiased:
        notes.append("Biased CKA rises with the number of features and falls with that of stimuli: .96 between noise.")
    n_around = sum(1 for row in rows if float(row["low"]) <= 0 <= float(row["high"]))
    if n_around and debiased:
        notes.append(
            f"{n_around} of {format_count(len(rows), 'interval')} hold 0: around "
            "a CKA of 0 they are wider than need be, and whether "
            "it is above chance is told by p alone."
        )
    settings = {
        "model": ours.model, "other": "" if isinstance(recorded, Recordings) else recorded.model,
        "is_network": is_network, "layers": list(layer_rows), "debiased": debiased, "by": list(by),
        "id_pattern": id_pattern, "n_stimuli": len(joined), "joined": joined.sentence,
        "n_permutations": n_permutations, "seed": seed, "inputs": inputs,
    }  # fmt: skip
    return make_result("cka", rows, settings, warnings=notes)


def _iter_regions(recorded: Recordings, rows: np.ndarray, by: Sequence[str], notes: list[str]) -> Iterator[CkaTarget]:
    """Each region, person and time."""
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
                notes.append(
                    f"{who}: {int((~kept).sum())} of {format_count(len(kept), 'unit')} "
                    "lack some stimuli and are left out."
                )
            if len(there) < len(rows):
                notes.append(f"{who}: {len(rows) - len(there)} of {format_count(len(rows), 'stimulus')} have no data.")
            if len(there) < _FEWEST_STIMULI or not kept.any():
                raise InputError(
                    f"units with {_FEWEST_STIMULI} stimuli or more in {who}",
                    got=f"{format_count(int(kept.sum()), 'unit')}, {format_count(len(there), 'stimulus')}",
                )
            words = {"target": label, "subject": subject} | ({} if time is None else {"time": time})
            yield CkaTarget(words, there, values[there][:, None, kept])
