"""Against a server on this machine that breaks off, forgets ranges and lies."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from beholder._core.downloads import DownloadFailed, download_file, is_offline

CONTENT = np.random.default_rng(0).bytes(3_500_000)
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Behaviour:
    """What the server does next."""

    content: bytes = CONTENT
    etag: str | None = '"one"'
    modified: str | None = None
    knows_ranges: bool = True
    break_after: list[int] = field(default_factory=list)
    status: int | None = None
    requests: list[dict[str, str]] = field(default_factory=list)


@pytest.fixture
def behaviour() -> Behaviour:
    return Behaviour()


@pytest.fixture
def url(behaviour: Behaviour, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("BEHOLDER_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            behaviour.requests.append(dict(self.headers))
            if behaviour.status:
                self.send_error(behaviour.status)
                return
            start = 0
            wanted = self.headers.get("Range")
            condition = self.headers.get("If-Range")
            if wanted and behaviour.knows_ranges and condition in (None, behaviour.etag, behaviour.modified):
                start = int(wanted.removeprefix("bytes=").removesuffix("-"))
                if start >= len(behaviour.content):
                    self.send_error(416)
                    return
                self.send_response(206)
                self.send_header(
                    "Content-Range", f"bytes {start}-{len(behaviour.content) - 1}/{len(behaviour.content)}"
                )
            else:
                self.send_response(200)
            if behaviour.etag:
                self.send_header("ETag", behaviour.etag)
            if behaviour.modified:
                self.send_header("Last-Modified", behaviour.modified)
            body = behaviour.content[start:]
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if behaviour.break_after:
                self.wfile.write(body[: behaviour.break_after.pop(0)])
                self.wfile.flush()
                self.connection.shutdown(2)
            else:
                self.wfile.write(body)

        def log_message(self, *args: object) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/net-{DIGEST[:8]}.pth"
    server.shutdown()
    server.server_close()
    thread.join()


def check_whole(target: Path) -> None:
    assert target.read_bytes() == CONTENT
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_plain(url, tmp_path):
    target = tmp_path / "deep" / "net.pth"
    assert download_file(url, target, sha256=DIGEST) == target
    check_whole(target)


def test_file_that_is_here_is_used_as_it_is(url, behaviour, tmp_path):
    target = tmp_path / "net.pth"
    target.write_bytes(b"own")
    download_file(url, target, sha256=DIGEST)
    assert target.read_bytes() == b"own" and not behaviour.requests


def test_connection_that_breaks_is_taken_up_again(url, behaviour, tmp_path):
    behaviour.break_after = [1_200_000, 900_000]
    download_file(url, tmp_path / "net.pth", sha256=DIGEST)
    check_whole(tmp_path / "net.pth")
    ranges = [headers.get("Range") for headers in behaviour.requests]
    assert ranges[0] is None and all(r and int(r[6:-1]) > 0 for r in ranges[1:]) and len(ranges) == 3


def test_killed_run_is_resumed_by_the_next(url, behaviour, tmp_path):
    (tmp_path / "net.pth.part").write_bytes(CONTENT[:1_000_000])
    download_file(url, tmp_path / "net.pth", sha256=DIGEST[:8])
    check_whole(tmp_path / "net.pth")
    assert [headers.get("Range") for headers in behaviour.requests] == ["bytes=1000000-"]


def test_finished_part_is_kept(url, behaviour, tmp_path):
    (tmp_path / "net.pth.part").write_bytes(CONTENT)
    download_file(url, tmp_path / "net.pth", sha256=DIGEST)
    check_whole(tmp_path / "net.pth")


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_halves_of_different_files_are_never_joined(url, behaviour, tmp_path, etag):
    """Without a hash, an ETag or a date nothing tells that the rest is of the same file."""
    behaviour.etag = etag
    (tmp_path / "net.pth.part").write_bytes(b"x" * 1_000_000)
    behaviour.break_after = [2_000_000]
    download_file(url, tmp_path / "net.pth")
    check_whole(tmp_path / "net.pth")
    assert [headers.get("Range") for headers in behaviour.requests] == [None, None]


def test_the_date_of_a_file_will_do(url, behaviour, tmp_path):
    behaviour.etag, behaviour.modified = None, "Wed, 21 Oct 2015 07:28:00 GMT"
    behaviour.break_after = [2_000_000]
    download_file(url, tmp_path / "net.pth")
    check_whole(tmp_path / "net.pth")
    first, second = behaviour.requests
    assert first.get("Range") is None and int(second["Range"][6:-1]) > 0
    assert second["If-Range"] == behaviour.modified
    (tmp_path / "net.pth").unlink()
    (tmp_path / "net.pth.part").write_bytes(b"x" * 500_000)
    (tmp_path / "net.pth.part.etag").write_text("Tue, 20 Oct 2015 07:28:00 GMT")
    download_file(url, tmp_path / "net.pth")
    check_whole(tmp_path / "net.pth")


def test_a_server_that_always_breaks_at_one_place_is_given_up(url, behaviour, tmp_path):
    behaviour.etag = None
    behaviour.break_after = [1_000_000] * 20
    with pytest.raises(DownloadFailed, match="broke off"):
        download_file(url, tmp_path / "net.pth", tries=3)
    assert len(behaviour.requests) == 4


def test_server_without_ranges_starts_again(url, behaviour, tmp_path):
    behaviour.knows_ranges = False
    behaviour.break_after = [2_000_000]
    download_file(url, tmp_path / "net.pth", sha256=DIGEST)
    check_whole(tmp_path / "net.pth")


def test_file_that_changed_meanwhile_starts_again(url, behaviour, tmp_path):
    (tmp_path / "net.pth.part").write_bytes(b"x" * 500_000)
    (tmp_path / "net.pth.part.etag").write_text('"zero"')
    download_file(url, tmp_path / "net.pth", sha256=DIGEST)
    check_whole(tmp_path / "net.pth")
    assert behaviour.requests[0]["If-Range"] == '"zero"'


def test_wrong_hash_is_refused_and_removed(url, behaviour, tmp_path):
    behaviour.content = CONTENT[:-1] + b"?"
    with pytest.raises(DownloadFailed, match=f"sha256 {DIGEST[:8]}.*removed"):
        download_file(url, tmp_path / "net.pth", sha256=DIGEST[:8])
    assert not list(tmp_path.glob("net.pth.part*")) and not (tmp_path / "net.pth").exists()


def test_giving_up_keeps_what_came(url, behaviour, tmp_path):
    behaviour.break_after = [1_000_000, 0, 0, 0, 0]
    with pytest.raises(DownloadFailed, match="broke off"):
        download_file(url, tmp_path / "net.pth", tries=2)
    assert (tmp_path / "net.pth.part").stat().st_size == 1_000_000
    assert not (tmp_path / "net.pth").exists()


@pytest.mark.parametrize(("status", "n_requests"), [(404, 1), (503, 2)])
def test_refusal_names_file_and_place(url, behaviour, tmp_path, status, n_requests):
    behaviour.status = status
    with pytest.raises(DownloadFailed) as caught:
        download_file(url, tmp_path / "net.pth", tries=2)
    text = str(caught.value)
    assert f"HTTP status {status}" in text and str(tmp_path / "net.pth") in text and url in text and "\n" not in text
    assert len(behaviour.requests) == n_requests


def test_no_server(url, tmp_path):
    with pytest.raises(DownloadFailed, match="no connection") as caught:
        download_file("http://127.0.0.1:9/net.pth", tmp_path / "net.pth")
    assert str(tmp_path / "net.pth") in str(caught.value)


@pytest.mark.parametrize("variable", ["BEHOLDER_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_does_not_try(url, behaviour, tmp_path, monkeypatch, variable):
    monkeypatch.setenv(variable, "1")
    assert is_offline()
    with pytest.raises(DownloadFailed, match="offline environment"):
        download_file(url, tmp_path / "net.pth")
    assert not behaviour.requests


def test_two_at_once_fetch_once(url, behaviour, tmp_path):
    target = tmp_path / "net.pth"
    threads = [threading.Thread(target=download_file, args=(url, target)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert target.read_bytes() == CONTENT and len(behaviour.requests) == 1
