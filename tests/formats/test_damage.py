"""Every file of every output, cut short, emptied, garbled or with a byte flipped: named, or made anew; never wrong."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from beholder._core.errors import BeholderError, DamagedOutput
from beholder._core.provenance import FILE_NAME
from beholder.cli._main import run
from beholder.jobs import verify_outputs
from damage_kinds import KINDS, draw_pictures

MODES = ("flip", "cut", "empty", "garble")
_FREE = (FILE_NAME, f"{FILE_NAME}.damaged")


def damage(path: Path, mode: str) -> None:
    data = bytearray(path.read_bytes())
    if mode == "flip":
        data[len(data) // 2] ^= 4
    elif mode == "cut":
        del data[len(data) // 2 :]
    elif mode == "empty":
        data.clear()
    else:
        data[: min(len(data), 64)] = b"[" * min(len(data), 64)
    path.write_bytes(data)


def list_files(folder: Path) -> list[Path]:
    skipped = ("images", "natural", "shown")
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".lock")
    return [path for path in paths if path.relative_to(folder).parts[0] not in skipped and path.stat().st_size > 0]


def read_tree(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in list_files(folder) if p.name not in _FREE}


def restore(pristine: Path, folder: Path) -> None:
    for path in list_files(folder):
        source = pristine / path.relative_to(folder)
        if not source.exists():
            path.unlink()
        elif source.read_bytes() != path.read_bytes():
            shutil.copyfile(source, path)
    for path in list_files(pristine):
        target = folder / path.relative_to(pristine)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)


def are_equal(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray):
        return (a.dtype == object and list(a) == list(b)) or (
            a.dtype != object and np.array_equal(a, b, equal_nan=True)
        )
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(are_equal(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(are_equal, a, b))
    return a == b or (isinstance(a, float) and a != a and b != b) or (repr(a) == repr(b))


@pytest.mark.parametrize("name", KINDS)
def test_no_damage_goes_unnoticed(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A part of the files, each damaged in one way; the slow test takes all, in every way."""
    check_kind(name, tmp_path, capsys, lambda place: [MODES[place % 4]] if place % 9 == 0 else [])


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_no_damage_of_any_file_goes_unnoticed(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check_kind(name, tmp_path, capsys, lambda _: MODES)


def check_kind(name: str, place: Path, capsys: Any, choose_modes: Callable[[int], Sequence[str]]) -> None:
    kind, folder, pristine = KINDS[name], place / "work", place / "pristine"
    draw_pictures(folder / "images", 6)
    draw_pictures(folder / "natural", 40)
    kind.make(folder)
    kind.make(folder)
    shutil.copytree(folder, pristine)
    output = folder / kind.output
    whole, tree = kind.read(output), read_tree(folder)
    assert [file for check in verify_outputs(folder) for file in check.files] == []
    failures = []
    for number, path in enumerate(list_files(pristine)):
        victim = folder / path.relative_to(pristine)
        for mode in choose_modes(number):
            damage(victim, mode)
            try:
                check_one(kind, folder, output, victim, whole, tree, capsys)
            except Exception as error:
                failures.append(f"{victim.relative_to(folder)} {mode}: {type(error).__name__}: {str(error)[:300]}")
            restore(pristine, folder)
    assert not failures, "\n".join(failures)


def check_one(kind: Any, folder: Path, output: Path, victim: Path, whole: Any, tree: Any, capsys: Any) -> None:
    try:
        assert are_equal(kind.read(output), whole), "other values were read"
    except BeholderError as error:
        places = [str(victim), str(victim.parent), str(victim.parent.parent)]
        assert any(place in str(error) for place in places), f"not named: {error}"
    capsys.readouterr()
    assert run(["show", str(output)]) in (0, 2)
    assert "--verbose" not in capsys.readouterr().err
    try:  # sizes alone are looked at: the damage stays, or is named, or made anew
        kind.make(folder)
    except BeholderError as error:
        assert str(victim.name) in str(error) or isinstance(error, DamagedOutput), f"not named: {error}"
    damaged = [check for check in verify_outputs(folder) if not check.is_whole]
    if damaged:
        kind.make(folder)
    assert not [
        file for check in verify_outputs(folder) for file in check.files if file.state in ("damaged", "missing")
    ]
    after = read_tree(folder)
    assert {key for key in tree.keys() | after.keys() if tree.get(key) != after.get(key)} == set()
    assert are_equal(kind.read(output), whole)
