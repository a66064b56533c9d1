"""The folder ``null_dist/{model}``: how well random pairs of natural stimuli match at each layer."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, final

import numpy as np

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.files import read_json_object, to_path_name, write_bytes
from beholder._core.notebooks import render_table
from beholder._core.wording import format_count
from beholder.jobs import check_content

if TYPE_CHECKING:
    import pandas as pd

NULL_LAYERS = "layers.json"
"""The file that lists the layers of a null distribution."""
_HINT = "`beholder metamers null` again, which puts it together from its parts"
NULL_COLUMNS = {
    "seed": np.int64, "split": np.int64, "pair": np.int64, "spearman": np.float64, "pearson": np.float64,
    "db_snr": np.float64, "db_snr_published": np.float64, "norm_signal": np.float64, "norm_noise": np.float64,
}  # fmt: skip
"""Columns of a layer's table: a row a pair."""


@final
class NullSet:
    """The null distribution of one network on disk; ``null["features.3"]["db_snr"]`` is an array (n_pairs,).

    Parameters
    ----------
    folder : path
        ``null_dist/{model}``.

    Attributes
    ----------
    layers : tuple of str
    network : str or None
        Identity of the network that it was measured with; None where an earlier version did not note it.
    """

    def __init__(self, folder: Path | str) -> None:
        self.path = Path(folder)
        if not is_null_set(self.path):
            raise InputError(
                "a null distribution", got=f"{self.path} without {NULL_LAYERS}", hint="`beholder metamers null` first"
            )
        document = read_json_object(self.path / NULL_LAYERS, "layers", hint=_HINT)
        self.layers: tuple[str, ...] = tuple(document["layers"])
        self.network: str | None = document.get("network")

    def __repr__(self) -> str:
        n_pairs = {len(self[layer]["pair"]) for layer in self.layers}
        return (
            f"NullSet({format_count(max(n_pairs, default=0), 'pair')}, "
            f"{format_count(len(self.layers), 'layer')}, {self.path.as_posix()!r})"
        )

    def __iter__(self) -> Iterator[str]:
        """The names of its layers."""
        return iter(self.layers)

    def __getitem__(self, layer: str) -> dict[str, np.ndarray]:
        """The columns of one layer's table."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        if layer not in self.layers:
            raise UnknownNameError(f"layer of {self.path}", layer, self.layers)
        path = self.path / name_null_file(layer)
        check_content(self.path, path)
        try:
            table = pq.read_table(path)
            return {name: table[name].to_numpy() for name in NULL_COLUMNS}
        except (OSError, KeyError, pa.ArrowException) as error:
            raise InputError("a table of a null distribution", got=f"{path} ({error})", hint=_HINT) from error

    def __contains__(self, layer: object) -> bool:
        return layer in self.layers

    def read(self) -> dict[str, dict[str, np.ndarray]]:
        """All layers' columns."""
        return {layer: self[layer] for layer in self.layers}

    def _repr_html_(self) -> str:
        """Its first rows, for notebooks."""
        return render_table(repr(self), self.to_pandas())

    def to_pandas(self) -> pd.DataFrame:
        """One table, with the column ``layer`` first."""
        import pandas as pd

        parts = [pd.DataFrame({"layer": layer, **self[layer]}) for layer in self.layers]
        return pd.concat(parts, ignore_index=True)


@suggest_keywords
def is_null_set(folder: Path | str) -> bool:
    """Whether a folder holds a null distribution."""
    return (Path(folder) / NULL_LAYERS).is_file()


@suggest_keywords
def name_null_file(layer: str) -> str:
    """File of a layer's table."""
    return f"{to_path_name(layer)}.parquet"


@suggest_keywords
def write_null_layer(folder: Path | str, layer: str, columns: Mapping[str, np.ndarray]) -> None:
    """Write one layer's table, by rename; equal tables give equal bytes.

    Parameters
    ----------
    folder : path
    layer : str
    columns : mapping of str to (n_pairs,) array
        All of :data:`NULL_COLUMNS`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({name: pa.array(np.asarray(columns[name], kind)) for name, kind in NULL_COLUMNS.items()})
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    write_bytes(Path(folder) / name_null_file(layer), buffer.getvalue())
