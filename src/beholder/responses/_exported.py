"""The folder of an export, read again: the tables that a user has, without the file of answers."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.files import read_json
from beholder._core.provenance import FILE_NAME
from beholder.responses._columns import (
    BLOCK_COLUMN,
    OBSERVER_COLUMNS,
    Column,
    list_participant_columns,
    list_trial_columns,
)
from beholder.responses._scoring import TASK_KINDS, get_answer_form
from beholder.responses._tables import Responses

if TYPE_CHECKING:
    import pandas as pd

COLUMNS_NAME = "columns.json"
_CONDITION = re.compile("the condition (['\"].*['\"]) of the plan", re.DOTALL)
_LISTS = ("exclusion_reasons", "skipped_trials", "automation_signs")
_FILES = ("responses.parquet", "practice.parquet", "participants.csv")


@suggest_keywords
def is_export(folder: Path | str) -> bool:
    """Whether `beholder tasks export` wrote into this folder."""
    return all((Path(folder) / name).is_file() for name in (COLUMNS_NAME, *_FILES))


@suggest_keywords
def is_older_export(folder: Path | str) -> bool:
    """Whether an earlier version wrote it, with fewer columns than :func:`read_export` needs."""
    described = read_json(Path(folder) / COLUMNS_NAME)
    try:
        known = {str(each["name"]) for each in described["responses"]}
    except (KeyError, TypeError) as error:
        raise InputError("the columns of an export", got=f"{Path(folder) / COLUMNS_NAME} ({error!r})") from error
    return any(column.name not in known for column in list_trial_columns("visit" in known))


@suggest_keywords
def read_export(folder: Path | str) -> Responses:
    """Read what `beholder tasks export` wrote: the tables that the file of answers gave.

    Parameters
    ----------
    folder : path
        With ``responses.parquet``, ``practice.parquet``, ``participants.csv``, ``columns.json``, ``provenance.json``.

    Raises
    ------
    InputError
        No export, a damaged one, or one without the columns that every export has.

    Examples
    --------
    >>> read_export("answers").included["correct"].mean()  # doctest: +SKIP
    """
    folder = Path(folder)
    if not is_export(folder):
        raise InputError("a folder that `beholder tasks export` wrote", got=str(folder))
    facts = _read_facts(folder / FILE_NAME)
    kind: str = facts["settings"]["kind"]
    rules: dict[str, Any] = facts["settings"].get("exclusion") or {}
    trials, practice = (_read_parquet(folder / name) for name in _FILES[:2])
    visits = "visit" in trials
    people: Any = _read_csv(
        folder / _FILES[2], list_participant_columns(visits, True, [column.name for column in OBSERVER_COLUMNS])
    )
    for table, columns, name in (
        (trials, list_trial_columns(visits), _FILES[0]),
        (practice, (BLOCK_COLUMN, *list_trial_columns(visits)), _FILES[1]),
        (people, list_participant_columns(visits, False), _FILES[2]),
    ):
        _check_columns(table, columns, folder / name)
    n_visits = int(facts.get("n_visits") or (people["visit"].max() if visits and len(people) else 1))
    n_choices = int(facts.get("n_choices") or len(get_answer_form(kind).values if kind in TASK_KINDS else ()))
    return Responses(kind, trials, practice, people, _read_conditions(folder), rules, n_visits, n_choices)


def read_n_choices(folder: Path | str) -> int:
    """How many answers there were to choose from in an exported experiment; 0 where it does not say."""
    return int(_read_facts(Path(folder) / FILE_NAME).get("n_choices") or 0)


def _read_facts(path: Path) -> Mapping[str, Any]:
    """What provenance says of the export."""
    try:
        facts = read_json(path)["outputs"]["."]
        if isinstance(facts["settings"]["kind"], str) and isinstance(facts["settings"].get("exclusion") or {}, dict):
            return facts
    except (KeyError, TypeError, AttributeError):
        pass
    raise InputError("the provenance of an export, with its kind and rules of exclusion", got=str(path))


def _read_conditions(folder: Path) -> dict[str, str]:
    """Condition of the plan to its column."""
    described = read_json(folder / COLUMNS_NAME)
    try:
        found = [(_CONDITION.fullmatch(each["meaning"]), each["name"]) for each in described["responses"]]
        return {str(ast.literal_eval(match[1])): str(name) for match, name in found if match}
    except (KeyError, TypeError, ValueError, SyntaxError) as error:
        raise InputError("the columns of an export", got=f"{folder / COLUMNS_NAME} ({error})") from error


def _read_parquet(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:  # pyarrow's own errors are both
        raise InputError("a table of an export", got=f"{path} ({error})") from error


def _read_csv(path: Path, columns: Sequence[Column]) -> pd.DataFrame:
    """With the types that the columns have; one with a byte order mark too."""
    import pandas as pd

    types: dict[Any, Any] = {column.name: column.dtype for column in columns}
    try:
        table = pd.read_csv(path, dtype=types, encoding="utf-8-sig", keep_default_na=False, na_values=[""])
    except (OSError, ValueError) as error:  # of pandas' parser too
        raise InputError("a table of an export", got=f"{path} ({error})") from error
    return table.fillna({name: "" for name in _LISTS if name in table})  # empty lists, which CSV leaves empty


def _check_columns(table: pd.DataFrame, columns: Sequence[Column], path: Path) -> None:
    missing = [column.name for column in columns if column.name not in table]
    if missing:
        few = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
        raise InputError(
            "the columns that an export of this version has", got=f"{path} without {few}",
            hint="`beholder tasks export` again",
        )  # fmt: skip
