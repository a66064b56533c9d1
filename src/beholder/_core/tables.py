"""Tables of separated values, read alike everywhere, whatever else the process has loaded."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from beholder._core.errors import InputError
from beholder._core.files import open_atomic

LONGEST_CELL = 131_072
"""Characters of a cell: Python's own limit, which is the process's and which other packages lift as they load."""


def read_rows(path: Path | str, delimiter: str = ",") -> Iterator[list[str]]:
    r"""Rows of a UTF-8 table, header and empty lines included, one at a time.

    A quotation that is never closed is refused: it would swallow the rest of the table into one cell.

    Parameters
    ----------
    path : path
        With or without a byte order mark.
    delimiter : str
        Between cells.

    Raises
    ------
    InputError
        For what cannot be opened or is no such table; it names the file.

    Examples
    --------
    >>> from pathlib import Path
    >>> _ = Path("table.csv").write_text('file,label\na.png,"b, c"\n')
    >>> list(read_rows("table.csv"))
    [['file', 'label'], ['a.png', 'b, c']]
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            for row in csv.reader(file, delimiter=delimiter, strict=True):
                if any(len(cell) > LONGEST_CELL for cell in row):
                    raise csv.Error(f"a cell of more than {LONGEST_CELL:,} characters")
                yield row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        kind = {",": "comma", "\t": "tab"}.get(delimiter, repr(delimiter))
        raise InputError(f"a table of {kind}-separated values", got=f"{path} ({error})") from error


def read_records(path: Path | str, delimiter: str = ",") -> list[dict[str, str]]:
    r"""Rows of such a table by the names in its header; lines without any cell are left out.

    Raises
    ------
    InputError
        As :func:`read_rows`, and for a row of more or fewer cells than the header: a table that was cut.

    Examples
    --------
    >>> from pathlib import Path
    >>> _ = Path("table.csv").write_text("file,label\na.png,cat\n")
    >>> read_records("table.csv")
    [{'file': 'a.png', 'label': 'cat'}]
    """
    rows = read_rows(path, delimiter)
    head = next(rows, list[str]())
    refuse_other_separators(head, path, delimiter)
    records: list[dict[str, str]] = []
    for number, row in enumerate(rows, start=2):
        if not row:
            continue
        if len(row) != len(head):
            got = f"{path}, whose row {number} has {len(row)} cells and its header {len(head)}"
            raise InputError("as many cells in every row", got=got)
        records.append(dict(zip(head, row, strict=True)))
    return records


def refuse_other_separators(head: list[str], path: Path | str, delimiter: str) -> None:
    """Refuse a header of one cell that holds what other tables are separated by.

    Raises
    ------
    InputError
        Such as for the semicolons (and commas for decimal points) that some spreadsheets write.
    """
    names = {",": "commas", ";": "semicolons", "\t": "tabs"}
    found = [sep for sep in names if sep != delimiter and len(head) == 1 and sep in head[0]]
    if found:
        wanted = f"a table separated by {names.get(delimiter, repr(delimiter))}"
        hint = "the same table saved with commas, and points in decimal numbers"
        hint = hint if found[0] == ";" else "the ending .tsv" if found[0] == "\t" else "the ending .csv"
        raise InputError(wanted, got=f"{path}, separated by {names[found[0]]}", hint=hint)


def list_rows(frame: Any) -> list[dict[str, Any]]:
    """Rows of a DataFrame as mappings from column to value, by names that are texts as ours are."""
    return frame.to_dict("records")


def save_frame(frame: Any, path: Path | str) -> Path:
    """Write a DataFrame as ``.csv`` or ``.parquet``, by rename.

    Raises
    ------
    InputError
        The name ends otherwise.
    """
    path = Path(path)
    if path.suffix not in (".csv", ".parquet"):
        raise InputError("a file name ending in .csv or .parquet", got=str(path))
    with open_atomic(path) as file:
        frame.to_csv(file, index=False) if path.suffix == ".csv" else frame.to_parquet(file, index=False)
    return path


def format_records(records: Iterable[Mapping[str, Any]], columns: Sequence[str], rest: str = "") -> bytes:
    r"""The bytes of a table that :func:`read_records` reads: a header, lines that end in a line feed.

    Parameters
    ----------
    records : iterable of mapping
        Rows; what is in no column is an error.
    columns : sequence of str
    rest : str
        Stands for what a row lacks.

    Examples
    --------
    >>> format_records([{"file": "a.png", "label": "cat, grey"}], ["file", "label"])
    b'file,label\na.png,"cat, grey"\n'
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval=rest, lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue().encode()


def write_parquet(path: Path | str, table: Any, kinds: Mapping[str, str]) -> None:
    """Write a table as Parquet, by rename; equal tables give equal bytes.

    Parameters
    ----------
    path : path
    table : DataFrame
    kinds : mapping of str to {"string", "int64", "float64", "bool"}
        Columns in their order.
    """
    import pyarrow  # pyright: ignore[reportMissingTypeStubs]
    from pyarrow import parquet  # pyright: ignore[reportMissingTypeStubs]

    library, writer = cast(Any, pyarrow), cast(Any, parquet)
    schema = library.schema([(name, library.type_for_alias(kind)) for name, kind in kinds.items()])
    made = library.Table.from_pandas(table[list(kinds)], schema=schema, preserve_index=False)
    with open_atomic(path) as file:
        writer.write_table(made.replace_schema_metadata(None), file, compression="zstd")
