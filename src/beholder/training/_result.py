"""What a training run gives back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from beholder._core.errors import suggest_method_keywords
from beholder._core.notebooks import render_table
from beholder._core.wording import format_share
from beholder.training._settings import TrainingSettings

if TYPE_CHECKING:
    import pandas as pd

    from beholder.models import Model


@suggest_method_keywords
@final
@dataclass(frozen=True, repr=False)
class TrainingResult:
    """A trained network, and how it came about.

    Parameters
    ----------
    model : Model
        The network of the best epoch, for everything that takes a model.
    path : Path
        The run's folder: ``checkpoints/best.safetensors``, ``checkpoints/last.safetensors``, ``log.csv``.
    settings : TrainingSettings
        As resolved.
    history : tuple of dict
        A row an epoch, as in ``log.jsonl``.
    warnings : tuple of str
        What a reader should know: stimuli left out, updates in smaller micro-batches.

    Examples
    --------
    >>> import beholder as bh
    >>> result = bh.train("beholder:shapes@random", "images", epochs=1, batch_size=8, held_out=0.25, device="cpu")
    >>> result.settings.epochs, result.best["epoch"]
    (1, 0)
    """

    model: Model
    path: Path
    settings: TrainingSettings
    history: tuple[dict[str, Any], ...]
    warnings: tuple[str, ...] = ()

    @property
    def best(self) -> dict[str, Any]:
        """The row of the epoch whose network is kept as ``best``."""
        return next(row for row in reversed(self.history) if row["is_best"])

    @property
    def checkpoint(self) -> Path:
        """The best network's file; ``NAME@file`` loads it."""
        return self.path / "checkpoints" / "best.safetensors"

    def __repr__(self) -> str:
        best = self.best
        told = [f"{len(self.history)} epochs", f"best {best['epoch'] + 1}"]
        for name, words in (("accuracy", "held out"), ("attacked_accuracy", "attacked")):
            if best.get(name) is not None:
                told.append(f"{words} {format_share(best[name])}")
        return f"TrainingResult({self.model.name}: {', '.join(told)}; {self.path})"

    def sentences(self) -> list[str]:
        """What came out, for people."""
        best, path = self.best, self.checkpoint
        told = f"best epoch {best['epoch'] + 1} of {len(self.history)}"
        if best.get("accuracy") is not None:
            told += f": {format_share(best['accuracy'])} of {best['n']:,} held-out stimuli right"
        if best.get("attacked_accuracy") is not None:
            how = "in noise" if self.settings.attack == "noise" else "under attack"
            told += f", {format_share(best['attacked_accuracy'])} of {best['n_attacked']:,} {how}"
            told += f" ({self.settings.norm}, radius {self.settings.eps:.4g})"
        base = self.model.name.partition("@")[0]
        return [told, *(f"note: {each}" for each in self.warnings), f"use it as {base}@{path}"]

    def list_files(self) -> list[Path]:
        """The checkpoints and the log."""
        names = ("best.safetensors", "last.safetensors")
        return [*(self.path / "checkpoints" / name for name in names), self.path / "log.csv", self.path / "log.jsonl"]

    def _repr_html_(self) -> str:
        """What came out, and the first epochs, for notebooks."""
        return render_table("; ".join(self.sentences()), self.to_pandas())

    def to_pandas(self) -> pd.DataFrame:
        """The history, a row an epoch."""
        import pandas as pd

        return pd.DataFrame(list(self.history))
