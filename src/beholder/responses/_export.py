"""Out of the file of answers: CSV and Parquet, every column described."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, final

from beholder._core.errors import suggest_keywords
from beholder._core.files import open_atomic, write_json
from beholder._core.hashing import hash_settings
from beholder._core.provenance import record_provenance
from beholder.responses._columns import describe_columns
from beholder.responses._reading import open_for_reading, read_description
from beholder.responses._staircases import STAIRCASES_NAME, read_staircases
from beholder.responses._tables import Responses, read_responses

if TYPE_CHECKING:
    import pandas as pd


@final
@dataclass(frozen=True)
class Export:
    """What was written.

    Attributes
    ----------
    out : Path
    responses : Responses
    files : tuple of Path
    """

    out: Path
    responses: Responses
    files: tuple[Path, ...]


@suggest_keywords
def export_responses(path: Path | str, out: Path | str, *, bom: bool = False, dates: bool = False) -> Export:
    """Write the answers as tables that anybody can read, without a word about who gave them.

    Parameters
    ----------
    path : path
        The file of answers; a server may go on writing to it.
    out : path
        Folder for ``responses.csv`` and ``.parquet`` (everything), ``responses_included.*`` (those who finished and
        break no rule), ``practice.*``, ``participants.csv``, ``columns.json``, ``provenance.json``;
        of adaptive trials ``staircases.json``.
    bom : bool
        Begin CSV files with a byte order mark, by which Excel knows that they are UTF-8.
    dates : bool
        Give ``participants.csv`` the day, in UTC, on which each session began.

    Raises
    ------
    InputError
        No file of answers.
    """
    out = Path(out)
    responses = read_responses(path, dates=dates)
    files: list[Path] = []
    for name, table in (
        ("responses", responses.trials),
        ("responses_included", responses.included),
        ("practice", responses.practice),
    ):
        files += [_write_csv(out / f"{name}.csv", table, bom), _write_parquet(out / f"{name}.parquet", table)]
    files.append(_write_csv(out / "participants.csv", responses.participants, bom))
    described = describe_columns(
        responses.conditions, dates=dates, visits=responses.n_visits > 1,
        observers=[str(name) for name in responses.participants],
    )  # fmt: skip
    write_json(out / "columns.json", described)
    logs = read_staircases(path)
    if logs:
        write_json(out / STAIRCASES_NAME, logs)
        files.append(out / STAIRCASES_NAME)
    with open_for_reading(path) as connection:
        description = read_description(connection)
    record_provenance(
        out, ".", {"kind": responses.kind, "exclusion": dict(responses.rules)},
        experiment=hash_settings(description), plan_hash=description["plan_hash"],
        n_participants=responses.n_participants, n_answers=len(responses.trials), n_visits=responses.n_visits,
        n_choices=responses.n_choices,
    )  # fmt: skip
    return Export(out, responses, (*files, out / "columns.json", out / "provenance.json"))


def _write_csv(path: Path, table: pd.DataFrame, bom: bool) -> Path:
    """Line breaks inside a text become line feeds: a bare carriage return would end the row for most readers."""
    texts = [name for name in table.columns if table[name].dtype == "string"]
    table = table.assign(**{name: table[name].str.replace(r"\r\n?", "\n", regex=True) for name in texts})
    with open_atomic(path, "w", encoding="utf-8-sig" if bom else "utf-8", newline="") as file:
        table.to_csv(file, index=False, lineterminator="\n")
    return path


def _write_parquet(path: Path, table: pd.DataFrame) -> Path:
    with open_atomic(path) as file:
        table.to_parquet(file, index=False)
    return path
