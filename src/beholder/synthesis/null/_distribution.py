"""The null distribution: how well random pairs of natural stimuli match at each layer."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from beholder._core.errors import InputError, OutputBusy, suggest_keywords
from beholder._core.files import explain_write_errors, to_path_name, write_json
from beholder._core.hashing import hash_file_fast, hash_settings
from beholder._core.progress import logger, show_progress
from beholder._core.provenance import find_network
from beholder._core.settings import compare_settings
from beholder._core.threads import open_threads
from beholder.activations import check_modality, check_path_names, list_asked_layers, sort_layers
from beholder.jobs import JobFolder, Plan, Shard, check_content, open_output
from beholder.models import Model, collect_stimuli, explain_shape_errors, run_eagerly, try_to_identify
from beholder.stimuli import (
    METAMER_COLUMNS,
    NULL_COLUMNS,
    NULL_HISTOGRAMS,
    NULL_LAYERS,
    NullSet,
    StimulusSet,
    is_metamer_set,
    list_runs,
    name_null_file,
    read_metamer_table,
    write_null_histograms,
    write_null_layer,
)
from beholder.synthesis.engine._checkpoint import describe_model
from beholder.synthesis.engine._recipe import check_count
from beholder.synthesis.engine._validate import check_tensors, find_input_shape, make_example, settle_layout
from beholder.synthesis.metamers._make import (
    assemble_results,
    find_null_jobs,
    get_job_folder,
    log_verdicts,
    open_observer,
)
from beholder.synthesis.metamers._measure import list_measured_layers
from beholder.synthesis.metamers._plan import FORMAT as METAMER_FORMAT
from beholder.synthesis.metamers._plan import Layout, prepare_original
from beholder.synthesis.null._pairs import (
    Block,
    count_all_pairs,
    count_pairs_per_block,
    cut_blocks,
    draw_block_pairs,
    find_repeated_pairs,
    list_block_pairs,
    log_same_class,
)
from beholder.synthesis.null._result import NullDistribution, log_equal_pairs
from beholder.synthesis.null._worker import VALUES, NullWork, NullWorker, check_layers, find_part, open_pair_measurer

FORMAT = "beholder-null-2"
N_PAIRS, _LEAST_PAIRS, _BUDGET_VALUES = 10_000, 1_000, 5e10
_SAME_CLASS = 0.5


@suggest_keywords
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
    >>> null = null_distribution("beholder:shapes", "images/", ["block2"], n_pairs=100)      # doctest: +SKIP
    """
    observer = open_observer(model, device)
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
    place = None if out_path is None else Path(out_path) / to_path_name(observer.path_name)
    beside = Path(metamers_path or (Path(out_path).parent if out_path is not None else Path()) / "metamers")
    metamers = list_runs(beside, to_path_name(observer.path_name))
    with explain_shape_errors(observer, shape):
        names = _list_layers(observer, layers, make_example(observer, shape), metamers if place else [])
        sizes = check_layers(observer, names, make_example(observer, shape))
    n_pairs = settle_n_pairs(n_pairs, None if natural is None else len(natural), sum(sizes.values()), shuffle=shuffle)
    n_problems = len(cut_blocks(n_pairs, _count_per_block(natural, shuffle)))
    cores = check_count((os.cpu_count() or 1) if threads is None else threads, "thread")
    on_cpu = observer.device.type == "cpu"
    settings = {
        "format": FORMAT,
        "model": describe_model(observer, identify=out_path is not None),
        "stimuli": _describe_stimuli(observer, natural),
        "shuffle": shuffle,
        "shape": list(shape),
        "device": observer.device.type,
        "intra_threads": max(1, cores // n_problems) if on_cpu else 1,
    }
    if not shuffle:
        settings["n_pairs"] = n_pairs
        _check_in_order(natural, n_pairs, split)
    work = NullWork((tuple(names),), sizes, shape, n_pairs, shuffle, settings["intra_threads"], 1, False)
    if place is None:
        work = replace(work, channels_last=_settle_layout(observer, work, None))
        n_concurrent_batches = max(1, cores // settings["intra_threads"]) if on_cpu else 1
        measured = _measure_in_memory(observer, natural, work, seed, split, n_concurrent_batches)
        return replace(measured, network=try_to_identify(observer))
    options = {"workers": workers, "cores": cores, "overwrite": overwrite}
    return _run(observer, natural, names, work, settings, seed, split, place, metamers, options)


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


def _count_per_block(stimuli: StimulusSet | None, shuffle: bool) -> int:
    if stimuli is None:
        return count_pairs_per_block(0, shuffle=False)
    return count_pairs_per_block(len(stimuli), shuffle=shuffle)


def _check_in_order(stimuli: StimulusSet | None, n_pairs: int, split: int) -> None:
    """Enough stimuli; a word where pairs in order are mostly of one class."""
    if stimuli is None:
        return
    blocks = cut_blocks(n_pairs, _count_per_block(stimuli, shuffle=False))
    pairs = np.concatenate([list_block_pairs(len(stimuli), n_pairs, split, block) for block in blocks])
    share = log_same_class(stimuli.labels, pairs)
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


def _measure_in_memory(
    model: Model, stimuli: StimulusSet | None, work: NullWork, seed: int, split: int, n_concurrent_batches: int
) -> NullDistribution:
    (layers,) = work.layer_sets
    blocks = cut_blocks(work.n_pairs, _count_per_block(stimuli, work.shuffle))
    with (
        open_pair_measurer(model, stimuli, work) as measurer,
        show_progress(f"null {model.path_name}", work.n_pairs, "pairs") as advance,
        open_threads(n_concurrent_batches) as pool,
        contextlib.closing(measurer),
    ):
        futures = [pool.submit(measurer.measure, layers, seed, split, block) for block in blocks]
        parts = []
        for block, future in zip(blocks, futures, strict=True):
            parts.append(future.result())
            advance(block.n_pairs)
    columns = {}
    for i, layer in enumerate(layers):
        own = [(seed, split, block.index, part[i]) for block, part in zip(blocks, parts, strict=True)]
        columns[layer] = _make_columns(_tidy_parts(own, layer, stimuli, work.shuffle, work.n_pairs))
    log_equal_pairs(columns)
    return NullDistribution(model.name, columns)


def _tidy_parts(
    parts: Sequence[tuple[int, int, int, np.ndarray]],
    layer: str,
    stimuli: StimulusSet | None,
    shuffle: bool,
    n_pairs: int,
) -> list[tuple[int, int, np.ndarray, np.ndarray]]:
    """Leave out pairs that are there twice, those of one stimulus, and those that are not a number; with a word.

    Parameters
    ----------
    parts : sequence of (seed, split, block, values)
    layer : str
    stimuli : StimulusSet or None
    shuffle : bool
    n_pairs : int
        Of one split, in order.

    Returns
    -------
    list of (seed, split, numbers of the pairs, values)
    """
    per_block = _count_per_block(stimuli, shuffle)
    numbers = [block * per_block + np.arange(len(values)) for _, _, block, values in parts]
    values = np.concatenate([part[-1] for part in parts])
    lost, again = np.isnan(values[:, :3]).any(axis=1), np.zeros(len(values), dtype=bool)
    if stimuli is not None:
        known: dict[str, int] = {}
        twins = np.array([known.setdefault(digest, i) for i, digest in enumerate(stimuli.hashes)])
        pairs = []
        for seed, split, index, part in parts:
            block = Block(index, len(part))
            pairs.append(
                draw_block_pairs(len(stimuli), seed, split, block)
                if shuffle
                else list_block_pairs(len(stimuli), n_pairs, split, block)
            )
        again = find_repeated_pairs(np.concatenate(pairs), twins)
    if again.any():
        logger.info(
            "%s: %d of %d pairs are there twice, or of one stimulus; each counts once", layer, again.sum(), len(again)
        )
    only_lost: np.ndarray = np.asarray(lost & ~again)
    if only_lost.any():
        logger.warning("%s: %d of %d pairs are not a number and left out", layer, only_lost.sum(), np.size(lost))
    kept = np.split(~(again | lost), np.cumsum([len(own) for own in numbers])[:-1])
    return [
        (seed, split, own[rows], part[rows])
        for (seed, split, _, part), own, rows in zip(parts, numbers, kept, strict=True)
    ]


def _make_columns(parts: Sequence[tuple[int, int, np.ndarray, np.ndarray]]) -> dict[str, np.ndarray]:
    """A layer's table, from ``seed, split, numbers of the pairs, values`` of each part."""
    counts = [len(values) for *_, values in parts]
    values = np.concatenate([values for *_, values in parts])
    columns: dict[str, np.ndarray] = {
        "seed": np.repeat([seed for seed, *_ in parts], counts),
        "split": np.repeat([split for _, split, *_ in parts], counts),
        "pair": np.concatenate([numbers for _, _, numbers, _ in parts]),
    }
    columns |= {name: values[:, i] for i, name in enumerate(VALUES)}
    columns["db_snr_published"] = columns["db_snr"] / 2
    return {name: columns[name] for name in NULL_COLUMNS}


def _run(
    model: Model,
    stimuli: StimulusSet | None,
    layers: list[str],
    work: NullWork,
    settings: dict[str, Any],
    seed: int,
    split: int,
    output: Path,
    metamers: Sequence[Path],
    options: dict[str, Any],
) -> NullDistribution:
    """Plan, run and finish the work on one model's folder."""
    folder = find_null_jobs(output)
    with explain_write_errors(output):
        output.mkdir(parents=True, exist_ok=True)
    with open_output(folder, leftovers=[output], shared=not options["overwrite"]) as job:
        old = folder.read_settings()
        settings["channels_last"] = _settle_layout(model, work, None if options["overwrite"] else old)
        if old is not None:
            settings["intra_threads"] = old["intra_threads"]
        if options["overwrite"]:
            _forget(output, folder, settings, old, seed, split)
        job.settle(settings, vacant=[output / NULL_LAYERS])
        plan = Plan(f"null {output.name}", settings, (), "pairs")
        per_block = _count_per_block(stimuli, work.shuffle)
        shards = _plan_shards(folder, plan.hash, layers, work.n_pairs, per_block, seed, split)
        plan = Plan(plan.name, settings, tuple(shards), plan.unit)
        on_cpu = model.device.type == "cpu"
        n_concurrent_batches = max(1, options["cores"] // settings["intra_threads"]) if on_cpu else 1
        sets = tuple(dict.fromkeys(tuple(shard.payload["layers"]) for shard in shards))
        work = replace(
            work, layer_sets=sets, intra_threads=settings["intra_threads"], n_concurrent_batches=n_concurrent_batches,
            channels_last=settings["channels_last"],
        )  # fmt: skip
        worker = NullWorker(folder.path, model, str(model.device), stimuli, work)
        job.run(plan, worker, n_workers=options["workers"])
        _assemble(output, folder, plan.hash, model, stimuli, work)
        facts = {
            "model": {"name": model.name, "weights": asdict(model.weights)},
            "stimuli": None if stimuli is None else stimuli.describe(),
            "layers": layers,
            "n_pairs": work.n_pairs,
            "seed": seed,
            "split": split,
        }
        job.record(output, ".", facts)
    found = NullSet(output)
    for run in [run for run in metamers if _is_of(run, model, found.network)] or metamers[:1]:
        fill_verdicts(run, output, model)
    columns = {layer: found[layer] for layer in layers}
    log_equal_pairs(columns)
    return NullDistribution(model.name, columns, output, found.network)


def _settle_layout(model: Model, work: NullWork, old: dict[str, Any] | None) -> bool:
    return settle_layout(model, list(work.sizes), make_example(model, work.shape), old, gradients=False)


def _forget(
    output: Path, folder: JobFolder, settings: dict[str, Any], old: dict[str, Any] | None, seed: int, split: int
) -> None:
    if old is None or compare_settings(old, settings):
        if (output / "layers.json").exists():
            logger.warning("%s: pairs that were measured with other settings are replaced", output)
        folder.clear([folder.path / "parts", *output.glob("*.parquet"), output / NULL_LAYERS, output / NULL_HISTOGRAMS])
        return
    for path in sorted((folder.path / "receipts").glob("*.json")):
        receipt = folder.peek_receipt(path.stem)
        if receipt is not None and (receipt["payload"]["seed"], receipt["payload"]["split"]) == (seed, split):
            path.unlink()
            find_part(folder.path, path.stem).unlink(missing_ok=True)


def _plan_shards(
    folder: JobFolder,
    plan_hash: str,
    layers: Sequence[str],
    n_pairs: int,
    per_block: int,
    seed: int,
    split: int,
) -> list[Shard]:
    """Shards for the pairs and layers that are asked for; what is measured already is not measured again."""
    done: dict[tuple[int, str], tuple[int, Shard]] = {}
    for payload, shard in _iter_finished(folder, plan_hash):
        if (payload["seed"], payload["split"]) == (seed, split):
            for layer in payload["layers"]:
                best = done.get((payload["block"], layer))
                if best is None or best[0] < payload["n_pairs"]:
                    done[payload["block"], layer] = (payload["n_pairs"], shard)
    shards: dict[str, Shard] = {}
    for block in cut_blocks(n_pairs, per_block):
        missing = []
        for layer in layers:
            n_done, shard = done.get((block.index, layer), (0, None))
            if shard is not None and n_done >= block.n_pairs:
                shards[shard.key] = shard
            else:
                missing.append(layer)
        if missing:
            shard = _make_shard(missing, seed, split, block)
            shards[shard.key] = shard
    return list(shards.values())


def _make_shard(layers: Sequence[str], seed: int, split: int, block: Block) -> Shard:
    payload = {
        "layers": list(layers), "seed": seed, "split": split, "block": block.index, "n_pairs": block.n_pairs
    }  # fmt: skip
    return Shard(f"{seed}-{split}-{block.index:06d}-{hash_settings(payload)[:12]}", block.n_pairs, payload)


def _iter_finished(folder: JobFolder, plan_hash: str) -> list[tuple[dict[str, Any], Shard]]:
    found = []
    for receipt in folder.iter_receipts():
        payload = receipt["payload"]
        block = Block(payload["block"], payload["n_pairs"])
        shard = _make_shard(payload["layers"], payload["seed"], payload["split"], block)
        if folder.read_receipt(plan_hash, shard) is not None:
            found.append((payload, shard))
    return found


def _assemble(
    output: Path, folder: JobFolder, plan_hash: str, model: Model, stimuli: StimulusSet | None, work: NullWork
) -> None:
    """Write every layer's table from the finished shards, and their counts."""
    best: dict[str, dict[tuple[int, int, int], tuple[int, str, int]]] = {}
    for payload, shard in _iter_finished(folder, plan_hash):
        place = (payload["seed"], payload["split"], payload["block"])
        for row, layer in enumerate(payload["layers"]):
            known = best.setdefault(layer, {}).get(place)
            if known is None or known[0] < payload["n_pairs"]:
                best[layer][place] = (payload["n_pairs"], shard.key, row)
    layers = sort_layers(model, best)
    check_path_names(layers)
    check_content(output, *(output / name for receipt in folder.iter_receipts() for name in receipt["files"]))
    with folder.seal(NULL_LAYERS, NULL_HISTOGRAMS, *map(name_null_file, layers)):
        for layer in layers:
            parts = []
            for (seed, split, block), (_, key, row) in sorted(best[layer].items()):
                values = np.load(find_part(folder.path, key), mmap_mode="r", allow_pickle=False)[row]
                parts.append((seed, split, block, np.asarray(values)))
            parts = _tidy_parts(parts, layer, stimuli, work.shuffle, work.n_pairs)
            write_null_layer(output, layer, _make_columns(parts))
        write_json(output / NULL_LAYERS, {"layers": layers, "network": find_network(folder.read_settings())})
        write_null_histograms(output)


def _is_of(metamers: Path, model: Model, network: str | None) -> bool:
    """Whether a folder holds metamers of a network, and not of one that is called ``{model}_I100_N4`` itself."""
    if not is_metamer_set(metamers):
        return False
    settings = get_job_folder(metamers).read_settings()
    if settings is None:
        return metamers.name == to_path_name(model.path_name)
    return settings["model"]["name"] == model.name or find_network(settings) == network


def fill_verdicts(metamers: Path, null: Path, model: Model) -> None:
    """Fill percentiles and verdicts of a model's metamers in place, and say so."""
    if not is_metamer_set(metamers):
        logger.info("no metamers at %s yet; they are judged as they are made", metamers)
        return
    folder = get_job_folder(metamers)
    settings = folder.read_settings()
    if settings is None:
        logger.warning("%s has no job folder beside it, so its verdicts are left as they are", metamers)
        return
    if settings["format"] != METAMER_FORMAT:
        logger.warning(
            "%s was made by another version, so its verdicts are left as they are; `beholder metamers make` with "
            "--overwrite makes it anew", metamers,
        )  # fmt: skip
        return
    try:
        with open_output(folder, shared=True):
            table = assemble_results(metamers, folder, null)
    except OutputBusy:
        logger.info("%s is being written to; that run fills in its verdicts", metamers)
        return
    if table["passed"].notna().any():
        logger.info("percentiles and verdicts filled in: %s", metamers / "results.parquet")
    elif not len(table):
        logger.info("no metamers at %s yet; they are judged as they are made", metamers)
    assert list(table.columns) == list(METAMER_COLUMNS)
    log_verdicts(table, null, model, metamers)
