"""What is attacked next: of each attack, norm and radius the stimuli that withstood the smaller radius."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from beholder._core.hashing import hash_settings
from beholder.evaluation._attack_passes import TOP
from beholder.evaluation._attack_worker import BATCHES_IN_SHARD
from beholder.jobs import JobFolder, Shard, cut_range

_RUNS = "chains.json"


@final
@dataclass(frozen=True, order=True)
class Chain:
    """Radii of one attack that are gone through one after the other.

    Parameters
    ----------
    norm, attack : str
    radii : tuple of float
        Rising.
    source : str
        Of ``transfer``: whose attacks they are, by name, with the attack that it was.
    base : str
        That attack.
    identity : str
        Of the network that they were made for, or of the saved stimuli.
    """

    norm: str
    attack: str
    radii: tuple[float, ...]
    source: str = ""
    base: str = ""
    identity: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        """What is attacked how, whatever the radii."""
        return self.norm, self.attack, self.source, self.base, self.identity

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {**vars(self), "radii": list(self.radii)}


@final
class ChainState:
    """Answers of one chain's stimuli as far as it has come: of each the worst over the radii up to here.

    Parameters
    ----------
    clean : mapping of str to array
        Answers to the stimuli as they are: ``top1, top5, answer``, and of saved ones ``top1_saved, top5_saved``.
    n_classes : int
    has_targets : bool
    """

    def __init__(self, clean: Mapping[str, np.ndarray], n_classes: int, *, has_targets: bool) -> None:
        n = len(clean["top1"])
        self._ranks_matter = n_classes > TOP
        self.columns: dict[str, np.ndarray] = {
            "top1": clean["top1"].copy(), "top5": clean["top5"].copy(), "answer": clean["answer"].copy(),
            "size": np.zeros(n), "found_at": np.zeros(n),
        }  # fmt: skip
        if has_targets:
            self.columns["reached"] = np.zeros(n, bool)
        for name in ("top1_saved", "top5_saved"):
            if name in clean:
                self.columns |= {name: clean[name].copy(), "size_saved": np.zeros(n)}
        self.n_attacked = self.n_fooled = self.n_flat = 0

    def count(self) -> dict[str, int]:
        """Of the radius that was added last: stimuli answered rightly before, fooled there, with a gradient of 0."""
        return {"n_attacked": self.n_attacked, "n_fooled": self.n_fooled, "n_flat": self.n_flat}

    def list_left(self) -> np.ndarray:
        """Positions of stimuli whose label is still the answer, or among the first five; or the target is not."""
        left = self.columns["top1"] | (self.columns["top5"] if self._ranks_matter else False)
        if "reached" in self.columns:
            left = left | ~self.columns["reached"]
        return np.nonzero(left)[0]

    def add(self, eps: float, positions: np.ndarray, found: Mapping[str, np.ndarray]) -> None:
        """Take what the attack found at the next radius, for the stimuli that were attacked there."""
        columns = self.columns
        self.n_attacked = self.n_fooled = self.n_flat = 0
        if not len(positions):
            return
        before = columns["top1"][positions]
        self.n_attacked, self.n_fooled = int(before.sum()), int((before & ~found["top1"]).sum())
        self.n_flat = int(found["flat"].sum()) if "flat" in found else 0
        for name in ("top1", "top5"):
            columns[name][positions] &= found[name]
        if "reached" in columns:
            columns["reached"][positions] |= found["reached"]
        shown = positions[before | ~found["top1"]]
        places = before | ~found["top1"]
        columns["found_at"][shown] = eps
        for name in ("answer", "size", "top1_saved", "top5_saved", "size_saved"):
            if name in columns:
                columns[name][shown] = found[name][places]


def plan_shards(chain: Chain, level: int, positions: np.ndarray, batch_size: int, **more: Any) -> list[Shard]:
    """Shards of the stimuli that are attacked at one radius of a chain."""
    eps = chain.radii[level]
    shards: list[Shard] = []
    for start, stop in cut_range(0, len(positions), BATCHES_IN_SHARD * batch_size):
        payload: dict[str, Any] = {
            "part": "attack", "norm": chain.norm, "attack": chain.attack, "eps": eps,
            "positions": [int(i) for i in positions[start:stop]],
            **({"base": chain.base, "source": chain.identity} if chain.source else {}),
            **more,
        }  # fmt: skip
        mark = hash_settings(payload)[:12]
        shards.append(Shard(f"{chain.norm}-{chain.attack}-{eps:.9g}-{start:06d}-{mark}", stop - start, payload))
    return shards


def merge_chains(old: Sequence[Chain], new: Sequence[Chain]) -> list[Chain]:
    """All chains, those that are the beginning of another left out; in one order, whichever came first."""
    every = sorted({*old, *new})
    return [
        chain for chain in every
        if not any(
            other.key == chain.key and other != chain and other.radii[: len(chain.radii)] == chain.radii
            for other in every
        )
    ]  # fmt: skip


def read_chains(folder: JobFolder) -> list[Chain]:
    """Chains that earlier runs went through."""
    record = folder.read_record(_RUNS) or {"chains": []}
    return [Chain(**{**each, "radii": tuple(each["radii"])}) for each in record["chains"]]


def write_chains(folder: JobFolder, chains: Sequence[Chain]) -> None:
    """Record them, where they are others than before."""
    if list(chains) != read_chains(folder):
        folder.write_record(_RUNS, {"chains": [chain.to_dict() for chain in chains]})
