"""What a file of units, or the folder of their stimuli, holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from beholder._core.errors import InputError
from beholder._core.files import read_json
from beholder.models import UnitList
from beholder.stimuli import read_model_stimuli

Facts = dict[str, Any]
Rows = list[dict[str, Any]]


def describe_units(path: Path) -> tuple[Facts, Rows]:
    """Model, seed and units of a ``.json`` file; names of the older form as they stand there."""
    document = read_json(path)
    if not isinstance(document, dict) or not isinstance(document.get("units"), list):
        raise InputError('a file of units: {"units": [...]}', got=str(path))
    if any(isinstance(unit, str) for unit in document["units"]):
        names = [str(unit).rpartition("__") for unit in document["units"]]
        units: Rows = [{"layer": layer, "channel": channel} for layer, _, channel in names]
    else:
        units = UnitList.read(path).to_dict()["units"]
    return {"model": document.get("model"), "seed": document.get("seed"), "units": len(units)}, units


def describe_stimuli(path: Path) -> tuple[Facts, Rows]:
    """How many stimuli and maps each unit in ``stimuli/{model}`` has, and whether its visualisations beat nature."""
    found = read_model_stimuli(path)
    rows = []
    for unit in found:
        beats = {sign: row.get("beats") or "" for sign, row in unit.verdicts.items()}
        rows.append(
            {
                "layer": unit.layer,
                "channel": unit.channel,
                "natural": len(unit.select("natural")),
                "optimized": len(unit.select("optimized")),
                "maps": sum(one.map is not None for one in unit.stimuli),
                "beats_min": beats.get("min", ""),
                "beats_max": beats.get("max", ""),
            }
        )
    return {"model": found.model, "units": len(found), "layers": len(found.layers)}, rows
