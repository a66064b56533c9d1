"""Writing the exemplars of single units: pictures or sounds, and a manifest."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beholder._core.errors import ConfigurationChanged
from beholder._core.files import to_path_name, write_bytes
from beholder._core.hashing import hash_settings
from beholder._core.tables import format_records
from beholder.activations import Activations
from beholder.jobs import Finish, JobFolder, Shard, Worker
from beholder.models import Preprocessing, Unit
from beholder.stimuli import StimulusSet
from beholder.units._buckets import SIGNS
from beholder.units._distribution import format_distribution
from beholder.units._encode import PreparedFiles
from beholder.units._exemplars import Exemplars
from beholder.units._recorded import list_sources

FOLDER = "natural_images"
MANIFEST = "manifest.csv"
DISTRIBUTION = "distribution.json"
COLUMNS = ["file", "role", "source", "rank", "activation", "percentile", "seed", "settings"]


def plan_exemplar_shards(exemplars: Exemplars) -> tuple[Shard, ...]:
    """One shard a unit; its payload holds the hash of what was chosen."""
    shards = []
    for unit, ranks, positions in zip(exemplars.units, exemplars.ranks, exemplars.positions, strict=True):
        chosen = hash_settings([ranks.tolist(), positions.tolist()])
        payload = {"layer": unit.layer, "channel": unit.channel, "chosen": chosen}
        shards.append(Shard(f"{to_path_name(unit.layer)}--{unit.channel}", int(ranks.size), payload))
    return tuple(shards)


def check_unchanged(shard: Shard, folder: JobFolder) -> None:
    """Refuse other stimuli for a unit that is there: with the released scheme, another order of units gives them.

    Raises
    ------
    ConfigurationChanged
    """
    old = folder.peek_receipt(shard.key)
    if old is not None and old["payload"] != dict(shard.payload):
        raise ConfigurationChanged(
            f"the exemplars that {folder.output} has for {shard.payload['layer']}:{shard.payload['channel']}",
            got="others, from other activations or another order of units",
            hint="another output folder, or --overwrite to replace them",
        )


def make_tables(exemplars: Exemplars) -> dict[str, list[tuple[str, str, dict[str, Any]]]]:
    """For each shard: the file's name without extension, the stimulus, and the manifest's row."""
    w = exemplars.windows
    if w.top is None:
        windows = {name: getattr(w, name) for name in ("start_min", "stop_min", "start_max", "stop_max")}
        how = {"scheme": exemplars.scheme, "num_batches": w.num_batches, **windows}
    else:
        how = {"top": w.top}
    made_with = {**how, "n_stimuli": w.n_stimuli}
    settings = json.dumps(made_with, separators=(",", ":"))
    sources = list_sources(exemplars.acts)
    ids = exemplars.acts.stimulus_ids
    tables = {}
    for i, shard in enumerate(plan_exemplar_shards(exemplars)):
        rows = []
        for batch in range(w.num_batches):
            for which, sign in enumerate(SIGNS):
                for place in range(w.n_positions):
                    at = (i, which, batch, place)
                    position = int(exemplars.positions[at])
                    row = {
                        "role": w.name_role(place),
                        "source": sources[position],
                        "rank": int(exemplars.ranks[at]),
                        "activation": str(exemplars.activations[at]),
                        "percentile": str(exemplars.percentiles[at]),
                        "seed": exemplars.seed,
                        "settings": settings,
                    }
                    rows.append((f"batch_{batch}/{sign}_{place}", ids[position], row))
        tables[shard.key] = rows
    return tables


def make_distributions(exemplars: Exemplars) -> dict[str, bytes]:
    """For each shard, the bytes of its ``distribution.json``."""
    shards = plan_exemplar_shards(exemplars)
    rows = zip(shards, exemplars.units, exemplars.edges, exemplars.counts, strict=True)
    return {shard.key: format_distribution(unit, edges, counts) for shard, unit, edges, counts in rows}


@dataclass
class ExemplarWorker(Worker):
    """Writes the exemplars of single units.

    Parameters
    ----------
    store : path
        The recording, for the hashes of its stimuli.
    jobs : JobFolder
        Of the model's folder.
    stimuli : StimulusSet
    preprocessing : Preprocessing
    tables : mapping
        As :func:`make_tables` gives them.
    distributions : mapping
        For each shard the bytes of its ``distribution.json``.
    cores : int
        Threads, shared by the workers.
    """

    store: Path
    jobs: JobFolder
    stimuli: StimulusSet
    preprocessing: Preprocessing
    tables: dict[str, list[tuple[str, str, dict[str, Any]]]]
    distributions: dict[str, bytes]
    cores: int
    lookahead: int = 1

    @contextlib.contextmanager
    def open(self, n_workers: int) -> Iterator[Callable[[Shard], Finish]]:
        """Start the threads that decode and encode."""
        acts = Activations(self.store)
        hashes = dict(zip(acts.stimulus_ids, acts.stimulus_hashes, strict=False))
        files = PreparedFiles(self.stimuli, self.preprocessing, hashes)
        suffix = files.suffix
        with ThreadPoolExecutor(max(1, self.cores // n_workers), thread_name_prefix="beholder-encode") as pool:
            try:
                yield lambda shard: self._start(shard, pool, files, suffix)
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _start(self, shard: Shard, pool: ThreadPoolExecutor, files: PreparedFiles, suffix: str) -> Finish:
        unit = Unit(shard.payload["layer"], shard.payload["channel"])
        check_unchanged(shard, self.jobs)
        images = self.jobs.output / unit.path_name / FOLDER
        rows = self.tables[shard.key]

        def write(name: str, stimulus_id: str) -> int:
            data = files.encode(stimulus_id)
            write_bytes(images / f"{name}{suffix}", data)
            return len(data)

        futures = [pool.submit(write, name, stimulus_id) for name, stimulus_id, _ in rows]

        def finish() -> tuple[dict[str, int], dict[str, Any]]:
            sizes = {}
            for (name, _, _), future in zip(rows, futures, strict=True):
                sizes[f"{unit.path_name}/{FOLDER}/{name}{suffix}"] = future.result()
            manifest = format_manifest([{"file": f"{name}{suffix}", **row} for name, _, row in rows])
            for name, data in ((DISTRIBUTION, self.distributions[shard.key]), (MANIFEST, manifest)):
                write_bytes(images / name, data)
                sizes[f"{unit.path_name}/{FOLDER}/{name}"] = len(data)
            return sizes, {}

        return finish


def format_manifest(rows: list[dict[str, Any]]) -> bytes:
    """The bytes of a ``manifest.csv``.

    Parameters
    ----------
    rows : list of dict
        With the keys ``file, role, source, rank, activation, percentile, seed, settings``.
    """
    return format_records(rows, COLUMNS)
