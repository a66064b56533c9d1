"""A small run in a process of its own, to be killed, or started by torchrun: OUT EPOCHS SECONDS_A_BATCH [NORM].

With ``damaged`` in the place of NORM two stimuli cannot be read, which different processes come upon. With
``elsewhere`` the second process is on a machine of another kind, with ``mixed`` besides as is allowed."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Collection

import numpy as np
import torch
from torch import Tensor, nn

import beholder as bh
from beholder._core.errors import StimulusError
from beholder.training import ArrayData, train

X = torch.rand(96, 3, 8, 8, generator=torch.Generator().manual_seed(1))
Y = torch.arange(96) % 2
X[Y == 1, 0] *= 0.5


class Slow:
    """Arrays that take their time."""

    def __init__(self, data: ArrayData, seconds: float, damaged: Collection[int] = ()) -> None:
        self.data, self.seconds, self.damaged = data, seconds, {*damaged}
        self.classes, self.n_stimuli, self.fingerprint = data.classes, data.n_stimuli, data.fingerprint

    def name_stimulus(self, index: int) -> str:
        return str(index)

    def read_batch(self, indices: np.ndarray, epoch: int, seed: int) -> tuple[Tensor, Tensor]:
        time.sleep(self.seconds)
        bad = sorted({*map(int, indices)} & self.damaged)
        if bad:
            raise StimulusError("a stimulus", got=f"stimulus {bad[0]}, which is damaged")
        return self.data.read_batch(indices, epoch, seed)


def main(out: str, epochs: str, seconds: str, *norm: str) -> None:
    torch.manual_seed(0)
    if "elsewhere" in norm and os.environ.get("RANK") == "1":
        os.environ["ONEDNN_MAX_CPU_ISA"] = "SSE41"
    damaged = range(12) if "damaged" in norm else ()
    middle = [nn.BatchNorm2d(6)] if norm and not damaged else []
    net = nn.Sequential(
        nn.Conv2d(3, 6, 3, 2), *middle, nn.ReLU(), nn.Dropout(0.2 if norm else 0.0), nn.Flatten(), nn.Linear(54, 2)
    )
    learnt, held = ArrayData(X, Y, ("a", "b")).split(0.2, seed=1)
    train(
        bh.wrap(net, input_shape=(3, 8, 8), input_range=(0.0, 1.0)), (Slow(learnt, float(seconds), damaged), held),
        preset="adversarial", eps=0.2, attack_steps=1, eval_steps=1, ema=0.9, epochs=int(epochs), batch_size=16,
        learning_rate=0.05, out_path=out, threads=1, save_seconds=0.05, device="cpu", skip_bad=bool(damaged),
        mixed="mixed" in norm,
    )  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
