"""Built experiments of every kind, small, with drawn stimuli."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.io import wavfile

from beholder.experiments import make_settings

FAST = {
    "2afc": {"disabled_ms": 60, "feedback_delay_ms": 40, "feedback_ms": 60, "practice.n_with_feedback": 2,
             "practice.n_obvious": 0, "practice.n_required": 0, "fullscreen": False, "min_width": 600,
             "min_height": 400},
    "counterfactual": {"disabled_ms": 60, "feedback_delay_ms": 40, "feedback_ms": 60, "practice.n_with_feedback": 1,
                       "practice.n_obvious": 0, "practice.n_required": 0, "fullscreen": False},
    "recognition": {"fixation_ms": 50, "stimulus_ms": 100, "mask_ms": 50, "slow_n": 0, "feedback_ms": 60,
                    "practice.n_with_feedback": 1, "practice.n_without": 1, "practice.n_required": 0,
                    "break_fractions": [0.5], "fullscreen": False},
    "words": {"feedback_ms": 60, "practice.n_with_feedback": 1, "practice.n_without": 0, "practice.n_required": 0,
              "headphone_check": False, "break_fractions": []},
    "same_different": {"fixation_ms": 50, "stimulus_ms": 60, "gap_ms": 50, "feedback_ms": 60,
                       "practice.n_with_feedback": 1, "practice.n_obvious": 0, "practice.n_required": 0,
                       "break_fractions": [], "fullscreen": False},
    "odd_one_out": {"disabled_ms": 30, "practice.n_without": 1, "break_fractions": []},
    "similarity": {"disabled_ms": 30, "practice.n_without": 1, "break_fractions": []},
}  # fmt: skip
"""Settings of each kind that make an experiment quick."""


def draw_checkerboard(size: int = 64) -> np.ndarray:
    """One-pixel checks, black and white, (size, size)."""
    rows, columns = np.indices((size, size))
    return ((rows + columns) % 2 * 255).astype(np.uint8)


def draw_picture(k: int, size: int = 96) -> np.ndarray:
    """A picture that no other has: waves whose direction and width depend on ``k``."""
    rows, columns = np.indices((size, size))
    phase = columns * np.cos(k) + rows * np.sin(k)
    return (127.5 + 100 * np.sin(phase / (2 + k % 5))).astype(np.uint8)


def save_picture(path: Path, values: np.ndarray) -> None:
    """Write a grey picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


def save_sound(path: Path, hertz: float, seconds: float = 0.2) -> None:
    """Write a tone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(int(16000 * seconds)) / 16000
    wavfile.write(path, 16000, (3000 * np.sin(2 * np.pi * hertz * time)).astype(np.int16))


def list_files(kind: str, sounds: bool, n_levels: int) -> list[str]:
    """Files of one trial, relative to its folder."""
    if kind == "2afc":
        references = [f"references/{side}_{k}" for side in ("min", "max") for k in range(9)]
        return [f"{name}.png" for name in ("queries/min", "queries/max", *references)]
    if n_levels:
        return [f"stimulus_level_{k}.png" for k in range(n_levels)]
    slots = {
        "counterfactual": ["base", "min", "max", *(f"reference_{k}" for k in range(9))],
        "recognition": ["stimulus"],
        "words": ["stimulus"],
        "same_different": ["first", "second"],
        "odd_one_out": ["a", "b", "c"],
        "similarity": ["a", "b"],
    }[kind]
    return [f"{slot}.{'wav' if sounds or kind == 'words' else 'png'}" for slot in slots]


CORRECT = {
    "2afc": ["query_max"], "counterfactual": ["max"], "recognition": ["dog", "boat", "clock"],
    "words": ["water", "young", "ability"], "same_different": ["same", "different"], "odd_one_out": ["a"],
    "similarity": [None],
}  # fmt: skip


def write_folder(
    folder: Path, kind: str, n: int, start: int, draw: Any, sounds: bool, levels: tuple[float, ...] = ()
) -> None:
    """A task's folder, or the practice's."""
    answers = CORRECT[kind]
    rows = []
    for k in range(1, n + 1):
        for j, name in enumerate(list_files(kind, sounds, len(levels))):
            path = folder / "trials" / f"trial_{k}" / name
            if name.endswith(".wav"):
                save_sound(path, 300 + 20 * (start + k) + 100 * j)
            else:
                save_picture(path, draw((start + k) * 31 + j))
        correct = answers[(k - 1) % len(answers)]
        rows.append({"n": k, "role": "main", "mode": "natural", "unit": None, "correct": correct, "levels": levels})
    index = {"task_name": folder.name, "n_reference_images": 9, "n_trials": n, "catch_trial_idxs": []}
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")
    (folder / "key.json").write_text(json.dumps({"trials": rows}), encoding="utf-8")


def build_folder(
    folder: Path,
    kind: str,
    n_trials: int = 3,
    changes: dict[str, Any] | None = None,
    draw: Any = draw_picture,
    *,
    sounds: bool = False,
    levels: tuple[float, ...] = (),
) -> Path:
    """A built experiment of one task, as ``beholder tasks build`` writes it."""
    settings = make_settings(kind=kind, changes={**FAST[kind], **(changes or {})})
    folder.mkdir(parents=True, exist_ok=True)
    top = {"kind": kind, "settings": settings.to_dict(), "n_tasks": 1, "plan_hash": "0" * 64}
    (folder / "experiment.json").write_text(json.dumps(top), encoding="utf-8")
    write_folder(folder / "task_1", kind, n_trials, 0, draw, sounds, levels)
    if settings.practice.n_trials:
        write_folder(folder / "practice", kind, settings.practice.n_trials, 100, draw, sounds)
    return folder
