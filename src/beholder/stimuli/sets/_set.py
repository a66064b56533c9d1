"""A stimulus set: which stimuli there are, in which order, and where their files or arrays lie."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, final

import numpy as np

from beholder._core.addresses import show_place
from beholder._core.errors import InputError, StimulusError, UnknownNameError, suggest_keywords, suggest_method_keywords
from beholder._core.files import mark_file, read_file
from beholder._core.hashing import PREFIX, hash_source
from beholder._core.seeds import DEFAULT_SEED
from beholder._core.wording import format_count
from beholder.stimuli.sets._arrays import HDF5Images, build_from_arrays, take_arrays
from beholder.stimuli.sets._folder import build_from_folder
from beholder.stimuli.sets._html import render_set
from beholder.stimuli.sets._items import StimulusItems
from beholder.stimuli.sets._joined import join_sets
from beholder.stimuli.sets._manifest import Kind, Layout, Manifest
from beholder.stimuli.sets._named import NAMED_SETS
from beholder.stimuli.sets._packed import PackedFiles
from beholder.stimuli.sets._parquet import build_from_parquet, find_tables
from beholder.stimuli.sets._selection import BadFile, draw_fraction, find_bad_files, find_positions
from beholder.stimuli.sets._shards import build_from_shards, find_shards
from beholder.stimuli.sets._table import build_from_table
from beholder.stimuli.sets._things import build_from_things, build_from_things_behavior

if TYPE_CHECKING:
    import pandas as pd


@suggest_method_keywords
@final
@dataclass(frozen=True, eq=False, repr=False)
class StimulusSet:
    """Stimuli in a fixed order: a manifest, and the files or arrays it names.

    Made by :meth:`from_folder`, :meth:`from_table`, :meth:`from_shards`, :meth:`from_parquet`, :meth:`from_arrays`,
    :meth:`from_hdf5` and :meth:`from_named`.
    ``stimuli[...]`` takes a slice, integers, a boolean mask or ids and gives a set again; iterating gives ids.
    Small, immutable and picklable: nothing is decoded until it is asked for.

    Parameters
    ----------
    kind : {"image", "sound", "array"}
        What one stimulus is.
    ids : tuple of str
        (n_stimuli,), unique, without ``/``.
    files : tuple of str
        (n_stimuli,), POSIX paths relative to ``root``, or absolute; ``""`` for arrays.
    root : path or None
        Folder that relative files lie in, as it was given.
    labels : tuple of str
        (n_stimuli,), the class names; in a flat folder the stem.
    targets : numpy.ndarray
        (n_stimuli,), int64, the class indices; in a flat folder the position.
    conditions : mapping of str to list
        Further columns, each (n_stimuli,).
    arrays : array-like or None
        (n_stimuli, ...), in memory or lazy; None when the stimuli are files.
    layout : {"flat", "classes", "table", "arrays"}
        Where the set came from.
    selection : dict
        How it was cut from a larger one: fraction, seed, files left out, ... JSON-able.
    hashes : tuple of str
        (n_stimuli,) or none: what each stimulus is known to be, by content (:meth:`pin`); reading another is an error.

    Examples
    --------
    >>> import beholder as bh
    >>> pictures = bh.StimulusSet.from_folder("images")
    >>> len(pictures), pictures.ids[:2], pictures[:2].labels
    (32, ('bricks_0000', 'bricks_0001'), ('bricks', 'bricks'))
    """

    kind: Kind
    ids: tuple[str, ...]
    files: tuple[str, ...]
    root: Path | None
    labels: tuple[str, ...]
    targets: np.ndarray
    conditions: Mapping[str, list[Any]] = field(default_factory=dict)
    arrays: Any = None
    layout: Layout = "flat"
    selection: dict[str, Any] = field(default_factory=dict)
    hashes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        targets = np.array(self.targets, dtype=np.int64)
        targets.flags.writeable = False
        object.__setattr__(self, "targets", targets)
        n = len(self.ids)
        columns = {"files": self.files, "labels": self.labels, "targets": targets, **self.conditions}
        if self.arrays is not None:
            columns["arrays"] = self.arrays
        if self.hashes:
            columns["hashes"] = self.hashes
        for name, column in columns.items():
            if len(column) != n:
                raise InputError(f"{n} {name}, one a stimulus", got=str(len(column)))
        _check_ids(self.ids)

    # --- ways to make one ---------------------------------------------------------------------------------------

    @classmethod
    def from_manifest(cls, manifest: Manifest) -> StimulusSet:
        """The set that a manifest describes."""
        return cls(**vars(manifest))

    @classmethod
    def from_folder(
        cls,
        folder: Path | str,
        *,
        kind: Literal["image", "sound"] | None = None,
        layout: Literal["flat", "classes"] | None = None,
        things: bool | Path | str = False,
        things_behavior: bool | Path | str = False,
        skip_bad: bool = False,
    ) -> StimulusSet:
        """Take every picture (or sound) of a flat folder or of class folders, sorted.

        Parameters
        ----------
        folder : path
            Holds the files (flat: each is its own class) or one folder a class (files anywhere below it).
        kind : {"image", "sound"}, optional
            Needed only where both kinds lie in the folder.
        layout : {"flat", "classes"}, optional
            Needed only where files lie both beside and inside sub-folders.
        things : bool or path
            Check the class folders against the THINGS concepts (``things_concepts.tsv`` or ``things_concept.tsv``,
            sought in ``./data`` and in and beside the folder, or the path given), in the file's order, and take the
            first 12 pictures of each.
        things_behavior : bool or path
            A flat folder with one picture for each row of ``item_names.tsv`` (sought likewise), in its order.
        skip_bad : bool
            Decode every file now and leave out those that cannot be read, recorded in ``selection``.

        Raises
        ------
        InputError
            The folder is missing, holds no stimuli, mixes kinds or layouts, or gives two files the same id.

        Examples
        --------
        >>> stimuli = StimulusSet.from_folder("images/")  # doctest: +SKIP
        """
        if things and things_behavior:
            raise InputError("one of things and things_behavior", got="both")
        if things or things_behavior:
            name, own = ("things", "classes") if things else ("things_behavior", "flat")
            other = [f"kind={kind!r}"] if kind not in (None, "image") else []
            other += [f"layout={layout!r}"] if layout not in (None, own) else []
            if other:
                raise InputError(f"pictures in the layout {own!r} with {name}", got=" and ".join(other))
        if things:
            manifest = build_from_things(folder, None if things is True else things)
        elif things_behavior:
            manifest = build_from_things_behavior(folder, None if things_behavior is True else things_behavior)
        else:
            manifest = build_from_folder(folder, kind=kind, layout=layout)
        made = cls.from_manifest(manifest)
        return made.drop_bad_files() if skip_bad else made

    @classmethod
    def from_table(
        cls, table: Path | str, *, kind: Literal["image", "sound"] | None = None, skip_bad: bool = False
    ) -> StimulusSet:
        """Take the files that a table lists, in its order; columns it does not know are conditions.

        Parameters
        ----------
        table : path
            ``.csv``, ``.tsv``, ``.txt`` (tabs) or ``.parquet``. A column ``file`` (or ``path``, ``image``,
            ``filename``, ``stimulus_file``, ...) holds paths relative to the table; optional are ``stimulus_id`` or
            ``id``, ``label`` or ``class``, and ``target``.
        kind : {"image", "sound"}, optional
            Needed only where the table lists both.
        skip_bad : bool
            Leave out files that are missing or cannot be read, recorded in ``selection``.

        Raises
        ------
        InputError
            The table cannot be read or has no file column; ids repeat.
        StimulusError
            Listed files do not exist.
        """
        manifest = build_from_table(table, kind=kind, skip_missing=skip_bad)
        made = cls.from_manifest(manifest)
        return made.drop_bad_files() if skip_bad else made

    @classmethod
    def from_arrays(
        cls,
        arrays: Any,
        ids: Sequence[str] | None = None,
        *,
        labels: Sequence[str] | None = None,
        targets: Sequence[int] | np.ndarray | None = None,
        conditions: Mapping[str, Sequence[Any]] | None = None,
        kind: Kind | None = None,
    ) -> StimulusSet:
        """Take arrays (or tensors, or a lazy reader) with the stimuli along the first axis.

        Parameters
        ----------
        arrays : array-like
            Pictures: (n, h, w, 3), (n, h, w) or (n, 3, h, w), uint8 or float in [0, 1]. Anything else is kind
            ``"array"``, which only models without picture preprocessing take.
        ids : sequence of str, optional
            (n,); by default ``"000000"``, ``"000001"``, ...
        labels, targets, conditions
            (n,) each.
        kind : {"image", "sound", "array"}, optional
            By default told from the shape.

        Raises
        ------
        InputError
            Float pictures outside [0, 1], a dtype that is no picture's, or lengths that differ.
        """
        made = build_from_arrays(arrays, ids, labels=labels, targets=targets, conditions=conditions, kind=kind)
        return cls.from_manifest(made)

    @classmethod
    def from_hdf5(
        cls, file: Path | str, key: str | None = None, *, ids: Sequence[str] | None = None, kind: Kind | None = None
    ) -> StimulusSet:
        """Take the pictures of one HDF5 data set, read one by one when needed (such as NSD's ``imgBrick``).

        Parameters
        ----------
        file : path
            The HDF5 file.
        key : str, optional
            The data set in it; needed where there are several.
        ids, kind
            As for :meth:`from_arrays`.

        Raises
        ------
        InputError
            The file is not HDF5, or the key does not name a data set.
        """
        return cls.from_arrays(HDF5Images(file, key), ids, kind=kind)

    @classmethod
    def from_shards(cls, path: Path | str) -> StimulusSet:
        """Take the pictures or sounds of tar files, as WebDataset lays them out, read one by one when needed.

        Parameters
        ----------
        path : path
            A ``.tar`` file, a folder of them, or ``train-{0000..0146}.tar``. The class of ``key.jpg`` is what
            ``key.cls`` or ``key.txt`` says, or ``label``, ``class`` or ``cls`` of ``key.json``, whose other entries
            become columns; without any, the folder in its name. The column ``shard`` says where each lies.

        Raises
        ------
        InputError
            No shards; one that is no whole tar file; no pictures or sounds, or both; ids that repeat; labels of some.

        Examples
        --------
        >>> stimuli = StimulusSet.from_shards("train-{0000..0146}.tar")  # doctest: +SKIP
        """
        shards = find_shards(path)
        if not shards:
            raise InputError("shards: a .tar file, a folder of them, or x-{000..099}.tar", got=show_place(path))
        return cls.from_manifest(build_from_shards(shards, path))

    @classmethod
    def from_parquet(cls, path: Path | str, column: str | None = None) -> StimulusSet:
        """Take the pictures or sounds that Parquet tables hold, as Hugging Face publishes them; read when needed.

        Parameters
        ----------
        path : path
            A ``.parquet`` table, a folder of them, ``train-{00000..00004}.parquet``, or ``*.parquet``. A column of
            bytes, or of ``{bytes, path}``, holds the files. Ids are those of a column ``stimulus_id``, ``id``,
            ``image_id`` or ``__key__``, else made of the paths; classes those of a column of classes, ``label``,
            ``class``, ...; other columns of numbers and texts become conditions.
        column : str, optional
            The column of files; needed where there are several.

        Raises
        ------
        InputError
            No such tables, no column of files or several, labels of some rows.

        Examples
        --------
        >>> stimuli = StimulusSet.from_parquet("data/train-{00000..00004}.parquet")  # doctest: +SKIP
        """
        tables, own = find_tables(path)
        if not tables:
            raise InputError(
                "tables of pictures or sounds: a .parquet file, a folder of them, or x-{000..099}.parquet",
                got=show_place(path),
            )
        return cls.from_manifest(build_from_parquet(tables, column or own, path))

    @classmethod
    def from_named(
        cls,
        name: str,
        folder: Path | str | None = None,
        *,
        ground_truth: Path | str | None = None,
        skip_bad: bool = False,
    ) -> StimulusSet:
        """Take a published set, such as ``"metamers-400-pictures"`` or ``"imagenet-val"``.

        Parameters
        ----------
        name : str
            One of :func:`beholder.stimuli.list_named_sets`.
        folder : path, optional
            Where it lies; by default where ``beholder assets fetch`` puts it.
        ground_truth : path, optional
            The file of true classes, if it is not found by itself.
        skip_bad : bool
            As for :meth:`from_folder`.

        Raises
        ------
        UnknownNameError
            There is no such set.
        InputError
            The set is not here, the folder does not look like it, or the true classes cannot be told.
        """
        manifest = NAMED_SETS[name](folder, ground_truth)
        made = cls.from_manifest(manifest)
        return made.drop_bad_files() if skip_bad else made

    # --- looking at it ------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[str]:
        return iter(self.ids)

    def __repr__(self) -> str:
        n_classes = len(set(self.targets.tolist()))
        where = f", root={show_place(self.root.as_posix())!r}" if self.root is not None else ""
        extra = f", conditions={list(self.conditions)}" if self.conditions else ""
        cut = f", selection={self.selection}" if self.selection else ""
        return (
            f"StimulusSet({format_count(len(self), self.kind)}, {format_count(n_classes, 'class')}, "
            f"{self.layout}{where}{extra}{cut})"
        )

    def _repr_html_(self) -> str:
        return render_set(self)

    def path(self, i: int) -> Path:
        """The path of stimulus ``i``'s file."""
        if self.arrays is not None:
            name = self.files[i] or self.ids[i]
            got = "a set of arrays" if self.packed is None else f"{name}, which is packed or at an address"
            raise InputError("stimuli that are files of this machine", got=got, hint="stimuli.source(i)")
        return Path(self.files[i]) if self.root is None else self.root / self.files[i]

    @property
    def packed(self) -> PackedFiles | None:
        """What holds the files that lie in others or at an address; None for other sets."""
        return self.arrays.packed if isinstance(self.arrays, StimulusItems) else None

    def source(self, i: int) -> Any:
        """What a model's ``prepare`` takes for stimulus ``i``: the path of its file, its array, or a file's content."""
        if self.arrays is None:
            return self.path(i)
        item = self.arrays[i]
        return item if isinstance(item, (bytes, tuple)) else np.asarray(item)

    def read_bytes(self, i: int) -> bytes:
        """The bytes of stimulus ``i``'s file."""
        return self.source(i) if self.packed is not None else read_file(self.path(i))[0]

    def read(self, i: int) -> tuple[Any, str, list[int] | None]:
        """Stimulus ``i`` in memory, the hash of what was read, and the mark of its file (None where it has none).

        Raises
        ------
        StimulusError
            The file cannot be read; or the stimulus is not the one that the set was pinned to.
        """
        source, digest, mark = self._read(i)
        if self.hashes and self.hashes[i] not in ("", digest):
            raise StimulusError(
                "the stimuli that the work began with", got=f"{self.files[i] or self.ids[i]}, which has changed since",
                hint="the old file, or another output folder",
            )  # fmt: skip
        return source, digest, mark

    def _read(self, i: int) -> tuple[Any, str, list[int] | None]:
        """As :meth:`read`, whatever the set was pinned to."""
        if self.arrays is None:
            source, mark = read_file(self.path(i))
        else:
            mark = self.mark(i)
            source = self.source(i)
        return source, hash_source(source), mark

    def pin(self, hashes: Sequence[str] | None = None) -> StimulusSet:
        """The set bound to its stimuli as they are: :meth:`read` refuses one that has changed since.

        Parameters
        ----------
        hashes : sequence of str, optional
            (n_stimuli,), as :meth:`hash_stimulus` gives them, ``""`` where unknown; by default all are read now.
        """
        known = [self.hash_stimulus(i) for i in range(len(self))] if hashes is None else hashes
        return replace(self, hashes=tuple(known))

    def hash_stimulus(self, i: int) -> str:
        """``xxh128:`` and the hash of stimulus ``i``'s file, or of its array's dtype, shape and values."""
        return self.read(i)[1]

    def has_hash(self, i: int, recorded: str) -> bool:
        """Whether stimulus ``i`` is the one whose hash was recorded: as :meth:`hash_stimulus` gives it, or a sha256.

        The first version recorded a sha256.
        """
        source, digest, _ = self._read(i)
        if recorded.startswith(PREFIX):
            return digest == recorded
        if not isinstance(source, bytes):
            array = np.ascontiguousarray(source)
            source = f"{array.dtype.str} {array.shape}\n".encode() + array.tobytes()
        return hashlib.sha256(source).hexdigest() == recorded

    def mark(self, i: int) -> list[int] | None:
        """Size, times and inode of the file stimulus ``i`` lies in, or what its server says; None where none tells."""
        if self.arrays is None:
            return mark_file(self.path(i))
        if self.packed is not None:
            return self.packed.mark(int(self.arrays.rows[i]))
        return mark_file(self.arrays.file) if isinstance(self.arrays, HDF5Images) else None

    def measure_files(self) -> np.ndarray | None:
        """Bytes of each stimulus's file, (n_stimuli,), int64, 0 where it is gone; None for arrays that are no files."""
        if self.arrays is not None:
            return None if self.packed is None else self.packed.sizes[self.arrays.rows]
        return np.array([(mark_file(self.path(i)) or [0])[0] for i in range(len(self))], dtype=np.int64)

    def index_of(self, stimulus_id: str) -> int:
        """The position of an id; an unknown one suggests the nearest."""
        try:
            return self.ids.index(stimulus_id)
        except ValueError:
            raise UnknownNameError("stimulus", stimulus_id, self.ids) from None

    def to_pandas(self) -> pd.DataFrame:
        """The manifest: ``stimulus_id, file, label, target`` and the conditions, a row a stimulus.

        A condition that has the name of one of the others is called ``condition_{name}``.
        """
        import pandas as pd

        columns = {"stimulus_id": self.ids, "file": self.files, "label": self.labels, "target": self.targets}
        return pd.DataFrame({**columns, **name_conditions(self.conditions, columns)})

    def describe(self) -> dict[str, Any]:
        """What the set is, for provenance; JSON-able. ``root`` is as given and belongs in no hash."""
        return {
            "kind": self.kind,
            "layout": self.layout,
            "n_stimuli": len(self),
            "n_classes": len(set(self.targets.tolist())),
            "conditions": list(self.conditions),
            "selection": self.selection,
            "root": None if self.root is None else show_place(self.root.as_posix()),
        }

    # --- cutting it ---------------------------------------------------------------------------------------------

    def __getitem__(self, which: Any) -> StimulusSet:
        return self._take(find_positions(self.ids, which), self.selection)

    def __add__(self, other: StimulusSet) -> StimulusSet:
        """The stimuli of this set, then those of another, as :func:`beholder.stimuli.join_sets` puts them together."""
        return join_sets([self, other]) if isinstance(other, StimulusSet) else NotImplemented

    def _take(self, positions: np.ndarray, selection: dict[str, Any]) -> StimulusSet:
        rows = positions.tolist()
        arrays = self.arrays
        if arrays is not None:
            arrays = take_arrays(arrays, positions)
        return replace(
            self,
            ids=tuple(self.ids[i] for i in rows),
            files=tuple(self.files[i] for i in rows),
            labels=tuple(self.labels[i] for i in rows),
            targets=self.targets[positions],
            conditions={name: [column[i] for i in rows] for name, column in self.conditions.items()},
            arrays=arrays,
            selection=selection,
            hashes=tuple(self.hashes[i] for i in rows) if self.hashes else (),
        )

    def select_fraction(self, fraction: float, seed: int = DEFAULT_SEED, *, balanced: bool = False) -> StimulusSet:
        """Keep ``int(n_stimuli * fraction)`` stimuli, drawn by ``seed`` alone, in their order.

        Parameters
        ----------
        fraction : float
            In (0, 1].
        seed : int
            Nothing else decides which are drawn: not the model, not other random numbers.
        balanced : bool
            Draw the same proportion of every class, up to one stimulus.

        Raises
        ------
        InputError
            The fraction is outside (0, 1] or leaves nothing.
        """
        positions = draw_fraction(self.targets, fraction, seed, balanced=balanced)
        selection: dict[str, Any] = dict(self.selection)
        if "fraction" in selection:
            selection = {"before": selection}
        selection.update(fraction=float(fraction), seed=int(seed), balanced=bool(balanced), n_before=len(self))
        return self._take(positions, selection)

    def find_bad_files(self) -> list[BadFile]:
        """Decode every file and list those that cannot be read, in order; several threads, with progress."""
        return find_bad_files(self)

    def drop_bad_files(self) -> StimulusSet:
        """The set without files that cannot be read; what was left out stands in ``selection["skipped"]``.

        Raises
        ------
        StimulusError
            No file can be read.
        """
        bad = self.find_bad_files()
        if not bad:
            return self
        if len(bad) == len(self):
            raise StimulusError(f"readable {self.kind}s", got=f"{len(bad)} bad files, such as {bad[0].file}")
        dropped = {each.stimulus_id for each in bad}
        keep = np.array([i for i, stimulus_id in enumerate(self.ids) if stimulus_id not in dropped])
        skipped = [*self.selection.get("skipped", []), *({"file": each.file, "reason": each.reason} for each in bad)]
        return self._take(keep, {**self.selection, "skipped": skipped})


@suggest_keywords
def name_conditions(conditions: Mapping[str, Any], columns: Iterable[str]) -> dict[str, Any]:
    """Conditions under names that differ from those of a table's other columns: ``condition_{name}`` where needed."""
    taken = {*columns, *conditions}
    named: dict[str, Any] = {}
    for name, values in conditions.items():
        free = name
        while free in columns or (free != name and free in taken):
            free = f"condition_{free}"
        taken.add(free)
        named[free] = values
    return named


def _check_ids(ids: Sequence[str]) -> None:
    seen: set[str] = set()
    for stimulus_id in ids:
        if not stimulus_id or "/" in stimulus_id:
            raise InputError("stimulus ids that are not empty and hold no '/'", got=repr(stimulus_id))
        if stimulus_id in seen:
            raise InputError("stimulus ids that differ", got=f"{stimulus_id!r} twice")
        seen.add(stimulus_id)
