"""Centred, normalised and compressed activations: a second store beside the extracted one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from beholder._core.errors import suggest_keywords
from beholder._core.files import explain_write_errors
from beholder._core.hashing import hash_settings
from beholder._core.seeds import DEFAULT_SEED
from beholder.activations.extraction._postprocess import (
    CenterActs,
    CompressActs,
    NormalizeReps,
    Postprocess,
    Step,
    fit_postprocess,
)
from beholder.activations.extraction._write import RowWorker, cut_rows, plan_rows
from beholder.activations.store._arrays import (
    FORMAT,
    StoredLayer,
    create_layer,
    describe_columns,
    heal_store,
    job_folder,
    open_group,
    remove_partial_files,
    remove_store,
    seal_store,
    write_column,
    write_stimuli,
)
from beholder.activations.store._lazy import Activations, LayerActivations
from beholder.activations.store._stimulus_table import read_stimuli
from beholder.jobs import Plan, open_output


def name_steps(steps: Sequence[Step]) -> str:
    """What the steps are called in a store's name: ``centered-normalized-pca``."""
    names = {CenterActs: "centered", NormalizeReps: "normalized", CompressActs: "pca"}
    width = "".join(f"{step.n_components}" for step in steps if isinstance(step, CompressActs) and step.n_components)
    return "-".join(names[type(step)] for step in steps) + width


@suggest_keywords
def process_activations(
    acts: Activations,
    steps: Sequence[Step],
    *,
    layers: Sequence[str] | None = None,
    seed: int = DEFAULT_SEED,
    overwrite: bool = False,
) -> Activations:
    """Centre, normalise and compress layers, streamed, into a store beside the one they come from.

    Parameters
    ----------
    acts : Activations
        What :func:`extract` gave.
    steps : sequence of Step
        See :func:`beholder.activations.plan_steps`.
    layers : sequence of str, optional
        Default all.
    seed : int
        Of the randomised PCA of very large layers.
    overwrite : bool
        Replace an existing result.

    Returns
    -------
    Activations
        ``{store}.{steps}.zarr``; rows of (n_stimuli, n_replicates, n_features), float32.
    """
    names = list(layers or acts.layers)
    store = acts.path.with_name(f"{acts.path.stem}.{name_steps(steps)}.zarr")
    settings = {
        "format": FORMAT,
        "source": acts.attributes["settings"],
        "stimuli": hash_settings([list(acts.stimulus_ids), list(acts.stimulus_hashes)]),
        "replicates": acts.attributes["n_replicates"],
        "steps": [{"step": type(step).__name__, **asdict(step)} for step in steps],
        "seed": seed,
    }
    replace = partial(remove_store, store) if overwrite else None
    with open_output(job_folder(store), replace=replace, wait=True) as output:
        remove_partial_files(store)
        heal_store(store)
        output.settle(settings)
        attributes: dict[str, Any] = dict(open_group(store).attrs) if (store / "zarr.json").exists() else {}
        old = attributes.get("layers", [])
        order = list(dict.fromkeys([*Activations(acts.path, partial=True).layers, *old]))
        order = [name for name in order if name in (*old, *names)]
        fitted = {name: fit_postprocess(acts[name], tuple(steps), seed) for name in names}
        records = {name: each.to_dict() for name, each in fitted.items()}
        stored = {name: _plan_layer(name, each) for name, each in fitted.items()}
        _make_groups(store, acts, stored, order, settings, records)
        worker = RowWorker(
            store, stored, lambda name, start, stop: transform_rows(fitted[name], acts[name], start, stop)
        )  # fmt: skip
        shards = cut_rows(stored.values(), len(acts.stimulus_ids))
        output.run(Plan(f"process {acts.path.stem}", settings, shards), worker)
        root = open_group(store, "a")
        root.attrs["complete"] = True
        seal_store(store)
        facts = {"processing": records, "source": acts.path.name}
        output.record(store.parent, store.name, facts)
    return Activations(store)


def _make_groups(
    store: Path,
    acts: Activations,
    stored: Mapping[str, StoredLayer],
    layers: Sequence[str],
    settings: dict[str, Any],
    records: dict[str, Any],
) -> None:
    job_folder(store).unseal()
    with explain_write_errors(store):
        root = open_group(store, "a")
        known: dict[str, Any] = {**root.attrs.get("processing", {}), **records}  # type: ignore[dict-item]
        processing = {name: known[name] for name in layers if name in known}
        root.attrs.put(
            {
                **acts.attributes,
                **describe_columns(*read_stimuli(open_group(acts.path), acts.path)),
                "settings": settings,
                "layers": list(layers),
                "processing": processing,
                "complete": False,
            }
        )
        write_stimuli(root, *read_stimuli(open_group(acts.path), acts.path))
        n_replicates = int(acts.attributes["n_replicates"])
        for layer in stored.values():
            create_layer(root, layer, len(acts.stimulus_ids), n_replicates)
            write_column(root[layer.path_name], "stimulus", acts.stimulus_ids)  # type: ignore[arg-type]


def _plan_layer(name: str, fitted: Postprocess) -> StoredLayer:
    axis = "component" if fitted.components is not None else "feature"
    return plan_rows(name, axis, fitted.n_features, max(fitted.n_features, fitted.n_inputs))


def transform_rows(fitted: Postprocess, values: LayerActivations, start: int, stop: int) -> np.ndarray:
    """Rows ``[start, stop)`` after the steps: (n, n_replicates, n_features), float32."""
    n_replicates = values.shape[1]
    if fitted.components is not None and fitted.components.scores is not None:
        scores = fitted.components.scores[start * n_replicates : stop * n_replicates]
        return scores.astype(np.float32).reshape(stop - start, n_replicates, -1)
    return fitted.transform(values[start:stop])
