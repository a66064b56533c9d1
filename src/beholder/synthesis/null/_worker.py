"""Measuring pairs of natural stimuli at many layers, a block at a time."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from beholder._core.errors import InputError
from beholder._core.files import write_bytes
from beholder._core.seeds import derive_seed
from beholder.activations import RankedValues, compute_match
from beholder.jobs import Shard
from beholder.models import Model, iter_training_batches, run_eagerly
from beholder.stimuli import StimulusSet
from beholder.synthesis.engine._loop import Advance
from beholder.synthesis.engine._session import Made, SessionWorker, SynthesisSession
from beholder.synthesis.gradients._network import Network
from beholder.synthesis.metamers._plan import prepare_original
from beholder.synthesis.null._pairs import (
    PAIRS_PER_BLOCK,
    STIMULI_PER_BLOCK,
    Block,
    count_pairs_per_block,
    draw_block_pairs,
    list_block_pairs,
)

VALUES = ("spearman", "pearson", "db_snr", "norm_signal", "norm_noise")
"""What is kept of a pair."""

_BUDGET = 256 * 2**20
_BYTES_PER_VALUE = 12


@dataclass
class NullWorker(SessionWorker):
    """Measures and stores blocks of pairs.

    Parameters
    ----------
    stimuli : StimulusSet or None
        None: the training set of the model's file.
    sizes : mapping of str to int
        Values of one stimulus in each layer.
    n_pairs : int
        Pairs of one seed and split.
    jobs : path
        The job folder; nowhere for what stays in memory.
    """

    stimuli: StimulusSet | None
    sizes: Mapping[str, int]
    n_pairs: int
    jobs: Path = Path()

    @property
    def shuffle(self) -> bool:
        """Pairs are drawn at random."""
        return self.settings["shuffle"]

    @property
    def per_block(self) -> int:
        """Pairs in one block."""
        return count_pairs_per_block(0 if self.stimuli is None else len(self.stimuli), shuffle=self._is_drawn)

    @property
    def _is_drawn(self) -> bool:
        return self.stimuli is not None and self.shuffle

    def list_layers(self) -> list[str]:
        """Those that are measured."""
        return list(self.sizes)

    def prepare(self, session: SynthesisSession) -> Callable[[Shard], Made]:
        """As :class:`SessionWorker` has it."""
        return partial(self._make_shard, session)

    def _make_shard(self, session: SynthesisSession, shard: Shard) -> Made:
        payload = shard.payload
        block = Block(payload["block"], payload["n_pairs"])
        buffer = io.BytesIO()
        advance = self.count_steps(shard, self.count_most_passes(payload["layers"], block))
        values = self.measure(session, payload["layers"], payload["seed"], payload["split"], block, advance)
        np.save(buffer, values, allow_pickle=False)
        write_bytes(find_part(self.jobs, shard.key), buffer.getvalue())
        return {f"../{self.jobs.name}/parts/{shard.key}.npy": len(buffer.getvalue())}, {}

    def count_most_passes(self, layers: Sequence[str], block: Block) -> int:
        """How often a pair of a block goes through the network: once for each group of layers."""
        return block.n_pairs * len(self._group(layers))

    def measure(
        self,
        session: SynthesisSession,
        layers: Sequence[str],
        seed: int,
        split: int,
        block: Block,
        advance: Advance = lambda _n: None,
    ) -> np.ndarray:
        """The measures of a block's pairs, (n_layers, n_pairs, 5), float64; columns as in ``VALUES``."""
        values = np.empty((len(layers), block.n_pairs, len(VALUES)))
        places = {name: i for i, name in enumerate(layers)}
        for group in self._group(layers):
            for row, (first, second) in enumerate(self._iter_pairs(session.network, group, seed, split, block)):
                session.check_cancelled()
                for name in group:
                    match = compute_match(first[name], second[name])
                    values[places[name], row] = [getattr(match, column) for column in VALUES]
                advance(1)
        return values

    def _group(self, layers: Sequence[str]) -> list[tuple[str, ...]]:
        """Layers that go through the network together without a block's activations taking too much memory."""
        groups: list[list[str]] = []
        room = 0
        for name in layers:
            size = self._count_bytes([name])
            if not groups or size > room:
                groups.append([])
                room = _BUDGET
            groups[-1].append(name)
            room -= size
        return [tuple(group) for group in groups]

    def _count_bytes(self, layers: Sequence[str]) -> int:
        """Of what is kept of a block at some layers."""
        n_kept = STIMULI_PER_BLOCK if self._is_drawn else 2
        return sum(self.sizes[name] for name in layers) * _BYTES_PER_VALUE * n_kept

    def draw_pairs(self, seed: int, split: int, block: Block) -> np.ndarray:
        """Positions of a block's stimuli, (n_pairs, 2), where there is a set of them."""
        assert self.stimuli is not None
        if self.shuffle:
            return draw_block_pairs(len(self.stimuli), seed, split, block)
        return list_block_pairs(len(self.stimuli), self.n_pairs, split, block)

    def _iter_pairs(
        self, network: Network, layers: tuple[str, ...], seed: int, split: int, block: Block
    ) -> Iterator[tuple[dict[str, RankedValues], dict[str, RankedValues]]]:
        if self.stimuli is None:
            for batch in self._iter_training_pairs(seed, split, block):
                yield _get_activations(network, layers, batch[:1]), _get_activations(network, layers, batch[1:2])
            return
        is_kept = self.shuffle and self._count_bytes(layers) <= _BUDGET
        cache: dict[int, dict[str, RankedValues]] = {}
        for pair in self.draw_pairs(seed, split, block).tolist():
            if not is_kept:
                cache.clear()
            for i in pair:
                if i not in cache:
                    image = prepare_original(self.model, self.stimuli, i, self.shape)
                    cache[i] = _get_activations(network, layers, torch.from_numpy(image)[None])
            yield cache[pair[0]], cache[pair[1]]

    def _iter_training_pairs(self, seed: int, split: int, block: Block) -> Iterator[Tensor]:
        before = block.index * PAIRS_PER_BLOCK
        start = 0 if self.shuffle else 2 * (self.n_pairs * split + before)
        own = derive_seed(seed, "null pairs", split, block.index) % 2**31 if self.shuffle else seed
        yield from iter_training_batches(
            self.model, batch_size=2, n_stimuli=2 * block.n_pairs, start=start, shuffle=self.shuffle, seed=own
        )


def _get_activations(network: Network, layers: tuple[str, ...], batch: Tensor) -> dict[str, RankedValues]:
    with torch.no_grad():
        captured = network.run(batch.to(network.device), [1], layers, {})
    return {name: RankedValues(captured.tensors[name][0].float().cpu().numpy()) for name in layers}


def find_part(jobs: Path, key: str) -> Path:
    """Where a shard's measures lie."""
    return jobs / "parts" / f"{key}.npy"


def check_layers(model: Model, layers: Sequence[str], example: Tensor) -> dict[str, int]:
    """Number of values in each layer; layers that are not floating are refused."""
    sizes = {}
    with run_eagerly(), torch.no_grad():
        captured = Network(model, list(layers), example).run(example, [1], layers, {})
        for name in layers:
            values = captured.tensors[name]
            if not values.is_floating_point():
                raise InputError(f"floating-point activations at {name}", got=str(values.dtype).removeprefix("torch."))
            sizes[name] = values[0].numel()
    return sizes
