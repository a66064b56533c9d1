"""What visualising units gave: images on disk, activations, percentiles, losses."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np

from beholder._core.errors import InputError, UnknownNameError, suggest_method_keywords
from beholder._core.files import explain_read_errors, read_json
from beholder._core.provenance import FILE_NAME
from beholder._core.tables import save_frame
from beholder._core.wording import format_count, format_number
from beholder.models import Unit
from beholder.stimuli import embed_stimulus, format_rows
from beholder.synthesis.engine._stimulus_format import StimulusFormat
from beholder.synthesis.visualizations._files import (
    COLUMNS,
    FOLDER,
    HISTORY,
    MANIFEST,
    TABLE,
    TABLE_COLUMNS,
    read_table,
)
from beholder.synthesis.visualizations._standing import SIGNS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_SHOWN = 8
_NUMBERS = (
    "activation_best",
    "activation_weakest",
    "activation_unrounded",
    "natural_best",
    "percentile_best",
    "diversity",
)


@final
class StoredImages:
    """Images of units, read from their files when indexed: ``images[unit, sign, k]``; ``numpy.asarray`` reads all.

    Attributes
    ----------
    shape : tuple of int
        (n_units, 2, n_images, *input_shape); signs in the order min, max, images from weakest to strongest.
    paths : (n_units, 2, n_images) array of Path
    """

    def __init__(self, paths: np.ndarray, form: StimulusFormat) -> None:
        self.paths, self._form = paths, form
        self.shape: tuple[int, ...] = (*paths.shape, *form.decode(paths.flat[0]).shape)

    @property
    def value_range(self) -> tuple[float, float] | None:
        """Of pictures; None for others."""
        return (self._form.low, self._form.high) if self._form.suffix == ".png" else None

    def __len__(self) -> int:
        return len(self.paths)

    def __repr__(self) -> str:
        return f"StoredImages({' x '.join(str(size) for size in self.shape)}, {self._form.suffix})"

    def __getitem__(self, index: Any) -> np.ndarray:
        """Float32 images as ``model.prepare`` gives them; the first three axes are indexed before anything is read."""
        index = index if isinstance(index, tuple) else (index,)
        chosen = np.asarray(self.paths[index[:3]], dtype=object)
        images = [self._form.decode(path) for path in chosen.ravel()]
        found = np.reshape(np.stack(images), (*chosen.shape, *self.shape[3:])) if images else np.empty((0,), np.float32)
        return found[(*(slice(None),) * chosen.ndim, *index[3:])] if len(index) > 3 else found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        values = self[:]
        return values if dtype is None else values.astype(dtype, copy=False)


@suggest_method_keywords
@final
@dataclass(frozen=True, repr=False, eq=False)
class Visualizations:
    """Stimuli made for units. Arrays have a row a unit, then min and max, then images from weakest to strongest.

    Attributes
    ----------
    model : str
        Full name of the model.
    path : Path
        The model's folder.
    units : tuple of Unit
    images : StoredImages, (n_units, 2, n_images, *input_shape)
        As saved, read when indexed.
    activations : (n_units, 2, n_images), float32
        Of the images as saved, without augmentation.
    percentiles : (n_units, 2, n_images), float64
        Proportion of natural stimuli strictly below (for min: strictly above), 0 to 100; NaN without a recording.
    losses : (n_units, 2, n_images, n_steps), float32
        Minus the objective at each step, as the augmented image had it.
    table : tuple of dict
        The rows of ``optimized_units.csv``, min and max of each unit: whether the strongest image ``beats`` the best
        natural stimulus, and a ``note``.

    Examples
    --------
    >>> import beholder as bh
    >>> made = bh.optimize_units("beholder:shapes", "block3:5", n_images=1, steps=2, activations=None, diversity=0)
    >>> found = bh.Visualizations.open("stimuli/shapes")
    >>> found.activations.shape
    (1, 2, 1)
    """

    model: str
    path: Path
    units: tuple[Unit, ...]
    images: StoredImages
    activations: np.ndarray
    percentiles: np.ndarray
    losses: np.ndarray
    table: tuple[dict[str, Any], ...]

    @classmethod
    def open(cls, path: Path | str, units: Iterable[Unit] | None = None) -> Visualizations:
        """Read what :func:`beholder.optimize_units` wrote.

        Parameters
        ----------
        path : path
            The model's folder, ``stimuli/{model}``.
        units : iterable of Unit, optional
            Default: all that are there.

        Raises
        ------
        InputError
            There are none; a unit that is not there.
        """
        path = Path(path)
        rows = [_parse_row(row) for row in read_table(path / TABLE, TABLE_COLUMNS)]
        by_unit: dict[Unit, dict[str, dict[str, Any]]] = {}
        for row in rows:
            by_unit.setdefault(Unit(row["layer"], row["channel"]), {})[row["sign"]] = row
        asked = tuple(by_unit if units is None else units)
        for unit in asked:
            if unit not in by_unit:
                raise UnknownNameError(f"unit in {path}", str(unit), [str(known) for known in by_unit])
        if not asked:
            raise InputError("visualisations of units", got=f"none in {path}")
        manifests = [_read_manifest(path / unit.path_name / FOLDER) for unit in asked]
        paths = np.array([[[row["path"] for row in side] for side in sides] for sides in manifests], dtype=object)
        settings = _read_settings(path / FILE_NAME)
        return cls(
            model=settings["model"]["name"],
            path=path,
            units=asked,
            images=StoredImages(paths, _read_format(paths.flat[0].suffix, settings)),
            activations=_collect(manifests, "activation").astype(np.float32),
            percentiles=_collect(manifests, "percentile"),
            losses=np.stack([_read_losses(path / unit.path_name / FOLDER / HISTORY) for unit in asked]),
            table=tuple(by_unit[unit][sign] for unit in asked for sign in SIGNS),
        )

    def __len__(self) -> int:
        return len(self.units)

    def __repr__(self) -> str:
        verdicts = [row["beats"] for row in self.table if row["sign"] == "max"]
        told = ", ".join(
            f"{verdicts.count(word)} {word}" for word in ("yes", "no", "tie", "unknown") if word in verdicts
        )
        return (
            f"Visualizations({format_count(len(self), 'unit')} of {self.model}, "
            f"{self.activations.shape[2]} images a sign; "
            f"max beats the best natural stimulus: {told})"
        )

    def __getitem__(self, which: int | slice | Unit | str) -> Visualizations:
        """Some of the units, as visualisations again: an integer, a slice, a unit or ``"layer:channel"``."""
        if isinstance(which, str):
            which = Unit.parse(which)
        if isinstance(which, Unit):
            if which not in self.units:
                raise UnknownNameError(f"unit in {self.path}", str(which), [str(unit) for unit in self.units])
            which = self.units.index(which)
        units = self.units[which] if isinstance(which, slice) else (self.units[which],)
        return Visualizations.open(self.path, units)

    def _repr_html_(self) -> str:
        """The images of the first units, weakest to strongest, with their activations."""
        rows = []
        for i, unit in enumerate(self.units[:_SHOWN]):
            cells = [str(unit)]
            for s in range(len(SIGNS)):
                told = [f"activation {format_number(value)}" for value in self.activations[i, s]]
                pairs = zip(self.images.paths[i, s], told, strict=True)
                is_shown = self.images.paths.flat[0].suffix in (".png", ".wav")
                cells.append("".join(embed_stimulus(*pair) for pair in pairs) if is_shown else "<br>".join(told))
            rows.append(cells)
        left = len(self) - len(rows)
        return format_rows(repr(self), ("unit", *SIGNS), rows, f"and {format_count(left, 'unit')} more" if left else "")

    def to_pandas(self) -> pd.DataFrame:
        """One row an image: ``layer, channel, sign, image, activation, percentile, loss, file``; loss is the last."""
        import pandas as pd

        n_images = self.activations.shape[2]
        unit, sign, image = (axis.ravel() for axis in np.indices((len(self), len(SIGNS), n_images)))
        return pd.DataFrame(
            {
                "layer": [self.units[i].layer for i in unit],
                "channel": [self.units[i].channel for i in unit],
                "sign": [SIGNS[i] for i in sign],
                "image": image,
                "activation": self.activations.ravel(),
                "percentile": self.percentiles.ravel(),
                "loss": [_find_last(row) for row in self.losses.reshape(-1, self.losses.shape[-1])],
                "file": [path.relative_to(self.path).as_posix() for path in self.images.paths.ravel()],
            }
        )

    def to_summary(self) -> pd.DataFrame:
        """One row a unit and sign, as in ``optimized_units.csv``."""
        import pandas as pd

        return pd.DataFrame(list(self.table), columns=list(TABLE_COLUMNS))

    def save(self, path: Path | str) -> Path:
        """Write the table of images as ``.csv`` or ``.parquet``, by rename."""
        return save_frame(self.to_pandas(), path)

    def show(self) -> None:
        """Show what :meth:`plot` draws: below the cell of a notebook, in a window from a script."""
        from beholder.figures import show_figure

        show_figure(self.plot)

    def plot(self, ax: Axes | None = None, *, unit: int = 0) -> Axes:
        """Draw the images of one unit: min and max in rows, from weakest to strongest, with their activations.

        Parameters
        ----------
        ax : matplotlib Axes, optional
        unit : int
            Which of :attr:`units`.
        """
        from beholder.figures import plot_stimulus_rows, use_style

        if not 0 <= unit < len(self):
            raise InputError(f"a unit from 0 to {len(self) - 1}", got=str(unit))
        rows = {sign: list(self.images[unit, i]) for i, sign in enumerate(SIGNS)}
        captions = {
            sign: [format_number(value) if np.isfinite(value) else "–" for value in self.activations[unit, i]]
            for i, sign in enumerate(SIGNS)
        }
        axes = plot_stimulus_rows(rows, ax, captions=captions, value_range=self.images.value_range)
        with use_style():
            axes.set_title(str(self.units[unit]))
        return axes


def _read_settings(path: Path) -> dict[str, Any]:
    try:
        return read_json(path)["outputs"][FOLDER]["settings"]
    except (InputError, KeyError, TypeError) as error:
        raise InputError(
            f"the provenance of {FOLDER}", got=f"{path} without it", hint="`beholder units optimize` again"
        ) from error


def _parse_row(row: dict[str, str]) -> dict[str, Any]:
    whole = {name: int(row[name]) for name in ("channel", "n_images", "steps")}
    numbers = {name: float(row[name]) if row[name] else None for name in _NUMBERS}
    n_natural = int(row["n_natural"]) if row["n_natural"] else None
    return {**row, **whole, **numbers, "n_natural": n_natural}


def _read_manifest(folder: Path) -> list[list[dict[str, Any]]]:
    rows = read_table(folder / MANIFEST, COLUMNS)
    sides = [[row for row in rows if row["file"].startswith(f"{sign}_")] for sign in SIGNS]
    return [
        [
            {
                "path": folder / row["file"],
                "activation": float(row["activation"]),
                "percentile": float(row["percentile"]) if row["percentile"] else math.nan,
            }
            for row in side
        ]
        for side in sides
    ]


def _collect(manifests: Sequence[Sequence[Sequence[dict[str, Any]]]], name: str) -> np.ndarray:
    return np.array([[[row[name] for row in side] for side in sides] for sides in manifests], dtype=np.float64)


def _read_format(suffix: str, settings: dict[str, Any]) -> StimulusFormat:
    low, high = settings["recipe"]["value_range"] or (0.0, 1.0)
    return StimulusFormat(suffix, float(low), float(high))


def _read_losses(path: Path) -> np.ndarray:
    hint = "run the same `beholder units optimize` again"
    with explain_read_errors(path, "the losses of a unit's images", hint), np.load(path, allow_pickle=False) as file:
        return np.stack([file[sign] for sign in SIGNS])


def _find_last(losses: np.ndarray) -> float:
    known = losses[~np.isnan(losses)]
    return float(known[-1]) if len(known) else math.nan
