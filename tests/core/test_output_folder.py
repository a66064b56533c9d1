"""Where an output cannot be: one line, before any work."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import beholder as bh
from beholder._core.files import check_output_folder, write_text
from beholder.cli._main import run


def test_the_file_on_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "x" / "y"):
        with pytest.raises(bh.InputError, match=r"expected a folder; got a file at \S*file; try another"):
            check_output_folder(place)
        with pytest.raises(bh.InputError, match=r"expected a folder; got a file at \S*file; try another"):
            write_text(place / "units.json", "")


def test_places_that_can_be_written_are_left_as_they_are(tmp_path: Path) -> None:
    check_output_folder(tmp_path / "a" / "b")
    check_output_folder("https://host/store")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a file system that takes no files")
def test_a_file_system_that_takes_nothing() -> None:
    for refuse in (check_output_folder, lambda place: write_text(f"{place}/units.json", "")):
        with pytest.raises(bh.InputError, match=r"a folder that can be written; got /proc.*nothing can be made"):
            refuse("/proc/x")


def test_a_read_only_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the system says of it; root may write everywhere."""
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    for place in (tmp_path, tmp_path / "x"):
        with pytest.raises(bh.InputError, match=r"expected a folder that can be written; got .*permission denied"):
            check_output_folder(place)
    (tmp_path / "finished").mkdir()
    check_output_folder(tmp_path)


def test_it_is_found_before_network_and_stimuli(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    place = str(tmp_path / "file" / "x")
    nothing = {"no network": "nowhere", "no stimuli": str(tmp_path / "none")}
    for call in (
        lambda: bh.extract(nothing["no network"], nothing["no stimuli"], ["conv"], out_path=place),
        lambda: bh.make_metamers(nothing["no network"], nothing["no stimuli"], ["conv"], out_path=place),
        lambda: bh.null_distribution(nothing["no network"], nothing["no stimuli"], ["conv"], out_path=place),
        lambda: bh.optimize_units(nothing["no network"], "conv:1", out_path=place),
        lambda: bh.record_units(nothing["no network"], nothing["no stimuli"], "conv:1", out_path=place),
    ):
        with pytest.raises(bh.InputError, match="expected a folder; got a file at"):
            call()
    for words in (
        ["extract", "nowhere", "--in-path", nothing["no stimuli"], "--layers", "conv"],
        ["evaluate", "adversarial", "nowhere", nothing["no stimuli"], "-D", "5"],
    ):
        assert run([*words, "--out-path", place]) == 2
        assert "error: expected a folder; got a file at" in capsys.readouterr().err
