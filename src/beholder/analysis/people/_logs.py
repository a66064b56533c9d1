"""Logs of staircases and QUEST+: the answers that a procedure chose levels by, and where it puts the threshold."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from beholder._core.errors import InputError
from beholder.analysis.people._levels import Scale
from beholder.experiments import Adaptive, AdaptiveProcedure, make_staircase
from beholder.responses import STAIRCASES_NAME, is_export

_KEPT = ("participant", "session", "excluded", "condition", "answers")


def read_export_logs(paths: Sequence[Path], include_excluded: bool) -> list[tuple[str, str, AdaptiveProcedure]]:
    """Logs that lie in exports of adaptive experiments, of those whose answers count."""
    files = [path / STAIRCASES_NAME for path in paths if path.is_dir() and is_export(path)]
    return [log for file in files if file.is_file() for log in read_logs(file, include_excluded)]


def read_logs(path: Path | str, include_excluded: bool = False) -> list[tuple[str, str, AdaptiveProcedure]]:
    """Participant, condition and procedure of each log in a JSON file.

    Parameters
    ----------
    path : path
        One object or a list: the settings that :meth:`AdaptiveProcedure.to_dict` gives (``method``, ``levels``, …) with
        ``answers``, ``[[level, correct], …]`` in order, and ``participant`` and ``condition`` where they are told; an
        experiment's ``adaptive`` in place of ``method``, as exports have it.
    include_excluded : bool
        Also those that are marked ``excluded``.

    Raises
    ------
    InputError
        Another content, an answer at none of the levels.
    """
    path = Path(path)
    expected = "logs of adaptive procedures: {method, levels, …, answers: [[level, correct], …]}"
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(expected, got=f"{path} ({error})") from error
    logs: list[Any] = list(cast(Any, content)) if isinstance(content, list) else [content]
    found: list[tuple[str, str, AdaptiveProcedure]] = []
    for place, log in enumerate(logs):
        pairs = cast(Mapping[Any, Any], log).items() if isinstance(log, Mapping) else ()
        own: dict[str, Any] = {str(key): value for key, value in pairs}
        if not isinstance(own.get("answers"), list) or not {"method", "adaptive"} & set(own):
            raise InputError(expected, got=f"{path} without them" + (f" at {place}" if place else ""))
        answers = [_read_answer(each, path) for each in own["answers"]]
        if own.get("excluded") and not include_excluded:
            continue
        settings = {key: value for key, value in own.items() if key not in _KEPT}
        who = str(own.get("participant") or (path.stem if len(logs) == 1 else f"{path.stem}_{place + 1}"))
        found.append((who, str(own.get("condition") or ""), _make(settings, path).replay(answers)))
    return found


def _make(settings: Mapping[str, Any], path: Path) -> AdaptiveProcedure:
    """By a procedure's own settings, or an experiment's."""
    if "adaptive" not in settings:
        return AdaptiveProcedure.from_dict(settings)
    try:
        return make_staircase(Adaptive(**settings["adaptive"]), settings["levels"])
    except (KeyError, TypeError) as error:
        raise InputError("settings of adaptive trials, and their levels", got=f"{path} ({error!r})") from error


def list_log_trials(logs: Sequence[tuple[str, str, AdaptiveProcedure]]) -> dict[str, list[Any]]:
    """The answers of logs as columns of a table of trials."""
    rows = [(who, condition, level, right) for who, condition, log in logs for level, right in log.log]
    names = ("participant", "condition", "level", "correct")
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


def find_scale(
    scale: Scale | None, function: str, logs: Sequence[tuple[str, str, AdaptiveProcedure]]
) -> tuple[Scale, list[str]]:
    """The scale that functions are of, and a sentence where procedures chose it.

    As asked; of ``weibull`` logarithms; else that on which QUEST+ sought the threshold, where all procedures that have
    a scale have one; else levels themselves.
    """
    if scale is not None or function == "weibull":
        return scale or "log", []
    scales = {str(own["scale"]) for own in (log.to_dict() for _, _, log in logs) if "scale" in own}
    if scales == {"log10"}:
        return "log", [
            "Functions are of the logarithm of levels, as QUEST+ took them; the scale linear has those of levels."
        ]
    if len(scales) > 1:
        return "linear", ["QUEST+ took logarithms of some levels and not of others: functions are of levels."]
    return "linear", []


def describe_logs(logs: Sequence[tuple[str, str, AdaptiveProcedure]]) -> Iterator[dict[str, Any]]:
    """Where each procedure puts the threshold: the mean of its last reversals, or of its posterior."""
    for who, condition, log in logs:
        found = log.estimate()
        yield {
            "subject": who, "target": condition, "statistic": "estimate of the procedure",
            "method": str(log.to_dict()["method"]), "estimate": found.threshold, "low": found.low, "high": found.high,
            "n": found.n_trials, "p_correct": found.target,
        }  # fmt: skip


def _read_answer(answer: Any, path: Path) -> tuple[float, bool]:
    try:
        level, right = answer
        if right not in (True, False, 0, 1):
            raise ValueError(right)
        return float(level), bool(right)
    except (TypeError, ValueError) as error:
        raise InputError("answers [level, right or wrong]", got=f"{answer!r} in {path}") from error
