"""The same mixed model for those who use R: a script of lme4 and the answers as a tidy table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from beholder._core.files import write_bytes
from beholder._core.tables import format_records
from beholder.analysis._result import Result

_PREFIX = "column "


def write_lme4_files(result: Result, folder: Path, name: str) -> list[Path]:
    """Write ``{name}_trials.csv`` and ``{name}_lme4.R``, which fits the result's model again.

    Parameters
    ----------
    result : Result
        Of :func:`analyze_mixed`.
    folder : path
    name : str
    """
    columns = {
        key.removeprefix(_PREFIX): result.arrays[key].tolist() for key in result.arrays if key.startswith(_PREFIX)
    }
    if not columns:
        return []
    outcome = str(result.settings["outcome"])
    columns[outcome] = [int(value) for value in columns[outcome]]
    n = len(columns[outcome])
    records = [{key: column[row] for key, column in columns.items()} for row in range(n)]
    table, script = folder / f"{name}_trials.csv", folder / f"{name}_lme4.R"
    write_bytes(table, format_records(records, list(columns)))
    write_bytes(script, make_lme4_script(result.settings, table.name, list(columns)).encode())
    return [table, script]


def make_lme4_script(settings: Mapping[str, Any], table: str, columns: Sequence[str]) -> str:
    """The text of the script.

    >>> asked = {"formula": "correct ~ condition", "groups": [["participant", "condition"], ["stimulus", None]],
    ...          "levels": {"condition": ["edge", "silhouette"]}, "outcome": "correct"}
    >>> print(make_lme4_script(asked, "trials.csv", ["correct", "condition"]).splitlines()[-4])
    m <- glmer(correct ~ condition + (1 + condition | participant) + (1 | stimulus), data = d, family = binomial,
    """
    groups: Sequence[tuple[str, str | None]] = settings["groups"]
    levels: Mapping[str, Sequence[str]] = settings["levels"]
    random = " + ".join(f"(1 + {slope} | {group})" if slope else f"(1 | {group})" for group, slope in groups)
    grouped = {name for group, _ in groups for name in group.split(":")}
    words = [name for name in columns if name in levels or name in grouped]
    classes = ", ".join(f"{_quote_name(name)} = 'character'" for name in words)
    factors = [
        f"d${_quote_name(name)} <- factor(d${_quote_name(name)}, levels = c({', '.join(map(_quote, own))}))"
        for name, own in levels.items()
    ]
    return "\n".join(
        [
            "# The model that Beholder fitted, in lme4: Rscript with the table in the same folder.",
            "# Bates, Maechler, Bolker & Walker (2015), Journal of Statistical Software 67(1).",
            "library(lme4)",
            f"d <- read.csv({_quote(table)}, encoding = 'UTF-8', colClasses = c({classes}))",
            *factors,
            f"m <- glmer({settings['formula']} + {random}, data = d, family = binomial,",
            "           control = glmerControl(optimizer = 'bobyqa', optCtrl = list(maxfun = 1e5)))",
            "print(summary(m), correlation = FALSE)",
            "print(drop1(m, test = 'Chisq'))",
            "",
        ]
    )


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _quote_name(name: str) -> str:
    return name if name.replace("_", "").replace(".", "").isalnum() and name[0].isalpha() else f"`{name}`"
