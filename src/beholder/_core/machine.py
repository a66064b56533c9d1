"""What kind of machine this is, as far as it decides a number's last digits."""

from __future__ import annotations

import platform
import sys
from typing import Any

from beholder._core.provenance import read_versions


def describe_machine() -> dict[str, Any]:
    """A fingerprint: processor, the instruction set that torch's kernels use, the GPU, versions of packages.

    Torch is asked only where the work has loaded it: what does without has no kernels of torch in it.

    >>> sorted(describe_machine())
    ['gpu', 'instructions', 'processor', 'versions']
    """
    torch: Any = sys.modules.get("torch")
    instructions = gpu = None
    if torch is not None:
        instructions = str(torch.backends.cpu.get_cpu_capability())
        if torch.cuda.is_initialized():
            gpu = str(torch.cuda.get_device_name())
        elif torch.backends.mps.is_available():
            gpu = "mps"
    return {
        "processor": platform.machine(),
        "instructions": instructions,
        "gpu": gpu,
        "versions": read_versions(),
    }
