"""Devices: which there are, where a network runs, and what every accelerator can do in its own way."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from beholder._core.errors import InputError, suggest_keywords

if TYPE_CHECKING:
    import torch

_AUTOMATIC = ("mps", "cuda", "xpu")


@suggest_keywords
def pick_device(name: str = "auto") -> str:
    """The device called ``name``; ``"auto"`` picks MPS, then CUDA, then XPU, then the CPU.

    Parameters
    ----------
    name : str
        ``auto``, or any device that torch knows and this machine has: ``cpu``, ``cuda``, ``cuda:1``, ``mps``,
        ``xpu``, one that another package brings (``npu``).

    Returns
    -------
    str
        A name that torch understands, never ``"auto"``.

    Raises
    ------
    InputError
        The device was asked for by name and is absent; lists those that are here.

    Examples
    --------
    >>> pick_device("cpu")
    'cpu'
    """
    if name == "auto":
        return next((kind for kind in _AUTOMATIC if _count_devices(kind)), "cpu")
    place = _parse_device(name)
    n_here = _count_devices(place.type)
    if (place.index or 0) < n_here:
        return name
    got = f"a machine with {n_here} of them" if n_here else "a machine (or a torch build) without one"
    raise InputError(f"a device that is here for --device {name}: {_name_present()}", got=got, hint="--device auto")


@suggest_keywords
def check_device_name(name: str) -> str:
    """The name, if it is ``auto`` or torch knows a device of it, here or on other machines."""
    return name if name == "auto" else str(_parse_device(name))


@suggest_keywords
def fork_random(device: torch.device | str) -> contextlib.AbstractContextManager[None]:
    """In the context random numbers may be seeded and drawn, on the CPU and on a device; then all is as it was."""
    import torch

    place = torch.device(device)
    if place.type in ("cpu", "meta"):
        return torch.random.fork_rng(devices=[])
    return torch.random.fork_rng(devices=[place], device_type=place.type)


@suggest_keywords
def free_memory(device: torch.device | str) -> None:
    """Let go of what a device's allocator keeps for later, where it keeps anything."""
    free: Any = getattr(_find_module(device), "empty_cache", None)
    if free is not None:
        free()


@suggest_keywords
def pin_memory(batch: torch.Tensor, device: torch.device | str) -> torch.Tensor:
    """A batch of the CPU where a device reads it without a copy of its own, where that can be had; else as it is."""
    import torch

    place, present = torch.device(device), torch.accelerator.current_accelerator()
    if present is None or present.type != place.type:
        return batch
    try:
        return batch.pin_memory()
    except (RuntimeError, NotImplementedError):  # an accelerator that shares the CPU's memory, or none left to pin
        return batch


def _parse_device(name: str) -> torch.device:
    import torch

    try:
        place = torch.device(name)
    except RuntimeError:
        place = None
    if place is None or place.type == "meta":
        raise InputError(f"a device that torch knows (here: {_name_present()}), or auto", got=repr(name),
                         hint="--device auto")  # fmt: skip
    return place


def _find_module(device: torch.device | str) -> Any:
    """What torch has for a kind of device (``torch.cuda``, ``torch.xpu``, …); None without."""
    import torch

    try:
        return torch.get_device_module(torch.device(device))
    except RuntimeError:
        return None


def _count_devices(kind: str) -> int:
    import torch

    if kind == "mps":
        return int(torch.backends.mps.is_available())
    module = _find_module(kind)
    return int(module.device_count()) if module is not None and module.is_available() else 0


def _name_present() -> str:
    import torch

    other = torch.accelerator.current_accelerator()  # of another package too
    kinds: dict[str, None] = dict.fromkeys([*_AUTOMATIC, *([] if other is None else [str(other.type)])])
    found = ["cpu"]
    for kind in kinds:
        n = _count_devices(kind)
        found += [kind] if n == 1 else [f"{kind}:{i}" for i in range(n)]
    return ", ".join(found)
