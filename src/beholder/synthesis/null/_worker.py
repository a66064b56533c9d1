"""Measuring pairs of natural stimuli at many layers, a block at a time."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from beholder._core.errors import InputError
from beholder._core.files import write_bytes
from beholder._core.seeds import derive_seed
from beholder._core.threads import open_threads
from beholder.activations import RankedValues, compute_match, use_exact_math
from beholder.jobs import Finish, Shard
from beholder.models import Model, ModelWorker, iter_training_batches, run_eagerly
from beholder.stimuli import StimulusSet
from beholder.synthesis.engine._validate import make_example
from beholder.synthesis.gradients._network import Network, use_threads
from beholder.synthesis.metamers._plan import prepare_original
from beholder.synthesis.null._pairs import (
    PAIRS_PER_BLOCK,
    STIMULI_PER_BLOCK,
    Block,
    draw_block_pairs,
    list_block_pairs,
)

VALUES = ("spearman", "pearson", "db_snr", "norm_signal", "norm_noise")
"""What is kept of a pair."""

_BUDGET = 256 * 2**20
_BYTES_PER_VALUE = 12


@final
@dataclass(frozen=True)
class NullWork:
    """What is measured; the same in every process.

    Attributes
    ----------
    layer_sets : tuple of tuple of str
        The layers of each shard.
    sizes : mapping of str to int
        Values of one stimulus in each layer.
    shape : tuple of int
        Of one stimulus.
    n_pairs : int
        Pairs of one seed and split.
    shuffle : bool
    intra_threads, n_concurrent_batches : int
    channels_last : bool
        Lay convolution weights out channels-last.
    """

    layer_sets: tuple[tuple[str, ...], ...]
    sizes: dict[str, int]
    shape: tuple[int, ...]
    n_pairs: int
    shuffle: bool
    intra_threads: int
    n_concurrent_batches: int
    channels_last: bool


@final
class PairMeasurer:
    """A network that is open for measuring pairs.

    Parameters
    ----------
    model : Model
    network : Network
    stimuli : StimulusSet or None
        None: the training set of the model's file.
    work : NullWork
    """

    def __init__(self, model: Model, network: Network, stimuli: StimulusSet | None, work: NullWork) -> None:
        self._model, self._network, self._stimuli, self._work = model, network, stimuli, work
        self._is_closed = False

    def close(self) -> None:
        """Let what other threads measure end at its next pair."""
        self._is_closed = True

    def measure(self, layers: Sequence[str], seed: int, split: int, block: Block) -> np.ndarray:
        """The measures of a block's pairs, (n_layers, n_pairs, 5), float64; columns as in ``VALUES``."""
        values = np.empty((len(layers), block.n_pairs, len(VALUES)))
        places = {name: i for i, name in enumerate(layers)}
        for group in self._group(layers):
            for row, (first, second) in enumerate(self._iter_pairs(group, seed, split, block)):
                if self._is_closed:
                    raise CancelledError
                for name in group:
                    match = compute_match(first[name], second[name])
                    values[places[name], row] = [getattr(match, column) for column in VALUES]
        return values

    def _group(self, layers: Sequence[str]) -> list[tuple[str, ...]]:
        """Layers that go through the network together without a block's activations taking too much memory."""
        groups: list[list[str]] = []
        room = 0
        for name in layers:
            size = self._work.sizes[name] * _BYTES_PER_VALUE * self._count_kept()
            if not groups or size > room:
                groups.append([])
                room = _BUDGET
            groups[-1].append(name)
            room -= size
        return [tuple(group) for group in groups]

    def _count_kept(self) -> int:
        return STIMULI_PER_BLOCK if self._stimuli is not None and self._work.shuffle else 2

    def _iter_pairs(
        self, layers: tuple[str, ...], seed: int, split: int, block: Block
    ) -> Iterator[tuple[dict[str, RankedValues], dict[str, RankedValues]]]:
        if self._stimuli is None:
            for batch in self._iter_training_pairs(seed, split, block):
                yield self._get_activations(layers, batch[:1]), self._get_activations(layers, batch[1:2])
            return
        n_stimuli, work = len(self._stimuli), self._work
        if work.shuffle:
            pairs = draw_block_pairs(n_stimuli, seed, split, block)
        else:
            pairs = list_block_pairs(n_stimuli, work.n_pairs, split, block)
        needed = sum(work.sizes[name] for name in layers) * _BYTES_PER_VALUE * self._count_kept()
        cache: dict[int, dict[str, RankedValues]] = {}
        for pair in pairs.tolist():
            if not work.shuffle or needed > _BUDGET:
                cache.clear()
            for i in pair:
                if i not in cache:
                    image = prepare_original(self._model, self._stimuli, i, work.shape)
                    cache[i] = self._get_activations(layers, torch.from_numpy(image)[None])
            yield cache[pair[0]], cache[pair[1]]

    def _iter_training_pairs(self, seed: int, split: int, block: Block) -> Iterator[Tensor]:
        before = block.index * PAIRS_PER_BLOCK
        start = 0 if self._work.shuffle else 2 * (self._work.n_pairs * split + before)
        own = derive_seed(seed, "null pairs", split, block.index) % 2**31 if self._work.shuffle else seed
        yield from iter_training_batches(
            self._model, batch_size=2, n_stimuli=2 * block.n_pairs, start=start, shuffle=self._work.shuffle, seed=own
        )

    def _get_activations(self, layers: tuple[str, ...], batch: Tensor) -> dict[str, RankedValues]:
        with torch.no_grad():
            captured = self._network.run(batch.to(self._network.device), [1], layers, {})
        return {name: RankedValues(captured.tensors[name][0].float().cpu().numpy()) for name in layers}

    def open(self) -> None:
        """Put the hooks on that :meth:`measure` needs, before passes run side by side."""
        for layers in self._work.layer_sets:
            for group in self._group(layers):
                self._network.open(group)


@contextlib.contextmanager
def open_pair_measurer(model: Model, stimuli: StimulusSet | None, work: NullWork) -> Iterator[PairMeasurer]:
    """Copy a network a thread, put hooks on the copies, set the threads."""
    with (
        run_eagerly(),
        use_exact_math("fp32"),
        use_threads(work.intra_threads) if model.device.type == "cpu" else contextlib.nullcontext(),
        Network(model, list(work.sizes), make_example(model, work.shape), channels_last=work.channels_last) as network,
    ):
        measurer = PairMeasurer(model, network, stimuli, work)
        measurer.open()
        yield measurer


@dataclass
class NullWorker(ModelWorker):
    """Measures and stores blocks of pairs.

    Parameters
    ----------
    jobs : path
        The job folder.
    model : Model
        Reaches worker processes as it is in memory.
    device : str
    stimuli : StimulusSet or None
    work : NullWork
    """

    jobs: Path
    model: Model
    device: str
    stimuli: StimulusSet | None
    work: NullWork
    lookahead: int = field(init=False)

    def __post_init__(self) -> None:
        self.lookahead = self.work.n_concurrent_batches if self.work.n_concurrent_batches > 1 else 0

    @contextlib.contextmanager
    def open(self, n_workers: int) -> Iterator[Callable[[Shard], Finish]]:
        """Load the model, put the hooks on, start the lanes."""
        model = self.model
        n_concurrent_batches = max(1, self.work.n_concurrent_batches // n_workers)
        with (
            open_pair_measurer(model, self.stimuli, self.work) as measurer,
            open_threads(n_concurrent_batches, "beholder-null") as pool,
            contextlib.closing(measurer),
        ):
            yield lambda shard: pool.submit(self._measure, measurer, shard).result

    def _measure(self, measurer: PairMeasurer, shard: Shard) -> tuple[dict[str, int], dict[str, Any]]:
        payload = shard.payload
        block = Block(payload["block"], payload["n_pairs"])
        values = measurer.measure(payload["layers"], payload["seed"], payload["split"], block)
        buffer = io.BytesIO()
        np.save(buffer, values, allow_pickle=False)
        write_bytes(find_part(self.jobs, shard.key), buffer.getvalue())
        return {f"../{self.jobs.name}/parts/{shard.key}.npy": len(buffer.getvalue())}, {}


def find_part(jobs: Path, key: str) -> Path:
    """Where a shard's measures lie."""
    return jobs / "parts" / f"{key}.npy"


def check_layers(model: Model, layers: Sequence[str], example: Tensor) -> dict[str, int]:
    """Number of values in each layer; layers that are not floating are refused."""
    sizes = {}
    with (
        run_eagerly(),
        torch.no_grad(),
        Network(model, list(layers), example).open(layers) as network,
    ):
        captured = network.run(example, [1], layers, {})
        for name in layers:
            values = captured.tensors[name]
            if not values.is_floating_point():
                raise InputError(f"floating-point activations at {name}", got=str(values.dtype).removeprefix("torch."))
            sizes[name] = values[0].numel()
    return sizes
