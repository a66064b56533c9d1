"""What pages without a server collected, taken into a file of answers as if a server had."""

from __future__ import annotations

import functools
import hmac
import io
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.hashing import to_canonical_json
from beholder._core.progress import logger
from beholder.experiments.build._static_page import draw_page, name_old_page, name_page
from beholder.experiments.flow._experiment import Experiment
from beholder.experiments.flow._flow import ENDS, SENT_STEPS, list_steps
from beholder.experiments.flow._payloads import make_timing
from beholder.experiments.flow._position import Position
from beholder.experiments.flow._showing import announce_trial
from beholder.experiments.server._course import end_step, list_consequences, score_answer, skip_trial
from beholder.experiments.server._entrance import name_participant
from beholder.experiments.server._participants import MOST_TRIES
from beholder.experiments.server._requests import (
    parse_answer,
    parse_failure,
    parse_join,
    parse_presentation,
    parse_step,
)
from beholder.experiments.server._security import Refusal
from beholder.experiments.server._server import open_store
from beholder.experiments.settings._recruiters import get_recruiter, pick_parameters
from beholder.responses import (
    NOT_SHOWN,
    Answer,
    Event,
    find_session,
    has_withdrawn,
    insert_answer,
    insert_event,
    insert_recruit,
    insert_session,
    is_withdrawn,
    list_sessions,
)

_MTURK_COLUMN = "Answer.data"
_SUFFIXES = (".json", ".jsonl", ".txt", ".csv")
_TOLD = {"id", "trial", "n", "block", "correct"}
"""What the page writes beside an answer; the rest is the answer as a server gets it."""


@final
@dataclass(frozen=True)
class Collected:
    """What came of taking in files.

    Attributes
    ----------
    n_new : int
        Participants taken in.
    n_known : int
        Who were there already.
    left_out : tuple of str
        Where somebody stands who had taken part before, and whose answers are left out.
    n_others : int
        Records that are not of a page of an experiment.
    """

    n_new: int
    n_known: int
    left_out: tuple[str, ...]
    n_others: int


@final
@dataclass
class _Replayed:
    """A participant, replayed."""

    where: str
    record: Mapping[str, Any]
    position: Position
    events: list[Event] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)


@suggest_keywords
def import_collected(experiment: Experiment, sources: Sequence[Path | str], db: Path | str) -> Collected:
    """Take what the pages of ``tasks build --static`` collected into a file of answers.

    Every record is gone through step by step with the rules of the server: the same checks of what was sent, the same
    scoring, the same practice and screening. Nothing is taken in unless everything can be. Taken in again, records
    that are there already change nothing.

    Parameters
    ----------
    experiment : Experiment
        The built folder that the pages were written from.
    sources : sequence of path
        Files that the pages offered (JSON), result data that JATOS exported (a record a line), batch results of MTurk
        (CSV, column ``Answer.data``), or folders of them.
    db : path
        The file of answers, made if it is not there.

    Raises
    ------
    InputError
        A file cannot be read, or holds a record of another experiment, or one that no page makes.
    ConfigurationChanged
        The file of answers is another experiment's.
    """
    records, n_others = [], 0
    for where, record in _read_sources(sources):
        if isinstance(record, dict) and {"plan_hash", "session"} <= set(record):
            records.append((where, record))
        else:
            n_others += 1
    if not records:
        raise InputError("records of an experiment's pages", got=f"none in {', '.join(map(str, sources))}")
    names = {task.index: (name_page(experiment, task), name_old_page(experiment, task)) for task in experiment.tasks}
    replayed = [_replay(experiment, names, where, record) for where, record in records]
    with open_store(experiment, db) as store:
        secrets = {name: store.read_meta(name) for name in ("key", "addresses")}
        work = functools.partial(_insert_all, experiment=experiment, replayed=replayed, secrets=secrets)
        n_new, n_known, left_out = store.write(work)
    for where in left_out:
        logger.warning("%s: left out, since the same person had taken part before", where)
    return Collected(n_new, n_known, tuple(left_out), n_others)


def _read_sources(sources: Sequence[Path | str]) -> Iterator[tuple[str, Any]]:
    """Every record with the words that say where it stands."""
    for source in sources:
        path = Path(source)
        if not path.exists():
            raise InputError("a file or folder of collected answers", got=f"no {path}")
        for file in _list_files(path) if path.is_dir() else [path]:
            yield from _read_file(file)


def _list_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES and path.is_file())


def _read_file(path: Path) -> Iterator[tuple[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("a text file of collected answers", got=f"{path}: {error}") from None
    if path.suffix.lower() == ".csv":
        yield from _read_mturk(path, text)
        return
    try:
        whole = json.loads(text)
    except ValueError:
        for number, line in enumerate(text.split("\n"), start=1):  # no other sign ends a line of JSON
            if line.strip():
                yield f"{path} line {number}", _parse_json(line, f"{path} line {number}")
        return
    if isinstance(whole, list):
        yield from ((f"{path} record {number}", record) for number, record in enumerate(whole, start=1))
    else:
        yield str(path), whole


def _read_mturk(path: Path, text: str) -> Iterator[tuple[str, Any]]:
    import pandas as pd

    expected = f"batch results of MTurk, with a column {_MTURK_COLUMN}"
    try:  # a cell holds a whole session, longer than the module csv takes
        table = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    except ValueError as error:
        raise InputError(expected, got=f"{path} ({error})") from None
    if _MTURK_COLUMN not in table.columns:
        raise InputError(expected, got=str(path))
    for number, answers in enumerate(table[_MTURK_COLUMN], start=1):
        if answers:
            yield f"{path} row {number}", _parse_json(answers, f"{path} row {number}")


def _parse_json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise InputError("collected answers as JSON", got=f"{where}: {error}") from None


def _replay(
    experiment: Experiment, names: Mapping[int, tuple[str, ...]], where: str, record: Mapping[str, Any]
) -> _Replayed:
    """Go through one record as the server would have."""
    try:
        return _follow(experiment, names, where, record)
    except Refusal as refusal:
        raise InputError("what a page of this experiment collects", got=f"{where}: {refusal.text}") from None
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        got = f"{where}: {type(error).__name__} {error}"
        raise InputError("what a page of this experiment collects", got=got) from None


def _follow(
    experiment: Experiment, names: Mapping[int, tuple[str, ...]], where: str, record: Mapping[str, Any]
) -> _Replayed:
    task = next((task for task in experiment.tasks if task.index == record["task"]), None)
    if record["plan_hash"] != experiment.plan_hash or task is None or record["name"] not in names[task.index]:
        raise InputError(
            f"answers to {experiment.path}", got=f"{where}, of another plan, other stimuli or pages written anew",
            hint="the built folder that the pages were written from",
        )  # fmt: skip
    if record["end"] not in ENDS:
        raise Refusal(422, "end", f"It stops at {record['end']}.")
    begun, name = record["begun"], record["session"]
    if isinstance(begun, bool) or not isinstance(begun, int | float) or not 0 <= begun <= 1e15:
        raise Refusal(422, "begun", "Begun: ms since 1970.")
    if not isinstance(name, str) or not 0 < len(name) <= 100:
        raise Refusal(422, "session", "Session: a name.")
    first, drawn = list_steps(experiment)[0], draw_page(experiment, task)
    position = Position(0, task.index, drawn["main"], drawn["practice"], first)
    parameters, screen, _ = parse_join({"recruiter_params": record["parameters"], "screen": record["screen"]})
    pick_parameters(get_recruiter(experiment.settings.recruiter), parameters)  # refuses those that no page takes
    made = _Replayed(where, record, position, [Event(begun / 1000, "join", first, {"screen": screen})])
    sent = {
        "presented": list(record.get("presented", ())),
        "failures": list(record.get("failures", ())),
        "steps": list(record["steps"]),
        "practice": list(record["practice"]),
        "answers": list(record["answers"]),
    }
    while position.step not in ENDS:
        if position.step in SENT_STEPS:
            _take_step(experiment, made, _take_first(sent, "steps", position.step))
        else:
            rows = "practice" if position.step == "practice" else "answers"
            _take_failures(made, sent["failures"])
            _take_presented(experiment, made, sent["presented"])
            row = _take_first(sent, rows, position.step)
            (_take_skip if row.get("skipped") else _take_answer)(experiment, made, row)
    if position.step != record["end"] or any(sent.values()):
        raise Refusal(422, "end", f"Its steps lead to {position.step}, and it says {record['end']}.")
    return made


def _take_first(sent: dict[str, list[Any]], name: str, step: str) -> dict[str, Any]:
    if not sent[name]:
        raise Refusal(422, "end", f"It stops at {step}.")
    return dict(sent[name].pop(0))


def _take_step(experiment: Experiment, made: _Replayed, row: dict[str, Any]) -> None:
    step, data = parse_step(row, experiment.settings)
    if step != made.position.step:
        raise Refusal(422, "step", f"{step} where {made.position.step} is next.")
    event = end_step(experiment, step, data, row["at_ms"] / 1000)
    made.position.take_event(event)
    made.events.append(event)


def _take_next(position: Position, rows: list[Any]) -> tuple[int, int, list[Any]]:
    """Phase and number of the next trial, and its rows, taken off a list in which they stand in front."""
    phase, number = position.phase, len(position.list_given()) + 1
    taken = []
    while rows and (rows[0]["block"], rows[0]["n"]) == (phase, number):
        taken.append(rows.pop(0))
    return phase, number, taken


def _take_failures(made: _Replayed, rows: list[Any]) -> None:
    """Each time that stimuli of the next trial could not be shown."""
    phase, number, taken = _take_next(made.position, rows)
    for row in taken:
        _, _, reason = parse_failure({"trial": "", "stimuli": [""], "reason": row["reason"]})
        data = {"block": phase, "trial": number, "reason": reason, "slots": []}
        made.events.append(Event(row["at_ms"] / 1000, NOT_SHOWN, made.position.step, data))


def _take_presented(experiment: Experiment, made: _Replayed, rows: list[Any]) -> None:
    """Each time that the page came to the next trial; whether it was shown follows anew."""
    position = made.position
    phase, number, taken = _take_next(position, rows)
    for row in taken:
        _, key = parse_presentation({"trial": "", "key": row["key"]})
        stimulus_ms = make_timing(experiment.settings, position, phase, number)["stimulus_ms"]
        event = announce_trial(experiment, position, phase, number, key, stimulus_ms, row["at_ms"] / 1000)
        if event.data["shown"] != row["shown"]:
            raise Refusal(422, "presented", f"Trial {number} was shown more often than {experiment.path} says.")
        position.take_event(event)
        made.events.append(event)


def _check_order(position: Position, row: dict[str, Any]) -> tuple[int, int]:
    """Phase and number of the next trial, which a row has to be of."""
    phase, number = position.phase, len(position.list_given()) + 1
    if (row["n"], row["trial"], row.get("block", 0)) != (number, position.list_trials()[number - 1][0], phase):
        raise Refusal(422, "order", f"Trial {row['n']} where {number} is next.")
    return phase, number


def _take_skip(experiment: Experiment, made: _Replayed, row: dict[str, Any]) -> None:
    """A trial that could not be shown, and was gone on without."""
    position = made.position
    phase, number = _check_order(position, row)
    told = (event.data for event in made.events if event.event == NOT_SHOWN)
    failures = [data for data in told if (data["block"], data["trial"]) == (phase, number)]
    if len(failures) < MOST_TRIES:
        raise Refusal(422, "skipped", f"Trial {number} was left out and may have been shown.")
    events = skip_trial(experiment, position, phase, number, failures[-1], row["at_ms"] / 1000)
    for event in events:
        position.take_event(event)
        made.events.append(event)
    position.take_skip(events[0].data)


def _take_answer(experiment: Experiment, made: _Replayed, row: dict[str, Any]) -> None:
    position = made.position
    phase, number = _check_order(position, row)
    body = {name: value for name, value in row.items() if name not in _TOLD}
    sent = parse_answer(body, experiment.settings)
    at = (sent.details["shown_at"] + sent.rt_ms) / 1000
    answer = score_answer(experiment, position, phase, number, sent, at)
    events = list_consequences(experiment, position, answer)
    position.take_answer(answer)
    made.answers.append(answer)
    for event in events:
        position.take_event(event)
        made.events.append(event)


def _insert_all(
    connection: sqlite3.Connection, experiment: Experiment, replayed: Sequence[_Replayed], secrets: Mapping[str, str]
) -> tuple[int, int, list[str]]:
    recruiter = get_recruiter(experiment.settings.recruiter)
    n_new, n_known, left_out = 0, 0, []
    for made in replayed:
        name = f"page\x1f{made.record['session']}".encode("utf-8", "surrogatepass")
        token = hmac.digest(bytes.fromhex(secrets["addresses"]), name, "sha256")  # which no browser can know
        kept = pick_parameters(recruiter, made.record["parameters"])
        identity = kept.get(recruiter.identity)
        known_as = None if identity is None else name_participant(secrets["key"], recruiter.name, identity)
        participant = known_as or "p" + token.hex()[:16]
        if find_session(connection, token) is not None or is_withdrawn(connection, token):
            n_known += 1
            continue
        if list_sessions(connection, participant) or has_withdrawn(connection, participant):
            left_out.append(made.where)
            continue
        drawn = to_canonical_json({"main": made.position.main, "practice": made.position.blocks})
        session = insert_session(connection, participant, token, made.position.task, drawn, made.events[0].at)
        for event in made.events:
            insert_event(connection, session, event)
        for answer in made.answers:
            insert_answer(connection, session, answer)
        if kept:
            insert_recruit(connection, session, recruiter.name, kept, made.events[0].at)
        n_new += 1
    return n_new, n_known, left_out
