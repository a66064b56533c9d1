"""Flags that several commands share, under the names that users know."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter


def refuse_below_zero(kind: Any, value: Any) -> None:
    """Refuse a number of a flag that is not finite or below 0, as no count, time, size or share is.

    Every flag is checked so; one whose numbers may be anything says so by a ``validator`` of its own.
    """
    if any(not 0 <= each < math.inf for each in _list_numbers(value)):
        raise ValueError("a number of at least 0" if kind is not int else "a whole number of at least 0")


def refuse_infinite(kind: Any, value: Any) -> None:
    """Refuse a number of a flag that is not finite."""
    if not all(map(math.isfinite, _list_numbers(value))):
        raise ValueError("a finite number")


def refuse_nan(kind: Any, value: Any) -> None:
    """Refuse what is no number."""
    if any(map(math.isnan, _list_numbers(value))):
        raise ValueError("a number")


def _list_numbers(value: Any) -> list[float]:
    values = value if isinstance(value, list | tuple) else [value]
    return [each for each in values if isinstance(each, int | float) and not isinstance(each, bool)]


ModelName = Annotated[str, Parameter(name=["--model-name", "-m"])]
"""Which model: ``source:name[@weights]`` or an alias."""
OptionalModel = Annotated[str | None, Parameter(name=["--model-name", "-m"])]

Layers = Annotated[list[str] | None, Parameter(name=["--module-name", "--layers", "-mn"], consume_multiple=True)]
"""Layer names, patterns, presets or ensembles."""

Pretrained = Annotated[bool, Parameter(name="--pretrained")]
ModelPath = Annotated[str | None, Parameter(name=["--model-path", "-mp"])]
Device = Annotated[str, Parameter(name=["--device", "-dv"])]
Seed = Annotated[int, Parameter(name=["--rnd-seed", "--seed", "-rs"], validator=refuse_infinite)]
WeightsSeed = Annotated[int, Parameter(name="--weights-seed", validator=refuse_infinite)]
"""Of a model that ends in ``@random``, where ``--seed`` draws something that is repeated with one network."""
BatchSize = Annotated[int | None, Parameter(name=["--batch-size", "-bs"])]
InPath = Annotated[str, Parameter(name=["--in-path", "-ip"])]
OutPath = Annotated[str, Parameter(name=["--out-path", "-op"])]
OptionalOut = Annotated[str | None, Parameter(name=["--out-path", "-op"])]
Directory = Annotated[str | None, Parameter(name=["-D", "--directory"])]
UnitsFile = Annotated[str, Parameter(name="--units-file")]
OptionalUnits = Annotated[str | None, Parameter(name="--units-file")]
Words = Annotated[list[str] | None, Parameter(consume_multiple=True)]
Axes = Annotated[list[str] | None, Parameter(name="--axes", consume_multiple=True)]
"""``LAYER=channel,height,width``: what a layer's axes count, where the network does not tell."""
Json = Annotated[bool, Parameter(name="--json")]


DEFAULT_IN_PATH = "./images/"


def pick_set_folder(image_set: str, in_path: str) -> Path | None:
    """``--in_path``; None where it was left out and the named set has a place of its own, once fetched."""
    from beholder.stimuli import list_assets

    published = any(asset.name == image_set for asset in list_assets())
    return None if published and in_path == DEFAULT_IN_PATH else Path(in_path)


def make_app(name: str, help_text: str | None = None) -> App:
    """An application for one command group, with the settings that all groups share."""
    return App(
        name=name,
        help=help_text,
        default_parameter=Parameter(negative="", validator=refuse_below_zero),
        exit_on_error=False,
        print_error=False,
        result_action="return_value",
    )


def print_json(tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Print one JSON document: named tables, each a list of records."""
    json.dump({name: list(rows) for name, rows in tables.items()}, sys.stdout, indent=2, allow_nan=False, default=str)
    sys.stdout.write("\n")
