"""Reading a store: labelled, lazy, at the disk's speed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from zarr.codecs import Crc32cCodec

from beholder._core.addresses import is_address, repeat, show_place, to_address
from beholder._core.errors import InputError, UnknownNameError
from beholder._core.sizes import format_bytes
from beholder.activations.store._arrays import (
    list_layers,
    open_group,
    open_member,
    read_labels,
    read_small_column,
    read_stimuli,
)
from beholder.activations.store._nearest import find_nearest
from beholder.activations.store._shard_file import DamagedFile, ShardLayout, read_rows, shard_path
from beholder.jobs import check_content, refuse_damaged
from beholder.stimuli import name_conditions

if TYPE_CHECKING:
    import pandas as pd

_BLOCK_BYTES = 64 * 2**20


class LayerActivations:
    """The activations of one layer: an array on disk, read where it is indexed.

    Attributes
    ----------
    layer : str
        Exact layer name.
    shape : tuple of int
        (n_stimuli, n_replicates, *features).
    dims : tuple of str
        Names of the axes: ``stimulus``, ``replicate``, then such as ``channel``, ``height``, ``width``.
    dtype : numpy.dtype
    stimulus_ids : tuple of str
    """

    def __init__(self, layer: str, array: zarr.Array, folder: Path, stimulus_ids: Sequence[str]) -> None:
        self.layer = layer
        self._array = array
        self._folder = folder
        self.stimulus_ids = tuple(stimulus_ids)
        self.shape: tuple[int, ...] = (len(self.stimulus_ids), *array.shape[1:])
        self.dims: tuple[str, ...] = tuple(str(name) for name in array.metadata.dimension_names)  # type: ignore[union-attr]
        self.dtype = np.dtype(array.dtype)
        tile = tuple(array.chunks)
        rows = array.shards[0] if array.shards else tile[0]
        codecs = tuple(type(codec) for codec in array.compressors)
        layout = ShardLayout(rows, tile, tuple(array.shape[2:]), str(self.dtype), has_checksums=bool(codecs))
        known = codecs in ((), (Crc32cCodec,))
        self._layout = layout if array.shards and known and array.shards == layout.shape else None

    @property
    def ids(self) -> tuple[str, ...]:
        """The same as ``stimulus_ids``."""
        return self.stimulus_ids

    @property
    def labels(self) -> tuple[str, ...]:
        """(n_stimuli,), the class of each stimulus; ``""`` where the store knows none."""
        return read_labels(self._folder.parent.parent, len(self))

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """Size in memory when read whole."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def stimuli_per_shard(self) -> int:
        """Stimuli that lie in one file."""
        return self._layout.rows if self._layout else int(self._array.chunks[0])

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        axes = ", ".join(f"{name} {size}" for name, size in zip(self.dims, self.shape, strict=True))
        return f"LayerActivations({self.layer}: {axes}; {self.dtype}, {format_bytes(self.nbytes)})"

    def __getitem__(self, index: Any) -> np.ndarray:
        """Read a part: slices of stimuli at the disk's speed, all else of numpy's basic indexing too.

        Stimulus ids work in the first place: ``acts["conv1"]["dog_01"]``.
        """
        first, rest = (index[0], index[1:]) if isinstance(index, tuple) else (index, ())
        if first is Ellipsis:
            first, rest = slice(None), index if isinstance(index, tuple) else ()
        if isinstance(first, str):
            first = self._find(first)
        if isinstance(first, slice):
            rows = range(*first.indices(len(self)))
            values = self._read(list(rows)) if abs(rows.step) != 1 else self._read_range(rows)
        elif isinstance(first, int | np.integer):
            row = int(first) + (len(self) if first < 0 else 0)
            if not 0 <= row < len(self):
                raise IndexError(f"stimulus {first} of {len(self)}")
            values = self._read_range(range(row, row + 1))[0]
            return values[rest] if rest else values
        else:
            rows_array = np.asarray(first) if len(first) else np.empty(0, dtype=np.int64)
            if rows_array.dtype.kind in "UO":
                rows_array = np.array([self._find(str(name)) for name in rows_array])
            values = self._read(list(np.arange(len(self))[rows_array]))
        return values[(slice(None), *rest)] if rest else values

    def sel(self, stimulus_ids: str | Iterable[str]) -> np.ndarray:
        """The activations of stimuli by their ids, in the order given; of one id, without the axis of stimuli.

        Parameters
        ----------
        stimulus_ids : str or iterable of str

        Returns
        -------
        ndarray, (n, *features)
            With the replicate axis only when there are several.

        Raises
        ------
        UnknownNameError
            No stimulus has one of the ids; the nearest are named.
        """
        ids = [stimulus_ids] if isinstance(stimulus_ids, str) else [str(each) for each in stimulus_ids]
        values = self._read([self._find(each) for each in ids])
        values = values[:, 0] if self.shape[1] == 1 else values
        return values[0] if isinstance(stimulus_ids, str) else values

    def nearest(self, stimulus_id: str, n: int = 5, *, method: str = "correlation") -> pd.DataFrame:
        """The stimuli that the layer responds to most as it does to one of them.

        Parameters
        ----------
        stimulus_id : str
        n : int
            How many, without the stimulus itself.
        method : {"correlation", "cosine", "euclidean"}
            How unlike responses are, as in :func:`beholder.compute_rdm`; replicates are averaged.

        Returns
        -------
        DataFrame
            ``stimulus, label, distance``, the nearest first.

        Raises
        ------
        UnknownNameError
            No stimulus has the id.

        Examples
        --------
        >>> acts["classifier"].nearest("dog_01", 5)  # doctest: +SKIP
        """
        import pandas as pd

        place = self._find(stimulus_id)
        one, labels = self._read_range(range(place, place + 1))[0], self.labels
        rows, distances = find_nearest(one, place, self.iter_blocks(), n, method)
        return pd.DataFrame(
            {
                "stimulus": [self.stimulus_ids[i] for i in rows],
                "label": [labels[i] for i in rows],
                "distance": distances,
            }
        )

    def _repr_html_(self) -> str:
        import html

        axes = " × ".join(f"{size:,} {name}" for name, size in zip(self.dims, self.shape, strict=True))
        return (
            f"Layer <b>{html.escape(self.layer)}</b>: {html.escape(axes)}, {self.dtype}, {format_bytes(self.nbytes)}"
            "<br><code>.to_numpy()</code> <code>.to_pandas()</code> <code>.sel(ids)</code> <code>.nearest(id)</code>"
        )

    def _find(self, stimulus_id: str) -> int:
        try:
            return self.stimulus_ids.index(stimulus_id)
        except ValueError:
            raise UnknownNameError("stimulus", stimulus_id, self.stimulus_ids) from None

    def _read_range(self, rows: range) -> np.ndarray:
        if not rows:
            return np.empty((0, *self.shape[1:]), self.dtype)
        start, stop = min(rows), max(rows) + 1
        values = self._read_block(start, stop)
        return values if rows.step > 0 else values[::-1]

    def _read(self, rows: list[int]) -> np.ndarray:
        """Rows in any order; those of one tile are read together."""
        out = np.empty((len(rows), *self.shape[1:]), self.dtype)
        size = self._layout.tile[0] if self._layout else int(self._array.chunks[0])
        groups: dict[int, list[int]] = {}
        for place in sorted(range(len(rows)), key=rows.__getitem__):
            groups.setdefault(rows[place] // size, []).append(place)
        for places in groups.values():
            first = rows[places[0]]
            block = self._read_block(first, rows[places[-1]] + 1)
            out[places] = block[[rows[place] - first for place in places]]
        return out

    def _read_block(self, start: int, stop: int) -> np.ndarray:
        layout = self._layout
        if layout is None:
            try:
                if is_address(self._folder):
                    return repeat(lambda: np.asarray(self._array[start:stop]), to_address(self._folder))
                return np.asarray(self._array[start:stop])
            except ValueError as error:
                raise refuse_damaged(self._folder, self._folder.parent.parent) from error
        n_replicates = self.shape[1]
        out = np.empty((stop - start, *self.shape[1:]), self.dtype)
        for shard in range(start // layout.rows, -(-stop // layout.rows)):
            low, high = max(start, shard * layout.rows), min(stop, (shard + 1) * layout.rows)
            for replicate in range(n_replicates):
                path = shard_path(self._folder, shard, replicate, len(layout.features))
                part = out[low - start : high - start, replicate]
                direct = part if part.flags.c_contiguous else None
                base = shard * layout.rows
                try:
                    read = read_rows(path, layout, low - base, high - base, direct)
                except FileNotFoundError as error:
                    raise InputError(
                        f"every part of {self.layer}",
                        got=f"no file {path}",
                        hint="running the extraction again: it fills what is missing",
                    ) from error
                except DamagedFile as error:
                    raise refuse_damaged(path, self._folder.parent.parent) from error
                if direct is None:
                    part[:] = read
        return out

    def to_numpy(self) -> np.ndarray:
        """Everything in memory: (n_stimuli, *features), with the replicate axis only when there are several."""
        values = self._read_block(0, len(self))
        return values[:, 0] if self.shape[1] == 1 else values

    def to_pandas(self) -> pd.DataFrame:
        """Everything in memory as a table: a row a stimulus (and replicate, where there are several).

        Columns are the channels of a pooled layer, else the features, row-major.
        """
        import pandas as pd

        n_stimuli, n_replicates = self.shape[:2]
        values = self._read_block(0, n_stimuli).reshape(n_stimuli * n_replicates, -1)
        index: Any = pd.Index(self.stimulus_ids, name="stimulus")
        if n_replicates > 1:
            index = pd.MultiIndex.from_product([index, range(n_replicates)], names=["stimulus", "replicate"])
        return pd.DataFrame(values, index=index, columns=pd.RangeIndex(values.shape[1], name="/".join(self.dims[2:])))

    def save(self, path: Path | str) -> Path:
        """Write everything to one file that other programs read: ``.npy .txt .mat .pt .csv .h5``."""
        from beholder.activations.formats._exports import export_file

        return export_file(self, path)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        values = self.to_numpy()
        return values if dtype is None else values.astype(dtype, copy=False)

    def iter_blocks(self, max_bytes: int = _BLOCK_BYTES) -> Iterator[tuple[int, np.ndarray]]:
        """Walk through the stimuli in blocks: yields (first index, (n, n_replicates, *features))."""
        row_bytes = max(1, math.prod(self.shape[1:]) * self.dtype.itemsize)
        rows = max(1, max_bytes // row_bytes)
        per_shard = self.stimuli_per_shard
        rows = rows // per_shard * per_shard if rows >= per_shard else rows
        for start in range(0, len(self), rows):
            yield start, self._read_block(start, min(len(self), start + rows))

    def to_xarray(self) -> Any:
        """An ``xarray.DataArray`` over the array on disk, labelled with the stimulus ids (needs xarray)."""
        import xarray

        place: Any = to_address(self._folder.parent) if is_address(self._folder) else self._folder.parent
        dataset = xarray.open_zarr(place, consolidated=False, chunks=None)
        return dataset["values"]


class Activations:
    """What one model's layers did over one stimulus set: ``acts["features.12"]`` is one layer.

    Parameters
    ----------
    path : path
        A ``.zarr`` folder, here or at an address.
    partial : bool
        Open a store whose extraction has not ended; what is missing raises when it is read.

    Examples
    --------
    >>> acts = Activations("activations/squeezenet1_1.zarr")      # doctest: +SKIP
    >>> acts["features.12"].to_numpy().shape                      # doctest: +SKIP
    (1000, 512, 13, 13)
    """

    def __init__(self, path: Path | str, *, partial: bool = False) -> None:
        self.path = Path(path)
        check_content(self.path, self.path / "zarr.json")
        root = open_group(self.path)
        if "layers" not in root.attrs:
            raise InputError("an activation store", got=f"{self.path}, a Zarr group without Beholder's attributes")
        self.attributes: dict[str, Any] = dict(root.attrs)
        if not partial and not self.attributes.get("complete", False):
            raise InputError(
                "a complete activation store", got=f"{show_place(self.path)}, whose extraction did not end",
                hint="running the same command again: it does only what is missing",
            )  # fmt: skip
        self._root = root
        self._groups = list_layers(root, self.path)
        ids = read_small_column(open_member(root, self.path, "stimuli"), self.path, "stimuli/id")
        self.stimulus_ids: tuple[str, ...] = tuple(str(i) for i in ids) if ids is not None else ()

    @property
    def model(self) -> str:
        """The model's full name."""
        return str(self.attributes.get("model", ""))

    @property
    def ids(self) -> tuple[str, ...]:
        """The same as ``stimulus_ids``."""
        return self.stimulus_ids

    @property
    def labels(self) -> tuple[str, ...]:
        """(n_stimuli,), the class of each stimulus; ``""`` where the store knows none."""
        return read_labels(self.path, len(self.stimulus_ids))

    @property
    def layers(self) -> list[str]:
        """Exact layer names, in the order in which they were asked for."""
        return list(self._groups)

    @property
    def stimuli(self) -> pd.DataFrame:
        """The table of stimuli: id, file, label, target, hash and the conditions.

        A condition that has the name of one of the others is called ``condition_{name}`` here.
        """
        import pandas as pd

        columns, conditions = read_stimuli(self._root, self.path)
        return pd.DataFrame({**columns, **name_conditions(conditions, columns)})

    @property
    def conditions(self) -> dict[str, np.ndarray]:
        """The conditions of the stimuli by their exact names, each (n_stimuli,)."""
        return read_stimuli(self._root, self.path)[1]

    @property
    def stimulus_hashes(self) -> tuple[str, ...]:
        """What was computed from, by content: a hash a stimulus; none where the store has none."""
        columns, _ = read_stimuli(self._root, self.path)
        column = columns.get("hash", columns.get("sha256"))
        return () if column is None else tuple(str(each) for each in column)

    def __getitem__(self, layer: str) -> LayerActivations:
        if layer not in self._groups:
            raise UnknownNameError(f"layer of {self.path.name}", layer, self.layers)
        group = self._groups[layer]
        array = open_member(self._root, self.path, f"{group}/values")
        return LayerActivations(layer, array, self.path / group / "values", self.stimulus_ids)  # type: ignore[arg-type]

    def to_pandas(self, layers: Sequence[str] | None = None) -> pd.DataFrame:
        """Layers in memory as one table: a row a stimulus (and replicate), columns (layer, feature).

        Parameters
        ----------
        layers : sequence of str, optional
            Which; default all. What lies in memory is :attr:`LayerActivations.nbytes` of each.
        """
        import pandas as pd

        chosen = self.layers if layers is None else [layers] if isinstance(layers, str) else list(layers)
        if not chosen:
            raise InputError("at least one layer", got="none", hint=" or ".join(self.layers[:3]))
        tables = [self[name].to_pandas().rename_axis(columns="feature") for name in chosen]
        return pd.concat(tables, axis=1, keys=chosen, names=["layer", "feature"])

    def __contains__(self, layer: object) -> bool:
        return layer in self._groups

    def __iter__(self) -> Iterator[str]:
        return iter(self._groups)

    def __len__(self) -> int:
        return len(self._groups)

    def __repr__(self) -> str:
        head = f"Activations of {self.model}: {len(self.stimulus_ids)} stimuli, {len(self)} layers"
        lines = [f"{head} at {show_place(self.path)}"]
        width = max((len(name) for name in self.layers), default=0)
        for name in self.layers[:20]:
            values = self[name]
            axes = " x ".join(str(size) for size in values.shape[2:])
            lines.append(f"  {name:<{width}}  {axes}  {format_bytes(values.nbytes)}")
        if len(self) > 20:
            lines.append(f"  ... and {len(self) - 20} more")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        import html

        rows = []
        for name in self.layers:
            values = self[name]
            axes = " × ".join(f"{size} {axis}" for axis, size in zip(values.dims[2:], values.shape[2:], strict=True))
            cells = (html.escape(name), html.escape(axes), str(values.dtype), f"{format_bytes(values.nbytes)}")
            rows.append("<tr>" + "".join(f"<td style='text-align:left'>{cell}</td>" for cell in cells) + "</tr>")
        head = f"Activations of <b>{html.escape(self.model)}</b>: {len(self.stimulus_ids):,} stimuli"
        n_replicates = int(self.attributes.get("n_replicates", 1))
        head += f", {n_replicates} replicates" if n_replicates > 1 else ""
        return f"{head}<table>{''.join(rows)}</table><code>{html.escape(str(self.path))}</code>"
