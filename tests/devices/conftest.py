"""The pretend accelerator: a device of torch whose tensors do not mix with the CPU's and whose values are the CPU's."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from pathlib import Path

import pytest

from beholder._core.locks import take_lock


@pytest.fixture(scope="session")
def pretend() -> str:
    """Its name for ``--device``; tests skip where it, or what compiles it (once a machine), is absent."""
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
