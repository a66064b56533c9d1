"""Objectives of single units, by their names in the registry."""

from __future__ import annotations

import inspect
from typing import Any

from beholder._core.errors import InputError, suggest_keywords
from beholder.models import Unit
from beholder.synthesis.objectives._base import OBJECTIVES, Objective

USUAL = "Channel"


def list_unit_objectives() -> list[str]:
    """Names of the objectives that a layer and a channel make.

    >>> list_unit_objectives()[:2]
    ['Channel', 'Neuron']
    """
    return [name for name in OBJECTIVES if _takes_unit(OBJECTIVES[name])]


@suggest_keywords
def make_unit_objective(name: str, unit: Unit) -> Objective:
    """The objective of that name for one unit.

    Parameters
    ----------
    name : str
        Of :data:`OBJECTIVES`: one that is made of a layer and a channel, and reads no other layer.
    unit : Unit

    Raises
    ------
    UnknownNameError
        There is no such objective.
    InputError
        It is no objective of one unit.

    Examples
    --------
    >>> make_unit_objective("Neuron", Unit("block3", 5))
    Neuron(layer='block3', channel=5, position=None)
    """
    kind: Any = OBJECTIVES[name]
    known = f"an objective of one unit: {', '.join(list_unit_objectives())}"
    if not _takes_unit(kind):
        raise InputError(known, got=name)
    made: Objective = kind(unit.layer, unit.channel)
    if made.layers != (unit.layer,):
        raise InputError(known, got=f"{name}, which reads {', '.join(made.layers)} for {unit}")
    return made


def _takes_unit(kind: type[Objective]) -> bool:
    needed = [each.name for each in inspect.signature(kind).parameters.values() if each.default is each.empty]
    return needed == ["layer", "channel"]
