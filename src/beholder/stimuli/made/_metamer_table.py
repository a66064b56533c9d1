"""The table of a network's metamers, ``results.parquet``: columns, writing, reading, and verdicts from a null."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.tables import write_parquet
from beholder.jobs import check_content

if TYPE_CHECKING:
    import pandas as pd

RESULTS = "results.parquet"
MEASURES = ("spearman", "pearson", "db_snr")

_KINDS = {
    "model": "string", "stimulus_id": "string", "layer": "string", "measured_layer": "string", "seed": "int64",
    "db_snr": "float64", "db_snr_published": "float64", "db_snr_saved": "float64",
    "spearman": "float64", "pearson": "float64", "spearman_saved": "float64", "pearson_saved": "float64",
    "percentile": "float64", "loss": "float64", "prediction_original": "string", "prediction_metamer": "string",
    "passed": "bool", "steps": "int64", "recipe": "string", "decision": "string", "rule": "string",
}  # fmt: skip
_LATER = ("decision", "rule")
METAMER_COLUMNS = tuple(_KINDS)
"""Columns of the table: a row a stimulus, matched layer, seed and measured layer."""


@suggest_keywords
def make_metamer_table(columns: Mapping[str, list]) -> pd.DataFrame:
    """A table with the columns in order and of the right types; None is empty.

    Parameters
    ----------
    columns : mapping of str to list
        All of :data:`METAMER_COLUMNS`.
    """
    import pandas as pd

    made = {}
    for name, kind in _KINDS.items():
        values = columns[name]
        if kind == "float64":
            made[name] = np.array([np.nan if v is None else v for v in values], dtype=np.float64)
        elif kind == "bool":
            made[name] = pd.array([None if pd.isna(v) else bool(v) for v in values], dtype="boolean")
        elif kind == "int64":
            made[name] = np.array(values, dtype=np.int64)
        else:
            made[name] = pd.Series([None if pd.isna(v) else str(v) for v in values], dtype=object)
    return pd.DataFrame(made)


@suggest_keywords
def write_metamer_table(path: Path | str, table: pd.DataFrame) -> None:
    """Write the table as Parquet, by rename; equal tables give equal bytes.

    Parameters
    ----------
    path : path
        Such as ``metamers/{model}/results.parquet``.
    table : DataFrame
        With all of :data:`METAMER_COLUMNS`.
    """
    write_parquet(path, table, _KINDS)


@suggest_keywords
def read_output_table(path: Path | str, name: str, what: str, wanted: Sequence[str], *, hint: str) -> pd.DataFrame:
    """A Parquet table of an output, whose bytes are as they were written.

    Parameters
    ----------
    path : path
        The file, or the folder that holds it.
    name : str
        Of the file in its folder.
    what : str
        What it is, for messages.
    wanted : sequence of str
        Columns that it has to have.
    hint : str
        What to do where there is no file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = Path(path) / name if Path(path).is_dir() else Path(path)
    if not file.exists():
        raise InputError(what, got=f"no file at {file}", hint=hint)
    check_content(file.parent, file)
    try:
        table = pq.read_table(file).to_pandas()
    except (OSError, pa.ArrowException) as error:
        raise InputError("a Parquet file", got=f"{file} ({error})") from error
    missing = [column for column in wanted if column not in table]
    if missing:
        raise InputError(what, got=f"{file} without {', '.join(missing[:4])}")
    return table


@suggest_keywords
def read_metamer_table(path: Path | str) -> pd.DataFrame:
    """Read ``results.parquet``; ``passed`` is of pandas' ``boolean`` type, with empty cells.

    Tables of the first format do not say by which decision original and metamer were held to be the same: ``decision``
    and ``rule`` are empty, see :func:`tells_decisions`.

    Parameters
    ----------
    path : path
        The file, or the folder that holds it.
    """
    wanted = [name for name in _KINDS if name not in _LATER]
    table = read_output_table(path, RESULTS, "a table of metamers", wanted, hint="`beholder metamers make` first")
    table = table.assign(**{name: None for name in _LATER if name not in table})
    return make_metamer_table({name: table[name].tolist() for name in _KINDS})


@suggest_keywords
def tells_decisions(table: pd.DataFrame) -> bool:
    """Whether a table says by which decision answers are the same; those of the first format do not.

    Networks that give no answers have no decision either.
    """
    return bool((table["decision"].notna() | table["prediction_original"].isna()).all())


@suggest_keywords
def format_passed(own: pd.DataFrame) -> str:
    """How many of the tested metamers pass, by decision where there are several: they have different chances.

    Parameters
    ----------
    own : DataFrame
        Rows with ``passed`` filled, ``measured_layer`` equal to ``layer``.

    Returns
    -------
    str
        Such as ``3 of 8``, or ``3 of 8 by category and 1 of 4 by class``.
    """
    counts = {
        str(decision or ""): (int(part["passed"].to_numpy(bool).sum()), len(part))
        for decision, part in own.groupby(own["decision"].fillna(""), sort=True)
    }
    if len(counts) == 1:
        return "{} of {}".format(*next(iter(counts.values())))
    words = [f"{n} of {total} {f'by {name}' if name else 'without answers'}" for name, (n, total) in counts.items()]
    return f"{', '.join(words[:-1])} and {words[-1]}"


@suggest_keywords
def fill_verdicts(table: pd.DataFrame, null: Mapping[str, Mapping[str, np.ndarray]]) -> pd.DataFrame:
    """Fill ``percentile`` and ``passed`` from a null distribution.

    ``percentile`` is the smallest, over the three measures as saved, of the proportion of null pairs strictly below, 0
    to 100. ``passed``, only where the measured layer is the matched one: above the null's maximum in all three as
    saved, and the metamer is given the same prediction as the original, by the row's ``decision``; a network that
    gives no answers at all (no ``decision``) is not asked. Rows stay empty of metamers that were never saved, of layers
    that the null does not have, and of the first format, which does not tell the decision. Pairs with NaN in any of
    the three are left out.

    Parameters
    ----------
    table : DataFrame
        With :data:`METAMER_COLUMNS`.
    null : mapping of str to mapping of str to (n_pairs,) array
        For each measured layer, ``spearman``, ``pearson`` and ``db_snr`` of random pairs.

    Returns
    -------
    DataFrame
        A new table.

    Notes
    -----
    Source: Feather et al. (2023), Methods, "Criteria for optimization success".
    """
    import pandas as pd

    layers = table["measured_layer"].to_numpy()
    values = np.column_stack([table[f"{name}_saved"].to_numpy(dtype=np.float64) for name in MEASURES])
    percentile = np.full(len(table), np.nan)
    passed = np.full(len(table), None, dtype=object)
    answers = [table[f"prediction_{name}"].fillna("").to_numpy(dtype=object) for name in ("original", "metamer")]
    decided = (table["decision"].fillna("") != "").to_numpy()
    same = (answers[0] == answers[1]) & ((answers[0] != "") | ~decided)
    known = decided | (answers[0] == "")
    at_own = (table["layer"] == table["measured_layer"]).to_numpy()
    for layer, pairs in null.items():
        told = known & np.isfinite(values[:, :2]).all(1) & ~np.isnan(values[:, 2])
        rows = np.flatnonzero((layers == layer) & told)
        measured = np.column_stack([np.asarray(pairs[name], dtype=np.float64) for name in MEASURES])
        measured = measured[~np.isnan(measured).any(axis=1)]
        if not len(rows) or not len(measured):
            continue
        proportions, above = [], []
        for column in range(len(MEASURES)):
            ordered = np.sort(measured[:, column])
            proportions.append(100.0 * np.searchsorted(ordered, values[rows, column], side="left") / len(ordered))
            above.append(values[rows, column] > ordered[-1])
        percentile[rows] = np.min(proportions, axis=0)
        success = np.all(above, axis=0) & same[rows]
        for row, good in zip(rows, success, strict=True):
            if at_own[row]:
                passed[row] = bool(good)
    judged = table.assign(percentile=percentile, passed=pd.array(passed, dtype="boolean"))
    return pd.DataFrame(judged.reindex(columns=list(_KINDS)))
