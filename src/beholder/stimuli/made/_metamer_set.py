"""The folder ``metamers/{model}``: what was made, at which layer, from which stimulus, and how well it matches."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.files import explain_read_errors, read_json_object, to_path_name, write_bytes
from beholder._core.notebooks import render_table
from beholder._core.provenance import read_network
from beholder._core.tables import format_records, read_records
from beholder._core.wording import format_count
from beholder.jobs import check_content, check_source
from beholder.stimuli.made._metamer_rows import GridRow, render_rows
from beholder.stimuli.made._metamer_table import RESULTS, read_metamer_table

if TYPE_CHECKING:
    import pandas as pd

ORIGINALS = "originals"
_HINT = "`beholder verify` on the folder, then `beholder metamers make` again"
METAMER_MANIFEST = "stimuli.csv"
"""The file that lists what a folder's metamers were made of."""
_STEPS = re.compile(r"_I(?P<iterations>\d+)_N(?P<repeats>\d+)$")
STIMULUS_COLUMNS = ("stimulus_id", "original", "file", "label", "target", "sha256", "decision")


@suggest_keywords
def name_metamer(seed: int) -> str:
    """Stem of a metamer's files: ``metamer``, and ``metamer_seed{s}`` for other seeds than 0."""
    return "metamer" if seed == 0 else f"metamer_seed{seed}"


@final
@dataclass(frozen=True)
class MetamerFile:
    """One metamer on disk.

    Attributes
    ----------
    path : Path
        The picture or sound; ``.png``, ``.wav`` or ``.npy``.
    layer : str
        Exact name of the matched layer.
    stimulus_id : str
    seed : int
    original : Path
        The natural stimulus as the network was shown it.
    label, target : str, int
        Its true class, as its stimulus set had it.
    """

    path: Path
    layer: str
    stimulus_id: str
    seed: int
    original: Path
    label: str
    target: int

    @property
    def stage(self) -> str:
        """The layer, and the seed where it is not 0."""
        return f"{self.layer}, seed {self.seed}" if self.seed else self.layer

    def describe(self) -> dict[str, Any]:
        """What stands beside it in ``{stem}.json``: predictions, settings, why the work ended."""
        path = self.path.with_suffix(".json")
        check_source(path)
        return read_json_object(path, hint=_HINT)

    def read_losses(self) -> np.ndarray:
        """Loss at each step, ‖rep − target‖ / ‖target‖, (n_steps,), float32."""
        path = self.path.with_suffix(".losses.npy")
        check_source(path)
        with explain_read_errors(path, "the losses of a metamer", _HINT):
            return np.load(path, allow_pickle=False)


@final
class MetamerSet:
    """The metamers of one network on disk; iterating gives :class:`MetamerFile`.

    Parameters
    ----------
    folder : path
        ``metamers/{model}``.

    Examples
    --------
    >>> made = MetamerSet("metamers/squeezenet1_1")  # doctest: +SKIP
    >>> for one in made: print(one.layer, one.stimulus_id, one.path)  # doctest: +SKIP
    """

    def __init__(self, folder: Path | str) -> None:
        self.path = Path(folder)
        if not is_metamer_set(self.path):
            raise InputError(
                "a folder of metamers", got=f"{self.path} without {RESULTS}", hint="`beholder metamers make` first"
            )

    def __repr__(self) -> str:
        n_layers, n_stimuli = format_count(len(self.layers), "layer"), format_count(len(self.stimulus_ids), "stimulus")
        return f"MetamerSet({format_count(len(self), 'metamer')} of {self.model}: {n_stimuli} × {n_layers})"

    def _repr_html_(self) -> str:
        """The first stimuli, each beside its metamers, and the first rows of the table; sounds are players."""
        made: dict[str, list[MetamerFile]] = {}
        for one in self:
            made.setdefault(one.stimulus_id, []).append(one)
        rows = [
            GridRow(name, own[0].label, own[0].original, {self.path.name: tuple((one.stage, one.path) for one in own)})
            for name, own in made.items()
        ]
        return render_rows(repr(self), rows) + render_table("", self.to_pandas())

    @cached_property
    def _table(self) -> pd.DataFrame:
        return read_metamer_table(self.path)

    @property
    def model(self) -> str:
        """Full name of the network."""
        return str(self._table["model"].iloc[0]) if len(self._table) else self.path.name

    @property
    def network(self) -> str | None:
        """Identity of the network that made them; None where an earlier version did not note it."""
        return read_network(self.path, ".")

    @property
    def layers(self) -> tuple[str, ...]:
        """Matched layers."""
        return tuple(dict.fromkeys(self._table["layer"]))

    @property
    def measured_layers(self) -> tuple[str, ...]:
        """Layers at which the match was measured."""
        return tuple(dict.fromkeys(self._table["measured_layer"]))

    @property
    def stimulus_ids(self) -> tuple[str, ...]:
        """Stimuli that have metamers."""
        return tuple(dict.fromkeys(self._table["stimulus_id"]))

    def to_pandas(self) -> pd.DataFrame:
        """The table of results, a row a metamer and measured layer."""
        return self._table.copy()

    @cached_property
    def files(self) -> tuple[MetamerFile, ...]:
        """The metamers, in the table's order."""
        keys = self._table[["layer", "stimulus_id", "seed"]].drop_duplicates()
        stimuli = read_stimulus_manifest(self.path)
        found = []
        for layer, stimulus_id, seed in keys.itertuples(index=False):
            if stimulus_id not in stimuli:
                raise UnknownNameError(f"stimulus in {self.path / METAMER_MANIFEST}", stimulus_id, stimuli)
            row = stimuli[stimulus_id]
            original = self.path / row["original"]
            path = find_metamer_folder(self.path, layer, stimulus_id) / f"{name_metamer(int(seed))}{original.suffix}"
            found.append(MetamerFile(path, layer, stimulus_id, int(seed), original, row["label"], int(row["target"])))
        return tuple(found)

    def __len__(self) -> int:
        return len(self._table[["layer", "stimulus_id", "seed"]].drop_duplicates())

    def __iter__(self) -> Iterator[MetamerFile]:
        return iter(self.files)


@suggest_keywords
def is_metamer_set(folder: Path | str) -> bool:
    """Whether a folder holds the metamers of one network."""
    return (Path(folder) / RESULTS).is_file() and (Path(folder) / METAMER_MANIFEST).is_file()


@suggest_keywords
def list_metamer_sets(folder: Path | str) -> list[Path]:
    """Folders with the metamers of one network each that lie directly in a folder, sorted; hidden ones are not seen."""
    folder = Path(folder)
    inside = sorted(folder.iterdir()) if folder.is_dir() else []
    return [path for path in inside if not path.name.startswith(".") and is_metamer_set(path)]


@suggest_keywords
def name_run(model: str, iterations: int, repeats: int) -> str:
    """Folder name of metamers made in other numbers of steps than those in ``{model}``.

    >>> name_run("alexnet", 100, 4)
    'alexnet_I100_N4'
    """
    return f"{model}_I{iterations}_N{repeats}"


@suggest_keywords
def format_steps(folder: Path | str) -> str:
    """The numbers of steps that a folder's name tells, in words; empty where it tells none.

    >>> format_steps("metamers/alexnet_I100_N4"), format_steps("metamers/alexnet")
    (', in 100 × 4 steps', '')
    """
    found = _STEPS.search(Path(folder).name)
    return "" if found is None else f", in {found['iterations']} × {found['repeats']} steps"


@suggest_keywords
def list_runs(folder: Path | str, model: str) -> list[Path]:
    """Where metamers of one network lie or may lie: ``{model}``, then those in other numbers of steps, sorted.

    Parameters
    ----------
    folder : path
        Of all models' metamers.
    model : str
        The network's path name.
    """
    folder = Path(folder)
    inside = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    return [folder / model, *(path for path in inside if path.name != model and _STEPS.sub("", path.name) == model)]


@suggest_keywords
def find_null_folder(item: Path | str) -> Path:
    """Where the null distribution of ``metamers/{model}`` lies: ``null_dist/{model}`` beside, for runs the model's."""
    item = Path(item).resolve()
    own = item.parent.parent / "null_dist" / item.name
    return own if own.is_dir() else own.with_name(_STEPS.sub("", item.name))


@suggest_keywords
def find_metamer_folder(folder: Path | str, layer: str, stimulus_id: str) -> Path:
    """Where the metamers of one layer and stimulus lie below ``metamers/{model}``."""
    return Path(folder) / to_path_name(layer) / stimulus_id


@suggest_keywords
def write_stimulus_manifest(folder: Path | str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write ``stimuli.csv``: the natural stimuli, a row each.

    Parameters
    ----------
    folder : path
        ``metamers/{model}``.
    rows : sequence of mapping
        With ``stimulus_id, original, file, label, target, sha256``, and ``decision`` where the set asks for one;
        ``original`` relative to the folder.
    """
    write_bytes(Path(folder) / METAMER_MANIFEST, format_records(rows, STIMULUS_COLUMNS))


@suggest_keywords
def read_stimulus_manifest(folder: Path | str) -> dict[str, dict[str, str]]:
    """Rows of ``stimuli.csv`` by stimulus."""
    path = Path(folder) / METAMER_MANIFEST
    check_content(folder, path)
    try:
        return {row["stimulus_id"]: row for row in read_records(path)}
    except KeyError as error:
        raise InputError("a manifest of stimuli", got=f"{path} (no column {error})") from error
