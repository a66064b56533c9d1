"""Opening an output: alone, or shared with runs that take turns; what runs announce."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from beholder._core.errors import ConfigurationChanged, OutputBusy
from beholder.jobs import JobFolder, open_output
from beholder.jobs._hold import Announcement


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    (tmp_path / "out").mkdir()
    return JobFolder(tmp_path / ".out.jobs", tmp_path / "out")


def test_runs_that_add_share_an_output_and_one_that_replaces_is_refused(folder: JobFolder) -> None:
    with open_output(folder, shared=True) as first, first.pause():
        with open_output(folder, shared=True) as second:
            assert (first.is_alone, second.is_alone) == (True, False)
            with pytest.raises(OutputBusy, match="to be free for more stimuli"):
                second.refuse_others("more stimuli")
        with pytest.raises(OutputBusy, match="another run"), open_output(folder, replace=folder.clear, shared=True):
            pass
    with open_output(folder, replace=folder.clear, shared=True) as third:
        assert third.is_alone
        with pytest.raises(OutputBusy, match="another run"), open_output(folder, shared=True):
            pass


def test_runs_take_turns(folder: JobFolder) -> None:
    done: list[str] = []

    def come() -> None:
        with open_output(folder, shared=True):
            done.append("second")

    with open_output(folder, shared=True) as output:
        other = threading.Thread(target=come)
        other.start()
        other.join(0.3)
        assert not done, "it waits for its turn"
        with output.pause():
            other.join(20)
            assert done == ["second"]
            with output.resume():
                other = threading.Thread(target=come)
                other.start()
                other.join(0.3)
                assert done == ["second"], "the turn was taken again"
            other.join(20)
            assert done == ["second"] * 2


def test_only_a_run_that_came_alone_tidies_up(folder: JobFolder) -> None:
    left = folder.output / ".tmp-left"
    with open_output(folder, shared=True) as first, first.pause():
        left.touch()
        (folder.path / "claims").mkdir()
        with open_output(folder, leftovers=[folder.output], shared=True):
            pass
        assert left.exists() and (folder.path / "claims").exists()
    assert not (folder.path / "claims").exists(), "the last one to leave"
    with open_output(folder, leftovers=[folder.output], shared=True):
        assert not left.exists()


def test_what_is_there_without_settings_is_left_alone(folder: JobFolder) -> None:
    (folder.output / "table.csv").touch()
    with open_output(folder) as output:
        with pytest.raises(ConfigurationChanged, match=r"table.csv without \.out\.jobs"):
            output.settle({"power": 2}, vacant=[folder.output / "table.csv"])
        assert not output.settle({"power": 2}) and output.settle({"power": 2})
        with pytest.raises(ConfigurationChanged, match="power was 2, now 3"):
            output.settle({"power": 3})


def test_one_waits_for_a_run_that_holds_the_output(folder: JobFolder) -> None:
    done: list[str] = []

    def come() -> None:
        with open_output(folder, wait=True):
            done.append("second")

    with open_output(folder):
        other = threading.Thread(target=come)
        other.start()
        other.join(0.3)
        assert not done
    other.join(20)
    assert done == ["second"]


def test_announcements_of_live_runs_count_and_those_of_dead_ones_do_not(tmp_path: Path) -> None:
    first, second, third = (Announcement(tmp_path) for _ in range(3))
    assert first.make(["a", "b"]) == set()
    assert second.make(["b", "c"]) == {"b"}
    assert third.make(["a", "c", "d"]) == {"a", "c"}
    assert first.make(["a"]) == set(), "its own are no others"
    assert second.make(["b", "c"]) == set(), "b is free again"
    second._lock.release()  # type: ignore[union-attr]  # as when its process is killed
    assert third.make(["a", "c", "d"]) == {"a"}
    for each in (first, third):
        each.close()
    assert not list(tmp_path.rglob("*.json"))
