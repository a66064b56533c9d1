"""The log of a run: one row an epoch, as CSV and as JSON lines, and a line for people."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from beholder._core.files import write_text
from beholder._core.wording import format_share

COLUMNS = (
    "epoch", "step", "learning_rate", "train_loss", "train_accuracy", "loss", "accuracy", "attacked_loss",
    "attacked_accuracy", "n", "n_attacked", "shape_bias", "is_best", "n_skipped", "seconds",
)  # fmt: skip
"""Of ``log.csv``; ``train_``: of what was learnt from, as it was learnt; the others: of the validation part."""


def write_logs(folder: Path, history: Sequence[dict[str, Any]]) -> None:
    """Write ``log.csv`` and ``log.jsonl`` from the rows of all epochs so far."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: "" if row.get(name) is None else row[name] for name in COLUMNS} for row in history)
    write_text(folder / "log.csv", text.getvalue())
    write_text(folder / "log.jsonl", "".join(json.dumps({c: row.get(c) for c in COLUMNS}) + "\n" for row in history))


def describe_epoch(row: dict[str, Any], epochs: int, attack: str) -> str:
    """An epoch in one line.

    >>> row = {"epoch": 0, "train_loss": 1.5, "train_accuracy": 0.4, "accuracy": 0.5, "is_best": True}
    >>> describe_epoch(row, 3, "none")
    'epoch 1 of 3: loss 1.500, 40.0 % right; held out 50.0 %, the best so far'
    """
    right = format_share(row["train_accuracy"])
    line = f"epoch {row['epoch'] + 1} of {epochs}: loss {row['train_loss']:.3f}, {right} right"
    if row.get("accuracy") is not None:
        line += f"; held out {format_share(row['accuracy'])}"
    if row.get("attacked_accuracy") is not None:
        words = "in noise" if attack == "noise" else "attacked"
        line += f", {words} {format_share(row['attacked_accuracy'])}"
    if row.get("shape_bias") is not None:
        line += f", shape bias {row['shape_bias']:.2f}"
    return line + (", the best so far" if row.get("is_best") else "")


def describe_time(seconds: float) -> str:
    """A length of time in words.

    >>> describe_time(42), describe_time(150), describe_time(7800)
    ('42 s', '2.5 min', '2.2 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
