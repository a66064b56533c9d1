"""Units and lists of units: the file that sampling writes and every later step reads."""

from __future__ import annotations

import operator
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, final, overload

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords, suggest_method_keywords
from beholder._core.files import read_units_file, refuse_ending, to_path_name, write_json

if TYPE_CHECKING:
    import pandas as pd

    from beholder.models.network._model import Model

_RESIDUAL_SUM = re.compile(r"(?P<block>.+)\.(relu@[23]|act[23]):in")
_VISUAL = "visual_"
_LAYER = re.compile(r"[\w.@]{1,60}")
_UNIT = re.compile(r".+:\d+")


@suggest_method_keywords
@final
@dataclass(frozen=True, order=True)
class Unit:
    """One channel of one layer.

    Parameters
    ----------
    layer : str
        Layer name, such as ``layer4.1.conv3`` or ``layer1.0.relu@3:in``.
    channel : int
        Counted from 0.

    Examples
    --------
    >>> str(Unit("layer4.1.conv3", 1459))
    'layer4.1.conv3:1459'
    """

    layer: str
    channel: int

    def __post_init__(self) -> None:
        if not self.layer or self.channel < 0:
            raise InputError("a unit: a layer and a channel of at least 0", got=f"{self.layer!r}, {self.channel}")

    def __str__(self) -> str:
        return f"{self.layer}:{self.channel}"

    @classmethod
    def parse(cls, text: str) -> Unit:
        """Read ``layer:channel``, as units are printed.

        >>> Unit.parse("layer1.0.relu@3:in:7")
        Unit(layer='layer1.0.relu@3:in', channel=7)
        """
        layer, _, channel = text.rpartition(":")
        if not layer or not channel.isdecimal():
            raise InputError(_describe_unit(text), got=repr(text))
        return cls(layer, int(channel))

    @property
    def path_name(self) -> str:
        """Its folder: ``layer4.1.conv3/channel_1459``."""
        return f"{to_path_name(self.layer)}/channel_{self.channel}"


@suggest_method_keywords
@final
@dataclass(frozen=True, repr=False)
class UnitList(Sequence[Unit]):
    """Units of one model, in a fixed order.

    Parameters
    ----------
    units : tuple of Unit
        No unit twice. Pairs (layer, channel) will do, and strings ``"layer:channel"``.
    model : str or None
        Full name of the model that they belong to; None where it is not known.
    seed : int or None
        Seed that they were drawn with; None where they were not drawn.

    Examples
    --------
    >>> units = UnitList([("features.3", 7), ("features.3", 9)], model="torchvision:squeezenet1_1@random")
    >>> units.layers
    ('features.3',)
    """

    units: tuple[Unit, ...]
    model: str | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        given: Any = self.units
        units = tuple(_read_unit(unit) for unit in given)
        object.__setattr__(self, "units", units)
        seen: set[Unit] = set()
        for unit in units:
            if unit in seen:
                raise InputError("units that differ", got=f"{unit} twice")
            seen.add(unit)

    @property
    def layers(self) -> tuple[str, ...]:
        """Their layers, each once, in the order of the units."""
        return tuple(dict.fromkeys(unit.layer for unit in self.units))

    def __len__(self) -> int:
        return len(self.units)

    def __iter__(self) -> Iterator[Unit]:
        return iter(self.units)

    @overload
    def __getitem__(self, index: int) -> Unit: ...
    @overload
    def __getitem__(self, index: slice) -> UnitList: ...
    def __getitem__(self, index: int | slice) -> Unit | UnitList:
        """One unit, or a shorter list."""
        if isinstance(index, slice):
            return UnitList(self.units[index], self.model, self.seed)
        return self.units[index]

    def __repr__(self) -> str:
        shown = ", ".join(str(unit) for unit in self.units[:4]) + (", ..." if len(self) > 4 else "")
        of = f" of {self.model}" if self.model else ""
        return f"UnitList({len(self)} units{of}, {len(self.layers)} layers: {shown})"

    def _repr_html_(self) -> str:
        from beholder.stimuli import format_rows

        channels: dict[str, list[str]] = {}
        for unit in self.units:
            channels.setdefault(unit.layer, []).append(str(unit.channel))
        rows = [
            (layer, f"{len(found)}", ", ".join(found[:12]) + (", …" if len(found) > 12 else ""))
            for layer, found in channels.items()
        ]
        of = f" of {self.model}" if self.model else ""
        return format_rows(f"{len(self):,} unit{'s' * (len(self) != 1)}{of}", ("layer", "units", "channels"), rows)

    def to_pandas(self) -> pd.DataFrame:
        """A table with the columns ``layer`` and ``channel``."""
        import pandas as pd

        return pd.DataFrame(
            {"layer": [unit.layer for unit in self.units], "channel": [unit.channel for unit in self.units]}
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-able: what :meth:`save` writes."""
        units = [{"layer": unit.layer, "channel": unit.channel} for unit in self.units]
        return {"model": self.model, "seed": self.seed, "units": units}

    def save(self, path: Path | str) -> Path:
        """Write the list as JSON, by rename."""
        refuse_ending(path, "a name ending in .json", ".json", hint=f"{Path(path).with_suffix('.json')}")
        write_json(path, self.to_dict())
        return Path(path)

    @classmethod
    def read(cls, path: Path | str, model: Model | Iterable[str] | None = None) -> UnitList:
        """Read a list of units.

        Parameters
        ----------
        path : path
            As :meth:`save` writes it, or the older form ``{"units": ["layer4_1_conv3__1459", ...]}``.
        model : Model or iterable of str, optional
            The model, or the names of its layers, that layer names are checked against. The older form, whose names
            are joined by ``_``, needs one.

        Raises
        ------
        InputError
            The file is no list of units; a unit occurs twice; an older name could mean several layers.
        UnknownNameError
            The model has no such layer.
        """
        document = read_units_file(path)
        if not isinstance(document, dict) or not isinstance(document.get("units"), list):
            raise InputError('a file of units: {"units": [...]}', got=str(path))
        entries = [_parse_entry(entry, path) for entry in document["units"]]
        if model is None and any(is_old for _, _, is_old in entries):
            old = next(layer for layer, _, is_old in entries if is_old)
            raise InputError(
                "the model whose layers older unit names stand for", got=f"{path} with {old!r} and no model",
                hint="--model_name NAME",
            )  # fmt: skip
        read = cls(
            tuple(Unit(layer, channel) for layer, channel, _ in entries), document.get("model"), document.get("seed")
        )
        return read if model is None else read.resolve(model)

    @classmethod
    def collect(cls, source: Unit | Iterable[Unit | str] | Path | str, model: Model | Iterable[str]) -> UnitList:
        """A list from whatever names units: a list, a unit, units, or a file; under a model's exact layer names.

        Parameters
        ----------
        source : UnitList, Unit or str ``"layer:channel"``, several, or path
        model : Model or iterable of str
            As for :meth:`resolve`.
        """
        if isinstance(source, str) and not Path(source).exists():
            if _UNIT.fullmatch(source):
                source = Unit.parse(source)
            elif not source.endswith(".json"):
                raise InputError(f"{_describe_unit(source)}, or a file of units", got=repr(source))
        if isinstance(source, str | Path):
            return cls.read(source, model)
        if isinstance(source, Unit):
            source = (source,)
        if not isinstance(source, Iterable):
            raise InputError(f"{_describe_unit('')}, several of them, or a file of units", got=repr(source))
        units = source if isinstance(source, UnitList) else cls(cast("tuple[Unit, ...]", tuple(source)))
        return units.resolve(model)

    def resolve(self, model: Model | Iterable[str]) -> UnitList:
        """The same units under the exact names of a model's layers.

        Parameters
        ----------
        model : Model or iterable of str
            The model, or the names of its layers.

        Raises
        ------
        UnknownNameError, InputError
            As :meth:`read`.
        """
        from beholder.models.network._model import Model

        known: list[str]
        if isinstance(model, Model):
            from beholder.models.layers._unit_layers import list_layer_names

            known, name = list_layer_names(model), model.name
        else:
            known, name = list(model), self.model
        found = {layer: resolve_layer_name(layer, known) for layer in self.layers}
        return UnitList(tuple(Unit(found[unit.layer], unit.channel) for unit in self.units), name, self.seed)


def _read_unit(value: Any) -> Unit:
    if isinstance(value, Unit):
        return value
    if isinstance(value, str):
        return Unit.parse(value)
    try:
        layer, channel = value
        return Unit(str(layer), operator.index(channel))
    except (TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{_describe_unit('')}, or a pair of the two", got=repr(value)) from error


def _describe_unit(text: str) -> str:
    """What a unit is written as; the example has a layer's name that came without a channel."""
    return f"LAYER:CHANNEL, such as {text}:3" if _LAYER.fullmatch(text) else "LAYER:CHANNEL, such as features.12:5"


def _parse_entry(entry: Any, path: Path | str) -> tuple[str, int, bool]:
    """Layer, channel, and whether it is of the older form."""
    if isinstance(entry, dict):
        layer, channel = entry.get("layer"), entry.get("channel")
        if isinstance(layer, str) and isinstance(channel, int) and not isinstance(channel, bool):
            return layer, channel, False
    elif isinstance(entry, str):
        parts = entry.split("__")
        if len(parts) >= 2 and parts[0] and parts[1].isdecimal():
            return parts[0], int(parts[1]), True
    raise InputError(
        'units such as {"layer": "layer4.1.conv3", "channel": 7} or "layer4_1_conv3__7"',
        got=f"{entry!r} in {os.fspath(path)}",
    )


def resolve_layer_name(name: str, known: Sequence[str]) -> str:
    """The exact layer that a name, possibly joined by ``_``, stands for.

    Parameters
    ----------
    name : str
        ``layer4.1.conv3``, ``layer4_1_conv3``, ``layer4_1_shortcut`` (the residual sum), with or without the
        ``visual`` of CLIP networks.
    known : sequence of str
        The layers that there are.

    Raises
    ------
    UnknownNameError
        None of them fits; suggests near ones.
    InputError
        Several fit.

    Examples
    --------
    >>> resolve_layer_name("visual_layer1_0_conv1", ["visual.layer1.0.conv1"])
    'visual.layer1.0.conv1'
    >>> resolve_layer_name("layer1_0_shortcut", ["layer1.0.relu@3:in"])
    'layer1.0.relu@3:in'
    """
    exact = set(known)
    if name in exact or re.split(r"[@:\[]", name)[0] in exact:
        return name
    by_spelling: dict[str, list[str]] = {}
    for layer in known:
        for spelling in spell_joined(layer):
            by_spelling.setdefault(spelling, []).append(layer)
    joined = to_joined(name)
    for spelling in (joined, _VISUAL + joined, joined.removeprefix(_VISUAL)):
        found = by_spelling.get(spelling, [])
        if len(found) > 1:
            raise InputError(
                "a name that means one layer", got=f"{name!r}: {' or '.join(found)}", hint="the exact name"
            )
        if found:
            return found[0]
    raise UnknownNameError("layer", name, known, hint="`beholder layers MODEL` for a list")


def to_joined(layer: str) -> str:
    """A layer's name with ``_`` for everything but letters and digits."""
    return re.sub(r"[^A-Za-z0-9]", "_", layer)


def spell_joined(layer: str) -> list[str]:
    """The older spellings of a layer: joined by ``_``; for a residual sum the block's ``shortcut`` too."""
    spellings = [to_joined(layer)]
    match = _RESIDUAL_SUM.fullmatch(layer)
    if match:
        spellings.append(to_joined(match["block"]) + "_shortcut")
    return spellings


@suggest_keywords
def check_folder_names(units: Iterable[Unit]) -> None:
    """Refuse layers that would share a folder."""
    seen: dict[str, str] = {}
    for unit in units:
        other = seen.setdefault(to_path_name(unit.layer), unit.layer)
        if other != unit.layer:
            raise InputError("layers with different folder names", got=f"{other!r} and {unit.layer!r}")
