"""What pages without a server collect, taken into a file of answers."""

from __future__ import annotations

import contextlib
import csv
import json
import sqlite3
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.browser.built_folders import FAST, build_folder
from tests.experiments.collected_records import collect
from tests.experiments.person import serving

from beholder._core.errors import InputError
from beholder.experiments import Experiment, import_collected, read_experiment, write_static_pages
from beholder.responses import forget_recruits, read_responses, read_status


def write_page(folder: Path, kind: str = "2afc", n: int = 6, changes: dict[str, Any] | None = None) -> Path:
    """The page of a small experiment."""
    (page,) = write_static_pages(read_experiment(build_folder(folder / "built", kind, n, changes)))
    return page


def find_experiment(page: Path) -> Experiment:
    """What a page was written from."""
    return read_experiment(page.parent.parent)


def save(path: Path, record: Any) -> Path:
    """As JSON."""
    path.write_text(json.dumps(record), encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", [*FAST])
def test_answers_are_those_of_the_page(kind: str, tmp_path: Path) -> None:
    page = write_page(tmp_path, kind)
    record = collect(page)
    taken = import_collected(find_experiment(page), [save(tmp_path / "a.json", record)], tmp_path / "a.db")
    assert (taken.n_new, taken.n_known, taken.left_out, taken.n_others) == (1, 0, (), 0)
    found = read_responses(tmp_path / "a.db")
    table, sent = found.trials, record["answers"]
    assert table["trial"].tolist() == [answer["n"] for answer in sent]
    assert table["rt_ms"].tolist() == [500.0] * len(sent)
    right = [None if answer["correct"] is None else bool(answer["correct"]) for answer in sent]
    assert [None if pd.isna(value) else bool(value) for value in table["correct"]] == right
    assert len(found.practice) == len(record["practice"])
    status = read_status(tmp_path / "a.db")
    assert (status.n_participants, status.n_finished, status.n_answers) == (1, 1, len(sent))


def test_beside_those_of_a_server(tmp_path: Path) -> None:
    page = write_page(tmp_path)
    with serving(page.parent.parent, tmp_path / "served.db"):
        pass
    import_collected(find_experiment(page), [save(tmp_path / "a.json", collect(page))], tmp_path / "served.db")
    assert len(read_responses(tmp_path / "served.db").trials) == 6
    with serving(page.parent.parent, tmp_path / "served.db") as (client, _):
        reply = client.get("/api/state", headers={"Authorization": "Bearer a"})
    assert reply.status_code == 401  # the page's name of a session opens nothing


def test_once_is_enough(tmp_path: Path) -> None:
    page = write_page(tmp_path)
    experiment, db = find_experiment(page), tmp_path / "a.db"
    first = save(tmp_path / "a.json", collect(page))
    save(tmp_path / "b.json", collect(page, "b", 1))
    assert import_collected(experiment, [first], db).n_new == 1
    again = import_collected(experiment, [tmp_path / "a.json", tmp_path / "b.json", first], db)
    assert (again.n_new, again.n_known) == (1, 2)
    forget_recruits(db)
    assert import_collected(experiment, [tmp_path], db).n_new == 0
    assert len(read_responses(db).trials) == 12


def test_every_form_is_read(tmp_path: Path) -> None:
    page = write_page(tmp_path)
    folder = tmp_path / "collected"
    (folder / "deep").mkdir(parents=True)
    records = [collect(page, str(k), k) for k in range(6)]
    records[3]["steps"][-2]["data"]["text"] = "on\u2028two lines"
    save(folder / "a.json", records[0])
    save(folder / "deep" / "list.json", records[1:3])
    lines = [
        json.dumps(records[3], ensure_ascii=False),
        "",
        json.dumps({"survey": "of another component"}),
        json.dumps(records[4]),
    ]
    (folder / "jatos.txt").write_text("\n".join(lines), encoding="utf-8")
    with (folder / "batch.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerows([["WorkerId", "Answer.data"], ["w", json.dumps(records[5])], ["v", ""]])
    taken = import_collected(find_experiment(page), [folder], tmp_path / "a.db")
    assert (taken.n_new, taken.n_others) == (6, 1)
    people = read_responses(tmp_path / "a.db").participants
    assert people["participant"].is_unique and len(people) == 6


def test_a_person_counts_once(tmp_path: Path) -> None:
    page = write_page(tmp_path, changes={"recruiter": "mturk"})
    experiment, db = find_experiment(page), tmp_path / "a.db"
    worker = {"workerId": "W1", "assignmentId": "x", "other": "dropped"}
    save(tmp_path / "a.json", collect(page, "a", 0, worker))
    save(tmp_path / "b.json", collect(page, "b", 1, worker))
    save(tmp_path / "c.json", collect(page, "c", 2, {"workerId": "W2"}))
    taken = import_collected(experiment, [tmp_path / f"{name}.json" for name in "abc"], db)
    assert taken.n_new == 2 and taken.left_out == (str(tmp_path / "b.json"),)
    with contextlib.closing(sqlite3.connect(db)) as connection:
        kept = [json.loads(text) for (text,) in connection.execute("SELECT parameters FROM recruits ORDER BY session")]
    assert kept == [{"workerId": "W1", "assignmentId": "x"}, {"workerId": "W2"}]
    assert "W1" not in read_responses(db).trials.to_csv()


@pytest.mark.parametrize("end", ["declined", "screened_out"])
def test_other_ends(end: str, tmp_path: Path) -> None:
    page = write_page(tmp_path, changes={"practice.n_required": 2 if end == "screened_out" else 0})
    import_collected(find_experiment(page), [save(tmp_path / "a.json", collect(page, end=end))], tmp_path / "a.db")
    status = read_status(tmp_path / "a.db")
    assert (status.n_participants, status.n_finished, status.steps) == (1, 0, {end: 1})


def spoil(record: dict[str, Any], how: str) -> Any:
    """What no page hands over."""
    spoilt = json.loads(json.dumps(record))
    if how == "skipped":
        del spoilt["answers"][2]
    elif how == "another order":
        spoilt["answers"].reverse()
    elif how == "unfinished":
        spoilt["answers"].pop()
    elif how == "more":
        spoilt["answers"].append(spoilt["answers"][-1])
    elif how == "another button":
        spoilt["answers"][0]["response"] = {"choice": "sideways", "confidence": 1}
    elif how == "another end":
        spoilt["end"] = "screened_out"
    elif how == "left":
        spoilt["end"] = "trials"
    elif how == "another plan":
        spoilt["plan_hash"] = "1" * 64
    elif how == "another page":
        spoilt["name"] = "x"
    elif how == "no time":
        spoilt["begun"] = float("nan")
    elif how == "nothing":
        spoilt = {"plan_hash": spoilt["plan_hash"], "session": "b"}
    elif how == "told who":
        spoilt["steps"][1]["data"]["name"] = "Ann"
    elif how == "wrong type":
        spoilt["steps"] = 3
    return spoilt


@pytest.mark.parametrize(
    "how",
    ["skipped", "another order", "unfinished", "more", "another button", "another end", "left", "another plan",
     "another page", "no time", "nothing", "told who", "wrong type"],
)  # fmt: skip
def test_one_bad_record_and_none_is_taken(how: str, tmp_path: Path) -> None:
    page = write_page(tmp_path)
    good = collect(page)
    files = [save(tmp_path / "good.json", good), save(tmp_path / "bad.json", spoil(collect(page, "b"), how))]
    with pytest.raises(InputError, match=r"bad\.json"):
        import_collected(find_experiment(page), files, tmp_path / "a.db")
    assert not (tmp_path / "a.db").exists()


def test_files_that_hold_none(tmp_path: Path) -> None:
    page = write_page(tmp_path)
    experiment = find_experiment(page)
    with pytest.raises(InputError, match=r"no .*nowhere"):
        import_collected(experiment, [tmp_path / "nowhere"], tmp_path / "a.db")
    (tmp_path / "a.txt").write_text("{not json", encoding="utf-8")
    with pytest.raises(InputError, match="line 1"):
        import_collected(experiment, [tmp_path / "a.txt"], tmp_path / "a.db")
    (tmp_path / "a.csv").write_text("WorkerId\nw\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"Answer\.data"):
        import_collected(experiment, [tmp_path / "a.csv"], tmp_path / "a.db")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="none in"):
        import_collected(experiment, [tmp_path / "empty"], tmp_path / "a.db")
