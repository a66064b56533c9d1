"""Choosing where a network runs."""

from __future__ import annotations

from beholder._core.devices import check_device_name
from beholder._core.errors import InputError


def pick_device(name: str = "auto") -> str:
    """The device called ``name``; ``"auto"`` picks MPS, then CUDA, then CPU.

    Parameters
    ----------
    name : {"auto", "cpu", "mps", "cuda", "cuda:N"}

    Returns
    -------
    str
        A name that torch understands, never ``"auto"``.

    Raises
    ------
    InputError
        The device was asked for by name and is absent.

    Examples
    --------
    >>> pick_device("cpu")
    'cpu'
    """
    import torch

    check_device_name(name)
    has_mps, n_cuda = torch.backends.mps.is_available(), torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return "mps" if has_mps else "cuda" if n_cuda else "cpu"
    if name == "mps" and not has_mps:
        raise InputError("an Apple GPU for --device mps", got="a machine without one", hint="--device auto")
    if name.startswith("cuda"):
        index = int(name.partition(":")[2] or 0)
        if index >= n_cuda:
            got = f"a machine with {n_cuda} of them" if n_cuda else "a machine (or a torch build) without one"
            raise InputError(f"a CUDA GPU for --device {name}", got=got, hint="--device auto")
    return name
