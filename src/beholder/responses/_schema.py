"""The tables of a file of answers: one SQLite file an experiment, strict types, nothing ever changed."""

from __future__ import annotations

FORMAT = "beholder-responses-2"
"""Written into every file. Older files are read, and copied into this format by ``beholder tasks upgrade``."""

OLD_FORMAT = "beholder-responses-1"
"""Of files in which a participant has one session, and a session one token."""

EVENTS = {
    "join": "came in, for the first time; measures of the screen",
    "consent": "agreed or declined; the version of the text",
    "instructions": "read them; how long each page was open",
    "checks": "went through them; what they found",
    "practice_block": "came to the end of a block; whether it was passed",
    "presented": "came to a trial, announced before it was shown: practice block, trial, whether it was shown",
    "not_shown": "the page could not show stimuli of a trial: practice block, trial, why, which",
    "skipped": "went on without a trial that the page could not show: practice block, trial, its n, why, which",
    "answered_all": "answered the last trial: from here on the data are complete",
    "comment": "what was written at the end",
    "debrief": "read it",
    "observer": "was a network: its name, and the layer by which it decided",
}
"""Everything that can stand in the table ``events``, with what its ``data`` say; a new name is added here alone.

An event that moves nobody on repeats the step that they are at.
"""

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
    participant TEXT NOT NULL,
    visit INTEGER NOT NULL CHECK (visit >= 1),
    task INTEGER NOT NULL,
    presentation TEXT NOT NULL,
    started REAL NOT NULL,
    UNIQUE (participant, visit)
) STRICT;

CREATE TABLE logins (
    token BLOB NOT NULL PRIMARY KEY,
    session INTEGER NOT NULL REFERENCES sessions (session) DEFERRABLE INITIALLY DEFERRED,
    at REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX logins_by_session ON logins (session);

CREATE TABLE recruits (
    recruit INTEGER PRIMARY KEY AUTOINCREMENT,
    session INTEGER NOT NULL,
    at REAL NOT NULL,
    recruiter TEXT NOT NULL,
    parameters TEXT NOT NULL
) STRICT;

CREATE INDEX recruits_by_session ON recruits (session);

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
    withdrawal INTEGER PRIMARY KEY AUTOINCREMENT,
    session INTEGER UNIQUE,
    visit INTEGER NOT NULL,
    at REAL NOT NULL
) STRICT;

CREATE TABLE withdrawn_tokens (
    token BLOB NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE TABLE withdrawn_names (
    participant TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;
"""
"""A person has a session for each visit, and a session a token for each browser that opened it.

``recruits`` alone holds who somebody is elsewhere. A token is the sha256 of what the browser holds. Of a withdrawal
remain the sessions' numbers, the tokens and, until ``tasks forget``, the names of recruited people, keyed hashes of who
they are elsewhere. Sessions that were withdrawn from files of the first format have no number.
"""

_KEPT = ("sessions", "logins", "events", "answers", "practice")
_UNCHANGED = (*_KEPT, "trials", "recruits", "withdrawals", "withdrawn_tokens", "withdrawn_names")


def list_statements() -> list[str]:
    """The statements that make an empty file: tables, and triggers that let rows be added only.

    Rows of a session can be deleted once its withdrawal is written down, and never otherwise.
    """
    statements = [part.strip() for part in TABLES.split(";") if part.strip()]
    for table in _UNCHANGED:
        statements.append(
            f"CREATE TRIGGER {table}_unchanged BEFORE UPDATE ON {table} "
            f"BEGIN SELECT RAISE(ABORT, 'rows of {table} are never changed'); END"
        )
    for table in _KEPT:
        statements.append(
            f"CREATE TRIGGER {table}_kept BEFORE DELETE ON {table} "
            "WHEN NOT EXISTS (SELECT 1 FROM withdrawals WHERE session = OLD.session) "
            f"BEGIN SELECT RAISE(ABORT, 'rows of {table} are deleted by withdrawal only'); END"
        )
    for table in ("withdrawals", "withdrawn_tokens"):
        statements.append(
            f"CREATE TRIGGER {table}_kept BEFORE DELETE ON {table} "
            f"BEGIN SELECT RAISE(ABORT, 'rows of {table} are never deleted'); END"
        )
    return statements


OLD_VIEWS = (
    "CREATE TEMP VIEW sessions AS SELECT session, participant, 1 AS visit, task, presentation, started "
    "FROM main.sessions",
    "CREATE TEMP VIEW logins AS SELECT token, session, started AS at FROM main.sessions",
    "CREATE TEMP VIEW recruits AS SELECT session AS recruit, session, s.started AS at, recruiter, parameters "
    "FROM main.recruits JOIN main.sessions s USING (session)",
    "CREATE TEMP VIEW withdrawals AS SELECT row_number() OVER (ORDER BY at, token) AS withdrawal, NULL AS session, "
    "1 AS visit, at FROM main.withdrawals",
    "CREATE TEMP VIEW withdrawn_tokens AS SELECT token FROM main.withdrawals",
    "CREATE TEMP VIEW withdrawn_names AS SELECT '' AS participant WHERE 0",
)
"""What makes a file of the first format look like one of this, to a connection that reads."""
