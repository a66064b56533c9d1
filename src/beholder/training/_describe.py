"""A run's folder, read without its networks: what was trained how, and what came out, in words."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.files import explain_read_errors, read_json_object
from beholder._core.wording import format_share
from beholder.training._presets import PRESETS

FORMAT = "beholder-training-1"


@final
@dataclass(frozen=True)
class TrainingRecord:
    """What a run's folder tells.

    Parameters
    ----------
    described : dict
        ``settings.json``: network, data, settings.
    history : tuple of dict
        ``log.jsonl``, a row an epoch.
    """

    described: dict[str, Any]
    history: tuple[dict[str, Any], ...]

    @property
    def settings(self) -> dict[str, Any]:
        """As resolved."""
        return self.described["settings"]

    def sentences(self) -> list[str]:
        """What came out."""
        n, epochs = len(self.history), self.settings["epochs"]
        told = [f"{self.described['model']} learnt {len(self.described['classes'])} classes in {n} epochs"]
        told[0] += "." if n == epochs else f" of {epochs}: the run is not finished."
        best = next((row for row in reversed(self.history) if row.get("is_best")), None)
        if best is None or best.get("accuracy") is None:
            return told
        right = f"{format_share(best['accuracy'])} of {best['n']:,} held-out stimuli right"
        line = f"Its best epoch, {best['epoch'] + 1}, has {right}"
        if best.get("attacked_accuracy") is not None:
            how = "in noise" if self.settings["attack"] == "noise" else "under attack"
            line += (
                f", and {format_share(best['attacked_accuracy'])} of {best['n_attacked']:,} {how} "
                f"({self.settings['norm']}, radius {self.settings['eps']:.4g})"
            )
        return [*told, f"{line}."]

    def methods(self) -> str:
        """How it was trained."""
        s = self.settings
        preset = PRESETS.get(s["preset"])
        source = f" Preset {s['preset']}" + (f", where nothing else is said: {preset.source}." if preset else ".")
        way = {"sgd": f"SGD (momentum {s['momentum']:g})", "adamw": "AdamW"}[s["optimizer"]]
        told = (
            f"Trained on {self.described['data']['n_stimuli']:,} stimuli an epoch in batches of {s['batch_size']} by "
            f"{way}, learning rate {s['learning_rate']:g} ({s['schedule']}), weight decay {s['weight_decay']:g}, seed "
            f"{s['seed']}."
        )
        varied = self.described["data"].get("augment")
        if varied:
            told += f" They were varied by {', '.join(varied)}."
        if s["attack"] == "pgd":
            told += (
                f" Stimuli were attacked by {s['attack_steps']} steps of PGD of {s['attack_step_size']:.4g} in the "
                f"{s['norm']} ball of radius {s['eps']:.4g}, on the held-out part by {s['eval_steps']}; attacks see "
                "the network in eval mode (batch norm with its running statistics)."
            )
        return told + source


@suggest_keywords
def open_training_record(folder: Path | str) -> TrainingRecord:
    """What a run's folder tells.

    Raises
    ------
    InputError
        No folder of a run.
    """
    folder = Path(folder)
    described = read_json_object(folder / "settings.json", "settings", "classes", "model")
    if described.get("format") != FORMAT:
        raise InputError("the folder of a training run", got=str(folder))
    log = folder / "log.jsonl"
    with explain_read_errors(log, "a log of a training run"):
        rows = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []
    return TrainingRecord(described, tuple(rows))
