"""Activations to responses: how well each layer predicts each region of each participant."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.files import check_output_folder
from beholder._core.seeds import DEFAULT_SEED
from beholder.activations import Activations
from beholder.analysis._features import read_features
from beholder.analysis._inputs import identify_inputs
from beholder.analysis._join import (
    iter_layers,
    join_stimuli,
    open_layers,
    open_recorded,
    read_condition,
)
from beholder.analysis._result import Result, make_result
from beholder.analysis.encoding._banded import plan_joint_refits, predict_jointly
from beholder.analysis.encoding._participants import record_channels, split_participants
from beholder.analysis.encoding._predict import PLS_COMPONENTS
from beholder.analysis.encoding._prediction_store import Predictions
from beholder.analysis.encoding._settings import EncodeSettings
from beholder.analysis.encoding._sounds import open_sound_layers
from beholder.analysis.encoding._splits import PUBLISHED_SEED, PUBLISHED_SPLITS
from beholder.analysis.encoding._summary import Tested
from beholder.analysis.encoding._table import collect_arrays, make_rows, make_share_rows
from beholder.analysis.encoding._warnings import list_warnings
from beholder.analysis.encoding._work import LayerScores, iter_scores
from beholder.jobs import long_work, read_conditions
from beholder.recordings import Recordings

_N_PERMUTATIONS = 200
_SEEDS = {None: DEFAULT_SEED, "published": PUBLISHED_SEED}


@suggest_keywords
@long_work
def analyze_encode(
    activations: Any,
    recordings: Recordings | Activations | Path | str,
    *,
    layers: Sequence[str] | None = None,
    method: Literal["ridge", "pls", "banded"] = "ridge",
    recipe: Literal["published"] | None = None,
    n_folds: int = 5,
    inner_folds: int | None = None,
    groups: str | Sequence[Any] | None = None,
    alphas: Sequence[float] | None = None,
    n_components: int = PLS_COMPONENTS,
    n_splits: int = PUBLISHED_SPLITS,
    zero_center: bool = False,
    subject: str | Sequence[str] | None = None,
    region: str | Sequence[str] | None = None,
    stimulus_ids: Sequence[str] | None = None,
    id_pattern: str | None = None,
    n_permutations: int = _N_PERMUTATIONS,
    predictions: Path | str | None = None,
    seed: int | None = None,
    out_path: Path | str | None = None,
    overwrite: bool = False,
    cluster: str | None = None,
    mixed: bool = False,
    dry_run: bool = False,
) -> Result:
    r"""Predict responses of voxels, neurons or people from each layer, and say how well on stimuli left out.

    Every layer is related to all units of a participant by a regression that is fitted to some stimuli and predicts
    others. r is Pearson's between predicted and measured responses, signed, averaged over folds; corrected variance
    explained is :math:`r^2 / (\rho_y \rho_{\hat y})`, with the reliabilities of responses and of predictions.

    Parameters
    ----------
    activations : Activations, path, or mapping of str to array, (n_stimuli, *features)
        Replicates are averaged. A path may be the metamer study's ``natsound_activations.h5``.
    recordings : Recordings, Activations or path
        Joined by stimulus id. A path as for :func:`beholder.recordings.open_recordings`, or a store of another network,
        whose layers are regions and whose channels (means over space, time or tokens) are units.
    layers : sequence of str, optional
        Default all. For the metamer study's file of sounds also places in its list, ``["3"]``.
    method : {"ridge", "pls", "banded"}
        Ridge regression with a penalty a unit; partial least squares; all layers jointly, each with a penalty of its
        own (the extra ``brain``).
    recipe : {"published"}, optional
        The procedure of the metamer study: random halves, 80 penalties, three-run correction.
    n_folds : int
        Folds of stimuli, each tested once.
    inner_folds : int, optional
        Folds within the training stimuli by which the penalty is chosen; default leave-one-out.
    groups : str or (n_stimuli,), optional
        A condition of the stimuli (a column of their table), or a group for each stimulus of the activations: groups
        are never torn apart by folds.
    alphas : sequence of float, optional
        Penalties; default 21 from 10⁻⁵ to 10⁵ times the features' mean squared singular value.
    n_components : int
        Of PLS.
    n_splits : int
        Random halves of the published recipe.
    zero_center : bool
        Published recipe: subtract the training stimuli's mean from responses. With an intercept in the regression this
        changes rounding alone.
    subject, region : str or sequence of str, optional
        Some participants, some regions.
    stimulus_ids : sequence of str, optional
        Ids of activations that are arrays.
    id_pattern : str, optional
        A regular expression whose group is what ids have in common.
    n_permutations : int
        Orders of the stimuli drawn for p, all units fitted anew in each; 0 for no test.
    predictions : path, optional
        A store (``.zarr``) for predicted responses, which other commands take as they take activations. Without stimuli
        that no split tested.
    seed : int, optional
        Of folds and permutations; default 42, 3882 for the published recipe.
    out_path : path, optional
        With ``cluster``: scores of layers are kept here, in ``encode.parts/``, and interrupted work is continued.
    overwrite : bool
        Replace a store of predictions, and such scores, that were made with other settings.
    cluster, mixed, dry_run
        As for :func:`beholder.extract`: a layer and a participant at a time; not for ``banded``, whose layers are
        fitted together.

    Returns
    -------
    Result
        ``kind`` is ``encode``. Statistics: ``r`` (mean over units), ``corrected-r2`` (median over units; above 1 is
        counted, not clipped), ``r-best-layer`` (the column ``chosen_on`` says on what the layer was chosen). Of each
        unit: ``arrays``.

    Raises
    ------
    InputError
        No stimulus in common, too few for the folds, units without variance, no three runs for the published recipe.

    Source: Naselaris et al. (2011), NeuroImage 56, 400-410; Schoppe et al. (2016), Frontiers in Computational
    Neuroscience 10, 10; Feather et al. (2023), Nature Neuroscience 26, 2017-2034.

    Examples
    --------
    >>> import numpy as np
    >>> from beholder.recordings import Recordings
    >>> features = np.random.default_rng(1).normal(size=(30, 5))
    >>> ids = [f"s{i}" for i in range(30)]
    >>> result = analyze_encode({"conv": features}, Recordings(features[:, :2], ids), stimulus_ids=ids)
    >>> float(result.table.estimate[0]) > 0.99
    True
    """
    options = EncodeSettings(
        method, recipe, n_folds, inner_folds, None if alphas is None else tuple(map(float, alphas)), n_components,
        n_splits, zero_center, n_permutations, seed if seed is not None else _SEEDS.get(recipe, DEFAULT_SEED),
    )  # fmt: skip
    options.check()
    if method == "banded" and read_conditions().cluster is not None:
        raise InputError("ridge or pls with cluster", got="banded, which fits all layers together in one process")
    if predictions is not None:
        check_output_folder(Path(predictions).parent)
    target = _open(recordings)
    target = target.select(subject=subject, region=region)
    said = ""
    if isinstance(activations, str | Path) and Path(activations).suffix.lower() in (".h5", ".hdf5"):
        store, said = open_sound_layers(Path(activations), [str(name) for name in target.stimulus_ids], layers)
        layers = store.layers
    else:
        store = open_layers(activations, stimulus_ids)
    inputs = identify_inputs(activations=store, recordings=target)
    joined = join_stimuli(store.stimulus_ids, target.stimulus_ids, id_pattern)
    recorded: Any = target.stimulus_ids
    people, notes = split_participants(target, [str(recorded[row]) for row in joined.rows_b.tolist()])
    notes = [said, *notes] if said else notes
    group_of = None if groups is None else read_condition(store, groups, "groups")[joined.rows_a]
    names = list(layers or store.layers)
    plans = [options.plan(person, group_of) for person in people]
    draws = [options.draw(person, group_of, len(joined)) for person in people]
    settings = {
        **options.to_dict(), "model": str(store.model), "layers": names, "recordings": target.name,
        "stimuli": joined.sentence, "id_pattern": id_pattern,
        "groups": groups if isinstance(groups, str) or groups is None else "given",
        "subject": subject if isinstance(subject, str) or subject is None else list(subject),
        "region": region if isinstance(region, str) or region is None else list(region), "notes": notes,
        "n_stimuli": len(joined), "inputs": inputs,
    }  # fmt: skip
    kept = Predictions(names if method != "banded" else ["joint"], len(joined), len(target.units))
    found: list[list[Tested]] = [[] for _ in people]
    shares: list[np.ndarray] = []
    if method == "banded":
        everything = [read_features(rows, name) for name, rows in iter_layers(store, joined.rows_a, joined.ids, names)]
        for person, splits, drawn, tested in zip(people, plans, draws, found, strict=True):
            own = [matrix[person.rows] for matrix in everything]
            joint, share, weights = predict_jointly(own, person.responses, splits, options.seed)
            tested.append(options.score(joint, person, splits, partial(plan_joint_refits, own, weights, splits), drawn))
            shares.append(share)
            kept.add("joint", person, splits, joint.predicted)
    else:
        work = LayerScores(store, joined.rows_a, joined.ids, names, people, plans, draws, options)
        keep = predictions is not None
        for name, place, tested, predicted in iter_scores(work, settings, out_path, overwrite=overwrite, keep=keep):
            found[place].append(tested)
            if keep:
                kept.add(name, people[place], plans[place], predicted)
    if predictions is not None:
        model = f"encode:{store.model or 'activations'}"
        notes += kept.write(predictions, joined.ids, model, settings, overwrite=overwrite)
    labels = ["joint"] if method == "banded" else names
    rows = make_rows(options, labels, people, found, group_of)
    rows += make_share_rows(options, names, people, shares) if shares else []
    for row in rows:
        row["model"] = str(store.model)
    warnings = [*notes, *list_warnings(options, labels, people, plans, found)]
    return make_result(
        "encode", rows, settings, warnings=warnings, arrays=collect_arrays(options, people, plans, found, len(joined))
    )


def _open(recordings: Any) -> Recordings:
    found = open_recorded(recordings)
    if isinstance(found, Activations):
        return record_channels(found)
    if not isinstance(found, Recordings):
        raise InputError("responses of units to predict", got="RDMs", hint="beholder analyze rsa")
    return found
