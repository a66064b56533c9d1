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
from beholder._core.errors import InputError, UnknownNameError, suggest_method_keywords
from beholder._core.sizes import format_bytes
from beholder._core.wording import format_count
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


@suggest_method_keywords
class LayerActivations:
    """The activations of one layer: an array on disk, read where it is indexed.

    Indexing, ``to_numpy()``, ``numpy.asarray`` and ``torch.tensor`` give arrays of the same shape, which is
    :attr:`shape`. The axis of replicates is there when there are several; :attr:`with_replicates` has it always.

    Attributes
    ----------
    layer : str
        Exact layer name.
    shape : tuple of int
        (n_stimuli, *features), or (n_stimuli, n_replicates, *features) of several replicates.
    dims : tuple of str
        Names of the axes: ``stimulus``, perhaps ``replicate``, then such as ``channel``, ``height``, ``width``.
    n_replicates : int
    feature_shape : tuple of int
        Shape of the response to one stimulus in one replicate.
    feature_dims : tuple of str
        Names of its axes.
    dtype : numpy.dtype
    stimulus_ids : tuple of str

    Examples
    --------
    >>> import beholder as bh
    >>> layer = bh.extract("beholder:shapes", "images", ["block5", "classifier"], device="cpu")["block5"]
    >>> layer.shape, layer[:3].shape, layer.with_replicates.shape
    ((32, 256, 7, 7), (3, 256, 7, 7), (32, 1, 256, 7, 7))
    """

    def __init__(
        self, layer: str, array: zarr.Array, folder: Path, stimulus_ids: Sequence[str], *, keeps_axis: bool = False
    ) -> None:
        self.layer = layer
        self._array = array
        self._folder = folder
        self.stimulus_ids = tuple(stimulus_ids)
        names = tuple(str(name) for name in array.metadata.dimension_names)  # type: ignore[union-attr]
        self._stored_shape: tuple[int, ...] = (len(self.stimulus_ids), *array.shape[1:])
        self.n_replicates = int(array.shape[1])
        self.feature_shape: tuple[int, ...] = self._stored_shape[2:]
        self.feature_dims: tuple[str, ...] = names[2:]
        self._has_axis = keeps_axis or self.n_replicates != 1
        self.shape: tuple[int, ...] = self._stored_shape if self._has_axis else (len(self), *self.feature_shape)
        self.dims: tuple[str, ...] = names if self._has_axis else (names[0], *names[2:])
        self.dtype = np.dtype(array.dtype)
        tile = tuple(array.chunks)
        rows = array.shards[0] if array.shards else tile[0]
        codecs = tuple(type(codec) for codec in array.compressors)
        layout = ShardLayout(rows, tile, tuple(array.shape[2:]), str(self.dtype), has_checksums=bool(codecs))
        known = codecs in ((), (Crc32cCodec,))
        self._layout = layout if array.shards and known and array.shards == layout.shape else None

    @property
    def with_replicates(self) -> LayerActivations:
        """The same layer with the axis of replicates, also where there is one: (n_stimuli, n_replicates, *features)."""
        if self._has_axis:
            return self
        return LayerActivations(self.layer, self._array, self._folder, self.stimulus_ids, keeps_axis=True)

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
        return len(self.stimulus_ids)

    def __repr__(self) -> str:
        axes = ", ".join(f"{name} {size}" for name, size in zip(self.dims, self.shape, strict=True))
        return f"LayerActivations({self.layer}: {axes}; {self.dtype}, {format_bytes(self.nbytes)})"

    def __getitem__(self, index: Any) -> np.ndarray:
        """Read a part, of the axes of :attr:`shape`: stimuli at the disk's speed, numpy's basic indexing of the others.

        Stimulus ids work in the first place: ``acts["conv1"]["dog_01"]``.
        """
        first, rest = (index[0], index[1:]) if isinstance(index, tuple) else (index, ())
        if first is Ellipsis:
            first, rest = slice(None), index if isinstance(index, tuple) else ()
        if first is None:
            raise IndexError("the first index of a layer chooses stimuli; x = acts[layer][:] is an array")
        if isinstance(first, str):
            first = self._find(first)
        if isinstance(first, slice):
            rows = range(*first.indices(len(self)))
            values = self._read(list(rows)) if abs(rows.step) != 1 else self._read_range(rows)
        elif isinstance(first, int | np.integer):
            row = int(first) + (len(self) if first < 0 else 0)
            if not 0 <= row < len(self):
                raise IndexError(f"stimulus {first} of {len(self)}")
            values = self._drop_axis(self._read_range(range(row, row + 1)))[0]
            return values[rest] if rest else values
        else:
            rows_array = np.asarray(first) if len(first) else np.empty(0, dtype=np.int64)
            if rows_array.dtype.kind in "UO":
                rows_array = np.array([self._find(str(name)) for name in rows_array])
            values = self._read(list(np.arange(len(self))[rows_array]))
        values = self._drop_axis(values)
        return values[(slice(None), *rest)] if rest else values

    def sel(self, stimulus_ids: str | Iterable[str]) -> np.ndarray:
        """The activations of stimuli by their ids, in the order given; of one id, without the axis of stimuli.

        Parameters
        ----------
        stimulus_ids : str or iterable of str

        Returns
        -------
        ndarray, (n, *features)
            With the replicate axis where :attr:`shape` has it.

        Raises
        ------
        UnknownNameError
            No stimulus has one of the ids; the nearest are named.
        """
        ids = [stimulus_ids] if isinstance(stimulus_ids, str) else [str(each) for each in stimulus_ids]
        values = self._drop_axis(self._read([self._find(each) for each in ids]))
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
        rows, distances = find_nearest(one, place, self.with_replicates.iter_blocks(), n, method)
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

    def _drop_axis(self, values: np.ndarray) -> np.ndarray:
        """Stored rows, (n, n_replicates, *features), as :attr:`shape` has them."""
        return values if self._has_axis else values[:, 0]

    def _read_range(self, rows: range) -> np.ndarray:
        if not rows:
            return np.empty((0, *self._stored_shape[1:]), self.dtype)
        start, stop = min(rows), max(rows) + 1
        values = self._read_block(start, stop)
        return values if rows.step > 0 else values[::-1]

    def _read(self, rows: list[int]) -> np.ndarray:
        """Rows in any order; those of one tile are read together."""
        out = np.empty((len(rows), *self._stored_shape[1:]), self.dtype)
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
        out = np.empty((stop - start, *self._stored_shape[1:]), self.dtype)
        for shard in range(start // layout.rows, -(-stop // layout.rows)):
            low, high = max(start, shard * layout.rows), min(stop, (shard + 1) * layout.rows)
            for replicate in range(self.n_replicates):
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
        """Everything in memory: (n_stimuli, *features), with the replicate axis where :attr:`shape` has it."""
        return self._drop_axis(self._read_block(0, len(self)))

    def to_pandas(self) -> pd.DataFrame:
        """Everything in memory as a table: a row a stimulus (and replicate, where there are several).

        Columns are the channels of a pooled layer, else the features, row-major.
        """
        import pandas as pd

        n_stimuli, n_replicates = self._stored_shape[:2]
        values = self._read_block(0, n_stimuli).reshape(n_stimuli * n_replicates, -1)
        index: Any = pd.Index(self.stimulus_ids, name="stimulus")
        if n_replicates > 1:
            index = pd.MultiIndex.from_product([index, range(n_replicates)], names=["stimulus", "replicate"])
        return pd.DataFrame(
            values, index=index, columns=pd.RangeIndex(values.shape[1], name="/".join(self.feature_dims))
        )

    def save(self, path: Path | str) -> Path:
        """Write everything to one file that other programs read: ``.npy .txt .mat .pt .csv .parquet .h5``."""
        from beholder.activations.formats._exports import export_file

        return export_file(self.with_replicates, path)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        values = self.to_numpy()
        return values if dtype is None else values.astype(dtype, copy=False)

    def __dlpack__(self, **asked: Any) -> Any:
        """Everything in memory, for ``torch.tensor`` and ``torch.as_tensor``."""
        return self.to_numpy().__dlpack__(**asked)

    def __dlpack_device__(self) -> tuple[int, int]:
        return np.empty(0).__dlpack_device__()

    def iter_blocks(self, max_bytes: int = _BLOCK_BYTES) -> Iterator[tuple[int, np.ndarray]]:
        """Walk through the stimuli in blocks: yields (first index, (n, *features)), rows as :attr:`shape` has them."""
        row_bytes = max(1, math.prod(self.shape[1:]) * self.dtype.itemsize)
        rows = max(1, max_bytes // row_bytes)
        per_shard = self.stimuli_per_shard
        rows = rows // per_shard * per_shard if rows >= per_shard else rows
        for start in range(0, len(self), rows):
            yield start, self._drop_axis(self._read_block(start, min(len(self), start + rows)))

    def to_xarray(self) -> Any:
        """An ``xarray.DataArray`` over the array on disk, of this shape, with the stimulus ids (needs xarray)."""
        import xarray

        place: Any = to_address(self._folder.parent) if is_address(self._folder) else self._folder.parent
        dataset = xarray.open_zarr(place, consolidated=False, chunks=None)
        return dataset["values"] if self._has_axis else dataset["values"].isel(replicate=0, drop=True)


@suggest_method_keywords
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
    >>> import beholder as bh
    >>> acts = bh.extract("beholder:shapes", "images", ["block5", "classifier"], device="cpu")
    >>> bh.Activations("activations/shapes.zarr").layers
    ['block5', 'classifier']
    >>> acts["block5"].to_numpy().shape
    (32, 256, 7, 7)
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
        head = (
            f"Activations of {self.model}: {format_count(len(self.stimulus_ids), 'stimulus')}, "
            f"{format_count(len(self), 'layer')}"
        )
        lines = [f"{head} at {show_place(self.path)}"]
        width = max((len(name) for name in self.layers), default=0)
        for name in self.layers[:20]:
            values = self[name]
            axes = " x ".join(str(size) for size in values.feature_shape)
            lines.append(f"  {name:<{width}}  {axes}  {format_bytes(values.nbytes)}")
        if len(self) > 20:
            lines.append(f"  ... and {len(self) - 20} more")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        import html

        rows = []
        for name in self.layers:
            values = self[name]
            axes = " × ".join(
                f"{size} {axis}" for axis, size in zip(values.feature_dims, values.feature_shape, strict=True)
            )
            cells = (html.escape(name), html.escape(axes), str(values.dtype), f"{format_bytes(values.nbytes)}")
            rows.append("<tr>" + "".join(f"<td style='text-align:left'>{cell}</td>" for cell in cells) + "</tr>")
        head = f"Activations of <b>{html.escape(self.model)}</b>: {format_count(len(self.stimulus_ids), 'stimulus')}"
        n_replicates = int(self.attributes.get("n_replicates", 1))
        head += f", {format_count(n_replicates, 'replicate')}" if n_replicates > 1 else ""
        return f"{head}<table>{''.join(rows)}</table><code>{html.escape(str(self.path))}</code>"
