"""What a run that has nothing left to do looks at: everything a few times, nothing a few times for each other."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import beholder as bh
from beholder.activations.extraction import _plan
from beholder.jobs import _folder
from beholder.stimuli import StimulusSet

N = 40


def test_a_run_again_reads_each_receipt_three_times_and_copies_no_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_plan, "_SHARD_STIMULI", 1)
    monkeypatch.setattr(_plan, "_MAX_SHARDS", 10**9)
    torch.manual_seed(0)
    net = bh.wrap(nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten()), input_shape=(3, 4, 4))
    stimuli = np.random.default_rng(0).random((N, 3, 4, 4), np.float32)
    how = {"out_path": tmp_path, "name": "net", "batch_size": 1, "threads": 1, "device": "cpu"}
    bh.extract(net, stimuli, ["0"], **how)
    assert len(list(tmp_path.glob(".net.zarr.jobs/receipts/*"))) == N
    read, made = Counter[str](), 0
    plain, check = _folder.read_receipt_file, StimulusSet.__post_init__

    def count(path: Path) -> dict | None:
        read[path.name] += 1
        return plain(path)

    def count_sets(self: StimulusSet) -> None:
        nonlocal made
        made += 1
        check(self)

    monkeypatch.setattr(_folder, "read_receipt_file", count)
    monkeypatch.setattr(StimulusSet, "__post_init__", count_sets)
    bh.extract(net, stimuli, ["0"], **how)
    assert len(read) == N and max(read.values()) <= 3
    assert made < 10
