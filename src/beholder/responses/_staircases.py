"""The logs of adaptive trials: what was answered at which level, and by which settings levels were chosen."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from beholder._core.errors import suggest_keywords
from beholder.responses._conduct import read_progress
from beholder.responses._reading import open_for_reading, read_description

STAIRCASES_NAME = "staircases.json"
"""The file of an export that holds staircases."""


@suggest_keywords
def read_staircases(path: Path | str) -> list[dict[str, Any]]:
    """The staircases of a file of answers: one for each session and set of levels; none without adaptive trials.

    Parameters
    ----------
    path : path
        The file of answers.

    Returns
    -------
    list of dict
        ``participant``, ``session``, ``excluded``, ``condition``, ``adaptive`` (the experiment's settings of that
        name), ``levels`` from the hardest to the easiest, ``answers`` ``[[level, right], …]`` in order.
    """
    with open_for_reading(path) as connection:
        description = read_description(connection)
        adaptive: Mapping[str, Any] | None = description["settings"].get("adaptive")
        if not adaptive:
            return []
        people = {each.session: each for each in read_progress(connection, description)}
        trials: dict[tuple[int, int], tuple[Sequence[float], str]] = {
            (task, n): (json.loads(levels), str(json.loads(conditions).get("staircase", "")))
            for task, n, levels, conditions in connection.execute("SELECT task, n, levels, conditions FROM trials")
            if json.loads(levels)
        }
        rows = connection.execute("SELECT session, n, level, correct FROM answers ORDER BY session, trial").fetchall()
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for session, n, level, correct in rows:
        person = people[session]
        if (person.task, n) not in trials or level is None or correct is None:
            continue
        levels, name = trials[person.task, n]
        log = found.setdefault((session, name, *levels), {
            "participant": person.participant, "session": session, "excluded": bool(person.exclusions),
            "condition": name, "adaptive": dict(adaptive), "levels": list(levels), "answers": [],
        })  # fmt: skip
        log["answers"].append([levels[level], bool(correct)])
    return list(found.values())
