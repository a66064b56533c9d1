"""Originals beside their metamers, by network and stage: own sets, or the published examples of an experiment."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, final

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.wording import count_items, format_count
from beholder.stimuli.assets._files import require_asset
from beholder.stimuli.assets._manifest import FromListing, load_assets
from beholder.stimuli.made._metamer_rows import GridRow, render_rows
from beholder.stimuli.made._metamer_set import MetamerSet, is_metamer_set, list_metamer_sets, read_stimulus_manifest

if TYPE_CHECKING:
    import pandas as pd

ORIGINAL = "orig"
"""Network and stage of natural stimuli in published folders."""
_NUMBERED = re.compile(r"(\d+)_(.+)")
_SUFFIXES = (".png", ".jpg", ".jpeg", ".wav")


@final
@dataclass(frozen=True)
class MetamerGrid:
    """Stimuli, each with its metamers by network and stage.

    In a notebook the first stimuli are shown, or played: a row a network, a column a stage.

    Attributes
    ----------
    rows : tuple of GridRow

    Examples
    --------
    >>> grid = read_metamer_grid("metamers/")  # doctest: +SKIP
    >>> grid.select(["dog_3"])  # doctest: +SKIP
    """

    rows: tuple[GridRow, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        n = sum(len(stages) for row in self.rows for stages in row.made.values())
        return (
            f"MetamerGrid({format_count(n, 'metamer')}: {count_items(len(self), 'stimuli')}, "
            f"{format_count(len(self.networks), 'network')})"
        )

    @property
    def networks(self) -> tuple[str, ...]:
        """Networks that metamers are of."""
        return tuple(dict.fromkeys(network for row in self.rows for network in row.made))

    def select(self, stimuli: Iterable[str]) -> MetamerGrid:
        """Some stimuli, in the order given.

        Raises
        ------
        UnknownNameError
            A stimulus that is not here.
        """
        known = {row.stimulus: row for row in self.rows}
        chosen = [str(name) for name in ([stimuli] if isinstance(stimuli, str) else stimuli)]
        for name in chosen:
            if name not in known:
                raise UnknownNameError("stimulus that has metamers here", name, known)
        return MetamerGrid(tuple(known[name] for name in chosen))

    def to_pandas(self) -> pd.DataFrame:
        """A row a file: ``stimulus, label, network, stage, file``; originals have neither network nor stage."""
        import pandas as pd

        rows: list[tuple[str, ...]] = []
        for row in self.rows:
            if row.original is not None:
                rows.append((row.stimulus, row.label, "", "", str(row.original)))
            for network, stages in row.made.items():
                rows += [(row.stimulus, row.label, network, stage, str(path)) for stage, path in stages]
        return pd.DataFrame(rows, columns=["stimulus", "label", "network", "stage", "file"])

    def _repr_html_(self) -> str:
        return render_rows(repr(self), self.rows)


@suggest_keywords
def read_metamer_grid(folder: Path | str) -> MetamerGrid:
    """Read a folder of metamers by stimulus, network and stage.

    Parameters
    ----------
    folder : path
        ``metamers/`` with a folder a network, ``metamers/{model}``, or published examples,
        ``{i}_{network}/{j}_{stage}/{stimulus}_{network}_{stage}.png`` (or ``.wav``), whose originals are of ``orig``;
        or the name of an asset of such, ``examples-vision-1``, once it is fetched.

    Raises
    ------
    InputError
        It holds none of these.
    """
    asset = load_assets().get(str(folder))
    if asset is not None and isinstance(asset.way, FromListing) and not Path(folder).exists():
        folder = require_asset(asset.name)
    folder = Path(folder)
    sets = [folder] if is_metamer_set(folder) else list_metamer_sets(folder)
    if sets:
        return join_metamer_sets([MetamerSet(path) for path in sets])
    rows = _read_examples(folder)
    if not rows:
        raise InputError("a folder of metamers, or of published examples of them", got=str(folder))
    return MetamerGrid(rows)


@suggest_keywords
def join_metamer_sets(sets: Sequence[MetamerSet]) -> MetamerGrid:
    """Own metamers by stimulus; a stimulus that two sets know by other content is told apart by the set's name."""
    known: dict[str, str] = {}
    labels: dict[str, str] = {}
    originals: dict[str, Path] = {}
    made: dict[str, dict[str, list[tuple[str, Path]]]] = {}
    names = _name_sets(sets)
    for name, each in zip(names, sets, strict=True):
        manifest = read_stimulus_manifest(each.path)
        for one in each:
            key = one.stimulus_id
            mark = f"{manifest[key].get('sha256', '')}{one.original.suffix}"
            if known.setdefault(key, mark) != mark:
                key = f"{key} ({name})"
            labels.setdefault(key, one.label)
            originals.setdefault(key, one.original)
            made.setdefault(key, {}).setdefault(name, []).append((one.stage, one.path))
    return MetamerGrid(
        tuple(
            GridRow(key, labels[key], originals[key], {name: tuple(stages) for name, stages in own.items()})
            for key, own in made.items()
        )
    )


def _name_sets(sets: Sequence[MetamerSet]) -> list[str]:
    names = [each.path.name for each in sets]
    return names if len(set(names)) == len(names) else [str(each.path) for each in sets]


@suggest_keywords
def is_metamer_examples(folder: Path | str) -> bool:
    """Whether a folder holds published examples: folders of stages in folders of networks, all with numbers."""
    return any(True for _ in _walk_examples(Path(folder)))


def _walk_examples(folder: Path) -> Iterable[tuple[int, str, int, str, str, Path]]:
    for i, network, below in _list_numbered(folder):
        for j, stage, inside in _list_numbered(below):
            for path in sorted(inside.iterdir()):
                stem = path.stem.removesuffix(f"_{network}_{stage}")
                if path.suffix.lower() in _SUFFIXES and stem != path.stem:
                    yield i, network, j, stage, stem, path


def _list_numbered(folder: Path) -> list[tuple[int, str, Path]]:
    if not folder.is_dir():
        return []
    matches = [(_NUMBERED.fullmatch(path.name), path) for path in folder.iterdir()]
    found = [(int(match[1]), match[2], path) for match, path in matches if match is not None and path.is_dir()]
    return sorted(found)


def _read_examples(folder: Path) -> tuple[GridRow, ...]:
    originals: dict[str, Path] = {}
    made: dict[str, dict[str, list[tuple[str, Path]]]] = {}
    for _, network, _, stage, stimulus, path in _walk_examples(folder):
        own = made.setdefault(stimulus, {})
        if network == ORIGINAL:
            originals[stimulus] = path
        else:
            own.setdefault(network, []).append((stage, path))
    names = sorted(made, key=lambda name: (not name.isdecimal(), int(name) if name.isdecimal() else 0, name))
    return tuple(
        GridRow(name, "", originals.get(name), {network: tuple(stages) for network, stages in made[name].items()})
        for name in names
    )
