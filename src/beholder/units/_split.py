"""Dealing a list of units to several jobs."""

from __future__ import annotations

from collections.abc import Mapping

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.wording import format_count
from beholder.models import Model, UnitList
from beholder.units._layers import list_unit_layers


@suggest_keywords
def assign_units(units: UnitList, n: int, widths: Mapping[str, int]) -> list[UnitList]:
    """Deal units round-robin, those of narrow layers first, so that each list is about the same work.

    Parameters
    ----------
    units : UnitList
    n : int
        Number of lists, at most one a unit.
    widths : mapping of str to int
        Number of channels of each layer.

    Returns
    -------
    list of UnitList
        ``n`` of them, whose sizes differ by at most one.
    """
    if not 1 <= n <= len(units):
        raise InputError(f"1 to {format_count(len(units), 'list')}, one unit at least in each", got=str(n))
    dealt = sorted(units, key=lambda unit: widths[unit.layer])
    return [UnitList(tuple(dealt[i::n]), units.model, units.seed) for i in range(n)]


@suggest_keywords
def split_units(units: UnitList, n: int, model: Model | str) -> list[UnitList]:
    """Deal units of a network to ``n`` jobs; see :func:`assign_units`.

    Parameters
    ----------
    units : UnitList
    n : int
        Number of lists.
    model : Model or str
        A name is looked at without weights.
    """
    if not len(units):
        raise InputError("at least one unit to deal", got="an empty list")
    return assign_units(units, n, list_unit_layers(model, units.layers))
