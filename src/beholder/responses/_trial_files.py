"""Files of single answers as columns: exports, tables of others, folders of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from beholder._core.errors import InputError
from beholder._core.tables import read_rows, refuse_other_separators
from beholder.responses._exported import is_export

if TYPE_CHECKING:
    import pandas as pd

_DELIMITERS = {".csv": ",", ".tsv": "\t", ".txt": "\t"}
_DATABASES = (".db", ".sqlite", ".sqlite3")
_TABLES = (".parquet", ".csv", ".tsv")
_EXPECTED = "answers: a folder that `beholder tasks export` wrote, .csv or .parquet tables, or a folder of these"


@final
@dataclass(frozen=True)
class TrialFile:
    """One table as it stands in its file.

    Attributes
    ----------
    source : str
        Name of the file or folder that was given.
    name : str
        Of the file, for messages.
    columns : dict of str to list
        Cells by column, all of one length.
    """

    source: str
    name: str
    columns: dict[str, list[Any]]


def read_trial_files(*sources: Path | str | pd.DataFrame) -> list[TrialFile]:
    """The tables at some paths, each path once, and those in memory; twins in name bear their folder's.

    Raises
    ------
    InputError
        As :func:`read_trial_tables`.
    """
    paths = [each for each in sources if isinstance(each, Path | str)]
    frames = [each for each in sources if not isinstance(each, Path | str)]
    places = list(dict.fromkeys(Path(each).resolve() for each in paths))
    names = [place.name for place in places]
    named = [
        name if names.count(name) == 1 else f"{place.parent.name}/{name}"
        for place, name in zip(places, names, strict=True)
    ]
    files = [file for place, name in zip(places, named, strict=True) for file in read_trial_tables(place, name)]
    return files + [
        _open_frame(frame, "the table" if len(frames) == 1 else f"table {k + 1}") for k, frame in enumerate(frames)
    ]


def _open_frame(frame: pd.DataFrame, name: str) -> TrialFile:
    if not len(frame):
        raise InputError("a table with at least one answer", got="one which has none")
    return TrialFile(name, name, _list_columns(frame))


def read_trial_tables(path: Path, source: str) -> list[TrialFile]:
    """The tables at a path.

    Parameters
    ----------
    path : path
        A folder that ``beholder tasks export`` wrote (its ``responses.parquet``), another folder of tables, one
        ``.csv``, ``.tsv`` or ``.parquet``, or a file of answers (``.db``, ``.sqlite``).
    source : str
        What it is called in the table.

    Raises
    ------
    InputError
        None of these; an empty table, or a damaged one.
    """
    if path.is_dir():
        if is_export(path):
            return [_read_file(path / "responses.parquet", source)]
        return [_read_file(file, source) for file in _list_tables(path)]
    if not path.is_file():
        raise InputError(_EXPECTED, got=f"nothing at {path}")
    return [_read_file(path, source)]


def _list_tables(folder: Path) -> list[Path]:
    """Tables of a folder, sorted; of twins such as ``a.csv`` and ``a.parquet`` the first of :data:`_TABLES`."""
    files = [file for file in sorted(folder.iterdir()) if file.suffix in _TABLES and file.is_file()]
    if not files:
        inside = [each for each in sorted(folder.iterdir()) if each.is_dir() and any(each.glob("*.csv"))]
        hint = f"one of the folders in it, such as {inside[0]}" if inside else None
        raise InputError(_EXPECTED, got=f"{folder} without any", hint=hint)
    best: dict[str, Path] = {}
    for file in files:
        twin = best.get(file.stem)
        if twin is None or _TABLES.index(file.suffix) < _TABLES.index(twin.suffix):
            best[file.stem] = file
    return [best[stem] for stem in sorted(best)]


def _read_file(file: Path, source: str) -> TrialFile:
    if file.suffix == ".parquet":
        columns = _read_parquet(file)
    elif file.suffix in _DATABASES:
        from beholder.responses._tables import read_responses

        columns = _list_columns(read_responses(file).trials)
    elif file.suffix in _DELIMITERS:
        columns = _read_separated(file)
    else:
        raise InputError(_EXPECTED, got=str(file))
    if not columns or not len(next(iter(columns.values()))):
        raise InputError("a table with at least one answer", got=f"{file}, which has none")
    return TrialFile(source, file.name, columns)


def _read_separated(file: Path) -> dict[str, list[Any]]:
    rows = [row for row in read_rows(file, _DELIMITERS[file.suffix]) if row]
    if not rows:
        return {}
    head = [name.strip() for name in rows[0]]
    refuse_other_separators(head, file, _DELIMITERS[file.suffix])
    twice = sorted({name for name in head if head.count(name) > 1})
    if twice:
        raise InputError(f"each column once in {file}", got=f"{twice[0]!r} more than once")
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(head):
            got = f"{file}, whose row {number} has {len(row)} cells and its header {len(head)}"
            raise InputError("as many cells in every row", got=got)
    return {name: [row[place] for row in rows[1:]] for place, name in enumerate(head)}


def _read_parquet(file: Path) -> dict[str, list[Any]]:
    import pandas as pd

    try:
        return _list_columns(pd.read_parquet(file))
    except (OSError, ValueError) as error:  # pyarrow's own errors are both
        raise InputError("a Parquet table of answers", got=f"{file} ({error})") from error


def _list_columns(table: Any) -> dict[str, list[Any]]:
    names: Sequence[Any] = list(table.columns)
    return {
        str(name): [None if missing else value for value, missing in zip(table[name], table[name].isna(), strict=True)]
        for name in names
    }
