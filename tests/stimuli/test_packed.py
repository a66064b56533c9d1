"""Stimuli that lie packed: read ahead, joined, unpacked; headers of tar files kept."""

from __future__ import annotations

import io
import tarfile
import threading
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from beholder._core.errors import InputError, StimulusError
from beholder.stimuli import StimulusSet, join_sets, read_stimuli, unpack_stimuli
from beholder.stimuli.sets._packed import PackedFiles


def encode(seed: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (8, 9, 3), dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def write_tar(path: Path, members: Mapping[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


class SlowFiles(PackedFiles):
    """Files that note when they are read, two in a group."""

    is_far = True
    n_ahead = 3

    def __init__(self, n: int) -> None:
        self.names = [str(i) for i in range(n)]
        self.sizes = np.ones(n, dtype=np.int64)
        self.groups = np.arange(n) // 2
        self.read_groups: list[int] = []
        self.lone: list[int] = []
        self.seen = threading.Condition()

    def read_group(self, group: int) -> Mapping[int, bytes]:
        with self.seen:
            self.read_groups.append(group)
            self.seen.notify_all()
        if group == 7:
            raise StimulusError("a file", got="none")
        return {i: bytes([i]) for i in (2 * group, 2 * group + 1)}

    def read_alone(self, i: int) -> bytes:
        self.lone.append(i)
        return bytes([i])

    def mark(self, i: int) -> list[int] | None:
        return None

    def wait_for(self, groups: set[int]) -> None:
        with self.seen:
            assert self.seen.wait_for(lambda: groups <= set(self.read_groups), timeout=20)


def test_what_follows_is_read_ahead_and_nothing_twice() -> None:
    files = SlowFiles(20)
    order = np.arange(20)
    assert files.read(0, order[1:9]) == b"\0" and files.lone == [0] and files.read_groups == []
    assert files.read(2, order[3:11]) == b"\2"
    files.wait_for({1, 2, 3, 4})
    assert [files.read(i, order[i + 1 : i + 9]) for i in range(3, 10)] == [bytes([i]) for i in range(3, 10)]
    assert sorted(files.read_groups) == sorted(set(files.read_groups)) and 9 not in files.read_groups
    assert files.lone == [0]


def test_what_is_read_at_random_is_read_alone() -> None:
    files = SlowFiles(20)
    for i in (11, 3, 18, 6):
        assert files.read(i, np.arange(i + 1, min(i + 3, 20))) == bytes([i])
    assert files.lone == [11, 3, 18, 6] and files.read_groups == []


def test_a_failure_comes_with_the_file_and_is_tried_again() -> None:
    files = SlowFiles(20)
    assert [files.read(i, np.arange(i + 1, 20)) for i in (8, 10, 12)] == [b"\x08", b"\x0a", b"\x0c"]
    files.wait_for({7})
    with pytest.raises(StimulusError):
        files.read(14, ())
    assert files.read(14, ()) == bytes([14]) and files.lone == [8, 14]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda whole: whole[: 5 * 512 + 100], r"within or after|cut off"),
        (lambda whole: whole[: whole.index(b"\0" * 1024 * 4)], "cut off after 1.cls"),
        (lambda whole: whole + whole, r"more follows after 1\.cls"),
        (lambda whole: b"\x1f\x8b" + whole, "compressed with gzip"),
    ],
)
def test_a_tar_file_that_is_not_whole_names_the_member(make, said: str, tmp_path: Path) -> None:
    path = write_tar(
        tmp_path / "x.tar", {f"{i}.{e}": encode(i) if e == "png" else b"1" for i in (0, 1) for e in ("png", "cls")}
    )
    whole = path.read_bytes()
    end = whole.rindex(b"1".ljust(512, b"\0")) + 512
    path.write_bytes(whole[:end] if said.startswith("cut off after") else make(whole))
    with pytest.raises(InputError, match=said):
        read_stimuli(path)


def test_a_damaged_header_is_no_end(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "x.tar", {f"{i}.png": encode(i) for i in range(3)})
    whole = bytearray(path.read_bytes())
    place = whole.index(b"1.png")
    whole[place : place + 512] = b"?" * 512
    path.write_bytes(bytes(whole))
    with pytest.raises(InputError, match=r"damaged after 0\.png"):
        read_stimuli(path)


def test_headers_of_large_shards_are_read_once(
    tmp_path: Path, asset_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from beholder.stimuli.sets import _tar_index

    path = write_tar(tmp_path / "x.tar", {f"{i}.png": encode(i) for i in range(3)})
    monkeypatch.setattr(_tar_index, "_KEPT_FROM", 3)
    monkeypatch.setattr(_tar_index, "_FRESH_SECONDS", -1.0)
    first = read_stimuli(path)
    (kept,) = (asset_home / "indexes").iterdir()
    monkeypatch.setattr(_tar_index, "_open", lambda _: pytest.fail("read again"))
    again = read_stimuli(path)
    assert again.ids == first.ids and again.source(2) == encode(2)
    monkeypatch.undo()
    monkeypatch.setenv("BEHOLDER_HOME", str(asset_home))
    kept.write_text("{")
    assert read_stimuli(path).ids == first.ids
    write_tar(path, {"9.png": encode(9)})
    assert read_stimuli(path).ids == ("9",)


def test_marks_tell_whether_a_shard_changed(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "x.tar", {"0.png": encode(0)})
    before = read_stimuli(path).mark(0)
    assert before is not None and before == read_stimuli(path).mark(0)
    write_tar(path, {"0.png": encode(1)})
    assert read_stimuli(path).mark(0) != before


def test_bad_members_are_left_out_where_asked(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "x.tar", {"0.png": encode(0), "1.png": encode(1)[:40]})
    assert read_stimuli(path, skip_bad=True).ids == ("0",)


def test_sets_of_shards_are_joined(tmp_path: Path) -> None:
    one = read_stimuli(write_tar(tmp_path / "a.tar", {f"{i}.png": encode(i) for i in range(3)}))
    two = read_stimuli(write_tar(tmp_path / "b.tar", {f"{i}.png": encode(i) for i in range(3, 5)}))
    joined = join_sets([one[[2, 0]], two])
    assert joined.ids == ("2", "0", "3", "4")
    assert [joined.source(i) for i in range(4)] == [encode(i) for i in (2, 0, 3, 4)]
    assert joined.mark(0) == one.mark(0) and joined.mark(3) == two.mark(0)
    (tmp_path / "c.png").write_bytes(encode(7))
    with pytest.raises(InputError, match="both"):
        join_sets([one, StimulusSet.from_table(_list(tmp_path))])


def _list(folder: Path) -> Path:
    (folder / "c.csv").write_text("file\nc.png\n")
    return folder / "c.csv"


def test_unpacked_files_hold_what_was_packed(tmp_path: Path) -> None:
    packed = read_stimuli(write_tar(tmp_path / "x.tar", {f"{i}.png": encode(i) for i in range(3)}))
    plain = unpack_stimuli(packed, tmp_path / "plain")
    assert plain.packed is None and plain.ids == packed.ids and plain.files == ("0.png", "1.png", "2.png")
    assert [plain.read_bytes(i) for i in range(3)] == [encode(i) for i in range(3)]
    plain.path(1).write_bytes(b"other")
    assert unpack_stimuli(packed, tmp_path / "plain").read_bytes(1) == encode(1)
    assert unpack_stimuli(plain, tmp_path / "again") is plain
