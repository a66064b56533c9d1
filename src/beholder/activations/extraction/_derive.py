"""Centred, normalised and compressed activations: a second store beside the extracted one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
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
from beholder.activations.extraction._write import fill_store, open_store, plan_rows
from beholder.activations.store._arrays import (
    FORMAT,
    StoredLayer,
    describe_columns,
    job_folder,
    make_arrays,
    open_group,
    read_stimuli,
)
from beholder.activations.store._lazy import Activations, LayerActivations


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

    Examples
    --------
    >>> import beholder as bh
    >>> from beholder.activations import plan_steps
    >>> acts = bh.extract("beholder:shapes", "images", ["block5", "classifier"], device="cpu")
    >>> centred = bh.process_activations(acts, plan_steps(center_acts=True), layers=["classifier"])
    >>> bool(abs(centred["classifier"].to_numpy().mean(axis=0)).max() < 1e-5)
    True
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
    with open_store(store, settings, overwrite=overwrite) as output:
        attributes: dict[str, Any] = dict(open_group(store).attrs) if (store / "zarr.json").exists() else {}
        old = attributes.get("layers", [])
        order = list(dict.fromkeys([*Activations(acts.path, partial=True).layers, *old]))
        order = [name for name in order if name in (*old, *names)]
        fitted = {name: fit_postprocess(acts[name].with_replicates, tuple(steps), seed) for name in names}
        records = {name: each.to_dict() for name, each in fitted.items()}
        stored = {name: _plan_layer(name, each) for name, each in fitted.items()}
        _make_groups(store, acts, stored, order, settings, records)

        def compute(name: str, start: int, stop: int) -> np.ndarray:
            return transform_rows(fitted[name], acts[name].with_replicates, start, stop)

        facts = {"processing": records, "source": acts.path.name}
        fill_store(output, store, f"process {acts.path.stem}", stored, compute, len(acts.stimulus_ids), facts)
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
    columns, conditions = read_stimuli(open_group(acts.path), acts.path)
    with explain_write_errors(store):
        root = open_group(store, "a")
        known: dict[str, Any] = {**root.attrs.get("processing", {}), **records}  # type: ignore[dict-item]
        processing = {name: known[name] for name in layers if name in known}
        root.attrs.put(
            {
                **acts.attributes,
                **describe_columns(columns, conditions),
                "settings": settings,
                "layers": list(layers),
                "processing": processing,
                "complete": False,
            }
        )
        make_arrays(root, columns, conditions, stored.values(), int(acts.attributes["n_replicates"]))


def _plan_layer(name: str, fitted: Postprocess) -> StoredLayer:
    axis = "component" if fitted.components is not None else "feature"
    return plan_rows(name, axis, fitted.n_features, max(fitted.n_features, fitted.n_inputs))


def transform_rows(fitted: Postprocess, values: LayerActivations, start: int, stop: int) -> np.ndarray:
    """Rows ``[start, stop)`` after the steps, (n, n_replicates, n_features), float32, of a layer with that axis."""
    n_replicates = values.n_replicates
    if fitted.components is not None and fitted.components.scores is not None:
        scores = fitted.components.scores[start * n_replicates : stop * n_replicates]
        return scores.astype(np.float32).reshape(stop - start, n_replicates, -1)
    return fitted.transform(values[start:stop])
