"""Files of the first format: read as they are, and copied into this one, where everybody goes on."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import zipfile
from pathlib import Path

import pytest
from tests.experiments.person import Person, serving

from beholder._core.errors import InputError, OutputBusy
from beholder._core.locks import take_lock
from beholder.cli._main import run
from beholder.experiments import open_store, read_experiment
from beholder.responses import (
    backup_responses,
    forget_recruits,
    open_responses,
    read_responses,
    read_status,
    upgrade_responses,
)
from beholder.responses._schema import FORMAT, OLD_FORMAT

ARCHIVE = Path(__file__).parent.parent / "fixtures" / "format_1" / "answers.zip"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Somebody done, one fresh, one in the middle of the trials, one who declined; two withdrew, one of them last."""
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(tmp_path)
    return tmp_path / "answers.sqlite"


def read_tokens(old: Path) -> dict[str, str]:
    return json.loads((old.parent / "tokens.json").read_text(encoding="utf-8"))


def read_format(path: Path) -> str:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()[0]


def test_old_files_are_shown_exported_and_backed_up_as_they_are(old: Path) -> None:
    before = old.read_bytes()
    status = read_status(old)
    assert (status.n_participants, status.n_finished, status.n_withdrawn, status.n_answers) == (4, 1, 2, 6)
    people = read_responses(old).participants
    assert people["step"].tolist() == ["done", "consent", "trials", "declined"]
    assert read_format(backup_responses(old, old.with_name("copy.sqlite"))) == OLD_FORMAT
    assert old.read_bytes() == before


def test_upgraded_answers_are_the_same(old: Path) -> None:
    before, new = old.read_bytes(), upgrade_responses(old, old.with_name("new.sqlite"))
    assert old.read_bytes() == before
    assert read_format(new) == FORMAT
    one, other = read_responses(old, dates=True), read_responses(new, dates=True)
    for name in ("trials", "practice", "participants"):
        assert getattr(one, name).equals(getattr(other, name)), name
    assert len(one.trials) == 6
    now = 1.8e9
    assert read_status(old, now) == read_status(new, now)


def test_people_go_on_with_the_tokens_that_they_have(old: Path) -> None:
    tokens, new = read_tokens(old), upgrade_responses(old, old.with_name("new.sqlite"))
    with serving(old.parent / "exp_data", new) as (client, store):
        people = {name: Person(client, token) for name, token in tokens.items()}
        states = {name: person.state() for name, person in people.items()}
        assert {name: state["step"] for name, state in states.items()} == {
            "done": "done", "fresh": "consent", "running": "trials", "declined": "declined", "left": "withdrawn",
            "left_last": "withdrawn",
        }  # fmt: skip
        assert states["done"]["code_url"].endswith("cc=C1") and states["running"]["n_done"] == 2
        assert people["running"].go_through("trials", lambda trial: {"rating": 4})["step"] == "comment"
        people["fresh"].ask("POST", "/api/withdraw", {})
        assert people["fresh"].state()["step"] == "withdrawn"
        assert Person(client, PROLIFIC_PID="pid-new", STUDY_ID="s", SESSION_ID="x").state()["step"] == "consent"
        rows = store.read(lambda c: c.execute("SELECT session, visit FROM sessions ORDER BY session").fetchall())
    assert rows == [(1, 1), (3, 1), (4, 1), (7, 1)]  # 5 and 6 were of those who withdrew before


def test_rows_of_an_upgraded_file_are_never_changed(old: Path) -> None:
    new = upgrade_responses(old, old.with_name("new.sqlite"))
    with contextlib.closing(sqlite3.connect(new)) as connection:
        for sql in ("UPDATE answers SET correct = 1", "DELETE FROM sessions", "DELETE FROM withdrawals"):
            with pytest.raises(sqlite3.IntegrityError):
                connection.execute(sql)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def test_serving_an_old_file_says_in_one_line_how_to_go_on(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = old.read_bytes()
    assert run(["tasks", "serve", str(old.parent / "exp_data"), "--db", str(old), "--port", "0"]) == 2
    said = capsys.readouterr().err.strip()
    wanted = old.with_name("answers-2.sqlite")
    assert "\n" not in said and said.endswith(f"try beholder tasks upgrade {wanted} --db {old}")
    assert run(["tasks", "upgrade", str(wanted), "--db", str(old)]) == 0
    assert str(wanted) in capsys.readouterr().out
    assert old.read_bytes() == before
    open_store(read_experiment(old.parent / "exp_data"), wanted).close()


def test_a_file_that_is_being_served_is_not_upgraded(old: Path) -> None:
    """What its server takes after the copy would be in neither."""
    with take_lock(f"{old.resolve()}.lock"), pytest.raises(OutputBusy, match="try stopping it"):
        upgrade_responses(old, old.with_name("new.sqlite"))
    assert not old.with_name("new.sqlite").exists()
    upgrade_responses(old, old.with_name("new.sqlite"))
    open_responses(old.with_name("new.sqlite")).close()


def test_what_cannot_be_upgraded(old: Path) -> None:
    new = upgrade_responses(old, old.with_name("new.sqlite"))
    with pytest.raises(InputError, match="of beholder-responses-2 already"):
        upgrade_responses(new, old.with_name("newer.sqlite"))
    with pytest.raises(InputError, match="a name that is free"):
        upgrade_responses(old, new)
    with pytest.raises(InputError, match="no file at"):
        upgrade_responses(old.with_name("none.sqlite"), old.with_name("newer.sqlite"))
    assert not old.with_name("newer.sqlite").exists()


def test_ids_of_an_old_file_can_be_forgotten(old: Path) -> None:
    assert b"pid-running" in old.read_bytes()
    assert forget_recruits(old) == 4
    assert b"pid-running" not in old.read_bytes() and read_format(old) == OLD_FORMAT


def test_settings_that_came_since_have_their_defaults(old: Path) -> None:
    """A file that names fewer settings than this version is the same experiment, unless the folder sets one of them."""
    new = upgrade_responses(old, old.with_name("new.sqlite"))
    with contextlib.closing(sqlite3.connect(new)) as connection:
        about = json.loads(connection.execute("SELECT value FROM meta WHERE key = 'experiment'").fetchone()[0])
        del about["settings"]["fullscreen"], about["settings"]["practice"]["repeat_block"]
        connection.execute("UPDATE meta SET value = ? WHERE key = 'experiment'", (json.dumps(about),))
        connection.commit()
    folder = old.parent / "exp_data"
    open_store(read_experiment(folder), new).close()
    built = json.loads((folder / "experiment.json").read_text(encoding="utf-8"))
    built["settings"]["fullscreen"] = True
    (folder / "experiment.json").write_text(json.dumps(built), encoding="utf-8")
    with pytest.raises(Exception, match="fullscreen was False, now True"):
        open_store(read_experiment(folder), new)
