"""Building a module without memory for its weights."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import nn

_LOCK = threading.Lock()


def build_on_meta(build: Callable[[], nn.Module]) -> nn.Module:
    """Call ``build`` so that the module's parameters and buffers are on torch's ``meta`` device.

    Most networks build under ``torch.device("meta")``. Those that compute their own layout with tensors do not; for
    them each parameter moves to ``meta`` at the moment that it is made.

    Parameters
    ----------
    build : callable
        ``build() -> nn.Module``.
    """
    import torch

    try:
        with torch.device("meta"):
            return build()
    except (NotImplementedError, RuntimeError):
        with _register_on_meta():
            module = build()
        return module.to("meta")


def find_build_device() -> torch.device:
    """The device that parameters are on as they are made: ``meta`` in :func:`build_on_meta`; draws no random number.

    For builders that move what they made.
    """
    import torch
    from torch import nn

    made = nn.Module()  # torch 2.6 does not tell the device of a `with torch.device` otherwise
    made.register_parameter("made", nn.Parameter(torch.empty(0)))
    return next(made.parameters()).device


@contextlib.contextmanager
def _register_on_meta() -> Iterator[None]:
    from torch import nn

    register = nn.Module.register_parameter

    def register_on_meta(self: nn.Module, name: str, param: nn.Parameter | None) -> None:
        if param is not None and param.device.type != "meta":
            param = nn.Parameter(param.to("meta"), requires_grad=param.requires_grad)
        register(self, name, param)

    with _LOCK:
        nn.Module.register_parameter = register_on_meta  # pyright: ignore[reportAttributeAccessIssue]
        try:
            yield
        finally:
            nn.Module.register_parameter = register
