"""The null distribution: how well random pairs of natural stimuli match at each layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.files import check_output_folder, explain_write_errors, to_path_name
from beholder._core.hashing import hash_file_fast, hash_settings
from beholder._core.progress import logger
from beholder.activations import check_path_names, list_asked_layers
from beholder.jobs import Plan, long_work, open_output, place_output, show_work
from beholder.models import (
    Model,
    check_modality,
    collect_stimuli,
    explain_shape_errors,
    open_model,
    run_eagerly,
    try_to_identify,
)
from beholder.stimuli import (
    NULL_LAYERS,
    NullSet,
    StimulusSet,
    is_metamer_set,
    list_runs,
    read_metamer_table,
)
from beholder.synthesis.engine._checkpoint import describe_model
from beholder.synthesis.engine._parts import PartCounter
from beholder.synthesis.engine._session import count_cores, count_threads
from beholder.synthesis.engine._validate import (
    check_count,
    check_tensors,
    find_input_shape,
    make_example,
    settle_layout,
)
from beholder.synthesis.metamers._measure import list_measured_layers
from beholder.synthesis.metamers._plan import Layout, find_null_jobs, get_job_folder, prepare_original
from beholder.synthesis.metamers._results import are_of, renew_verdicts
from beholder.synthesis.null._blocks import assemble_null, forget_pairs, make_columns, plan_null_shards, tidy_parts
from beholder.synthesis.null._pairs import (
    count_all_pairs,
    cut_blocks,
    log_same_class,
)
from beholder.synthesis.null._result import NullDistribution, log_equal_pairs
from beholder.synthesis.null._worker import NullWorker, check_layers

FORMAT = "beholder-null-2"
N_PAIRS, _LEAST_PAIRS, _BUDGET_VALUES = 10_000, 1_000, 5e10
_SAME_CLASS = 0.5


@suggest_keywords
@long_work
def null_distribution(
    model: Model | nn.Module | str,
    stimuli: StimulusSet | Path | str | Any = None,
    layers: Sequence[str] | None = None,
    *,
    n_pairs: int | None = None,
    seed: int = 0,
    split: int = 0,
    shuffle: bool = True,
    out_path: Path | str | None = None,
    metamers_path: Path | str | None = None,
    device: str | None = None,
    workers: int = 1,
    threads: int | None = None,
    overwrite: bool = False,
    cluster: str | None = None,
    mixed: bool = False,
    dry_run: bool = False,
) -> NullDistribution:
    """Measure how well random pairs of natural stimuli match at each layer.

    Spearman, Pearson and signal-to-noise ratio of each pair at each layer, the first stimulus of a pair as the signal.
    Written, if ``out_path`` is given, as ``{model}/{layer}.parquet``; then percentiles and verdicts of the model's
    metamers are filled in. Pairs, seeds, splits and layers may be added later.

    Parameters
    ----------
    model : Model, nn.Module or str
        The observer.
    stimuli : StimulusSet, or whatever holds stimuli, optional
        Natural stimuli; default the training set of the model's ``build_network.py``, with its augmentation.
    layers : sequence of str, optional
        Default: those at which the model's metamers were measured; else its recorded layers; else every child module
        down to two levels.
    n_pairs : int, optional
        Pairs of this seed and split; every pair of two stimuli counts once, whatever seeds and splits draw it, and no
        more are measured than there are, n (n − 1) / 2. Default 10,000, fewer where layers are so large that these
        would take long (5 · 10¹⁰ values), but 1,000 at least, as far as there are as many.
    seed : int
        Draws them.
    split : int
        Another set of pairs; without ``shuffle`` those from stimulus ``2 · n_pairs · split`` on.
    shuffle : bool
        Draw stimuli at random; else take neighbours, two by two.
    out_path : path, optional
        Folder for all models' null distributions, such as ``null_dist``. None: keep it in memory.
    metamers_path : path, optional
        Folder for all models' metamers; default ``metamers`` beside ``out_path``.
    device, workers, threads
        As for :func:`beholder.extract`.
    overwrite : bool
        Measure this seed's and split's pairs anew; all, if the others were measured with other settings.
    cluster, mixed, dry_run
        As for :func:`beholder.extract`.

    Returns
    -------
    NullDistribution

    Raises
    ------
    InputError
        Fewer than two stimuli, or too few without ``shuffle``; a layer that is not there.
    ConfigurationChanged
        The folder holds pairs that were measured with other settings.

    Notes
    -----
    Source: Feather et al. (2023), Methods, "Null distributions"; the released ``make_null_distributions.py``.

    Examples
    --------
    >>> import beholder as bh
    >>> null = bh.null_distribution("beholder:shapes", "images", ["block5"], n_pairs=20)
    >>> len(null)
    20
    """
    if out_path is not None:
        check_output_folder(out_path)
    observer = open_model(model, device)
    check_tensors(observer)
    check_count(1 if n_pairs is None else n_pairs, "pair")
    if min(seed, split) < 0:
        raise InputError("a seed and a split of 0 or more", got=f"{seed}, {split}")
    natural = None if stimuli is None else collect_stimuli(observer, stimuli).pin()
    if natural is not None:
        check_modality(observer, natural)
        if len(natural) < 2:
            raise InputError("at least two stimuli", got=str(len(natural)))
    shape = find_input_shape(observer, None) if natural is None else tuple(prepare_original(observer, natural, 0).shape)
    place = None if out_path is None else place_output(Path(out_path) / to_path_name(observer.path_name))
    beside = Path(metamers_path or (Path(out_path).parent if out_path is not None else Path()) / "metamers")
    metamers = list_runs(beside, to_path_name(observer.path_name))
    with explain_shape_errors(observer, shape):
        names = _list_layers(observer, layers, make_example(observer, shape), metamers if place else [])
        sizes = check_layers(observer, names, make_example(observer, shape))
    n_pairs = settle_n_pairs(n_pairs, None if natural is None else len(natural), sum(sizes.values()), shuffle=shuffle)
    worker = NullWorker(observer, shape, {"shuffle": shuffle}, count_cores(threads), natural, sizes, n_pairs)
    worker.settings = settings = {
        "format": FORMAT,
        "model": describe_model(observer, identify=out_path is not None),
        "stimuli": _describe_stimuli(observer, natural),
        "shuffle": shuffle,
        "shape": list(shape),
        "device": observer.device.type,
        "intra_threads": count_threads(worker.cores, len(cut_blocks(n_pairs, worker.per_block)), observer),
    }
    if not shuffle:
        settings["n_pairs"] = n_pairs
        _check_in_order(worker, split)
    if place is None:
        settings["channels_last"] = _settle_layout(worker, None)
        return replace(_measure_in_memory(worker, seed, split), network=try_to_identify(observer))
    return _run(worker, settings, seed, split, place, metamers, n_workers=workers, overwrite=overwrite)


def settle_n_pairs(asked: int | None, n_stimuli: int | None, n_values: int, *, shuffle: bool) -> int:
    """How many pairs are measured: those asked for, as far as there are as many.

    Parameters
    ----------
    asked : int or None
        None: by what the stimuli allow and what it costs.
    n_stimuli : int or None
        None: a training set.
    n_values : int
        Of all layers together.
    shuffle : bool

    >>> [settle_n_pairs(None, n, 10**6, shuffle=True) for n in (6, 1000)]
    [15, 10000]
    >>> settle_n_pairs(None, 1000, 10**7, shuffle=True)
    5000
    """
    most = None if n_stimuli is None else count_all_pairs(n_stimuli) if shuffle else n_stimuli // 2
    if asked is None:
        wanted = int(min(N_PAIRS, max(_LEAST_PAIRS, _BUDGET_VALUES // n_values)))
        return wanted if most is None else min(wanted, most)
    if most is not None and shuffle and asked > most:
        logger.warning("%d stimuli make %d pairs, which are measured, not %d", n_stimuli, most, asked)
        return most
    return asked


def _check_in_order(worker: NullWorker, split: int) -> None:
    """Enough stimuli; a word where pairs in order are mostly of one class."""
    if worker.stimuli is None:
        return
    blocks = cut_blocks(worker.n_pairs, worker.per_block)
    pairs = np.concatenate([worker.draw_pairs(0, split, block) for block in blocks])
    share = log_same_class(worker.stimuli.labels, pairs)
    if share > _SAME_CLASS:
        logger.warning("%.0f %% of the pairs in order are of one class: --shuffle draws them at random", 100 * share)


def _list_layers(
    model: Model, layers: Sequence[str] | None, example: torch.Tensor, metamers: Sequence[Path]
) -> list[str]:
    if isinstance(layers, str):
        raise InputError("a list of layer names", got=f"the string {layers!r}", hint=f"[{layers!r}]")
    if layers:
        names = list_asked_layers(model, list(layers))
    else:
        names = list(dict.fromkeys(name for run in metamers if is_metamer_set(run) for name in _list_measured(run)))
    if not names:
        with run_eagerly():
            names = list_measured_layers(model, [], example)
    check_path_names(names)
    return names


def _list_measured(metamers: Path) -> list[str]:
    names = list(dict.fromkeys(read_metamer_table(metamers)["measured_layer"]))
    return names or list(Layout.read(get_job_folder(metamers)).measured)  # stopped before the first metamer


def _describe_stimuli(model: Model, stimuli: StimulusSet | None) -> dict[str, Any]:
    if stimuli is None:
        file = model.spec.model if model.spec is not None and model.spec.source == "file" else None
        return {"kind": "training set", "of": model.name, "code": None if file is None else hash_file_fast(file)}
    hashes = [[name, digest] for name, digest in zip(stimuli.ids, stimuli.hashes, strict=True)]
    return {"kind": stimuli.kind, "n_stimuli": len(stimuli), "sha256": hash_settings(hashes)}


def _measure_in_memory(worker: NullWorker, seed: int, split: int) -> NullDistribution:
    layers = list(worker.sizes)
    blocks = cut_blocks(worker.n_pairs, worker.per_block)
    with (
        worker.open_session() as session,
        show_work(f"null {worker.model.path_name}", worker.n_pairs, "pairs") as advance,
    ):
        counters = [PartCounter(advance, block.n_pairs, worker.count_most_passes(layers, block)) for block in blocks]
        started = [
            session.submit(worker.measure, session, layers, seed, split, block, counter.count)
            for block, counter in zip(blocks, counters, strict=True)
        ]
        parts = []
        for counter, finish in zip(counters, started, strict=True):
            parts.append(finish())
            counter.end()
    columns = {}
    for i, layer in enumerate(layers):
        own = [(seed, split, block.index, part[i]) for block, part in zip(blocks, parts, strict=True)]
        columns[layer] = make_columns(tidy_parts(worker, own, layer))
    log_equal_pairs(columns)
    return NullDistribution(worker.model.name, columns)


def _run(
    worker: NullWorker,
    settings: dict[str, Any],
    seed: int,
    split: int,
    output: Path,
    metamers: Sequence[Path],
    *,
    n_workers: int,
    overwrite: bool,
) -> NullDistribution:
    """Plan, run and finish the work on one model's folder."""
    model, stimuli, layers = worker.model, worker.stimuli, list(worker.sizes)
    folder = find_null_jobs(output)
    worker.jobs = folder.path
    with explain_write_errors(output):
        output.mkdir(parents=True, exist_ok=True)
    with open_output(folder, leftovers=[output], shared=not overwrite) as job:
        old = folder.read_settings()
        settings["channels_last"] = _settle_layout(worker, None if overwrite else old)
        if old is not None:
            settings["intra_threads"] = old["intra_threads"]
        if overwrite:
            forget_pairs(output, folder, settings, old, seed, split)
        job.settle(settings, vacant=[output / NULL_LAYERS])
        shards = plan_null_shards(worker, folder, hash_settings(settings), layers, seed, split)
        plan = Plan(f"null {output.name}", settings, tuple(shards), "pairs")
        job.run(plan, worker, n_workers=n_workers)
        assemble_null(worker, output, folder, plan.hash)
        facts = {
            "model": {"name": model.name, "weights": asdict(model.weights)},
            "stimuli": None if stimuli is None else stimuli.describe(),
            "layers": layers,
            "n_pairs": worker.n_pairs,
            "seed": seed,
            "split": split,
        }
        job.record(output, ".", facts)
    found = NullSet(output)
    for run in [run for run in metamers if are_of(run, model, found.network)] or metamers[:1]:
        renew_verdicts(run, output, model)
    columns = {layer: found[layer] for layer in layers}
    log_equal_pairs(columns)
    return NullDistribution(model.name, columns, output, found.network)


def _settle_layout(worker: NullWorker, old: dict[str, Any] | None) -> bool:
    example = make_example(worker.model, worker.shape)
    return settle_layout(worker.model, list(worker.sizes), example, old, gradients=False)
