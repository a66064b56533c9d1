"""The processes of a run that PyTorch's launcher started: which one this is, and sums over all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Generator, Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
import torch.distributed as dist
from torch import Tensor

from beholder.models import pick_device


@final
@dataclass(frozen=True)
class Processes:
    """One of the processes that train a network together.

    Parameters
    ----------
    rank : int
        From 0 on; 0 writes the files.
    n : int
    device : str
        Of this one.
    """

    rank: int = 0
    n: int = 1
    device: str = "cpu"

    @property
    def is_first(self) -> bool:
        """Whether this one writes and speaks."""
        return self.rank == 0

    def sum_tensors(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors by their sums over processes, in one message."""
        if self.n == 1 or not tensors:
            return
        flat = torch.cat([tensor.reshape(-1).float() for tensor in tensors])
        dist.all_reduce(flat)
        start = 0
        for tensor in tensors:
            tensor.copy_(flat[start : start + tensor.numel()].view_as(tensor))
            start += tensor.numel()

    def sum_numbers(self, *numbers: float) -> tuple[float, ...]:
        """Sums of numbers over processes."""
        if self.n == 1:
            return numbers
        values = torch.tensor(numbers, dtype=torch.float64, device=self.device)
        dist.all_reduce(values)
        return tuple(float(value) for value in values)

    def gather(self, value: Any) -> list[Any]:
        """What each process has, in the order of their ranks; every process gets all."""
        if self.n == 1:
            return [value]
        found: list[Any] = [None] * self.n
        dist.all_gather_object(found, value)
        return found

    def join_words(self, words: Collection[str]) -> list[str]:
        """All processes' words, each once, sorted; every process gets them."""
        return sorted({word for own in self.gather(list(words)) for word in own})

    def send_first(self, tensors: Sequence[Tensor]) -> None:
        """Give all processes the first one's values."""
        if self.n > 1:
            for tensor in tensors:
                dist.broadcast(tensor, 0)

    def wait(self) -> None:
        """Until all processes are here."""
        if self.n > 1:
            dist.barrier()


@contextlib.contextmanager
def join_processes(device: str) -> Generator[Processes]:
    """The group that ``torchrun`` started this process in; alone without it.

    Parameters
    ----------
    device : str
        ``gloo`` on the CPU, ``nccl`` on CUDA's, what torch has for it on another.
    """
    n = int(os.environ.get("WORLD_SIZE", "1"))
    if n == 1:
        yield Processes()
        return
    if torch.device(device).type != "cpu":
        torch.get_device_module(torch.device(device)).set_device(device)  # what collectives of no tensor go through
    is_mine = not dist.is_initialized()
    if is_mine:
        dist.init_process_group(dist.get_default_backend_for_device(device))
    try:
        yield Processes(dist.get_rank(), dist.get_world_size(), device)
    finally:
        if is_mine:
            dist.destroy_process_group()


def find_device(device: str) -> str:
    """The accelerator of this process, where the launcher started several on accelerators."""
    rank = os.environ.get("LOCAL_RANK")
    if rank is None or ":" in device or pick_device(device) == "cpu":
        return device
    return f"{pick_device(device)}:{rank}"
