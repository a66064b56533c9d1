"""The kind of a machine, and what of it counts."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from beholder._core.machine import (
    LEVELS,
    choose_level,
    describe_kind,
    format_differences,
    format_kind,
    list_differences,
)

KIND = {
    "processor": "x86_64",
    "instructions": {"processor": "AMD AVX2", "switches": "", "oneDNN": "AVX2", "torch": "AVX2"},
    "gpu": "none",
    "versions": {"numpy": "2.4", "torch": "2.14.1"},
}


@pytest.mark.parametrize("level", LEVELS)
def test_a_processor_takes_its_own_level_and_never_more_than_the_limit(level: str) -> None:
    flags = LEVELS[level] | ({"sse4_1"} if level == "SSE41" else {"sse4_1", "avx"})
    assert choose_level(flags) == choose_level(flags, "ALL") == choose_level(flags, level.lower()) == level
    everything = frozenset().union(*LEVELS.values())
    assert choose_level(everything, level) == level
    assert choose_level(frozenset({"sse2"}), level) == "none"


@pytest.mark.parametrize(
    ("now", "before", "after"),
    [
        ({"processor": "aarch64"}, "x86_64", "aarch64"),
        ({"instructions": {**KIND["instructions"], "oneDNN": "AVX"}}, "oneDNN AVX2", "oneDNN AVX"),
        ({"instructions": {**KIND["instructions"], "switches": "A=1"}}, "no switches", "switches A=1"),
        ({"gpu": "NVIDIA H100"}, "no GPU", "NVIDIA H100"),
        ({"versions": {"numpy": "2.4", "torch": "2.14.0"}}, "torch 2.14.1", "torch 2.14.0"),
        ({"versions": {"numpy": "2.5", "torch": "2.14.1"}}, "numpy 2.4", "numpy 2.5"),
    ],
)
def test_what_changes_numbers_is_another_kind_and_is_named(now: dict, before: str, after: str) -> None:
    assert format_differences(KIND, {**KIND, **now}) == (before, after)


@pytest.mark.parametrize(
    "now",
    [
        {"versions": {"numpy": "2.4.9", "torch": "2.14.1", "timm": "1.0"}},  # a repair; a package that one did not load
        {"versions": {"python": "3.12.1", "zarr": "4", "beholder": "9", "numpy": "2.4.1", "torch": "2.14.1"}},
        {"instructions": "AVX2", "gpu": None},  # what earlier versions told
        {"instructions": {"processor": "AMD AVX2", "switches": ""}, "gpu": None, "versions": {"numpy": "2.4"}},
    ],
)
def test_what_changes_none_or_is_not_told_is_no_other_kind(now: dict) -> None:
    assert not list(list_differences(KIND, {**KIND, **now})), format_kind({**KIND, **now})


def test_torch_counts_where_it_computes_and_limits_are_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch  # noqa: F401

    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    plain, whole = describe_kind(), describe_kind("cpu")
    assert plain["gpu"] is None and whole["gpu"] == "none"
    assert "torch" not in plain["versions"] and "torch" in whole["versions"]
    assert not list(list_differences(plain, whole))
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "SSE41")
    assert describe_kind() == plain
    assert [name for name, *_ in list_differences(whole, describe_kind("cpu"))] in (["oneDNN"], [])
    monkeypatch.setenv("ONEDNN_DEFAULT_FPMATH_MODE", "BF16")
    assert [name for name, *_ in list_differences(plain, describe_kind())] == ["switches"]


_TOLD = {
    "AVX": "AVX", "AVX2": "AVX2", "AVX2 with Intel DL Boost": "AVX2_VNNI",
    "AVX-512 with AVX512BW, AVX512VL, and AVX512DQ extensions": "AVX512_CORE",
    "AVX-512 with Intel DL Boost": "AVX512_CORE_VNNI",
    "AVX-512 with Intel DL Boost and bfloat16 support": "AVX512_CORE_BF16",
}  # fmt: skip
"""How oneDNN itself tells the level that it takes."""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the processor is read from /proc")
@pytest.mark.parametrize("limit", ["", "AVX2", "AVX512_CORE", "AVX512_CORE_VNNI"])
def test_the_level_is_what_onednn_says_that_it_takes(limit: str) -> None:
    code = (
        "import torch; from beholder._core.machine import describe_kind\n"
        "torch.nn.functional.conv2d(torch.rand(8, 16, 32, 32), torch.rand(32, 16, 3, 3))\n"
        "print('ours:', describe_kind('cpu')['instructions']['oneDNN'])"
    )
    environment = {**os.environ, "ONEDNN_VERBOSE": "1", "ONEDNN_MAX_CPU_ISA": limit}
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    lines = said.stdout.splitlines()
    told = [line.partition("isa:Intel ")[2] for line in lines if "cpu,isa:Intel" in line]
    if not told or told[0] not in _TOLD:
        pytest.skip(f"oneDNN says {told}")
    assert [line.partition(": ")[2] for line in lines if line.startswith("ours")] == [_TOLD[told[0]]]
