"""The tables of a file of answers: one SQLite file an experiment, strict types, nothing ever changed."""

from __future__ import annotations

FORMAT = "beholder-responses-1"
"""Written into every file; files of another format are refused."""

PRACTICE_TASK = 0
"""The practice trials stand in the table ``trials`` as a task of this number; tasks count from 1."""

TABLES = """
CREATE TABLE meta (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE trials (
    task INTEGER NOT NULL,
    n INTEGER NOT NULL,
    role TEXT NOT NULL,
    mode TEXT NOT NULL,
    unit TEXT,
    correct TEXT,
    conditions TEXT NOT NULL,
    levels TEXT NOT NULL,
    PRIMARY KEY (task, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    session INTEGER PRIMARY KEY AUTOINCREMENT,
    participant TEXT NOT NULL UNIQUE,
    token BLOB NOT NULL UNIQUE,
    task INTEGER NOT NULL,
    presentation TEXT NOT NULL,
    started REAL NOT NULL
) STRICT;

CREATE TABLE recruits (
    session INTEGER NOT NULL PRIMARY KEY,
    recruiter TEXT NOT NULL,
    parameters TEXT NOT NULL
) STRICT;

CREATE TABLE events (
    session INTEGER NOT NULL REFERENCES sessions (session),
    seq INTEGER NOT NULL,
    at REAL NOT NULL,
    event TEXT NOT NULL,
    step TEXT NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (session, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE answers (
    session INTEGER NOT NULL REFERENCES sessions (session),
    trial INTEGER NOT NULL,
    n INTEGER NOT NULL,
    at REAL NOT NULL,
    response TEXT NOT NULL,
    choice TEXT NOT NULL,
    correct INTEGER CHECK (correct IN (0, 1)),
    confidence INTEGER,
    level INTEGER,
    rt_ms REAL NOT NULL,
    details TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (session, trial)
) STRICT, WITHOUT ROWID;

CREATE TABLE practice (
    session INTEGER NOT NULL REFERENCES sessions (session),
    block INTEGER NOT NULL,
    trial INTEGER NOT NULL,
    n INTEGER NOT NULL,
    at REAL NOT NULL,
    response TEXT NOT NULL,
    choice TEXT NOT NULL,
    correct INTEGER CHECK (correct IN (0, 1)),
    confidence INTEGER,
    level INTEGER,
    rt_ms REAL NOT NULL,
    details TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (session, block, trial)
) STRICT, WITHOUT ROWID;

CREATE TABLE withdrawals (
    token BLOB NOT NULL PRIMARY KEY,
    at REAL NOT NULL
) STRICT, WITHOUT ROWID;
"""
"""``recruits`` alone holds who somebody is elsewhere. A token is the sha256 of what the browser holds."""

_KEPT = ("trials", "sessions", "events", "answers", "practice")
_WITHDRAWN = "NOT EXISTS (SELECT 1 FROM sessions JOIN withdrawals USING (token) WHERE sessions.session = OLD.session)"


def list_statements() -> list[str]:
    """The statements that make an empty file: tables, and triggers that let rows be added only.

    Rows of a session can be deleted once its withdrawal is written down, and never otherwise.
    """
    statements = [part.strip() for part in TABLES.split(";") if part.strip()]
    for table in _KEPT:
        statements.append(
            f"CREATE TRIGGER {table}_unchanged BEFORE UPDATE ON {table} "
            f"BEGIN SELECT RAISE(ABORT, 'rows of {table} are never changed'); END"
        )
    for table in ("sessions", "events", "answers", "practice"):
        statements.append(
            f"CREATE TRIGGER {table}_kept BEFORE DELETE ON {table} WHEN {_WITHDRAWN} "
            f"BEGIN SELECT RAISE(ABORT, 'rows of {table} are deleted by withdrawal only'); END"
        )
    return statements
