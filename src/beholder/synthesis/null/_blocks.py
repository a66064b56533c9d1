"""Blocks of pairs in a job folder: which are measured, and the tables that are put together from them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from beholder._core.files import write_json
from beholder._core.hashing import hash_settings
from beholder._core.progress import logger, tell
from beholder._core.provenance import find_network
from beholder._core.settings import compare_settings
from beholder.activations import check_path_names, sort_layers
from beholder.jobs import JobFolder, Shard, check_content
from beholder.stimuli import (
    NULL_COLUMNS,
    NULL_HISTOGRAMS,
    NULL_LAYERS,
    name_null_file,
    write_null_histograms,
    write_null_layer,
)
from beholder.synthesis.null._pairs import Block, cut_blocks, find_repeated_pairs
from beholder.synthesis.null._worker import VALUES, NullWorker, find_part


def forget_pairs(
    output: Path, folder: JobFolder, settings: dict[str, Any], old: dict[str, Any] | None, seed: int, split: int
) -> None:
    """Of a run that replaces: forget its seed's and split's pairs; all, if the others were measured otherwise."""
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


def plan_null_shards(
    worker: NullWorker, folder: JobFolder, plan_hash: str, layers: Sequence[str], seed: int, split: int
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
    for block in cut_blocks(worker.n_pairs, worker.per_block):
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


def assemble_null(worker: NullWorker, output: Path, folder: JobFolder, plan_hash: str) -> None:
    """Write every layer's table from the finished shards, and their counts."""
    best: dict[str, dict[tuple[int, int, int], tuple[int, str, int]]] = {}
    for payload, shard in _iter_finished(folder, plan_hash):
        place = (payload["seed"], payload["split"], payload["block"])
        for row, layer in enumerate(payload["layers"]):
            known = best.setdefault(layer, {}).get(place)
            if known is None or known[0] < payload["n_pairs"]:
                best[layer][place] = (payload["n_pairs"], shard.key, row)
    layers = sort_layers(worker.model, best)
    check_path_names(layers)
    check_content(output, *(output / name for receipt in folder.iter_receipts() for name in receipt["files"]))
    with folder.seal(NULL_LAYERS, NULL_HISTOGRAMS, *map(name_null_file, layers)):
        for layer in layers:
            parts = []
            for (seed, split, block), (_, key, row) in sorted(best[layer].items()):
                values = np.load(find_part(folder.path, key), mmap_mode="r", allow_pickle=False)[row]
                parts.append((seed, split, block, np.asarray(values)))
            write_null_layer(output, layer, make_columns(tidy_parts(worker, parts, layer)))
        write_json(output / NULL_LAYERS, {"layers": layers, "network": find_network(folder.read_settings())})
        write_null_histograms(output)


def tidy_parts(
    worker: NullWorker, parts: Sequence[tuple[int, int, int, np.ndarray]], layer: str
) -> list[tuple[int, int, np.ndarray, np.ndarray]]:
    """Leave out pairs that are there twice, those of one stimulus, and those that are not a number; with a word.

    Parameters
    ----------
    worker : NullWorker
    parts : sequence of (seed, split, block, values)
    layer : str

    Returns
    -------
    list of (seed, split, numbers of the pairs, values)
    """
    numbers = [block * worker.per_block + np.arange(len(values)) for _, _, block, values in parts]
    values = np.concatenate([part[-1] for part in parts])
    lost, again = np.isnan(values[:, :3]).any(axis=1), np.zeros(len(values), dtype=bool)
    if worker.stimuli is not None:
        known: dict[str, int] = {}
        twins = np.array([known.setdefault(digest, i) for i, digest in enumerate(worker.stimuli.hashes)])
        pairs = [worker.draw_pairs(seed, split, Block(index, len(part))) for seed, split, index, part in parts]
        again = find_repeated_pairs(np.concatenate(pairs), twins)
    if again.any():
        tell("%s: %d of %d pairs are there twice, or of one stimulus; each counts once", layer, again.sum(), len(again))
    only_lost: np.ndarray = np.asarray(lost & ~again)
    if only_lost.any():
        logger.warning("%s: %d of %d pairs are not a number and left out", layer, only_lost.sum(), np.size(lost))
    kept = np.split(~(again | lost), np.cumsum([len(own) for own in numbers])[:-1])
    return [
        (seed, split, own[rows], part[rows])
        for (seed, split, _, part), own, rows in zip(parts, numbers, kept, strict=True)
    ]


def make_columns(parts: Sequence[tuple[int, int, np.ndarray, np.ndarray]]) -> dict[str, np.ndarray]:
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
