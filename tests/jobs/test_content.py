"""Hashes in receipts, what verifying drops and a rerun makes anew, and what the disk holds before a receipt."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from beholder._core.errors import DamagedOutput, InputError
from beholder._core.hashing import hash_bytes
from beholder.cli._main import run
from beholder.jobs import JobFolder, _verify, check_content, run_plan, verify_outputs

sys.path.insert(0, str(Path(__file__).parent))

from sample_work import SquareWorker, plan_squares

PLAN = plan_squares(12, 4)


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    (tmp_path / "out").mkdir()
    made = JobFolder(tmp_path / ".out.squares.jobs", tmp_path / "out")
    made.write_settings(PLAN.settings)
    run_plan(PLAN, SquareWorker(made.output), made)
    with made.seal("table.txt"):
        (made.output / "table.txt").write_text("0 to 11")
    return made


def test_a_receipt_holds_hashes_and_its_own(folder: JobFolder) -> None:
    receipt = json.loads((folder.path / "receipts" / "s0004.json").read_text())
    assert receipt["files"] == {"4.txt": len("16\n25\n36\n49")}
    assert receipt["digests"] == {"4.txt": hash_bytes(b"16\n25\n36\n49")}
    changed = {**receipt, "facts": {"sum": 0}}
    (folder.path / "receipts" / "s0004.json").write_text(json.dumps(changed))
    assert folder.peek_receipt("s0004") is None


def test_verifying_drops_what_is_damaged_and_nothing_else(folder: JobFolder) -> None:
    assert [check.is_whole for check in verify_outputs(folder.output.parent)] == [True]
    whole = {path.name: path.read_bytes() for path in folder.output.iterdir()}
    (folder.output / "4.txt").write_text("16\n25\n36\n48")
    (folder.output / "8.txt").unlink()
    (folder.output / "table.txt").write_text("1 to 11")
    (folder.output / "mine.txt").write_text("a note")
    with pytest.raises(DamagedOutput, match=r"4\.txt.*beholder verify"):
        check_content(folder.output, folder.output / "0.txt", folder.output / "4.txt")
    states = {"4.txt": "damaged", "8.txt": "missing", "table.txt": "damaged", "mine.txt": "unknown"}
    for repair in (False, True):
        (check,) = verify_outputs(folder.output, repair=repair)
        assert {Path(each.file).name: each.state for each in check.files} == states
        left = {path.stem for path in (folder.path / "receipts").iterdir()}
        assert left == ({"s0000"} if repair else {"s0000", "s0004", "s0008"})
    before = (folder.output / "0.txt").stat().st_mtime_ns
    assert folder.check_settings(PLAN.settings)
    assert not (folder.output / "table.txt").exists()
    run_plan(PLAN, SquareWorker(folder.output), folder)
    assert {name: (folder.output / name).read_bytes() for name in ("0.txt", "4.txt", "8.txt")} == {
        name: whole[name] for name in ("0.txt", "4.txt", "8.txt")
    }
    assert (folder.output / "0.txt").stat().st_mtime_ns == before
    assert (folder.output / "mine.txt").read_text() == "a note"


def test_the_command_says_what_and_fails(folder: JobFolder, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", str(folder.output)]) == 0
    assert capsys.readouterr().out == f"{folder.output}: 4 files checked, whole\n"
    (folder.output / "4.txt").write_text("16\n25\n36\n48")
    assert run(["verify", str(folder.output), "--dry-run", "--json"]) == 1
    told = capsys.readouterr()
    (row,) = json.loads(told.out)["files"]
    assert (row["file"], row["state"]) == (str(folder.output / "4.txt"), "damaged")
    assert told.err.count("\n") == 1 and "4.txt damaged" in told.err
    with pytest.raises(InputError, match="nothing has any"):
        verify_outputs(folder.path / "receipts")


def test_verifying_counts_every_part(folder: JobFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[float] = []
    counted: list[float] = []

    @contextlib.contextmanager
    def show(label: str, total: int, *_: object, **__: object) -> Iterator[Callable[[float], None]]:
        told.append(total)
        yield counted.append

    monkeypatch.setattr(_verify, "show_progress", show)
    verify_outputs(folder.output.parent)
    assert told == [3] and sum(counted) == 3


@pytest.mark.parametrize("name", ["settings.json", "settings.json.copy"])
@pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000, b"\xff\xff"])
def test_a_damaged_record_is_written_anew(folder: JobFolder, name: str, content: bytes) -> None:
    whole = {path.name: path.read_bytes() for path in folder.path.glob("settings*")}
    (folder.path / name).write_bytes(content)
    assert folder.read_settings() == dict(PLAN.settings)
    assert {path.name: path.read_bytes() for path in folder.path.glob("settings*")} == whole
    for each in whole:
        (folder.path / each).write_bytes(b"{")
    with pytest.raises(InputError, match=r"settings\.json.*damaged.*overwrite"):
        folder.read_settings()


def test_the_disk_holds_files_before_their_receipts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fsync was called for, in order: a shard's file, the folder that names it, then the receipt."""
    folder = JobFolder(tmp_path / ".out.squares.jobs", tmp_path / "out")
    folder.output.mkdir()
    synced: list[str] = []
    real = os.fsync

    def note(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        synced.append("receipt" if ".tmp-s0000.json" in path.name else path.name)
        real(descriptor)

    if not Path("/proc/self/fd").exists():
        pytest.skip("no /proc")
    monkeypatch.setattr(os, "fsync", note)
    run_plan(plan_squares(4, 4), SquareWorker(folder.output), folder)
    order = [synced.index(name) for name in ("0.txt", "out", "receipt", "receipts")]
    assert order == sorted(order)


def test_a_failing_disk_stops_the_run(folder: JobFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    for path in (folder.path / "receipts").iterdir():
        path.unlink()
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(Exception, match="full disk"):
        run_plan(PLAN, SquareWorker(folder.output), folder)
    assert not list((folder.path / "receipts").glob("*.json"))
