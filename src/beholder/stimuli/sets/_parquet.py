"""Stimuli in Parquet tables, as Hugging Face publishes them: a column of files' contents, and what is said of each."""

# pyarrow has no types
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from beholder._core.addresses import explain_storage_errors, is_address, open_remote, show_place
from beholder._core.errors import InputError, StimulusError, UnknownNameError
from beholder._core.progress import logger
from beholder._core.wording import format_count
from beholder.stimuli.sets._arrays import build_from_items
from beholder.stimuli.sets._find_packed import find_packed
from beholder.stimuli.sets._folder import find_kind, make_ids
from beholder.stimuli.sets._items import StimulusItems
from beholder.stimuli.sets._manifest import Kind, Manifest
from beholder.stimuli.sets._packed import PackedFiles

SUFFIX = ".parquet"
_ID_COLUMNS = ("stimulus_id", "id", "image_id", "__key__")
_LABEL_COLUMNS = ("label", "labels", "class", "category", "fine_label", "coarse_label")
_SOUNDS = (b"RIFF", b"fLaC", b"RF64")
_LARGE_GROUP = 512 * 2**20


@final
@dataclass(frozen=True)
class _ContentColumn:
    """The column that holds files.

    Attributes
    ----------
    name : str
    is_struct : bool
        It holds ``bytes`` and ``path``; else plain bytes.
    kind : {"image", "sound"} or None
        As the table says it.
    """

    name: str
    is_struct: bool
    kind: Kind | None

    @property
    def of_bytes(self) -> str:
        return f"{self.name}.bytes" if self.is_struct else self.name


@final
class ParquetFiles(PackedFiles):
    """Rows of Parquet tables, whose row groups are read one at a time.

    Parameters
    ----------
    paths : sequence of Path
        The tables.
    column : str
        The column that holds files.
    names : sequence of str
        (n_rows,)
    places : (n_groups, 4), int64
        Of each row group: its table, its number there, its rows, and the bytes of its files.
    """

    is_far = True  # a row group is unpacked as a whole
    n_ahead = 2

    def __init__(self, paths: Sequence[Path], column: str, names: Sequence[str], places: np.ndarray) -> None:
        self.paths, self.column, self.names, self.places = tuple(paths), column, names, places
        n_rows = places[:, 2]
        self.groups = np.repeat(np.arange(len(places)), n_rows)
        self._starts = np.cumsum(n_rows) - n_rows
        self.sizes = np.repeat(places[:, 3] // np.maximum(n_rows, 1), n_rows)

    def read_group(self, group: int) -> Mapping[int, bytes]:
        """The files of one row group."""
        table, number, n_rows, _ = self.places[group].tolist()
        path, start = self.paths[table], int(self._starts[group])
        try:
            with _open_table(path) as opened:
                if number >= opened.num_row_groups or opened.metadata.row_group(number).num_rows != n_rows:
                    got = f"{show_place(path)}, which has changed since"
                    raise StimulusError("the tables that the set was made from", got=got)
                read = opened.read_row_group(number, columns=[self.column])
        except StimulusError:
            raise
        except InputError as error:
            raise StimulusError("tables that can be read", got=error.got, hint=error.hint) from error
        values = read.column(0).combine_chunks()
        if hasattr(values.type, "num_fields") and values.type.num_fields:
            values = values.field("bytes")
        found: dict[int, bytes] = {}
        for row, value in enumerate(values):
            content = value.as_py()
            if content is None:
                raise _refuse_empty(f"row {row:,} of row group {number} of {show_place(path)}")
            found[start + row] = bytes(content)
        return found

    def mark(self, i: int) -> list[int] | None:
        """That of its table."""
        return self.mark_container(self.paths[int(self.places[int(self.groups[i]), 0])])


def find_tables(path: Path | str) -> tuple[list[Path], str | None]:
    """The Parquet tables of stimuli that a path names, and the column where it ends in one; none for other paths.

    A table that holds paths and no files is none of these.
    """
    path = Path(path)
    own = next((place for place in path.parents if place.suffix.lower() == SUFFIX), None)
    if own is not None and path.suffix.lower() != SUFFIX and not path.exists():
        return find_packed(own, SUFFIX), path.name
    found = find_packed(path, SUFFIX)
    if len(found) == 1 and found[0] == path:
        with _open_table(path) as opened:
            if not _list_content_columns(opened.schema_arrow):
                return [], None
    return found, None


def build_from_parquet(paths: Sequence[Path], column: str | None = None, root: Path | str | None = None) -> Manifest:
    """A set of the files that Parquet tables hold, row by row.

    Parameters
    ----------
    paths : sequence of Path
        Tables of the same columns, in their order.
    column : str, optional
        The column of files; needed where there are several.
    root : path, optional
        What named them.

    Raises
    ------
    InputError
        No Parquet tables, none or several columns of files, a row without one, labels of some rows.
    """
    where = (
        show_place(paths[0])
        if len(paths) == 1
        else f"{format_count(len(paths), 'table')} such as {show_place(paths[0])}"
    )
    places: list[list[int]] = []
    columns: dict[str, list[Any]] = {}
    paths_inside: list[str | None] = []
    content: _ContentColumn | None = None
    features: Mapping[str, Any] = {}
    for number, path in enumerate(paths):
        with _open_table(path) as opened:
            own = _choose_column(opened.schema_arrow, column, show_place(path))
            if content is not None and own != content:
                raise InputError(f"tables with the same column {content.name!r}", got=f"{show_place(path)} without")
            content = own
            features = features or _read_features(opened.schema_arrow)
            places += _list_groups(opened, own, number, show_place(path))
            told, inside = _read_rest(opened, own)
        if number and set(told) != set(columns):
            odd = sorted(set(told) ^ set(columns))
            raise InputError("tables of the same columns", got=f"{show_place(path)}, which differs in {odd[0]!r}")
        for name, values in told.items():
            columns.setdefault(name, []).extend(values)
        paths_inside += inside
    n = sum(place[2] for place in places)
    if content is None or not n:
        raise InputError("a table with at least one stimulus", got=where)
    largest = max(places, key=lambda place: place[3])
    if largest[3] > _LARGE_GROUP:
        logger.warning(
            "%s has row groups of %d MB, which are unpacked as a whole; smaller ones are read faster",
            show_place(paths[largest[0]]), largest[3] / 2**20,
        )  # fmt: skip
    files = _name_files(paths_inside)
    ids = _take_ids(columns, files)
    named = _take_labels(columns, features, where)
    names = _name_rows(paths, places) if files is None else files
    source = ParquetFiles(paths, content.of_bytes, names, np.array(places, dtype=np.int64))
    kind = content.kind or _find_kind_of(files, source)
    return build_from_items(StimulusItems(source), ids, kind=kind, conditions=columns, files=names, root=root, **named)


@contextlib.contextmanager
def _open_table(path: Path) -> Generator[Any]:
    """A Parquet table, here or at an address."""
    import pyarrow
    import pyarrow.parquet

    shown = show_place(path)
    try:
        with contextlib.ExitStack() as held:
            if is_address(path):
                held.enter_context(explain_storage_errors(shown))
                opened = held.enter_context(
                    pyarrow.parquet.ParquetFile(held.enter_context(open_remote(path)), pre_buffer=True)
                )
            else:
                opened = held.enter_context(pyarrow.parquet.ParquetFile(os.fspath(path)))
            yield opened
    except (pyarrow.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())[:160]
        raise InputError("a whole Parquet table", got=f"{shown} ({reason})", hint="copying it again") from error


def _list_content_columns(schema: Any) -> list[_ContentColumn]:
    """The columns that hold files: bytes, or bytes with a path."""
    import pyarrow.types as kinds

    features = _read_features(schema)
    found: list[_ContentColumn] = []
    for each in schema:
        told = features.get(each.name)
        feature = told.get("_type") if isinstance(told, dict) else None
        kind: Kind | None = "image" if feature == "Image" else "sound" if feature == "Audio" else None
        if kinds.is_struct(each.type):
            inside = {each.type.field(i).name: each.type.field(i).type for i in range(each.type.num_fields)}
            if "bytes" in inside and _is_binary(inside["bytes"]):
                found.append(_ContentColumn(each.name, True, kind))
        elif _is_binary(each.type):
            found.append(_ContentColumn(each.name, False, kind))
    typed = [each for each in found if each.kind is not None]
    return typed or found


def _is_binary(kind: Any) -> bool:
    import pyarrow.types as kinds

    return kinds.is_binary(kind) or kinds.is_large_binary(kind) or kinds.is_binary_view(kind)


def _choose_column(schema: Any, asked: str | None, shown: str) -> _ContentColumn:
    found = _list_content_columns(schema)
    if asked is not None:
        chosen = next((each for each in found if each.name == asked), None)
        if chosen is None:
            raise UnknownNameError(f"column of files in {shown}", asked, [each.name for each in found])
        return chosen
    if len(found) != 1:
        got = f"{len(found)} in {shown}" + (f" ({', '.join(each.name for each in found)})" if found else "")
        hint = f"{shown}/{found[0].name}" if found else "a column of bytes, or of bytes with a path"
        raise InputError("one column of files, or which", got=got, hint=hint)
    return found[0]


def _read_features(schema: Any) -> Mapping[str, Any]:
    """What Hugging Face's library says of the columns."""
    told = (schema.metadata or {}).get(b"huggingface")
    with contextlib.suppress(ValueError, KeyError, TypeError):
        features = json.loads(told or b"{}")["info"]["features"]
        return features if isinstance(features, dict) else {}
    return {}


def _refuse_empty(got: str) -> InputError:
    return StimulusError(
        "the bytes of a file in every row", got=got, hint="a table with the files in it, not their paths alone"
    )


def _list_groups(opened: Any, column: _ContentColumn, number: int, shown: str) -> list[list[int]]:
    """Table, number, rows and bytes of each row group."""
    found = []
    for group in range(opened.num_row_groups):
        about = opened.metadata.row_group(group)
        size = 0
        for i in range(about.num_columns):
            part = about.column(i)
            if part.path_in_schema == column.of_bytes:
                size = part.total_uncompressed_size
                told = part.statistics
                if told is not None and told.has_null_count and told.null_count:
                    raise _refuse_empty(f"{format_count(told.null_count, 'row')} of {shown} with none")
        found.append([number, group, about.num_rows, size])
    return found


def _read_rest(opened: Any, column: _ContentColumn) -> tuple[dict[str, list[Any]], list[str | None]]:
    """The columns of numbers, texts and truth values; and the paths beside the files."""
    import pyarrow.types as kinds

    def is_plain(kind: Any) -> bool:
        checks = (kinds.is_integer, kinds.is_floating, kinds.is_boolean, kinds.is_string, kinds.is_large_string)
        return any(check(kind) for check in checks) or (kinds.is_dictionary(kind) and is_plain(kind.value_type))

    schema = opened.schema_arrow
    plain = [each.name for each in schema if each.name != column.name and is_plain(each.type)]
    has_paths = column.is_struct and "path" in {each.name for each in schema.field(column.name).type}
    wanted = [*plain, *([f"{column.name}.path"] if has_paths else [])]
    read = opened.read(columns=wanted)
    n_rows = opened.metadata.num_rows
    inside: list[str | None] = [None] * n_rows
    if has_paths:
        inside = [None if each is None else each.get("path") for each in read.column(column.name).to_pylist()]
    return {name: read.column(name).to_pylist() for name in plain}, inside


def _name_files(inside: Sequence[str | None]) -> list[str] | None:
    """The paths beside the files, below their common folder; None unless each has one of its own."""
    names = [str(each or "").replace("\\", "/").lstrip("/") for each in inside]
    if not all(names) or len(set(names)) < len(names):
        return None
    common = os.path.commonpath([os.path.dirname(name) for name in names])  # noqa: PTH120
    return [name[len(common) :].lstrip("/") for name in names]


def _name_rows(paths: Sequence[Path], places: Sequence[Sequence[int]]) -> list[str]:
    """Rows that have no paths of their own, by their tables and numbers."""
    counts = [0] * len(paths)
    names: list[str] = []
    for table, _, n_rows, _ in places:
        names += [f"{paths[table].name}/{counts[table] + i:06d}" for i in range(n_rows)]
        counts[table] += n_rows
    return names


def _take_ids(columns: dict[str, list[Any]], files: Sequence[str] | None) -> Sequence[str] | None:
    """Ids from a column of its own, or as those of files; takes the column out."""
    for name in _ID_COLUMNS:
        held = [str(value) for value in columns.get(name, [])]
        usable = held and len(set(held)) == len(held) and all(text and "/" not in text for text in held)
        if usable and None not in columns[name]:
            del columns[name]
            return held
    return None if files is None else make_ids(files)


def _take_labels(columns: dict[str, list[Any]], features: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Labels and targets, from a column of classes; takes the column out."""
    classes = {
        name: told["names"]
        for name, told in features.items()
        if isinstance(told, dict) and told.get("_type") == "ClassLabel" and told.get("names")
    }
    name = next((name for name in columns if name in classes), None)
    name = name or next((name for name in _LABEL_COLUMNS if name in columns), None)
    if name is None or any(isinstance(value, float) for value in columns[name]):
        return {}
    held = columns.pop(name)
    empty = [i for i, value in enumerate(held) if value is None or value == ""]
    if empty:
        raise InputError("a label for each stimulus of the tables", got=f"none for row {empty[0]:,} of {where}")
    if isinstance(held[0], str):
        return {"labels": held}
    targets = [int(value) for value in held]
    known = classes.get(name, [])
    is_known = known and min(targets) >= 0 and max(targets) < len(known)
    return {"labels": [str(known[i]) if is_known else str(i) for i in targets], "targets": targets}


def _find_kind_of(files: Sequence[str] | None, source: ParquetFiles) -> Kind:
    """What rows are that no feature tells: by the first name, or by how the first file begins."""
    kind = None if files is None else find_kind(files[0])
    if kind is not None:
        return kind
    first = source.read(0, ())
    return "sound" if first.startswith(_SOUNDS) else "image"
