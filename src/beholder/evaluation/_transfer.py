"""Attacks that were made for another network: made anew on the same stimuli, or as they were saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import numpy as np
from torch import nn

from beholder._core.errors import InputError
from beholder._core.hashing import hash_file_fast, hash_settings
from beholder._core.wording import format_count
from beholder.evaluation._attack_passes import look_at_network
from beholder.evaluation._attack_plan import Chain
from beholder.evaluation._attack_protocol import GRADIENT_ATTACKS, TRANSFER
from beholder.evaluation._labels import Labels
from beholder.models import Model, as_model, describe_preprocessing, identify_model, load_model, pick_device
from beholder.stimuli import StimulusSet

LabelOf = Callable[[Model, StimulusSet, int], Labels]


@final
@dataclass(frozen=True)
class TransferSource:
    """Where transferred attacks come from.

    Attributes
    ----------
    name : str
        Of the network that they were made for, or of the saved set.
    identity : str
        By content.
    base : str
        The attack.
    model : Model, optional
        The network, whose attacks are made on the way.
    labels : (n_stimuli,), int64, optional
        Right answers, as its outputs.
    folder : path, optional
        Where saved stimuli lie.
    norm : str
        Of saved stimuli.
    files : mapping of float to list
        Of saved stimuli, at each radius a file and its hash for every stimulus.
    """

    name: str
    identity: str
    base: str
    model: Model | None = None
    labels: np.ndarray | None = None
    folder: Path | None = None
    norm: str = ""
    files: Mapping[float, list[list[str]]] = field(default_factory=dict[float, "list[list[str]]"])

    def hand_over(self) -> dict[str, Any]:
        """What a worker needs of it."""
        return {
            "source": self.model, "source_labels": self.labels, "source_identity": self.identity,
            "saved": self.folder, "saved_files": self.files,
        }  # fmt: skip

    def list_chains(self, radii: Mapping[str, tuple[float, ...]]) -> list[Chain]:
        """Its chains: at the radii asked for, or at those that were saved."""
        if self.model is None:
            radii = {self.norm: tuple(sorted(self.files))}
        return [Chain(norm, TRANSFER, own, self.name, self.base, self.identity) for norm, own in radii.items()]


def open_transfer(
    source: Model | nn.Module | Path | str,
    model: Model,
    stimuli: StimulusSet,
    label: LabelOf,
    device: str,
    attacks: Sequence[str],
) -> TransferSource:
    """A network by name or as it is, or the ``.csv`` of saved attacked stimuli.

    Raises
    ------
    InputError
        A network that is shown other stimuli, or the network itself; a table without a file for every stimulus.
    """
    if isinstance(source, str | Path) and Path(source).suffix == ".csv":
        return _open_saved(Path(source), stimuli)
    other = load_model(str(source), device=pick_device(device)) if isinstance(source, str | Path) else as_model(source)
    own = {name: (getattr(model, name), getattr(other, name)) for name in ("input_shape", "input_range", "sample_rate")}
    for name, (mine, its) in own.items():
        if mine != its:
            raise InputError(
                f"a network of the {name.replace('_', ' ')} {mine} for --transfer", got=f"{other.name} with {its}",
                hint="its attacked stimuli, saved with --save_stimuli",
            )  # fmt: skip
    identity = hash_settings([identify_model(other), describe_preprocessing(other)])
    if identify_model(other) == identify_model(model):
        raise InputError("another network for --transfer", got=f"{other.name} itself")
    base = next((name for name in attacks if name in GRADIENT_ATTACKS), GRADIENT_ATTACKS[0])
    labels = label(other, stimuli, look_at_network(other, stimuli)[0]).indices
    return TransferSource(other.path_name, identity, base, other.to(model.device), labels)


def _open_saved(table: Path, stimuli: StimulusSet) -> TransferSource:
    """What ``save`` wrote: a table of each norm and attack."""
    found = StimulusSet.from_table(table)
    columns = {name: list(map(str, values)) for name, values in found.conditions.items()}
    if not {"grade", "level", "original"} <= set(columns) or "_" not in columns["grade"][0]:
        raise InputError("the table of attacked stimuli that --save_stimuli wrote, {norm}_{attack}.csv", got=str(table))
    norm, _, attack = columns["grade"][0].partition("_")
    of_level: dict[float, dict[str, int]] = {}
    for i, (level, original) in enumerate(zip(columns["level"], columns["original"], strict=True)):
        of_level.setdefault(float(level), {})[original] = i
    of_level.pop(0.0, None)
    files: dict[float, list[list[str]]] = {}
    for level, places in sorted(of_level.items()):
        missing = [each for each in stimuli.ids if each not in places]
        if missing:
            raise InputError(
                f"attacked stimuli for all {format_count(len(stimuli), 'stimulus')} in {table}",
                got=f"none for {len(missing):,} of them at {norm}:{level:g}, such as {missing[0]!r}",
                hint="the stimuli that were attacked, or the same --n_stimuli and --seed",
            )  # fmt: skip
        files[level] = [
            [path.relative_to(table.parent).as_posix(), hash_file_fast(path)]
            for path in (found.path(places[each]) for each in stimuli.ids)
        ]
    if not files:
        raise InputError("attacked stimuli at some radius", got=f"{table} with level 0 alone")
    name = f"{table.parent.name}/{table.stem}"
    identity = hash_settings([norm, attack, {f"{level:.9g}": own for level, own in files.items()}])
    return TransferSource(name, identity, attack, folder=table.parent, norm=norm, files=files)
