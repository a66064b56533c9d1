"""Planning metamers: what decides their bytes, which are made together, which stimuli there are."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from beholder._core.errors import ConfigurationChanged, InputError
from beholder._core.files import to_path_name, write_bytes
from beholder._core.hashing import hash_settings
from beholder._core.progress import logger
from beholder.jobs import JobFolder, Shard
from beholder.models import Model, name_bad_stimulus, prepare_stimulus
from beholder.stimuli import StimulusSet, list_asked_decisions, name_run
from beholder.synthesis.engine._stimulus_format import StimulusFormat
from beholder.synthesis.metamers._recipe import MetamerRecipe

FORMAT = "beholder-metamers-2"
ORIGINALS = "originals"
_LAYOUT = "layout.json"


@final
@dataclass(frozen=True)
class Layout:
    """What an output holds: stimuli by their ids, layers as they lie in the network, seeds by number.

    Attributes
    ----------
    stimuli : dict of str to dict
        ``original, file, label, target, sha256, decision`` of each stimulus.
    layers, measured : tuple of str
    seeds : tuple of int
    """

    stimuli: dict[str, dict[str, Any]]
    layers: tuple[str, ...]
    measured: tuple[str, ...]
    seeds: tuple[int, ...]

    @classmethod
    def read(cls, folder: JobFolder) -> Layout:
        """The layout of an output, empty for a new one."""
        known = folder.read_record(_LAYOUT)
        if known is None:
            return cls({}, (), (), ())
        stimuli = {row["stimulus_id"]: {k: v for k, v in row.items() if k != "stimulus_id"} for row in known["stimuli"]}
        return cls(stimuli, tuple(known["layers"]), tuple(known["measured"]), tuple(known["seeds"]))

    def write(self, folder: JobFolder) -> None:
        """Record it."""
        rows = [{"stimulus_id": key, **row} for key, row in self.stimuli.items()]
        known = {"stimuli": rows, "layers": self.layers, "measured": self.measured, "seeds": self.seeds}
        folder.write_record(_LAYOUT, known)

    def grow(
        self,
        stimuli: dict[str, dict[str, Any]],
        layers: Sequence[str],
        measured: Sequence[str],
        seeds: Sequence[int],
        output: Path,
        *,
        replace: bool,
    ) -> Layout:
        """The layout with what is asked for added; with ``replace`` ids may come to stand for other stimuli.

        Raises
        ------
        ConfigurationChanged
            An id that stands for another stimulus.
        """
        for key, row in stimuli.items():
            old = self.stimuli.get(key)
            if old is not None and old["sha256"] != row["sha256"] and not replace:
                raise ConfigurationChanged(
                    f"the stimulus that {output} has under the id {key!r}", got=f"another file, {row['file'] or key}",
                    hint="another output folder, or --overwrite to replace its metamers",
                )  # fmt: skip
        return Layout(
            {**self.stimuli, **stimuli} if replace else {**self.stimuli, **_take_new(stimuli, self.stimuli)},
            tuple(dict.fromkeys([*self.layers, *layers])),
            tuple(dict.fromkeys([*self.measured, *measured])),
            tuple(dict.fromkeys([*self.seeds, *seeds])),
        )

    def sort(self, sort_layers: Callable[[Iterable[str]], list[str]]) -> Layout:
        """The same whatever was asked for first: stimuli by id, seeds by number, layers as ``sort_layers`` has them."""
        stimuli = {key: self.stimuli[key] for key in sorted(self.stimuli, key=split_numbers)}
        return Layout(
            stimuli, tuple(sort_layers(self.layers)), tuple(sort_layers(self.measured)), tuple(sorted(self.seeds))
        )


def split_numbers(name: str) -> list[tuple[int, Any]]:
    """A key that puts names in order, numbers in them by value.

    >>> sorted(["dog_10", "dog_9", "cat"], key=split_numbers)
    ['cat', 'dog_9', 'dog_10']
    """
    parts = [(0, int(part)) if part.isdecimal() else (1, part) for part in re.split(r"(\d+)", name)]
    return [*parts, (2, name)]


def _take_new(stimuli: dict[str, dict[str, Any]], known: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {key: row for key, row in stimuli.items() if key not in known}


def plan_metamer_shards(
    folder: JobFolder,
    plan_hash: str,
    ids: Sequence[str],
    layers: Sequence[str],
    seeds: Sequence[int],
    hashes: dict[str, str],
    batch_size: int,
    announce: Callable[[Iterable[str]], set[str]] | None = None,
) -> tuple[tuple[Shard, ...], int]:
    """Shards for the metamers that are asked for, those that are finished among them.

    Metamers of one layer and seed share a shard, in the order of the stimuli, ``batch_size`` at a time; what a
    finished shard holds is not cut again, so that more stimuli may be added at any time.

    Parameters
    ----------
    folder : JobFolder
    plan_hash : str
        Of the settings.
    ids, layers, seeds
        What is asked for.
    hashes : mapping of str to str
        Hash of each stimulus.
    batch_size : int
    announce : callable, optional
        Tells other runs which metamers this one makes, and gives those that they make.

    Returns
    -------
    shards : tuple of Shard
    n_elsewhere : int
        Metamers that are left to other runs.
    """
    shards: list[Shard] = []
    finished = _find_finished(folder, plan_hash)
    elsewhere: set[str] = set()
    if batch_size > 1 and announce is not None:  # alone in its shard, a metamer is claimed with it
        keys = [(layer, seed, key) for layer in layers for seed in seeds for key in ids]
        elsewhere = announce(_name_part(*key) for key in keys if key not in finished)
    for layer in layers:
        for seed in seeds:
            left = []
            for stimulus_id in ids:
                shard = finished.get((layer, seed, stimulus_id))
                if shard is None and _name_part(layer, seed, stimulus_id) not in elsewhere:
                    left.append(stimulus_id)
                elif shard is None:
                    continue
                elif shard not in shards:
                    shards.append(shard)
            for start in range(0, len(left), batch_size):
                members = left[start : start + batch_size]
                shards.append(make_shard(layer, seed, members, hashes))
    order = {stimulus_id: i for i, stimulus_id in enumerate(ids)}
    if batch_size == 1:  # metamers of one stimulus follow each other, so that it is looked at once
        shards.sort(key=lambda shard: order.get(shard.payload["stimuli"][0], 0))
    return tuple(shards), len(elsewhere)


def _name_part(layer: str, seed: int, stimulus_id: str) -> str:
    return f"{layer} {seed} {stimulus_id}"


def make_shard(layer: str, seed: int, members: Sequence[str], hashes: dict[str, str]) -> Shard:
    """One shard."""
    payload = {"layer": layer, "seed": seed, "stimuli": list(members), "sha256": [hashes[i] for i in members]}
    return Shard(f"{to_path_name(layer)}--{seed}--{hash_settings(payload)[:16]}", len(members), payload)


def _find_finished(folder: JobFolder, plan_hash: str) -> dict[tuple[str, int, str], Shard]:
    found = {}
    for receipt in folder.iter_receipts():
        payload = receipt["payload"]
        hashes = dict(zip(payload["stimuli"], payload["sha256"], strict=True))
        shard = make_shard(payload["layer"], payload["seed"], payload["stimuli"], hashes)
        if folder.read_receipt(plan_hash, shard) is not None:
            for stimulus_id in set(payload["stimuli"]) - set(receipt["facts"].get("replaced", ())):
                found[payload["layer"], payload["seed"], stimulus_id] = shard
    return found


def pick_output(plain: Path, recipe: MetamerRecipe, usual: MetamerRecipe) -> Path:
    """Where metamers of these numbers of steps lie, or go to.

    Parameters
    ----------
    plain : path
        ``metamers/{model}``: what is there goes on; where nothing is, the recipe's usual numbers of steps go there.
    recipe, usual : MetamerRecipe
        The one asked for, and with the numbers of steps that it has by itself.

    Returns
    -------
    path
        ``plain``, or ``{model}_I{iterations}_N{repeats}`` beside it.
    """
    asked = recipe.iterations, recipe.repeats
    own = plain.with_name(name_run(plain.name, *asked))
    if get_job_folder(own).read_settings() is None:
        old = get_job_folder(plain).read_settings()
        made = (usual.iterations, usual.repeats) if old is None else read_steps(old)
        if made == asked:
            return plain
    logger.info("metamers of %d x %d steps lie in a folder of their own: %s", *asked, own)
    return own


def read_steps(settings: dict[str, Any]) -> tuple[int, int]:
    """Iterations and repeats that an output was made with."""
    return settings["recipe"]["iterations"], settings["recipe"]["repeats"]


def get_job_folder(output: Path) -> JobFolder:
    """The job folder of ``metamers/{model}``."""
    return JobFolder(output.parent / f".{output.name}.metamers.jobs", output)


def find_null_jobs(output: Path) -> JobFolder:
    """The job folder of ``null_dist/{model}``."""
    return JobFolder(output.parent / f".{output.name}.null.jobs", output)


def forget_metamers(
    folder: JobFolder, layers: Sequence[str], seeds: Sequence[int], ids: Sequence[str], changed: Sequence[str]
) -> None:
    """Forget that some metamers were made, so that they are made anew.

    Parameters
    ----------
    folder : JobFolder
    layers, seeds, ids
        Which.
    changed : sequence of str
        Stimuli of which all metamers are forgotten.
    """
    for path in sorted((folder.path / "receipts").glob("*.json")):
        receipt = folder.peek_receipt(path.stem)
        if receipt is None:
            continue
        payload, facts = receipt["payload"], receipt["facts"]
        gone = set(changed) if not (payload["layer"] in layers and payload["seed"] in seeds) else {*ids, *changed}
        gone &= set(payload["stimuli"])
        left = set(payload["stimuli"]) - gone - set(facts.get("replaced", ()))
        shutil.rmtree(folder.path / "state" / path.stem, ignore_errors=True)
        if not left:
            path.unlink()
        elif gone:
            facts["replaced"] = sorted(set(payload["stimuli"]) - left)
            for part in ("metamers", "skipped"):
                facts[part] = [each for each in facts[part] if each["stimulus_id"] in left]
            for part in ("files", "digests"):
                receipt[part] = {name: mark for name, mark in receipt[part].items() if Path(name).parent.name in left}
            folder.replace_receipt(path.stem, receipt)


def write_originals(
    output: Path,
    model: Model,
    stimuli: StimulusSet,
    form: StimulusFormat,
    known: dict[str, dict[str, Any]],
    shape: tuple[int, ...],
    *,
    replace: bool,
) -> dict[str, dict[str, Any]]:
    """Write the originals as the network is shown them, those that are there already left out; describes all.

    An original under whose id there is another one is left as it is, unless it is to be replaced.

    Raises
    ------
    StimulusError
        A stimulus cannot be read.
    InputError
        Stimuli of several shapes, or that are not finite.
    """
    described = {}
    asked = list_asked_decisions(stimuli)
    for i, stimulus_id in enumerate(stimuli.ids):
        name = f"{ORIGINALS}/{stimulus_id}{form.suffix}"
        digest = stimuli.hashes[i] if stimuli.hashes else stimuli.hash_stimulus(i)
        described[stimulus_id] = {
            "original": name, "file": stimuli.files[i], "label": stimuli.labels[i], "target": int(stimuli.targets[i]),
            "sha256": digest, "decision": asked[i],
        }  # fmt: skip
        old = known.get(stimulus_id)
        if old is None or (replace and old["sha256"] != digest) or not (output / name).exists():
            write_bytes(output / name, form.encode(prepare_original(model, stimuli, i, shape)))
    return described


def prepare_original(model: Model, stimuli: StimulusSet, i: int, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """One stimulus as the network is shown it, float32; of ``shape``, if given."""
    with name_bad_stimulus(stimuli, i):
        image = np.asarray(prepare_stimulus(model.preprocessing, stimuli, i), dtype=np.float32)
    name = stimuli.files[i] or stimuli.ids[i]
    if shape is not None and image.shape != shape:
        raise InputError(
            f"stimuli of one shape, {shape}", got=f"{name} of shape {image.shape}",
            hint="a preprocessing that gives all stimuli one size",
        )  # fmt: skip
    if not np.isfinite(image).all():
        raise InputError("finite stimuli", got=f"{name} with NaN or infinity")
    return image
