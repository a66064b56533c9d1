"""The kind of a machine: what of it decides the last bits of numbers.

The same pass with AVX-512 and with AVX2 gives other values in a third of the places, by up to 1e-4 of the largest. So
an output says on what kind of machine it is made, and its parts come from one kind unless the user says otherwise.

A kind has the keys ``processor``, ``instructions``, ``gpu`` and ``versions``. What it does not say is not compared:
an output of an earlier version says less, and a package that is not loaded has computed nothing. Python's version, and
those of what only stores numbers (zarr, h5py), are not in it.
"""

from __future__ import annotations

import contextlib
import functools
import os
import platform
import re
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

Kind = dict[str, Any]
"""``processor``: str; ``instructions``: dict of str; ``gpu``: str or None; ``versions``: dict of str."""

NO_GPU = "none"

_PLAIN = ("numpy", "scipy", "pillow")
"""Compute in any work; a repair of theirs (the third number) is taken to leave numbers as they are."""
_LOADED = {
    "torch": "torch", "torchvision": "torchvision", "torchaudio": "torchaudio", "timm": "timm",
    "open_clip": "open_clip_torch", "transformers": "transformers",
}  # fmt: skip
"""Modules and their packages: counted where they are loaded."""

_SWITCHES = (
    "MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS", "MKL_DEBUG_CPU_TYPE", "NPY_DISABLE_CPU_FEATURES", "NVIDIA_TF32_OVERRIDE",
    "ONEDNN_CPU_ISA_HINTS", "ONEDNN_DEFAULT_FPMATH_MODE", "OPENBLAS_CORETYPE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
)  # fmt: skip
"""Environment variables by which libraries take other instructions, or coarser ones."""

_AVX2 = frozenset({"avx2", "fma"})
_AVX512 = _AVX2 | {"avx512f", "avx512bw", "avx512vl", "avx512dq"}
_VNNI = _AVX512 | {"avx512_vnni"}
_BF16 = _VNNI | {"avx512_bf16"}
_FP16 = _BF16 | {"avx_vnni", "avx512_fp16"}
_AMX = _FP16 | {"amx_tile", "amx_int8", "amx_bf16"}
LEVELS: dict[str, frozenset[str]] = {
    "SSE41": frozenset({"sse4_1"}),
    "AVX": frozenset({"avx"}),
    "AVX2": _AVX2,
    "AVX2_VNNI": _AVX2 | {"avx_vnni"},
    "AVX2_VNNI_2": _AVX2 | {"avx_vnni", "avx_vnni_int8", "avx_ne_convert"},
    "AVX512_CORE": _AVX512,
    "AVX512_CORE_VNNI": _VNNI,
    "AVX512_CORE_BF16": _BF16,
    "AVX512_CORE_FP16": _FP16,
    "AVX512_CORE_AMX": _AMX,
    "AVX512_CORE_AMX_FP16": _AMX | {"amx_fp16"},
}
"""Instruction sets as oneDNN names them, with the flags of a processor that has them; later ones are preferred."""

_ALIASES = {"AVX10_1_512": "AVX512_CORE_FP16", "AVX10_1_512_AMX": "AVX512_CORE_AMX",
            "AVX10_1_512_AMX_FP16": "AVX512_CORE_AMX_FP16"}  # fmt: skip
_VENDORS = {"AuthenticAMD": "AMD", "GenuineIntel": "Intel"}
_ARM = ("asimd", "bf16", "i8mm", "sve", "sve2", "svebf16")


def choose_level(flags: frozenset[str], most: str = "") -> str:
    """The instruction set that oneDNN takes.

    Parameters
    ----------
    flags : set of str
        Of the processor, as Linux names them.
    most : str
        The value of ``ONEDNN_MAX_CPU_ISA``; an unknown one, ``ALL`` and ``DEFAULT`` set no limit, as in oneDNN.

    Source: oneDNN, *CPU dispatcher control*.

    >>> choose_level(frozenset({"sse4_1", "avx", "avx2", "fma"})), choose_level(LEVELS["AVX512_CORE_BF16"], "AVX2")
    ('AVX2', 'AVX2')
    """
    cap = LEVELS.get(_ALIASES.get(most.upper(), most.upper()))
    fitting = [name for name, wanted in LEVELS.items() if wanted <= flags and (cap is None or wanted <= cap)]
    return fitting[-1] if fitting else "none"


def describe_kind(device: str | None = None) -> Kind:
    """The kind of this machine, for work whose numbers come from ``device``.

    Parameters
    ----------
    device : str, optional
        A device of torch, ``"cpu"`` or ``"cuda:1"``; None where no kernel of torch computes.

    >>> sorted(describe_kind())
    ['gpu', 'instructions', 'processor', 'versions']
    """
    instructions = {"processor": _read_processor(), "switches": _read_switches()}
    versions = {name: _shorten(found) for name in _PLAIN if (found := read_version(name)) is not None}
    gpu = None
    torch: Any = sys.modules.get("torch")
    if device is not None and torch is not None:
        limit = os.environ.get("ONEDNN_MAX_CPU_ISA") or os.environ.get("DNNL_MAX_CPU_ISA") or ""
        flags = _read_flags()
        instructions["oneDNN"] = choose_level(flags, limit) if "sse4_1" in flags else limit or "all"
        instructions["torch"] = str(torch.backends.cpu.get_cpu_capability())
        for module, package in _LOADED.items():
            if module in sys.modules and (found := read_version(package)) is not None:
                versions[package] = found
        gpu = _name_gpu(torch, device, versions)
    return {"processor": platform.machine(), "instructions": instructions, "gpu": gpu, "versions": versions}


def list_differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """What two kinds both say and say otherwise: its name, and both values.

    >>> list(list_differences({"gpu": "A"}, {"gpu": "B", "processor": "x86_64"}))
    [('GPU', 'A', 'B')]
    """
    before, now = _flatten(old), _flatten(new)
    yield from ((name, before[name], now[name]) for name in before if name in now and before[name] != now[name])


def format_kind(kind: Mapping[str, Any]) -> str:
    """A kind in words: ``AMD AVX512_CORE_BF16, oneDNN AVX2, torch 2.14.1, …``."""
    said = _flatten(kind)
    return ", ".join(_format(name, value) for name, value in said.items() if value not in ("", NO_GPU))


def format_differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, str]:
    """What is different of two kinds, in words, of each."""
    found = list(list_differences(old, new))
    return ", ".join(_format(name, a) for name, a, _ in found), ", ".join(_format(name, b) for name, _, b in found)


def _format(name: str, value: str) -> str:
    if name in ("machine", "processor"):
        return value
    if name == "GPU":
        return value if value != NO_GPU else "no GPU"
    return f"{name} {value}" if value else f"no {name}"


def _flatten(kind: Mapping[str, Any]) -> dict[str, str]:
    """What a kind says, by the name that messages give it. Earlier versions told torch's instructions alone."""
    instructions: Any = kind.get("instructions") or {}
    if isinstance(instructions, str):
        instructions = {"torch": instructions}
    said = {"machine": kind.get("processor"), **_rename(instructions), "GPU": kind.get("gpu")}
    versions: Mapping[str, str] = kind.get("versions") or {}
    counted = {*_PLAIN, *_LOADED.values(), "cuda", "cudnn"}
    said |= {name: _shorten(each) if name in _PLAIN else each for name, each in versions.items() if name in counted}
    return {name: str(value) for name, value in said.items() if value is not None}


def _rename(instructions: Mapping[str, str]) -> dict[str, str]:
    names = {"torch": "instructions of torch", "switches": "switches"}
    return {names.get(name, name): value for name, value in instructions.items()}


def _shorten(number: str) -> str:
    """The first two numbers of a version."""
    found = re.match(r"\d+\.\d+", number)
    return found.group() if found else number


@functools.cache
def read_version(package: str) -> str | None:
    """The version of an installed package."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _read_switches() -> str:
    return " ".join(f"{name}={value}" for name in _SWITCHES if (value := os.environ.get(name)))


def _name_gpu(torch: Any, device: str, versions: dict[str, str]) -> str:
    """The name of an accelerator, the type of a device that gives none; its libraries go to ``versions``."""
    kind = torch.device(device).type
    if kind == "cpu":
        return NO_GPU
    if kind == "cuda":
        numbers = {"cuda": torch.version.cuda or torch.version.hip, "cudnn": torch.backends.cudnn.version()}
        versions |= {name: str(number) for name, number in numbers.items() if number is not None}
    with contextlib.suppress(AttributeError, RuntimeError, AssertionError, NotImplementedError):
        return str(getattr(torch, kind).get_device_name(device))
    return str(kind)


def _read_processor() -> str:
    """Maker and instruction set of the processor, whatever limits are set."""
    flags, maker = _read_flags(), _read_fields().get("vendor_id", "")
    if "sse4_1" in flags:
        return f"{_VENDORS.get(maker, maker)} {choose_level(flags)}".strip()
    return " ".join(name for name in _ARM if name in flags) or platform.processor() or platform.machine()


def _read_flags() -> frozenset[str]:
    fields = _read_fields()
    return frozenset((fields.get("flags") or fields.get("Features") or "").split())


@functools.cache
def _read_fields(path: str = "/proc/cpuinfo") -> dict[str, str]:
    """What Linux says of the first processor; nothing elsewhere."""
    fields: dict[str, str] = {}
    with contextlib.suppress(OSError):
        for line in Path(path).read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if not name.strip():
                break
            fields[name.strip()] = value.strip()
    return fields
