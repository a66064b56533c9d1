"""What came out of making metamers: stimuli, their match at every layer, predictions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np

from beholder._core.errors import InputError, UnknownNameError
from beholder._core.files import explain_write_errors, refuse_ending, write_bytes, write_json
from beholder._core.wording import format_count, format_number
from beholder.stimuli import (
    MetamerFile,
    MetamerSet,
    find_metamer_folder,
    find_places,
    format_passed,
    name_metamer,
    write_metamer_table,
    write_stimulus_manifest,
)
from beholder.synthesis.engine._stimulus_format import StimulusFormat

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

KEY = ["stimulus_id", "layer", "seed"]


@final
@dataclass(frozen=True, repr=False, eq=False)
class Metamers:
    """Metamers, from memory or from their files; :meth:`to_pandas` is the table of results.

    Attributes
    ----------
    model : str
        Full name of the network.
    keys : tuple of (stimulus_id, layer, seed)
        One a metamer; all else follows this order.
    path : Path or None
        ``metamers/{model}``, if they were written.
    form : StimulusFormat
        How they are, or would be, saved.
    rectifiers : mapping of str to int
        Through how many rectifiers of its own each matched layer's gradient passed.
    skipped : tuple of (stimulus_id, layer, seed, reason)
        What could not be made.
    """

    model: str
    keys: tuple[tuple[str, str, int], ...]
    path: Path | None
    form: StimulusFormat
    rectifiers: Mapping[str, int]
    skipped: tuple[tuple[str, str, int, str], ...]
    table: pd.DataFrame = field(repr=False)
    kept: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Iterator[Metamers]:
        """One metamer after the other."""
        return (self[i] for i in range(len(self)))

    def __getitem__(self, which: Any) -> Metamers:
        """Some of them, as metamers again: an integer, a slice, integers, a mask; or a stimulus's id, or ids.

        >>> made[0].stimuli[0]  # doctest: +SKIP
        """
        places = find_places([key[0] for key in self.keys], which)
        chosen = [self.keys[i] for i in places]
        rows = set(chosen)
        table: Any = self.table
        own = [tuple(row) in rows for row in table[KEY].itertuples(index=False, name=None)]
        kept = {
            name: [values[i] for i in places] if name in ("stimuli", "losses", "predictions") else values
            for name, values in self.kept.items()
        }
        return replace(self, keys=tuple(chosen), table=table[own], kept=kept, skipped=())

    def __repr__(self) -> str:
        n_stimuli, n_layers = len({key[0] for key in self.keys}), len({key[1] for key in self.keys})
        own: pd.DataFrame = self.table.loc[self.table["layer"] == self.table["measured_layer"]]
        is_saved = bool(own["db_snr_saved"].notna().all())
        level = float(np.median(own["db_snr_saved" if is_saved else "db_snr"])) if len(own) else 0.0
        match = f", median {format_number(level)} dB {'as saved' if is_saved else 'before saving'}" if len(own) else ""
        known: pd.DataFrame = own.loc[own["passed"].notna()]
        verdict = f", {format_passed(known)} pass" if len(known) else ", not tested" if len(own) else ""
        n_seeds = len({key[2] for key in self.keys})
        seeds = f" × {format_count(n_seeds, 'seed')}" if n_seeds > 1 else ""
        of = f"{format_count(n_stimuli, 'stimulus')} × {format_count(n_layers, 'layer')}{seeds}"
        return f"Metamers({format_count(len(self), 'metamer')} of {self.model}: {of}{match}{verdict})"

    def _repr_html_(self) -> str | None:
        """A picker of stimulus, layer and seed, with players for sounds, for notebooks."""
        from beholder.synthesis.metamers._picker import pick_metamers

        return pick_metamers(self) or None

    def to_pandas(self) -> pd.DataFrame:
        """The table of results: a row a metamer and measured layer; see :data:`beholder.stimuli.METAMER_COLUMNS`."""
        return self.table.copy()

    def to_summary(self) -> pd.DataFrame:
        """One row a metamer: its match at the layer that it was made for, and its verdict.

        Columns ``stimulus_id, layer, seed, db_snr, db_snr_saved, percentile, prediction_original, prediction_metamer,
        passed``; see :data:`beholder.stimuli.METAMER_COLUMNS`.
        """
        own = self.table[self.table["layer"] == self.table["measured_layer"]]
        matched = ["db_snr", "db_snr_saved", "percentile", "prediction_original", "prediction_metamer", "passed"]
        return own[[*KEY, *matched]].reset_index(drop=True)

    @cached_property
    def files(self) -> dict[tuple[str, str, int], MetamerFile]:
        """Where each metamer lies; empty for metamers in memory."""
        if self.path is None:
            return {}
        wanted = set(self.keys)
        found = {(one.stimulus_id, one.layer, one.seed): one for one in MetamerSet(self.path)}
        return {key: one for key, one in found.items() if key in wanted}

    @property
    def stimuli(self) -> np.ndarray:
        """(n_metamers, *input_shape), float32; written ones as they come back from their files."""
        if self.path is None:
            return np.stack(self.kept["stimuli"])
        return np.stack([self.form.decode(self.files[key].path) for key in self.keys])

    @property
    def originals(self) -> np.ndarray:
        """(n_metamers, *input_shape), float32: the original of each metamer."""
        if self.path is None:
            return np.stack([self.kept["originals"][key[0]] for key in self.keys])
        return np.stack([self.form.decode(self.files[key].original) for key in self.keys])

    @property
    def losses(self) -> tuple[np.ndarray, ...]:
        """Loss at each step, (n_steps,) each."""
        if self.path is None:
            return tuple(self.kept["losses"])
        return tuple(self.files[key].read_losses() for key in self.keys)

    @property
    def predictions(self) -> pd.DataFrame:
        """What the network calls original and metamer, a row a metamer.

        ``decision`` says what counts as the same (``category``, ``word`` or ``class``), ``answer_…`` is the answer by
        it, ``label_…`` the highest output's name.
        """
        import pandas as pd

        own = self.table[self.table["layer"] == self.table["measured_layer"]].set_index(KEY)["decision"]
        rows = []
        for i, (stimulus_id, layer, seed) in enumerate(self.keys):
            told = self._read_predictions(i)
            decision = own[self.keys[i]]
            row: dict[str, Any] = {"stimulus_id": stimulus_id, "layer": layer, "seed": seed, "decision": decision}
            for name in ("original", "metamer"):
                row |= {f"answer_{name}": told[name]["answers"].get(decision), f"label_{name}": told[name]["label"]}
            rows.append(row)
        columns = [*KEY, "decision", *(f"{a}_{b}" for b in ("original", "metamer") for a in ("answer", "label"))]
        return pd.DataFrame(rows, columns=columns)

    def _read_predictions(self, i: int) -> Mapping[str, Any]:
        if self.path is None:
            return self.kept["predictions"][i]
        told = self.files[self.keys[i]].describe()["predictions"]
        return {"original": told["original"], "metamer": told["metamer_saved"]}

    def save(self, path: Path | str) -> Path:
        """Write metamers that are in memory as a folder, which :func:`beholder.open` reads.

        What is measured of saved files stays empty: :func:`make_metamers` with ``out_path`` writes and measures.

        Parameters
        ----------
        path : path
            A new folder.
        """
        folder = Path(path)
        refuse_ending(folder, "a new folder", hint=f"{folder.with_suffix('')}; .plot().figure.savefig draws a picture")
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InputError("a new folder", got=f"{folder}, which exists")
        originals, stimuli = self.originals, self.stimuli
        with explain_write_errors(folder):
            rows: dict[str, dict[str, Any]] = {}
            for i, (stimulus_id, layer, seed) in enumerate(self.keys):
                name = f"originals/{stimulus_id}{self.form.suffix}"
                if stimulus_id not in rows:
                    write_bytes(folder / name, self.form.encode(originals[i]))
                    described = self.kept.get("described", {}).get(stimulus_id, {})
                    rows[stimulus_id] = {"label": "", "target": -1, "sha256": "", "file": "", **described}
                    rows[stimulus_id] |= {"stimulus_id": stimulus_id, "original": name}
                stem = find_metamer_folder(folder, layer, stimulus_id) / name_metamer(seed)
                write_bytes(stem.with_name(stem.name + self.form.suffix), self.form.encode(stimuli[i]))
                write_json(stem.with_name(f"{stem.name}.json"), {"predictions": self._read_predictions(i)})
            write_stimulus_manifest(folder, list(rows.values()))
            write_metamer_table(folder / "results.parquet", self.table)
        return folder

    def show(self) -> None:
        """Show what :meth:`plot` draws: below the cell of a notebook, in a window from a script."""
        from beholder.figures import show_figure

        show_figure(self.plot)

    def plot(self, ax: Axes | None = None, *, stimuli: Sequence[str] | None = None) -> Axes:
        """Originals and their metamers, a row a stimulus and a column a layer, with the match in decibels, as saved.

        Parameters
        ----------
        ax : matplotlib Axes, optional
        stimuli : sequence of str, optional
            Which; default the first four.
        """
        from beholder.figures import plot_stimulus_rows

        known = list(dict.fromkeys(key[0] for key in self.keys))
        chosen = known[:4] if stimuli is None else list(stimuli)
        rows_of = self.table[self.table["layer"] == self.table["measured_layer"]].set_index(KEY)
        own = rows_of["db_snr_saved"].fillna(rows_of["db_snr"])
        images, originals = self.stimuli, self.originals
        rows: dict[str, list[np.ndarray]] = {}
        captions: dict[str, list[str]] = {}
        for stimulus_id in chosen:
            places = [i for i, key in enumerate(self.keys) if key[0] == stimulus_id]
            if not places:
                raise UnknownNameError("stimulus that has metamers here", stimulus_id, known)
            rows[stimulus_id] = [originals[places[0]], *(images[i] for i in places)]
            captions[stimulus_id] = [
                "original",
                *(f"{self._name(i)}\n{format_number(own[self.keys[i]])} dB" for i in places),
            ]
        value_range = (self.form.low, self.form.high) if self.form.suffix == ".png" else None
        return plot_stimulus_rows(rows, ax, captions=captions, value_range=value_range)

    def _name(self, i: int) -> str:
        _, layer, seed = self.keys[i]
        return f"{layer}, seed {seed}" if seed else layer
