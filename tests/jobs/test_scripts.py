"""Networks of scripts, prompts and notebooks in worker processes: nobody's main module is run again."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

SCRIPT = """
import sys
import numpy as np
import torch
from torch import nn
import beholder as bh
print("begun")
scale = 2.0

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3)
        self.second = nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 4, 3))

    def forward(self, x):
        return self.second(self.first(x)).mean((2, 3)) * scale

torch.manual_seed(0)
module = Net()
with torch.no_grad():
    module.first.weight[:2] = 0
gain = 3.0
module.first.register_forward_hook(lambda part, given, output: output * gain)
net = bh.wrap(module, normalize=lambda x: (x - 0.5) / 0.25, input_shape=(3, 8, 8), input_range=(0, 1), name="net")
pictures = np.random.default_rng(0).random((300, 3, 8, 8), dtype=np.float32)
layers = ["first", "second", "output"]
acts = bh.extract(net, pictures, layers, out_path=sys.argv[-1], workers=2, flatten=True)
_, wanted = bh.capture(net, torch.from_numpy(pictures), layers)
for layer in layers:
    own = wanted[layer].numpy().reshape(300, -1)
    assert np.allclose(acts[layer].to_numpy(), own, rtol=1e-4, atol=1e-6), layer
from pathlib import Path
from typing import Any
assert len(list(Path(sys.argv[-1]).glob(".*.jobs/receipts/*"))) == 2, "work for two"
print("ended")
"""


def indent(code: str) -> str:
    """The script as one that does all under the guard."""
    return "if __name__ == '__main__':\n" + textwrap.indent(code, "    ")


WAYS = ["file", "standard input", *(pytest.param(way, marks=pytest.mark.slow) for way in ("-c", "guarded", "module"))]


@pytest.mark.parametrize("way", WAYS)
def test_workers_compute_with_the_callers_network(way: str, tmp_path: Path) -> None:
    """A class of the main module, changed weights, a hook, a lambda, a parametrization, a global."""
    out = str(tmp_path / "out")
    code = indent(SCRIPT) if way == "guarded" else SCRIPT
    path = tmp_path / "script.py"
    path.write_text(code, encoding="utf-8")
    command, given = {
        "file": ([str(path), out], None),
        "guarded": ([str(path), out], None),
        "standard input": (["-", out], code),
        "-c": (["-c", code, out], None),
        "module": (["-m", "script", out], None),
    }[way]
    result = subprocess.run(
        [sys.executable, "-W", "error", *command], input=given, cwd=tmp_path, capture_output=True, text=True,
        timeout=120, check=False, env={**os.environ, "BEHOLDER_PROGRESS": "0"},
    )  # fmt: skip
    assert (result.returncode, result.stdout, result.stderr) == (0, "begun\nended\n", "")


def test_workers_compute_with_a_notebooks_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cell after cell in a real kernel: the class stands in one, the call in another, as a notebook has them."""
    from jupyter_client.manager import start_new_kernel

    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "jupyter"))
    code = SCRIPT.replace("sys.argv[-1]", repr(str(tmp_path / "out")))
    cells = [
        code.partition("class Net")[0],
        *("class Net" + code.partition("class Net")[2]).split("\n\ntorch.manual", 1),
    ]
    cells[2] = "torch.manual" + cells[2]
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(tmp_path), startup_timeout=120)
    told: list[dict[str, Any]] = []
    try:
        for cell in cells:
            reply = client.execute_interactive(cell, timeout=120, output_hook=told.append)
            assert reply["content"]["status"] == "ok", reply["content"]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        client.context.term()
    streams = [message["content"] for message in told if message["msg_type"] == "stream"]
    assert "".join(each["text"] for each in streams if each["name"] == "stdout") == "begun\nended\n"
    assert not [each["text"] for each in streams if each["name"] == "stderr"]
