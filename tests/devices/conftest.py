"""The pretend accelerator: a device of torch whose tensors do not mix with the CPU's and whose values are the CPU's."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from pathlib import Path

import pytest

from beholder._core.locks import take_lock

OWN_PROCESS = "BEHOLDER_TEST_DEVICES"


@pytest.fixture(scope="session")
def pretend() -> str:
    """Its name for ``--device``; tests skip where it, or what compiles it (once a machine), is absent.

    They also skip but in a process of their own (``test_own_process.py`` starts it): torch's engine of gradients knows
    only the devices that there were when it was first used.
    """
    if OWN_PROCESS not in os.environ:
        pytest.skip("runs in a process of its own")
    default = Path(__file__).resolve().parents[3] / "shared" / "tools"
    folder = Path(os.environ.get("BEHOLDER_TEST_TOOLS", default)).resolve() / "pretend_device"
    if not folder.is_dir():
        pytest.skip("the pretend accelerator is absent (set BEHOLDER_TEST_TOOLS)")
    if shutil.which("g++") is None or shutil.which("ninja") is None:
        pytest.skip("the pretend accelerator wants g++ and ninja")
    built = Path(tempfile.gettempdir()) / f"beholder-pretend-{os.getuid()}"
    built.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch, take_lock(built / "turn.lock", wait=True), warnings.catch_warnings():
        patch.setenv("TORCH_EXTENSIONS_DIR", str(built))
        patch.syspath_prepend(str(folder))
        warnings.simplefilter("ignore")
        for left in built.rglob("lock"):  # of a compilation that was killed, which torch would wait for
            left.unlink()
        __import__("pretend")
    return "pretend"
