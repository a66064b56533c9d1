"""A null distribution in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, final

import numpy as np

from beholder._core.errors import InputError, UnknownNameError
from beholder._core.files import write_json
from beholder._core.notebooks import render_table
from beholder._core.progress import logger
from beholder._core.wording import format_count
from beholder.activations import check_path_names
from beholder.stimuli import write_null_histograms, write_null_layer
from beholder.synthesis.null._worker import VALUES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


@final
@dataclass(frozen=True, repr=False, eq=False)
class NullDistribution:
    """How well random pairs match; ``null["features.3"]["db_snr"]`` is an array (n_pairs,).

    Attributes
    ----------
    model : str
        Full name of the network.
    columns : mapping of str to mapping of str to ndarray
        For each layer ``seed, split, pair, spearman, pearson, db_snr, db_snr_published, norm_signal, norm_noise``.
    path : Path or None
        ``null_dist/{model}``, if it was written.
    network : str or None
        Identity of the network, as :func:`~beholder.models.identify_model` gives it.
    """

    model: str
    columns: Mapping[str, Mapping[str, np.ndarray]]
    path: Path | None = None
    network: str | None = None

    @property
    def layers(self) -> tuple[str, ...]:
        """Measured layers."""
        return tuple(self.columns)

    def __iter__(self) -> Iterator[str]:
        """The names of its layers."""
        return iter(self.columns)

    def __getitem__(self, layer: str) -> Mapping[str, np.ndarray]:
        """The columns of one layer."""
        if layer not in self.columns:
            raise UnknownNameError("layer of this null distribution", layer, self.columns)
        return self.columns[layer]

    def __len__(self) -> int:
        return max((len(each["pair"]) for each in self.columns.values()), default=0)

    def __repr__(self) -> str:
        return (
            f"NullDistribution({format_count(len(self), 'pair')} at "
            f"{format_count(len(self.columns), 'layer')} of {self.model})"
        )

    def find_maxima(self) -> pd.DataFrame:
        """What a metamer has to exceed: the largest ``spearman, pearson, db_snr`` of each layer."""
        import pandas as pd

        rows = {layer: {name: float(each[name].max()) for name in VALUES[:3]} for layer, each in self.columns.items()}
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("layer").reset_index()

    def _repr_html_(self) -> str:
        """What a metamer has to exceed at each layer, for notebooks."""
        return render_table(repr(self), self.find_maxima())

    def to_pandas(self) -> pd.DataFrame:
        """A row a layer and pair."""
        import pandas as pd

        parts = [pd.DataFrame({"layer": layer, **columns}) for layer, columns in self.columns.items()]
        return pd.concat(parts, ignore_index=True)

    def save(self, path: Path | str) -> Path:
        """Write it as a folder that :func:`beholder.open` reads.

        Parameters
        ----------
        path : path
            A new folder.
        """
        folder = Path(path)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InputError("a new folder", got=f"{folder}, which exists")
        check_path_names(self.layers)
        for layer, columns in self.columns.items():
            write_null_layer(folder, layer, columns)
        write_json(folder / "layers.json", {"layers": list(self.layers), "network": self.network})
        write_null_histograms(folder)
        return folder

    def plot(self, ax: Axes | None = None, *, measure: str = "db_snr") -> Axes:
        """The distribution at each layer, one measure.

        Parameters
        ----------
        ax : matplotlib Axes, optional
        measure : {"db_snr", "spearman", "pearson"}
        """
        from beholder.figures import plot_distributions

        if measure not in VALUES[:3]:
            raise UnknownNameError("measure", measure, VALUES[:3])
        names = {"db_snr": "signal-to-noise ratio, dB", "spearman": "Spearman's ρ", "pearson": "Pearson's r"}
        values = {layer: each[measure][np.isfinite(each[measure])] for layer, each in self.columns.items()}
        return plot_distributions(values, names[measure], ax=ax)


def log_equal_pairs(columns: Mapping[str, Mapping[str, np.ndarray]]) -> None:
    """Say so where two stimuli of a pair are equal to the network: nothing can exceed their match."""
    for layer, each in columns.items():
        n_equal = int(np.isposinf(each["db_snr"]).sum())
        if n_equal:
            logger.warning(
                "%d of %d pairs are of stimuli that are equal at %s, so no metamer passes there: are some in twice?",
                n_equal, len(each["db_snr"]), layer,
            )  # fmt: skip
            return
