"""``beholder tasks serve``, ``export``, ``status``, ``backup``, ``forget`` as a lab types them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from starlette.testclient import TestClient
from tests.experiment_folders import write_folder

from beholder.experiments import create_app, open_store, read_experiment

NO_PRACTICE = {
    "practice.n_with_feedback": 0,
    "practice.n_obvious": 0,
    "practice.n_required": 0,
    "recruiter": "prolific",
}
Beholder = Callable[..., tuple[int, str, str]]


def take_part(client: TestClient, name: str, n: int | None = None) -> None:
    link = {"PROLIFIC_PID": name}
    token = client.post("/api/join", json={"recruiter_params": link}).json()["token"]
    client.headers["Authorization"] = f"Bearer {token}"
    for step, data in (("consent", {"version": "1", "agreed": True}), ("instructions", {}), ("checks", {})):
        assert client.post("/api/step", json={"step": step, "data": data}).status_code == 200
    for trial in client.get("/api/trials").json()[:n]:
        body = {"response": {"choice": "upper", "confidence": 1}, "rt_ms": 1500, "shown_at": 1}
        assert client.put(f"/api/trials/{trial['id']}", json=body).status_code == 200


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built folder, and answers of one who finished and one who left."""
    place = tmp_path_factory.mktemp("experiment")
    experiment = write_folder(place / "exp_data", changes=NO_PRACTICE)
    with open_store(experiment, place / "answers.sqlite") as store:
        client = TestClient(create_app(experiment, store, limits=None), "http://127.0.0.1")
        take_part(client, "somebody-one")
        take_part(client, "somebody-two", 3)
    return place


def test_export(place: Path, tmp_path: Path, beholder: Beholder) -> None:
    code, out, err = beholder("tasks", "export", "--db", place / "answers.sqlite", "--out", tmp_path / "out")
    assert code == 0, err
    assert out.startswith("11 answers of 2 participants; included: 0 answers of ")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names >= {
        "responses.csv", "responses.parquet", "responses_included.csv", "responses_included.parquet", "practice.csv",
        "practice.parquet", "participants.csv", "columns.json", "provenance.json",
    }  # fmt: skip
    assert all(name in out for name in names if not name.startswith("."))
    code, out, err = beholder(
        "tasks", "export", place / "exp_data", "--db", place / "answers.sqlite", "-o", tmp_path, "--json"
    )
    assert code == 0, err
    assert json.loads(out)["export"] == [{"participants": 2, "included": 0, "answers": 11, "answers_included": 0}]
    assert len(pd.read_csv(tmp_path / "responses.csv")) == 11


def test_export_of_another_experiment(place: Path, tmp_path: Path, beholder: Beholder) -> None:
    write_folder(tmp_path / "other", changes={**NO_PRACTICE, "disabled_ms": 9})
    code, _, err = beholder(
        "tasks", "export", tmp_path / "other", "--db", place / "answers.sqlite", "--out", tmp_path / "o"
    )
    assert code == 2 and "settings.disabled_ms was 0, now 9" in err and not (tmp_path / "o").exists()


def test_status(place: Path, beholder: Beholder) -> None:
    code, out, err = beholder("tasks", "status", "--db", place / "answers.sqlite")
    assert code == 0, err
    lines = dict(line.split(None, 1) for line in out.splitlines())
    assert (
        lines["participants"].startswith("2 came, ") and "1 finished, 0 included, 0 withdrew" in lines["participants"]
    )
    assert lines["where"] == "1 comment, 1 trials"
    assert lines["answers"].startswith("11; in the last minute ") and lines["speed"].startswith("1.50 s a trial; ")
    code, out, _ = beholder("tasks", "status", "--db", place / "answers.sqlite", "--json")
    assert code == 0 and json.loads(out)["status"][0]["n_answers"] == 11


def test_status_is_shown_again_until_interrupted(place: Path, beholder: Beholder, monkeypatch: Any) -> None:
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("beholder.cli._tasks_serve.time.sleep", wait)
    code, out, _ = beholder("tasks", "status", "--db", place / "answers.sqlite", "--watch", "2")
    assert code == 0 and waits == [2.0] * 3 and out.count("participants") == 3


def test_backup(place: Path, tmp_path: Path, beholder: Beholder) -> None:
    copy = tmp_path / "copy.sqlite"
    code, out, err = beholder("tasks", "backup", copy, "--db", place / "answers.sqlite")
    assert code == 0 and str(copy) in out, err
    assert beholder("tasks", "export", "--db", copy, "--out", tmp_path / "out")[1].startswith("11 answers of 2")
    code, _, err = beholder("tasks", "backup", copy, "--db", place / "answers.sqlite")
    assert code == 2 and "another name" in err


def test_forget(place: Path, tmp_path: Path, beholder: Beholder) -> None:
    copy = tmp_path / "copy.sqlite"
    beholder("tasks", "backup", copy, "--db", place / "answers.sqlite")
    assert b"somebody-one" in copy.read_bytes()
    code, out, err = beholder("tasks", "forget", "--db", copy)
    assert code == 0 and "2 participants" in out, err
    assert b"somebody" not in copy.read_bytes()
    assert beholder("tasks", "export", "--db", copy, "--out", tmp_path / "out")[1].startswith("11 answers of 2")


@pytest.mark.parametrize("command", [["export"], ["status"], ["backup", "copy.sqlite"], ["forget"]])
def test_no_such_file(command: list[str], tmp_path: Path, beholder: Beholder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = beholder("tasks", *command, "--db", tmp_path / "none.sqlite")
    assert code == 2 and "expected a file of answers; got no file at" in err and not out
    assert list(tmp_path.iterdir()) == []


COMMANDS = [
    ["serve", "EXP", "--port", "0"], ["simulate", "EXP", "--participants", "1"], ["export", "--out", "out"],
    ["export", "EXP", "--out", "out"], ["status"], ["backup", "copy.db"], ["upgrade", "new.db"], ["forget"],
]  # fmt: skip


def _write_text(path: Path) -> None:
    path.write_text("no database\n" * 500)


def _write_other(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE birds (name)")
        connection.execute("PRAGMA journal_mode = WAL").fetchall()


WRONG = {"text": _write_text, "folder": Path.mkdir, "empty": Path.touch, "other": _write_other}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("command", COMMANDS, ids=map(" ".join, COMMANDS))
def test_nothing_is_left_beside_what_is_no_file_of_answers(
    command: list[str], wrong: str, place: Path, tmp_path: Path, beholder: Beholder, monkeypatch: pytest.MonkeyPatch
) -> None:
    if wrong == "empty" and command[0] in ("serve", "simulate"):
        pytest.skip("an empty file is where these begin")
    monkeypatch.chdir(tmp_path)
    WRONG[wrong](tmp_path / "a.db")
    before = {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}
    words = [place / "exp_data" if word == "EXP" else word for word in command]
    code, out, err = beholder("tasks", *words, "--db", "a.db")
    assert (code, out) == (2, "") and "error: expected a" in err.splitlines()[-1], err
    assert {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")} == before


def test_reading_leaves_no_log_beside_the_file(place: Path, tmp_path: Path, beholder: Beholder) -> None:
    db = tmp_path / "a.db"
    shutil.copy(place / "answers.sqlite", db)
    before = db.read_bytes()
    for words in (["status"], ["export", place / "exp_data", "--out", tmp_path / "out"], ["backup", tmp_path / "b.db"]):
        code, _, err = beholder("tasks", *words, "--db", db)
        assert code == 0, err
    assert beholder("tasks", "upgrade", tmp_path / "c.db", "--db", db)[0] == 2
    assert {path.name for path in tmp_path.iterdir()} == {"a.db", "b.db", "out"} and db.read_bytes() == before


def test_a_folder_in_which_no_log_can_be_put(place: Path, tmp_path: Path, beholder: Beholder) -> None:
    shutil.copy(place / "answers.sqlite", tmp_path / "a.db")
    (tmp_path / "a.db-wal").mkdir()
    for words in (["status"], ["backup", tmp_path / "b.db"], ["forget"], ["upgrade", tmp_path / "c.db"]):
        code, _, err = beholder("tasks", *words, "--db", tmp_path / "a.db")
        assert code == 2 and "folder that can be written; got" in err and "try a copy of it elsewhere" in err, err
    assert {path.name for path in tmp_path.iterdir()} == {"a.db", "a.db-wal"}


def test_a_log_that_a_killed_server_left_stays(place: Path, tmp_path: Path, beholder: Beholder) -> None:
    """Answers that stand in it alone are read from there; only who goes on writing moves them."""
    shutil.copy(place / "answers.sqlite", tmp_path / "live.db")
    with contextlib.closing(sqlite3.connect(tmp_path / "live.db")) as connection:
        connection.execute("INSERT INTO withdrawn_tokens VALUES (x'00')")
        connection.commit()
        for suffix in ("", "-wal"):
            shutil.copy(tmp_path / f"live.db{suffix}", tmp_path / f"a.db{suffix}")
    before = [(tmp_path / name).read_bytes() for name in ("a.db", "a.db-wal")]
    assert beholder("tasks", "status", "--db", tmp_path / "a.db")[0] == 0
    assert [(tmp_path / name).read_bytes() for name in ("a.db", "a.db-wal")] == before
    assert beholder("tasks", "backup", tmp_path / "b.db", "--db", tmp_path / "a.db")[0] == 0
    with contextlib.closing(sqlite3.connect(tmp_path / "b.db")) as connection:
        assert connection.execute("SELECT count(*) FROM withdrawn_tokens WHERE token = x'00'").fetchone() == (1,)


@pytest.mark.parametrize(
    "flags, expected",
    [
        (["--host", "0.0.0.0"], "--public"),
        (["--public", "http://lab.example.org"], "https"),
        (["--public", "lab.example.org"], "https"),
        (["--per_task", "0"], "--per_task of 1 or more"),
        (["--release_after", "0"], "--release_after above 0"),
        (["--release_after", "nan"], "a number of at least 0 for --release_after; got nan"),
        (["--port", "70000"], "another --port"),
    ],
)
def test_serve_refuses(flags: list[str], expected: str, place: Path, tmp_path: Path, beholder: Beholder) -> None:
    code, _, err = beholder("tasks", "serve", place / "exp_data", "--db", tmp_path / "a.sqlite", *flags)
    assert code == 2 and expected in err, err


def test_a_file_of_another_experiment_is_refused_with_one_way_out(
    place: Path, tmp_path: Path, beholder: Beholder
) -> None:
    db = tmp_path / "a.sqlite"
    open_store(read_experiment(place / "exp_data"), db).close()
    shutil.copytree(place / "exp_data", tmp_path / "other")
    about = json.loads((tmp_path / "other" / "experiment.json").read_text(encoding="utf-8"))
    about["settings"]["recruiter"], about["plan_hash"] = "prolific", "1" * 64
    (tmp_path / "other" / "experiment.json").write_text(json.dumps(about), encoding="utf-8")
    code, _, err = beholder("tasks", "serve", tmp_path / "other", "--db", db, "--port", "0")
    assert code == 2 and err.strip().endswith("; try another --db for the changed experiment")


def test_serve_until_interrupted(place: Path, tmp_path: Path, beholder: Beholder) -> None:
    """The link is printed, people are let in, a second server is refused, Ctrl-C ends it with 0."""
    db = tmp_path / "a.sqlite"
    command = ["tasks", "serve", str(place / "exp_data"), "--db", str(db), "--port", "0"]
    source = f"from beholder.cli import main; main({command!r})"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    server = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True, env=environment)
    assert server.stdout is not None
    try:
        lines = [server.stdout.readline() for _ in range(3)]
        assert lines[0].startswith("Experiment(2afc, 2 tasks") and lines[2].startswith("open http://127.0.0.1:")
        url = lines[2].split()[1]
        with urllib.request.urlopen(url, timeout=20) as reply:
            assert b"<main" in reply.read()
        request = urllib.request.Request(
            f"{url}/api/join", b'{"recruiter_params": {"PROLIFIC_PID": "x"}}', {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=20) as reply:
            assert reply.status == 201
        assert beholder("tasks", "status", "--db", db)[1].startswith("participants  1 came")
        code, _, err = beholder("tasks", "serve", place / "exp_data", "--db", db, "--port", "0")
        assert code == 1 and "another --db" in err
        assert beholder("tasks", "forget", "--db", db)[0] == 1
    finally:
        server.send_signal(signal.SIGINT)
        rest, _ = server.communicate(timeout=30)
    assert server.returncode == 0 and rest == ""
    assert read_experiment(place / "exp_data").kind == "2afc"
    assert not db.with_name("a.sqlite-wal").exists()
