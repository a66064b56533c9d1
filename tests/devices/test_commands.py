"""Every command that runs a network, on an accelerator: the CPU's values, within 1e-4 of the largest of each array."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.golden import inputs
from tests.golden.runs import call, working_in

from devices.compare_outputs import list_differences

TOLERANCE = 1e-4
NETWORK = """
import numpy as np
import torch
from torch import nn

version = "1"
input_shape = (3, 16, 16)
input_range = (0, 1)
classes = ["circle", "square", "star", "cross"]


def build():
    torch.manual_seed(3)
    net = nn.Sequential()
    net.add_module("conv", nn.Conv2d(3, 6, 4, 4))
    net.add_module("norm", nn.GroupNorm(2, 6))
    net.add_module("relu", nn.ReLU(inplace=True))
    net.add_module("pool", nn.AvgPool2d(2))
    net.add_module("flat", nn.Flatten())
    net.add_module("head", nn.Linear(24, 4))
    return net
"""
UNITS = "--model_name tiny --units_file units.json"
ANSWERS = "participant,stimulus,response,truth\n" + "".join(
    f"{who},circle/circle_{i:02d}.png,{('circle', 'square')[(i + k) % 3 == 0]},circle\n"
    f"{who},square/square_{i + 1:02d}.png,{('circle', 'square')[(i * k) % 2]},square\n"
    for k, who in enumerate(("p1", "p2")) for i in range(0, 8, 2)
)  # fmt: skip

GROUPS = {
    "extract": (
        "extract -m tiny -mn conv relu head output -ip images -op plain ON --threads 1",
        "extract -m tiny -mn conv -ip images -op reduced --reduce srp:4 ON --threads 1",
        "extract -m ears -mn band head -ip sounds -op heard --axes band=time,channel ON --threads 1",
    ),
    "panel": (
        "panel --stimuli_root images --folders circle square --output_dir panel --models tiny other --layers head "
        "--replicates 2 --border 0 --no-alpha_mask -y ON --threads 1",
    ),
    "units": (
        f"units record {UNITS} --in_path natural ON --threads 1",
        f"units exemplars {UNITS} --num_batches 2 --start_min 18 --stop_min 20 --start_max 20 --stop_max 22",
        f"units maps {UNITS} ON --threads 1",
        f"units occlude {UNITS} ON --threads 1 --steps 2",
        f"units optimize {UNITS} --n_images 2 --steps 2 --max_loops 1 --transparency ON --threads 1 --out_path made",
    ),
    "metamers": (
        "metamers null tiny natural --layers conv head -N 12 ON --threads 1",
        "metamers make tiny shown --layers relu --measured conv head -I 4 ON --threads 1",
        "metamers make ears sounds --layers band --measured band -I 2 ON --threads 1",
        "metamers judge metamers/tiny --models tiny --failed ON",
    ),
    "published": (
        "metamers make tiny shown --layers relu --measured conv -I 2 -N 2 --recipe published --out_path published ON "
        "--threads 1",
    ),
    "natural": ("evaluate natural tiny images --out natural_answers ON",),
    "adversarial": (
        "evaluate adversarial tiny images --norm l2 --eps 0.5 --attacks pgd apgd-ce apgd-t random --steps 3 "
        "--apgd-steps 3 --random-start --restarts 2 --out attacked ON",
        "evaluate adversarial tiny images --norm linf --eps 0.1 --attacks pgd --steps 2 --targets random "
        "--out aimed ON",
        "evaluate adversarial ears sounds --norm l1 --eps 2 --attacks pgd --steps 2 --out loud ON",
    ),
    "battery": ("evaluate battery tiny --stimuli images --trials answers.csv --n-draws 10 --n-permutations 10 --out "
                "battery ON",),
    "train": (
        "train tiny images --epochs 1 --batch-size 4 --augment flip --held-out 0.25 --out-path plain ON --threads 1",
        "train tiny images --epochs 1 --batch-size 4 --attack pgd --norm l2 --eps 0.5 --attack-steps 2 --random-start "
        "--augment flip --held-out 0.25 --ema 0.9 --out-path attacked ON --threads 1",
    ),
}  # fmt: skip
FAST = ("extract", "published")


@pytest.mark.parametrize(
    "name", [each if each in FAST else pytest.param(each, marks=pytest.mark.slow) for each in GROUPS]
)
def test_a_command_on_an_accelerator_gives_the_values_of_the_cpu(name: str, pretend: str, tmp_path: Path) -> None:
    for device in ("cpu", pretend):
        folder = tmp_path / device
        inputs.write_inputs(folder)
        (folder / "tiny.py").write_text(NETWORK, encoding="utf-8")
        (folder / "answers.csv").write_text(ANSWERS, encoding="utf-8")
        units = (folder / "units.json").read_text(encoding="utf-8").replace("toy", "tiny")
        (folder / "units.json").write_text(units, encoding="utf-8")
        with working_in(folder):
            register_networks()
            for line in GROUPS[name]:
                said = call(line.replace("ON", f"--device {device}"))
                assert said["code"] == 0, f"{line}\n{said['err']}"
    assert list_differences(tmp_path / "cpu", tmp_path / pretend, TOLERANCE) == []


def register_networks() -> None:
    import beholder as bh
    from beholder.models import ImagePreprocessing

    inputs.register_networks()
    resized = ImagePreprocessing(resize=16, crop=(16, 16), mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4))
    bh.register_model("tiny", "file:tiny.py", preprocessing=resized, overwrite=True)
