"""What a server must refuse, and what it must never keep."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import socket
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.testclient import TestClient
from tests.experiment_folders import write_folder

from beholder._core.errors import InputError
from beholder.experiments import (
    AddressBook,
    Limits,
    check_public,
    create_app,
    open_server,
    open_store,
    read_experiment,
)
from beholder.experiments.server._security import make_lan_path

from .person import BASE, Clock, Person, serving

NO_PRACTICE = {"practice.n_with_feedback": 0, "practice.n_obvious": 0, "practice.n_required": 0}
UPPER = {"choice": "upper", "confidence": 1}
GOOD = {"response": UPPER, "rt_ms": 1.5, "shown_at": 5, "frames": {}, "window": {}, "audio": {}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("built")
    write_folder(place, changes=NO_PRACTICE)
    return place


def test_every_answer_has_the_safe_headers(folder: Path, tmp_path: Path) -> None:
    with serving(folder, tmp_path / "a.db") as (client, _):
        person = Person(client)
        person.begin()
        address = person.trials()[0]["stimuli"]["upper"]
        script = next((Path(__file__).parents[2] / "src/beholder/experiments/static").rglob("*.js"))
        replies = [
            client.get("/"), client.get("/static/" + script.relative_to(script.parents[1]).as_posix()),
            client.get("/nowhere"), client.get("/static/nowhere.js"), client.delete("/api/state"),
            client.get("/api/state"), client.get(address), client.get("/s/" + "A" * 36), *person.seen,
        ]  # fmt: skip
        statuses = {reply.status_code for reply in replies}
        assert statuses >= {200, 404, 405, 401}, statuses
        for reply in replies:
            headers = reply.headers
            policy = dict(part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";"))
            assert policy["default-src"] == "'none'" and policy["script-src"] == "'self'"
            assert policy["frame-ancestors"] == "'none'" and headers["x-frame-options"] == "DENY"
            assert "unsafe-eval" not in headers["content-security-policy"]
            assert headers["referrer-policy"] == "no-referrer" and headers["x-content-type-options"] == "nosniff"
            assert "set-cookie" not in headers and "access-control-allow-origin" not in headers
            if "/api/" in str(reply.request.url) or str(reply.request.url) == BASE + "/":
                assert headers["cache-control"] == "no-store"


def test_only_mturk_may_frame_the_page_and_take_the_form(tmp_path: Path) -> None:
    write_folder(tmp_path / "b", changes={"recruiter": "mturk"})
    with serving(tmp_path / "b", tmp_path / "a.db") as (client, _):
        reply: Any = client.get("/")
    policy: Any = dict(part.strip().partition(" ")[::2] for part in reply.headers["content-security-policy"].split(";"))
    sites = ["https://www.mturk.com", "https://worker.mturk.com", "https://workersandbox.mturk.com"]
    assert policy["frame-ancestors"].split() == sites and policy["form-action"].split() == ["'self'", *sites]
    assert "x-frame-options" not in reply.headers


def ask_raw(url: str, request: bytes) -> bytes:
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 10) as connection:
        connection.sendall(request)
        reply = b""
        while chunk := connection.recv(65536):
            reply += chunk
    return reply


_PATHS = [
    "/static/../_server.py", "/static/..%2f_server.py", "/static/%2e%2e/_server.py", "/static/%2e%2e%2f_server.py",
    "/static/..%252f_server.py", "/static//etc/passwd", "/static/%2fetc/passwd", "/static/....//_server.py",
    "/static/..\\_server.py", "/static/%5c..%5c_server.py", "/static/js/../../_server.py", "/static/%00",
    "/static/\x00", "/s/../key.json", "/s/..%2f..%2fkey.json",
    "/s/%2fetc%2fpasswd", "/s/" + "%2e" * 36, "/s/" + "A" * 36,
    "/s/" + "A" * 4000, "/../../etc/passwd", "//etc/passwd", "/experiment.json", "/task_1/key.json", "/static",
]  # fmt: skip


def test_no_path_leads_out(folder: Path, tmp_path: Path) -> None:
    """Sent as they stand over a socket, so that no client tidies them up."""
    experiment = read_experiment(folder)
    secrets = [b"def open_store", b"root:", b"query_max", b'"correct"']
    with open_store(experiment, tmp_path / "a.db") as store, open_server(experiment, store) as server:
        host = server.url.removeprefix("http://")
        for path in _PATHS:
            head = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
            reply = ask_raw(server.url, head.encode("latin-1"))
            assert reply[9:10] in (b"4", b"3"), (path, reply[:200])
            assert not any(secret in reply for secret in secrets), path


def test_a_link_out_of_the_static_folder_is_not_followed(folder: Path, tmp_path: Path, monkeypatch: Any) -> None:
    import beholder.experiments.server._server as module

    static, secret = tmp_path / "static", tmp_path / "secret.txt"
    static.mkdir()
    secret.write_text("secret")
    (static / "link.txt").symlink_to(secret)
    (static / "fine.txt").write_text("fine")
    monkeypatch.setattr(module, "STATIC", static)
    with serving(folder, tmp_path / "a.db") as (client, _):
        assert client.get("/static/fine.txt").text == "fine"
        assert client.get("/static/link.txt").status_code == 404


def test_oversize_is_refused_whether_it_says_so_or_not(folder: Path, tmp_path: Path) -> None:
    with serving(folder, tmp_path / "a.db") as (client, _):
        person = Person(client)
        person.begin()
        path = f"/api/trials/{person.trials()[0]['id']}"
        headers = {"Authorization": f"Bearer {person.token}", "Content-Type": "application/json"}
        body = json.dumps(GOOD | {"frames": {"a" * 60: 1}}).encode()
        big = body + b" " * 9000
        assert client.put(path, content=big, headers=headers).status_code == 413
        assert client.put(path, content=iter([big[:5000], big[5000:]]), headers=headers).status_code == 413
        assert client.put(path, content=big, headers=headers | {"Content-Length": "-1"}).status_code == 413
        assert client.post("/api/join", json={"recruiter_params": {"a": "x" * 9000}}).status_code == 413
        assert person.step("comment", text="x" * 70_000).status_code == 413
        assert person.state()["n_done"] == 0
        assert client.put(path, content=body, headers=headers).status_code == 200


_BAD_ANSWERS: list[Any] = [
    [], "x", 3, {}, {"response": UPPER}, {**GOOD, "extra": 1}, {**GOOD, "correct": True},
    {**GOOD, "rt_ms": "1"}, {**GOOD, "rt_ms": -1}, {**GOOD, "rt_ms": None}, {**GOOD, "rt_ms": True},
    {**GOOD, "rt_ms": 1e12}, {**GOOD, "rt_ms": 10**400}, {**GOOD, "rt_ms": [1]}, {**GOOD, "shown_at": "now"},
    {**GOOD, "response": "upper"}, {**GOOD, "response": {**UPPER, "choice": "query_max"}},
    {**GOOD, "frames": []}, {**GOOD, "frames": {"a": "text"}}, {**GOOD, "frames": {"a": {"b": 1}}},
    {**GOOD, "window": {"user agent": 1}}, {**GOOD, "window": {"a" * 65: 1}}, {**GOOD, "window": {"é": 1}},
    {**GOOD, "audio": {str(k): k for k in range(65)}}, {**GOOD, "audio": {"rate": 10**400}},
]  # fmt: skip


def test_wrong_types_are_refused_and_nothing_is_kept(folder: Path, tmp_path: Path) -> None:
    with serving(folder, tmp_path / "a.db") as (client, store):
        person = Person(client)
        person.begin()
        path = f"/api/trials/{person.trials()[0]['id']}"
        for body in _BAD_ANSWERS:
            reply = person.ask("PUT", path, body)
            assert reply.status_code == 422 and reply.json()["code"] == "invalid", (body, reply.text)
        headers = {"Authorization": f"Bearer {person.token}", "Content-Type": "application/json"}
        texts = [b"", b"{", b'{"rt_ms": NaN}', b'{"rt_ms": Infinity}', b"\xff\xfe", b'{"a":1,"a":2}', b"[" * 5000]
        texts.append(json.dumps(GOOD).replace("1.5", "NaN").encode())
        texts.append(json.dumps(GOOD).replace('"audio": {}', '"rt_ms": 2, "rt_ms": 3').encode())
        for text in texts:
            assert client.put(path, content=text, headers=headers).status_code == 422, text
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
            reply = client.put(path, content=json.dumps(GOOD), headers=headers | {"Content-Type": kind})
            assert reply.status_code == 415, kind
        assert store.read(lambda connection: connection.execute("SELECT count(*) FROM answers").fetchone()) == (0,)
        assert person.ask("PUT", path, GOOD).status_code == 200


def test_wrong_steps_and_joins_are_refused(folder: Path, tmp_path: Path) -> None:
    with serving(folder, tmp_path / "a.db") as (client, _):
        person = Person(client)
        bodies: list[Any] = [
            {}, {"step": 3}, {"step": "consent"}, {"step": "consent", "data": {"version": "1"}}, {"step": "nothing"},
            {"step": "consent", "data": {"version": "1", "agreed": "yes"}},
            {"step": "consent", "data": {"version": "1", "agreed": True, "more": 1}},
            {"step": "consent", "data": [1]}, {"step": "instructions", "data": {"pages_ms": {"a": "b"}}},
            {"step": "checks", "data": {"screen": {"agent": "Mozilla"}}}, {"step": "comment", "data": {"text": 3}},
            {"step": "checks", "data": {"headphones": {"n": 6, "n_correct": 7}}},
            {"step": "checks", "data": {"headphones": {"n": 6, "n_correct": True}}},
            {"step": "comment", "data": {"text": "\ud800"}}, {"step": "consent", "at_ms": -1},
        ]  # fmt: skip
        for body in bodies:
            reply = client.post(
                "/api/step", content=json.dumps(body),
                headers={"Authorization": f"Bearer {person.token}", "Content-Type": "application/json"},
            )  # fmt: skip
            assert reply.status_code == 422, (body, reply.text)
        joins: list[Any] = [
            {}, {"recruiter_params": []}, {"recruiter_params": {"a": 1}}, {"recruiter_params": {"a": [1]}},
            {"recruiter_params": {}, "screen": {"agent": "Mozilla"}}, {"recruiter_params": {}, "token": "mine"},
            {"recruiter_params": {str(k): "" for k in range(33)}},
        ]  # fmt: skip
        for body in joins:
            assert client.post("/api/join", json=body).status_code == 422, body
        assert person.state()["step"] == "consent"
        person.begin()
        for value in (
            "from=0",
            "from=-1",
            "from=x",
            "from=1.5",
            "count=0",
            "from=%31e9",
            "from=" + "9" * 5000,
            "from=²",
        ):
            assert person.ask("GET", f"/api/trials?{value}").status_code == 422, value


def test_tokens_are_256_bits_and_stored_hashed(folder: Path, tmp_path: Path) -> None:
    with serving(folder, tmp_path / "a.db") as (client, store):
        people = [Person(client) for _ in range(20)]
        tokens: Any = {person.token for person in people}
        assert len(tokens) == 20 and all(len(token) == 43 for token in tokens)
        people[0].begin()
        rows = store.read(lambda connection: connection.execute("SELECT token FROM logins").fetchall())
        assert {row[0] for row in rows} == {hashlib.sha256(token.encode()).digest() for token in tokens}
        store.flush_deleted()
        kept = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
        assert not any(token.encode() in kept for token in tokens)
        for header in ("", "Bearer", "Bearer ", "Basic " + people[0].token, "Bearer x", "Bearer " + "x" * 5000):  # pyright: ignore[reportOperatorIssue]
            reply = client.get("/api/state", headers={"Authorization": header})
            assert reply.status_code == 401 and reply.json()["code"] == "unauthorized"
        assert client.get("/api/state", params={"token": people[0].token}).status_code == 401
        assert client.get("/api/state", headers={"Cookie": f"token={people[0].token}"}).status_code == 401


def test_neither_address_nor_agent_is_kept(folder: Path, tmp_path: Path) -> None:
    spy = {
        "User-Agent": "Spy-Agent/9",
        "X-Forwarded-For": "203.0.113.77",
        "Cookie": "id=spy-cookie",
        "Referer": "http://spy",
    }
    with serving(folder, tmp_path / "a.db") as (client, store):
        client.headers.update(spy)
        person = Person(client)
        person.begin()
        for trial in person.trials():
            assert person.answer(trial, UPPER).status_code == 200
        store.flush_deleted()
        kept = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file()).lower()
        for word in (b"spy", b"203.0.113", b"testclient", b"127.0.0.1", b"mozilla"):
            assert word not in kept, word


def test_rates_are_limited_for_each_token_and_recover(folder: Path, tmp_path: Path) -> None:
    clock = Clock()
    limits = Limits(requests_per_s=2, request_burst=5, stimuli_per_s=1, stimulus_burst=3, joins_per_s=1, join_burst=2)
    with serving(folder, tmp_path / "a.db", clock=clock, limits=limits) as (client, _):
        one, two = Person(client), Person(client)
        late = client.post("/api/join", json={"recruiter_params": {}})
        assert late.status_code == 429 and int(late.headers["retry-after"]) >= 1
        assert [one.ask("GET", "/api/state").status_code for _ in range(7)] == [200] * 5 + [429] * 2
        assert one.seen[-1].json()["code"] == "rate"
        assert two.ask("GET", "/api/state").status_code == 200
        clock.now += 1
        assert [one.ask("GET", "/api/state").status_code for _ in range(3)] == [200, 200, 429]
        clock.now += 60
        one.begin()
        address = one.trials()[0]["stimuli"]["upper"]
        assert [client.get(address).status_code for _ in range(5)] == [200] * 3 + [429] * 2


def test_other_sites_cannot_send_anything(folder: Path, tmp_path: Path) -> None:
    with serving(folder, tmp_path / "a.db") as (client, _):
        body = {"recruiter_params": {}}
        bad = [
            {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:9999"},
            {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "none"},
            {"Origin": BASE, "Sec-Fetch-Site": "cross-site"},
            {"Origin": "https://evil", "Sec-Fetch-Site": "same-origin"},
        ]  # fmt: skip
        for headers in bad:
            reply = client.post("/api/join", json=body, headers=headers)
            assert reply.status_code == 403 and reply.json()["code"] == "origin", headers
        for headers in ({}, {"Origin": BASE}, {"Origin": BASE, "Sec-Fetch-Site": "same-origin"}):
            assert client.post("/api/join", json=body, headers=headers).status_code == 201, headers
        for host in ("evil.example", "evil.example:8000", "127.0.0.1.evil.example", ""):
            assert client.get("/", headers={"Host": host}).status_code == 421, host
        for host in ("localhost:8000", "127.0.0.1:1", "[::1]:8000", "localhost"):
            assert client.get("/", headers={"Host": host}).status_code == 200, host


def test_behind_a_proxy_the_public_name_counts(folder: Path, tmp_path: Path) -> None:
    experiment = read_experiment(folder)
    with open_store(experiment, tmp_path / "a.db") as store:
        app = create_app(experiment, store, public="https://lab.example.org")
        client = TestClient(app, "http://lab.example.org")
        body = {"recruiter_params": {}}
        assert client.post("/api/join", json=body, headers={"Origin": "https://lab.example.org"}).status_code == 201
        assert client.post("/api/join", json=body, headers={"Origin": "http://lab.example.org"}).status_code == 403
        assert client.get("/", headers={"Host": "other.example.org"}).status_code == 421
        assert "strict-transport-security" in client.get("/").headers


def test_in_one_network_only_the_whole_link_is_answered(folder: Path, tmp_path: Path) -> None:
    experiment = read_experiment(folder)
    with open_store(experiment, tmp_path / "a.db") as store:
        path = make_lan_path(store.read_meta("addresses"))
        client = TestClient(create_app(experiment, store, lan=True), "http://192.168.1.17:8000", follow_redirects=False)
        shell = client.get(f"{path}/")
        assert shell.status_code == 200 and b"stage" in shell.content
        assert "strict-transport-security" not in shell.headers and "content-security-policy" in shell.headers
        assert client.get(path).headers["location"] == f"{path}/"
        assert client.get(f"{path}/static/js/main.js").status_code == 200
        for other in ("/", "/static/js/main.js", "/api/state", path[:-1], f"{path}0/", f"{path[:-1]}g/", f"/x{path}/"):
            assert client.get(other).status_code == 404, other
        opened = client.get("/wrong/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
        assert opened.status_code == 404 and opened.headers["content-type"].startswith("text/html")
        assert "Please open the whole link that you were given" in opened.text, "words for who opens it in a browser"
        assert client.get("/wrong/").json()["code"] == "not_found"
        body = {"recruiter_params": {}}
        assert client.post("/api/join", json=body).status_code == 404
        own = {"Origin": "http://192.168.1.17:8000"}
        assert client.post(f"{path}/api/join", json=body, headers=own).status_code == 201
        other = {"Origin": "http://evil.example"}
        assert client.post(f"{path}/api/join", json=body, headers=other).status_code == 403
        for host in ("evil.example", "192.168.1.17.evil.example", ""):
            assert client.get(f"{path}/", headers={"Host": host}).status_code == 421, host
        for host in ("10.0.0.3:8000", "[fd00::1]:8000", f"{socket.gethostname()}:8000", "localhost:8000"):
            assert client.get(f"{path}/", headers={"Host": host}).status_code == 200, host
        with open_server(experiment, store, host="0.0.0.0", lan=True) as server:
            assert urlsplit(server.url).path == f"{path}/", "and after a new start the link is the same"
    with open_store(experiment, tmp_path / "b.db") as store:
        assert make_lan_path(store.read_meta("addresses")) != path


def test_under_a_path_of_a_host(folder: Path, tmp_path: Path) -> None:
    """The same from the root, where a proxy takes the path off, and under it, where it does not."""
    experiment = read_experiment(folder)
    with open_store(experiment, tmp_path / "a.db") as store:
        app = create_app(experiment, store, public="https://www.example.edu/lab/study1/")
        client = TestClient(app, "http://www.example.edu", follow_redirects=False)
        shell = client.get("/").content
        assert client.get("/lab/study1/").content == shell and b"stage" in shell
        for address in ("/lab/study1", "/lab/study1?PROLIFIC_PID=p%201&x=2"):
            moved = client.get(address)
            assert moved.status_code == 307
            assert moved.headers["location"] == address.replace("study1", "study1/"), address
        assert client.get("/lab/study1/static/js/main.js").status_code == 200
        for other in ("/lab/study12/", "/lab/", "/lab/study1/lab/study1/", "/lab/study1/static/../../../etc/passwd"):
            assert client.get(other).status_code == 404, other
        headers, body = {"Origin": "https://www.example.edu"}, {"recruiter_params": {}}
        for prefix in ("", "/lab/study1"):
            made = client.post(f"{prefix}/api/join", json=body, headers=headers)
            assert made.status_code == 201
            token = {"Authorization": f"Bearer {made.json()['token']}"}
            assert client.get(f"{prefix}/api/state", headers=token).json()["step"] == "consent"
        other = {"Origin": "https://example.edu"}
        assert client.post("/lab/study1/api/join", json=body, headers=other).status_code == 403
        reply = client.get("/lab/study1/")
        assert "content-security-policy" in reply.headers
        assert "strict-transport-security" not in reply.headers  # the host is not ours alone
    assert check_public("https://WWW.example.edu/lab/study1") == "https://www.example.edu/lab/study1/"
    assert check_public("https://lab.example.org/") == "https://lab.example.org"


@pytest.mark.parametrize(
    "origin",
    [
        "http://lab.example.org",
        "lab.example.org",
        "https://",
        "https://a.org/a path",
        "https://a.org/a/../b",
        "https://a.org/a//b",
        "https://a.org/ä",
        "https://a.org/a#b",
        "https://u@a.org",
        "https://a.org?x",
    ],
)
def test_public_needs_an_https_origin(origin: str) -> None:
    with pytest.raises(InputError, match="https"):
        check_public(origin)


def test_withdrawal_deletes(folder: Path, tmp_path: Path) -> None:
    with serving(folder, tmp_path / "a.db") as (client, store):
        stays, leaves = Person(client), Person(client)
        for person in (stays, leaves):
            person.begin()
        trials = leaves.trials()
        assert leaves.answer(trials[0], UPPER).status_code == 200
        reply = leaves.ask("POST", "/api/withdraw")
        assert reply.status_code == 200 and reply.json()["step"] == "withdrawn"
        assert leaves.state()["step"] == "withdrawn"
        assert leaves.ask("POST", "/api/withdraw").status_code == 200
        assert leaves.answer(trials[1], UPPER).status_code == 409
        assert leaves.answer(trials[0], UPPER).status_code == 409
        assert leaves.step("comment").status_code == 409
        assert client.get(trials[0]["stimuli"]["upper"]).status_code == 404
        for table, n in (("sessions", 1), ("answers", 0), ("withdrawals", 1)):
            sql = f"SELECT count(*) FROM {table}"
            assert store.read(lambda connection, sql=sql: connection.execute(sql).fetchone()) == (n,), table
        assert stays.answer(stays.trials()[0], UPPER).status_code == 200


def test_a_failure_is_not_told(folder: Path, tmp_path: Path, monkeypatch: Any, caplog: Any) -> None:
    from beholder.experiments.server._participants import ParticipantBook

    def fail(*_: Any) -> None:
        raise RuntimeError("secret detail")

    with serving(folder, tmp_path / "a.db") as (client, _):
        person = Person(client)
        monkeypatch.setattr(ParticipantBook, "find", fail)
        reply = person.ask("GET", "/api/state")
        assert reply.status_code == 500 and reply.json()["code"] == "failed" and "secret" not in reply.text
        assert "content-security-policy" in reply.headers
    assert "secret detail" in caplog.text and person.token not in caplog.text


def test_addresses_cannot_be_made_up() -> None:
    from beholder.experiments.flow._addresses import TrialRef

    book, other = AddressBook("11" * 32), AddressBook("22" * 32)
    place = TrialRef("stimulus", 7, 3, 45, 19)
    name = book.encrypt(place)
    assert book.open(name) == place and other.open(name) is None
    for k in range(36):
        for letter in "Aa0-_":
            forged = name[:k] + letter + name[k + 1 :]
            assert forged == name or book.open(forged) is None
    for junk in ("", name[:-1], name + "A", name[:-1] + "é", name[:-1] + "=", "." * 36):
        assert book.open(junk) is None
    names = {book.encrypt(TrialRef("stimulus", session, 1, 1, 0)) for session in range(1000)}
    assert len(names) == 1000 and len({name[:6] for name in names}) > 990


def test_connections_that_ask_for_nothing_are_closed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Silent ones, and those whose head comes byte by byte; others are answered all the while, again and again."""
    monkeypatch.setattr("beholder.experiments.server._protocol.HEAD_SECONDS", 1.2)
    experiment = read_experiment(folder)
    with (
        open_store(experiment, tmp_path / "a.db") as store,
        open_server(experiment, store) as server,
        contextlib.ExitStack() as stack,
    ):
        place = urlsplit(server.url)

        def connect() -> socket.socket:
            made = socket.create_connection((place.hostname or "", place.port or 0), timeout=10)
            return stack.enter_context(contextlib.closing(made))

        kept = http.client.HTTPConnection(place.netloc, timeout=10)
        stack.callback(kept.close)
        idle, slow = [connect() for _ in range(200)], [connect() for _ in range(5)]
        begin = time.monotonic()
        while time.monotonic() < begin + 2:
            kept.request("GET", "/")
            answer = kept.getresponse()
            assert answer.status == 200 and answer.read()
            for each in slow:
                with contextlib.suppress(OSError):
                    each.send(b"G" if time.monotonic() < begin + 0.1 else b"E")
            time.sleep(0.3)
        for each in [*idle, *slow]:
            with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                each.settimeout(5)
                assert each.recv(100) == b""
