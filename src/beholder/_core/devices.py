"""Names of devices, without the framework that drives them."""

from __future__ import annotations

import re

from beholder._core.errors import InputError

_NAME = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


def check_device_name(name: str) -> str:
    """Return ``name`` if it is ``auto``, ``cpu``, ``mps``, ``cuda`` or ``cuda:N``; else an :class:`InputError`."""
    if not _NAME.fullmatch(name):
        raise InputError("a device: auto, cpu, mps, cuda or cuda:N", got=repr(name), hint="--device auto")
    return name
