"""Reading ``stimuli/{model}``: for each unit its natural exemplars, its visualisations, and what is known of both."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, final

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.files import read_json, to_path_name
from beholder._core.progress import logger
from beholder._core.provenance import FILE_NAME
from beholder._core.tables import read_records
from beholder._core.wording import format_count, format_number
from beholder.jobs import check_content

if TYPE_CHECKING:
    import pandas as pd

SIGNS = ("min", "max")
FOLDERS = {"natural": "natural_images", "optimized": "optimized_images"}
MAPS_FOLDER = "activation_maps"
MANIFEST = "manifest.csv"
DISTRIBUTION = "distribution.json"
TRANSPARENCY = "transparency"
VERDICTS = "optimized_units.csv"
_ALIKE = 0.05

_MOST_SHOWN = 8
_MOST_PICTURES = 4
_CHANNEL = re.compile(r"channel_(\d+)")
_NAME = re.compile(r"(min|max)_\d+")


@final
@dataclass(frozen=True)
class ActivationMap:
    """How active a unit is at each of its positions in one stimulus.

    Attributes
    ----------
    path : Path
        A grey picture, one pixel a position: ``low`` is black, ``high`` white, linear between. A sound's has one row.
    low, high : float
    x, y, step_x, step_y : float
        Where in the stimulus the positions lie: position (row, column) is centred on pixel
        ``(y + row * step_y, x + column * step_x)``, pixel 0 being the centre of the first one; samples for sounds.
    width, height : int
        Of the stimulus; samples and 1 for sounds.
    """

    path: Path
    low: float
    high: float
    x: float
    y: float
    step_x: float
    step_y: float
    width: int
    height: int


@final
@dataclass(frozen=True)
class UnitStimulus:
    """One picture or sound that was chosen or made for a unit.

    Attributes
    ----------
    path : Path
    kind : {"natural", "optimized"}
    sign : {"min", "max"}
    role : str
        ``reference``, ``query``, or what a made one is called.
    source : str
        Where a natural one came from.
    rank : int
        As the manifest has it: of natural ones, ascending by activation over all recorded stimuli.
    activation : float or None
    percentile : float or None
        Proportion of the natural stimuli that it beats, 0 to 100.
    opacity : Path or None
        A grey picture of how much each pixel of a made one matters.
    map : ActivationMap or None
    """

    path: Path
    kind: str
    sign: str
    role: str
    source: str
    rank: int
    activation: float | None
    percentile: float | None
    opacity: Path | None = None
    map: ActivationMap | None = None


@final
@dataclass(frozen=True, repr=False)
class UnitStimuli:
    """The stimuli of one unit.

    Attributes
    ----------
    layer : str
        Exact name, where a file tells it; else the folder's.
    channel : int
    path : Path
        ``{layer}/channel_{channel}``.
    stimuli : tuple of UnitStimulus
    edges, counts : tuple
        Histogram of the unit's activations over all recorded stimuli; empty where none was written.
    verdicts : mapping of str to dict
        For ``min`` and ``max``, the row of ``optimized_units.csv``: ``activation_best, natural_best, beats, note``, …
    """

    layer: str
    channel: int
    path: Path
    stimuli: tuple[UnitStimulus, ...]
    edges: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()
    verdicts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __repr__(self) -> str:
        counts = [f"{len(self.select(kind))} {kind}" for kind in FOLDERS]
        return f"UnitStimuli({self.layer}:{self.channel}, {', '.join(counts)})"

    def select(self, kind: str, sign: str | None = None, role: str | None = None) -> tuple[UnitStimulus, ...]:
        """Stimuli of one kind, sign and role; for each sign from the weakest to the strongest, the most extreme last.

        Parameters
        ----------
        kind : {"natural", "optimized"}
        sign : {"min", "max"}, optional
        role : str, optional
        """
        found = [
            one for one in self.stimuli if one.kind == kind and sign in (None, one.sign) and role in (None, one.role)
        ]
        return tuple(sorted(found, key=_find_extremity))


def _find_extremity(one: UnitStimulus) -> tuple[str, int]:
    """Natural stimuli are ranked by activation over all of them, made ones are numbered by how far they go."""
    if one.kind == "optimized":
        return one.sign, int(one.path.stem.rpartition("_")[2])
    return one.sign, -one.rank if one.sign == "min" else one.rank


@final
@dataclass(frozen=True, repr=False)
class ModelStimuli:
    """The folder ``stimuli/{model}``: units of one model and their stimuli. Indexed by ``(layer, channel)``.

    Attributes
    ----------
    model : str
        The folder's name.
    path : Path
    units : tuple of UnitStimuli
        Sorted by layer, in the order in which the layers were recorded, then by channel.
    recorded_layers : tuple of str
        All layers of the recording, where it is known; at least those of the units.
    """

    model: str
    path: Path
    units: tuple[UnitStimuli, ...]
    recorded_layers: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.units)

    def __iter__(self) -> Iterator[UnitStimuli]:
        return iter(self.units)

    def __getitem__(self, unit: tuple[str, int]) -> UnitStimuli:
        """The stimuli of one unit, named by layer and channel."""
        if unit not in self._by_name:
            known = [f"{one.layer}:{one.channel}" for one in self.units]
            raise UnknownNameError(f"unit in {self.path}", ":".join(str(part) for part in unit), known)
        return self._by_name[unit]

    @cached_property
    def _by_name(self) -> dict[tuple[str, int], UnitStimuli]:
        return {(unit.layer, unit.channel): unit for unit in self.units}

    @property
    def layers(self) -> tuple[str, ...]:
        """Layers of the units, each once."""
        return tuple(dict.fromkeys(unit.layer for unit in self.units))

    def __repr__(self) -> str:
        counts = [f"{sum(len(unit.select(kind)) for unit in self):,} {kind}" for kind in FOLDERS]
        n_units, n_layers = format_count(len(self), "unit"), format_count(len(self.layers), "layer")
        return f"ModelStimuli({n_units} of {self.model}, {n_layers}; stimuli: {', '.join(counts)})"

    def _repr_html_(self) -> str:
        """The most extreme stimuli of the first units, for notebooks."""
        from beholder.stimuli.images._notebook import format_rows
        from beholder.stimuli.sets._html import embed_stimulus

        rows = []
        for unit in self.units[:_MOST_SHOWN]:
            cells = [f"{unit.layer}:{unit.channel}"]
            for sign in SIGNS:
                for kind, role in (("natural", "reference"), ("optimized", None)):
                    shown = unit.select(kind, sign, role)[: -_MOST_PICTURES - 1 : -1]
                    cells.append(
                        "".join(embed_stimulus(one.path, f"activation {_tell(one.activation)}") for one in shown)
                    )
            rows.append(cells)
        columns = ("unit", "least: natural", "least: visualised", "most: natural", "most: visualised")
        left = len(self) - len(rows)
        return format_rows(repr(self), columns, rows, f"and {format_count(left, 'unit')} more" if left else "")

    def to_pandas(self) -> pd.DataFrame:
        """One row a stimulus.

        Columns ``layer, channel, kind, sign, role, source, rank, activation, percentile, path``.
        """
        import pandas as pd

        columns = ["kind", "sign", "role", "source", "rank", "activation", "percentile"]
        rows = [
            [unit.layer, unit.channel, *(getattr(one, name) for name in columns), str(one.path)]
            for unit in self.units
            for one in unit.stimuli
        ]
        return pd.DataFrame(rows, columns=["layer", "channel", *columns, "path"])


def _tell(activation: float | None) -> str:
    return "unknown" if activation is None else format_number(activation)


@suggest_keywords
def are_alike(rank_min: int, rank_max: int, n_stimuli: int) -> bool:
    """Whether two queries drive a unit nearly alike: at most 5 % of the stimuli lie between them.

    Two batches of 40 stimuli leave the four at the median for the queries:

    >>> are_alike(18, 21, 40), are_alike(18, 22, 40)
    (True, False)
    """
    return rank_max - rank_min - 1 <= _ALIKE * n_stimuli


@suggest_keywords
def is_model_stimuli(path: Path | str) -> bool:
    """Whether a folder holds ``{layer}/channel_{c}/natural_images`` or ``…/optimized_images`` with a manifest."""
    return any(True for _ in _find_units(Path(path)))


@suggest_keywords
def read_model_stimuli(path: Path | str) -> ModelStimuli:
    """Read what is known of the stimuli in ``stimuli/{model}``; pictures and sounds stay on disk.

    Parameters
    ----------
    path : path
        What ``beholder units exemplars`` and ``beholder units optimize`` wrote.

    Raises
    ------
    InputError
        There is no such folder, it holds no units, or a manifest does not read.
    """
    path = Path(path)
    if not path.is_dir():
        raise InputError("a folder stimuli/{model}", got=f"no folder at {path}")
    _check_tables(path)
    verdicts = _read_verdicts(path / VERDICTS)
    recorded = _read_recorded_layers(path / FILE_NAME)
    exact = {to_path_name(layer): layer for layer in (*recorded, *(row["layer"] for row in verdicts.values()))}
    units = [_read_unit(folder, exact, verdicts) for folder in _find_units(path)]
    if not units:
        inside = sorted(child.name for child in path.iterdir() if child.is_dir() and is_model_stimuli(child))
        raise InputError(
            "a folder with {layer}/channel_{c}/natural_images", got=str(path),
            hint=" or ".join(str(path / name) for name in inside) or None,
        )  # fmt: skip
    places = {layer: i for i, layer in enumerate(recorded)}
    units.sort(key=lambda unit: (places.get(unit.layer, len(places)), _split_numbers(unit.layer), unit.channel))
    layers = dict.fromkeys([*recorded, *(unit.layer for unit in units)])
    return ModelStimuli(path.resolve().name, path, tuple(units), tuple(layers))


def _read_recorded_layers(provenance: Path) -> list[str]:
    """Layers of the recording that the exemplars come from, where the folder's provenance tells them."""
    if not provenance.is_file():
        return []
    try:
        return [str(layer) for layer in read_json(provenance)["outputs"].get(FOLDERS["natural"], {}).get("layers", [])]
    except (InputError, KeyError, TypeError, AttributeError):
        logger.warning("%s is damaged: layers are in alphabetical order", provenance)
        return []


def _split_numbers(name: str) -> list[tuple[bool, int, str]]:
    """A key that sorts ``features.3`` before ``features.11``."""
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.split(r"(\d+)", name)]


def _find_units(path: Path) -> Iterator[Path]:
    for folder in sorted(path.glob("*/channel_*")):
        if _CHANNEL.fullmatch(folder.name) and any((folder / name / MANIFEST).is_file() for name in FOLDERS.values()):
            yield folder


def _read_unit(
    folder: Path, exact: Mapping[str, str], verdicts: Mapping[tuple[str, int, str], Mapping[str, str]]
) -> UnitStimuli:
    layer = exact.get(folder.parent.name, folder.parent.name)
    channel = int(folder.name.removeprefix("channel_"))
    edges: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()
    file = folder / FOLDERS["natural"] / DISTRIBUTION
    if file.is_file():
        content = read_json(file)
        try:
            layer, edges, counts = str(content["layer"]), tuple(content["edges"]), tuple(content["counts"])
        except (KeyError, TypeError) as error:
            raise InputError("a distribution with layer, edges and counts", got=str(file)) from error
    maps = _read_maps(folder / MAPS_FOLDER)
    stimuli = [one for kind in FOLDERS for one in _read_manifest(folder, kind, maps)]
    found = {sign: row for sign in SIGNS if (row := verdicts.get((folder.parent.name, channel, sign)))}
    return UnitStimuli(layer, channel, folder, tuple(stimuli), edges, counts, found)


def _read_manifest(folder: Path, kind: str, maps: Mapping[str, ActivationMap]) -> Iterator[UnitStimulus]:
    images = folder / FOLDERS[kind]
    for row in _read_table(images / MANIFEST, ("file", "role", "rank", "activation")):
        name = Path(row["file"]).stem
        match = _NAME.fullmatch(name)
        if match is None:
            raise InputError("files named min_{k} or max_{k}", got=f"{row['file']!r} in {images / MANIFEST}")
        numbers = [_to_float(row.get(column), images / MANIFEST) for column in ("rank", "activation", "percentile")]
        yield UnitStimulus(
            path=images / row["file"],
            kind=kind,
            sign=match[1],
            role=row["role"],
            source=row.get("source") or "",
            rank=int(numbers[0] or 0),
            activation=numbers[1],
            percentile=numbers[2],
            opacity=_find_opacity(images, row["file"]),
            map=maps.get(f"{images.name}/{row['file']}"),
        )


def _find_opacity(images: Path, file: str) -> Path | None:
    path = (images / TRANSPARENCY / file).with_suffix(".png")
    return path if path.is_file() else None


def _read_maps(folder: Path) -> dict[str, ActivationMap]:
    names = ("low", "high", "x", "y", "step_x", "step_y")
    rows = _read_table(folder / MANIFEST, ("file", "stimulus", *names, "width", "height"))
    maps = {}
    for row in rows:
        numbers = {name: _to_float(row[name], folder / MANIFEST) or 0.0 for name in names}
        size = {name: int(_to_float(row[name], folder / MANIFEST) or 0) for name in ("width", "height")}
        maps[row["stimulus"]] = ActivationMap(path=folder / row["file"], **numbers, **size)
    return maps


def _read_verdicts(path: Path) -> dict[tuple[str, int, str], dict[str, str]]:
    rows = _read_table(path, ("layer", "channel", "sign", "beats"))
    return {(to_path_name(row["layer"]), int(_to_float(row["channel"], path) or 0), row["sign"]): row for row in rows}


def _check_tables(folder: Path) -> None:
    """Refuse tables that are not what was written: a table that was cut short may look like a shorter one."""
    names = (MANIFEST, DISTRIBUTION)
    check_content(folder, folder / VERDICTS, *(path for name in names for path in folder.glob(f"*/channel_*/*/{name}")))


def _read_table(path: Path, needed: tuple[str, ...]) -> list[dict[str, str]]:
    """Rows of a CSV file; none where there is no file."""
    if not path.is_file():
        return []
    rows = read_records(path)
    missing = [name for name in needed if rows and name not in rows[0]]
    if missing:
        raise InputError(f"the columns {', '.join(needed)}", got=f"{path} without {', '.join(missing)}")
    return rows


def _to_float(text: str | None, file: Path) -> float | None:
    """A number of a table, None for an empty cell."""
    try:
        return float(text) if text else None
    except ValueError as error:
        raise InputError("a number", got=f"{text!r} in {file}") from error
