"""Arrays of numpy's files, and tables of text or parquet; nothing in them is ever unpickled."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from beholder._core.errors import InputError, UnknownNameError
from beholder._core.files import explain_read_errors

if TYPE_CHECKING:
    import pandas as pd

_PICKLED = ("allow_pickle", "pickled", "Object arrays")
_CONVERT = (
    "converting it once where you trust it: numpy.savez('plain.npz', values=numpy.stack(list(objects)).astype('f4'))"
)
_WHOLE = re.compile(r"[+-]?(0|[1-9]\d*)")
_NUMBER = re.compile(r"[+-]?(?=\.?\d)(0|[1-9]\d*)?(\.\d*)?([eE][+-]?\d+)?")
TABLES = {".csv": ",", ".tsv": "\t", ".txt": "\t", ".parquet": ""}


def read_npy(path: Path) -> np.ndarray:
    """The array of an ``.npy`` file.

    Raises
    ------
    InputError
        It is missing or damaged, or holds pickled objects, which could run anything: the line says how to convert it.
    """
    try:
        with path.open("rb") as file:
            array: Any = np.load(file, allow_pickle=False)
    except FileNotFoundError as error:
        raise InputError("an .npy file", got=f"no file at {path}") from error
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise _explain(path, error) from error
    if not isinstance(array, np.ndarray):
        raise InputError("an .npy file of one array", got=f"{path}, an archive of several", hint="the suffix .npz")
    return cast(np.ndarray, array)


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an ``.npz`` file, by name; as :func:`read_npy`."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
            if not isinstance(content, np.lib.npyio.NpzFile):
                raise InputError("an .npz file of arrays", got=f"{path}, which holds one array", hint="the suffix .npy")
            return {name: content[name] for name in content.files}
    except FileNotFoundError as error:
        raise InputError("an .npz file", got=f"no file at {path}") from error
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        if isinstance(error, InputError):
            raise
        raise _explain(path, error) from error


def _explain(path: Path, error: Exception) -> InputError:
    text = " ".join(str(error).split())
    if any(word in text for word in _PICKLED):
        return InputError("arrays of numbers and texts", got=f"pickled Python objects in {path}", hint=_CONVERT)
    return InputError("a whole file of numpy arrays", got=f"{path} ({text[:160] or type(error).__name__})")


def read_table(path: Path | str, texts: Collection[str] = ()) -> pd.DataFrame:
    """A table of ``.csv``, ``.tsv``, ``.txt`` (tabs) or ``.parquet``.

    Text stays text where a number would read back differently, as 007 does.

    Parameters
    ----------
    path : path
    texts : collection of str
        Columns that stay text whatever is in them.

    Raises
    ------
    InputError
        It cannot be read.
    """
    import pandas as pd

    from beholder._core.tables import read_records

    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in TABLES:
        raise UnknownNameError("kind of table by its suffix", path.suffix, TABLES)
    if suffix == ".parquet":
        with explain_read_errors(path, "a parquet table"):
            return pd.read_parquet(path)
    table = pd.DataFrame(read_records(path, TABLES[suffix]), dtype=object)
    columns = {name: table[name] if name in texts else _as_numbers(table[name]) for name in table.columns}
    return pd.DataFrame(columns)


def _as_numbers(column: Any) -> Any:
    """A column of numbers as such, unless a text would read back differently, as 007 does."""
    import pandas as pd

    texts = [str(each) for each in column]
    gaps = [text.strip().lower() in ("", "n/a", "nan") for text in texts]
    if all(gaps):
        return column
    for kind, form in ((int, _WHOLE), (float, _NUMBER)):
        if all(gap or form.fullmatch(text.strip()) for text, gap in zip(texts, gaps, strict=True)):
            return pd.Series([np.nan if gap else kind(text) for text, gap in zip(texts, gaps, strict=True)])
    return column


def find_beside(path: Path, what: str) -> Path | None:
    """The table ``{stem}_{what}.csv`` (or another suffix of :data:`TABLES`) beside a file; None where there is none."""
    stem = path.name.split(".")[0]
    found = [path.with_name(f"{stem}_{what}{suffix}") for suffix in TABLES]
    return next((each for each in found if each.is_file()), None)
