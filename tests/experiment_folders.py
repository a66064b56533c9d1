"""Small built folders of every kind of task, written file by file, so that serving is tested apart from building."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from beholder.experiments import Experiment, make_settings, name_preset, read_experiment

SLOTS = {
    "counterfactual": ["base", "min", "max", *(f"reference_{k}" for k in range(9))],
    "recognition": ["stimulus"],
    "words": ["stimulus"],
    "same_different": ["first", "second"],
    "odd_one_out": ["a", "b", "c"],
    "similarity": ["a", "b"],
}
NO_PRACTICE = {f"practice.{name}": 0 for name in ("n_with_feedback", "n_without", "n_obvious", "n_required")}
QUICK = {"disabled_ms": 0, "feedback_delay_ms": 0, "feedback_ms": 0}


def make_png(seed: int, width: int = 4) -> bytes:
    """A picture of grey noise that differs from all others."""
    rows = b"".join(b"\0" + struct.pack(">I", (seed * 2654435761 + row * 40503) % 2**32)[:width] for row in range(4))

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, 4, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def make_wav(seed: int) -> bytes:
    """A short sound that differs from all others."""
    samples = struct.pack("<64h", *(((seed + 1) * 7919 * k) % 20000 - 10000 for k in range(64)))
    kind = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 20000, 40000, 2, 16)
    head = struct.pack("<4sI4s", b"RIFF", 36 + len(samples), b"WAVE")
    return head + kind + struct.pack("<4sI", b"data", len(samples)) + samples


def write_folder(
    folder: Path,
    kind: str = "2afc",
    *,
    n_tasks: int = 2,
    n_trials: int = 6,
    n_catch: int = 2,
    changes: Mapping[str, Any] | None = None,
    levels: tuple[float, ...] = (),
) -> Experiment:
    """Write and read a built folder whose main trials come first and whose catch trials come last."""
    settings = make_settings(name_preset(kind), {**QUICK, **(changes or {})}, kind=kind)
    counter = [0]
    for i in range(1, n_tasks + 1):
        _write_task(folder / f"task_{i}", settings, n_trials, n_catch, counter, levels)
    n_practice = settings.practice.n_trials
    if n_practice:
        _write_task(folder / "practice", settings, n_practice, 0, counter, levels, role="practice")
    about = {"kind": kind, "settings": settings.to_dict(), "n_tasks": n_tasks, "plan_hash": "0" * 64}
    (folder / "experiment.json").write_text(json.dumps(about), encoding="utf-8")
    return read_experiment(folder)


def find_correct(kind: str, settings: Any, n: int) -> str | None:
    """What is right in the n-th trial."""
    if kind in ("recognition", "words"):
        return settings.choices[n % len(settings.choices)]
    return {"2afc": "query_max", "counterfactual": "max", "odd_one_out": "a", "similarity": None}.get(
        kind, ("same", "different")[n % 2]
    )


def _write_task(
    folder: Path, settings: Any, n_main: int, n_catch: int, counter: list[int], levels: tuple[float, ...],
    role: str = "main",
) -> None:  # fmt: skip
    kind, rows = settings.kind, []
    for n in range(1, n_main + n_catch + 1):
        place = folder / "trials" / f"trial_{n}"
        is_catch = n > n_main
        for path in _list_files(place, kind, levels if not is_catch else ()):
            path.parent.mkdir(parents=True, exist_ok=True)
            counter[0] += 1
            path.write_bytes(make_wav(counter[0]) if path.suffix == ".wav" else make_png(counter[0]))
        row = {
            "n": n,
            "role": "catch" if is_catch else role,
            "mode": "catch_trial" if is_catch else "natural",
            "unit": {"model": "net", "layer": f"layer{n % 3}.conv", "channel": n, "batch": n % 4},
            "correct": find_correct(kind, settings, n),
            "conditions": {"contrast": n % 2},
        }
        rows.append(row | ({"levels": list(levels)} if levels and not is_catch else {}))
    index = {
        "task_name": folder.name,
        "n_reference_images": 9,
        "n_trials": len(rows),
        "catch_trial_idxs": list(range(n_main + 1, len(rows) + 1)),
    }
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")
    (folder / "key.json").write_text(json.dumps({"trials": rows}), encoding="utf-8")


def _list_files(place: Path, kind: str, levels: tuple[float, ...]) -> list[Path]:
    if kind == "2afc":
        queries = [place / "queries" / f"{sign}.png" for sign in ("min", "max")]
        return queries + [place / "references" / f"{sign}_{k}.png" for sign in ("min", "max") for k in range(9)]
    suffix = ".wav" if kind == "words" else ".png"
    slots = SLOTS[kind]
    if levels:
        slots = [*slots[:-1], *(f"{slots[-1]}_level_{k}" for k in range(len(levels)))]
    return [place / f"{slot}{suffix}" for slot in slots]
