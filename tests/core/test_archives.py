"""Tar archives of good and of ill will, on disk and on a server; tarfile's own reader is the oracle."""

from __future__ import annotations

import io
import random
import tarfile

import pytest

from beholder._core.archives import locate_members, unpack_members
from beholder._core.downloads import DownloadFailed, RangesUnknown, download_file
from beholder._core.errors import InputError
from beholder._core.remote import RemoteFile

FILES = {
    "set/a.txt": b"alpha",
    "set/deep/b.bin": random.Random(0).randbytes(100_000),
    "set/empty": b"",
    "other/c.txt": b"gamma",
    "one.pt": random.Random(1).randbytes(1_000_000),
    "./two.pt": random.Random(2).randbytes(500_000),
}


def make_tar(files=FILES, *, lead="", mode="w", extra=(), style=tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode, format=style) as tar:  # pyright: ignore[reportArgumentType, reportCallIssue]
        for name, content in files.items():
            info = tarfile.TarInfo(lead + name)
            info.size = len(content)
            info.mode = 0o4777
            tar.addfile(info, io.BytesIO(content))
        for info in extra:
            tar.addfile(info)
    return buffer.getvalue()


def read_tree(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("style", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
@pytest.mark.parametrize("mode", ["w", "w:gz"])
@pytest.mark.parametrize("lead", ["", "./", "some_folder/"])
def test_only_the_chosen_members_are_written(tmp_path, mode, lead, style):
    (tmp_path / "x.tar").write_bytes(make_tar(lead=lead, mode=mode, style=style))
    names = unpack_members(tmp_path / "x.tar", tmp_path / "out", ["set", "two.pt"])
    wanted = {name.removeprefix("./"): each for name, each in FILES.items() if name.startswith(("set/", "./two"))}
    assert read_tree(tmp_path / "out") == wanted
    assert names == sorted(wanted)
    assert not any(path.stat().st_mode & 0o7111 for path in (tmp_path / "out").rglob("*") if path.is_file())


def make_member(kind, name, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    ("info", "match"),
    [
        (make_member(tarfile.REGTYPE, "../evil"), "stay in their folder"),
        (make_member(tarfile.REGTYPE, "set/../../evil"), "stay in their folder"),
        (make_member(tarfile.REGTYPE, "/tmp/evil"), "stay in their folder"),
        (make_member(tarfile.REGTYPE, "C:/evil"), "stay in their folder"),
        (make_member(tarfile.REGTYPE, "set\\..\\..\\evil"), "stay in their folder"),
        (make_member(tarfile.SYMTYPE, "set/link", "/etc/passwd"), "the link set/link"),
        (make_member(tarfile.LNKTYPE, "set/link", "../../x"), "the link set/link"),
        (make_member(tarfile.FIFOTYPE, "set/fifo"), "the device set/fifo"),
        (make_member(tarfile.CHRTYPE, "set/tty"), "the device set/tty"),
    ],
)
def test_hostile_archives_are_refused_whole(tmp_path, info, match):
    (tmp_path / "x.tar").write_bytes(make_tar(extra=[info]))
    with pytest.raises(InputError, match=match) as caught:
        unpack_members(tmp_path / "x.tar", tmp_path / "out", ["set"])
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_link_that_a_file_would_be_written_through_is_refused(tmp_path):
    aside = tmp_path / "aside"
    aside.mkdir()
    through = tarfile.TarInfo("set/door/evil")
    (tmp_path / "x.tar").write_bytes(make_tar(extra=[make_member(tarfile.SYMTYPE, "set/door", str(aside)), through]))
    with pytest.raises(InputError, match="link"):
        unpack_members(tmp_path / "x.tar", tmp_path / "out", ["set"])
    assert not list(aside.iterdir())


def test_links_among_members_that_are_not_chosen_do_no_harm(tmp_path):
    (tmp_path / "x.tar").write_bytes(make_tar(extra=[make_member(tarfile.SYMTYPE, "other/link", "/etc/passwd")]))
    assert unpack_members(tmp_path / "x.tar", tmp_path / "out", ["one.pt"]) == ["one.pt"]


def test_litter_is_left_out(tmp_path):
    files = {"set/a.txt": b"a", "set/._a.txt": b"x", "set/.DS_Store": b"x"}
    (tmp_path / "x.tar").write_bytes(make_tar(files))
    assert unpack_members(tmp_path / "x.tar", tmp_path / "out", ["set"]) == ["set/a.txt"]


@pytest.mark.parametrize("keep", [0, 100, 600, 60_000])
def test_cut_archives_and_other_files_are_told(tmp_path, keep):
    (tmp_path / "x.tar").write_bytes(make_tar()[:keep] if keep != 100 else b"no archive at all" * 100)
    with pytest.raises(InputError, match=r"x\.tar"):
        unpack_members(tmp_path / "x.tar", tmp_path / "out", ["set"])


def test_missing_members_are_named_with_what_there_is(tmp_path, file_server):
    (tmp_path / "x.tar").write_bytes(make_tar())
    with pytest.raises(InputError, match=r"three\.pt in .*got one\.pt, other, set, two\.pt"):
        unpack_members(tmp_path / "x.tar", tmp_path / "out", ["one.pt", "three.pt"])
    file_server.files["/x.tar"] = make_tar()
    with pytest.raises(InputError, match=r"three\.pt"):
        locate_members(f"{file_server.address}/x.tar", ["three.pt"])


@pytest.mark.parametrize("lead", ["", "some_folder/"])
@pytest.mark.parametrize("style", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_members_are_located_on_a_server_and_fetched_alone(tmp_path, file_server, lead, style):
    long = "x" * 150 + ".pt"
    content = make_tar({**FILES, long: b"long"}, lead=lead, style=style)
    file_server.files["/x.tar"] = content
    spans = locate_members(f"{file_server.address}/x.tar", ["one.pt", "set/deep/b.bin", long])
    assert {name: content[offset : offset + n] for name, (offset, n) in spans.items()} == {
        "one.pt": FILES["one.pt"],
        "set/deep/b.bin": FILES["set/deep/b.bin"],
        long: b"long",
    }
    asked = sum(int(r[6:].split("-")[1]) - int(r[6:].split("-")[0]) + 1 for _, r in file_server.requests if r)
    assert asked < len(content) / 2
    file_server.requests.clear()
    file_server.break_after = [300_000]
    target = download_file(f"{file_server.address}/x.tar", tmp_path / "one.pt", span=spans["one.pt"])
    assert target.read_bytes() == FILES["one.pt"]
    first = spans["one.pt"].offset
    ranges = [r for _, r in file_server.requests]
    assert ranges == [f"bytes={first}-{first + 999_999}", f"bytes={first + 300_000}-{first + 999_999}"]
    assert [path.name for path in tmp_path.iterdir()] == ["one.pt"]


def test_hostile_archives_on_a_server_are_refused(file_server):
    file_server.files["/x.tar"] = make_tar(extra=[make_member(tarfile.REGTYPE, "../evil")])
    with pytest.raises(InputError, match="stay in their folder"):
        locate_members(f"{file_server.address}/x.tar", ["one.pt"])


def test_compressed_archives_on_a_server_are_told(file_server):
    file_server.files["/x.tar"] = make_tar(mode="w:gz")
    with pytest.raises(InputError, match="not compressed"):
        locate_members(f"{file_server.address}/x.tar", ["one.pt"])


def test_a_span_of_nothing_and_one_killed_before(tmp_path, file_server):
    file_server.files["/x"] = bytes(range(100))
    url = f"{file_server.address}/x"
    assert download_file(url, tmp_path / "none", span=(50, 0)).read_bytes() == b""
    (tmp_path / "some.part").write_bytes(bytes(range(10, 15)))
    (tmp_path / "some.part.etag").write_text("Wed, 21 Oct 2015 07:28:00 GMT")
    assert download_file(url, tmp_path / "some", span=(10, 20)).read_bytes() == bytes(range(10, 30))
    (tmp_path / "other.part").write_bytes(bytes(5))  # of which nothing says what it was a part of
    assert download_file(url, tmp_path / "other", span=(10, 20)).read_bytes() == bytes(range(10, 30))
    assert file_server.requests == [("/x", "bytes=15-29"), ("/x", "bytes=10-29")]


def test_servers_of_whole_files_are_told_apart(tmp_path, file_server):
    file_server.files["/x"] = make_tar()
    file_server.knows_ranges = False
    with pytest.raises(RangesUnknown, match="whole files only"):
        locate_members(f"{file_server.address}/x", ["one.pt"])
    with pytest.raises(RangesUnknown, match="whole files only"):
        download_file(f"{file_server.address}/x", tmp_path / "x", span=(5, 10))
    assert not (tmp_path / "x").exists()


def test_remote_files_read_like_files(file_server):
    content = random.Random(3).randbytes(10_000)
    file_server.files["/x"] = content
    with io.BufferedReader(RemoteFile(f"{file_server.address}/x", block=700), 512) as remote:
        local = io.BytesIO(content)
        moves = random.Random(4)
        for _ in range(60):
            offset, n = moves.randrange(-100, 10_100), moves.randrange(1, 2_000)
            for each in (remote, local):
                each.seek(max(offset, 0))
            assert remote.read(n) == local.read(n)
            assert remote.tell() == local.tell()
        assert remote.seek(-10, io.SEEK_END) == 9_990
        assert remote.read() == content[-10:]


@pytest.mark.parametrize(("status", "n_requests"), [(404, 1), (503, 3)])
def test_remote_refusals_are_told(file_server, status, n_requests):
    file_server.status = status
    with pytest.raises(DownloadFailed, match=f"HTTP status {status}"):
        RemoteFile(f"{file_server.address}/x")
    assert len(file_server.requests) == n_requests


def test_remote_files_want_a_network(file_server, monkeypatch):
    with pytest.raises(DownloadFailed, match="no connection"):
        RemoteFile("http://127.0.0.1:9/x")
    monkeypatch.setenv("BEHOLDER_OFFLINE", "1")
    with pytest.raises(DownloadFailed, match="offline"):
        RemoteFile(f"{file_server.address}/x")
    assert not file_server.requests
