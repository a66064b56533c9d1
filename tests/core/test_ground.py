"""Errors, files, hashes, seeds, registries, provenance, and what importing the package loads."""

from __future__ import annotations

import errno
import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from beholder._core import errors
from beholder._core.errors import (
    BeholderError,
    ConfigurationChanged,
    InputError,
    MissingExtra,
    OutputBusy,
    OutputError,
    StimulusError,
    UnknownNameError,
    WeightsUnavailable,
    find_near_names,
)
from beholder._core.files import (
    explain_write_errors,
    open_atomic,
    read_json,
    remove_temporaries,
    to_path_name,
    write_json,
    write_text,
)
from beholder._core.hashing import hash_file, hash_settings, to_canonical_json
from beholder._core.provenance import record_provenance, refuse_other_network
from beholder._core.registry import Registry
from beholder._core.seeds import derive_seed, make_generator


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, beholder; print([m for m in ('torch', 'numpy', 'pandas', 'matplotlib') if m in sys.modules])"
    assert run_python(code).stdout.strip() == "[]"


def test_torch_free_rooms_load_no_torch() -> None:
    code = (
        "import sys\n"
        "from beholder.stimuli import StimulusSet, open_image, expose_image, load_sound\n"
        "from beholder.jobs import run_plan\n"
        "print('torch' in sys.modules)"
    )
    assert run_python(code).stdout.strip() == "False"


def test_an_input_error_is_one_line_with_expected_got_try() -> None:
    error = InputError("a folder", got="a\nfile", hint="--out_path DIR")
    assert str(error) == "expected a folder; got a file; try out_path=DIR"
    assert isinstance(error, ValueError)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (BeholderError, 1), (OutputBusy, 1), (OutputError, 1), (InputError, 2), (UnknownNameError, 2),
        (ConfigurationChanged, 2), (StimulusError, 2), (WeightsUnavailable, 2), (MissingExtra, 2),
    ],
)  # fmt: skip
def test_exit_codes(kind: type[BeholderError], code: int) -> None:
    assert kind.exit_code == code


def test_near_names() -> None:
    error = UnknownNameError("model", "resnet5", ["alexnet", "ResNet50", "vgg"])
    assert error.suggestions == ["ResNet50"] and "try 'ResNet50'" in str(error)
    assert "one of alexnet, vgg" in str(UnknownNameError("model", "zzz", ["alexnet", "vgg"]))
    assert find_near_names("", ["a"]) == []


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.txt"
    write_text(path, "old")
    with pytest.raises(RuntimeError, match="stop"), open_atomic(path, "w") as file:
        file.write("new")
        raise RuntimeError("stop")
    assert path.read_text(encoding="utf-8") == "old"
    assert [p.name for p in path.parent.iterdir()] == ["file.txt"]


def test_temporaries_of_one_file_are_removed_and_no_others(tmp_path: Path) -> None:
    for name in (".tmp-a.h5-1.h5", ".tmp-b.h5-1.h5"):
        (tmp_path / name).touch()
    remove_temporaries(tmp_path / "a.h5")
    assert [p.name for p in tmp_path.iterdir()] == [".tmp-b.h5-1.h5"]
    remove_temporaries(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (errno.ENOSPC, OutputError, "full disk"),
        (errno.EACCES, InputError, "can be written"),
        (errno.ENOTDIR, InputError, "a folder"),
    ],
)
def test_write_errors_are_explained(number: int, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words), explain_write_errors("out"):
        raise OSError(number, "no")
    with pytest.raises(TimeoutError), explain_write_errors("out"):
        raise TimeoutError(errno.ETIMEDOUT, "late")


def test_path_names() -> None:
    assert to_path_name("layer1.0.relu@3:in") == "layer1.0.relu_3_in"
    assert to_path_name("a/b c") == "a_b_c"
    assert to_path_name("..") == "__"


def test_json_round_trip_and_refusals(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": [1, 2.5, None], "a": "ü"})
    assert read_json(tmp_path / "a.json") == {"a": "ü", "b": [1, 2.5, None]}
    (tmp_path / "bad.json").write_text("{", encoding="utf-8")
    for name in ("bad.json", "none.json"):
        with pytest.raises(InputError, match="a JSON file"):
            read_json(tmp_path / name)
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "nan.json", {"a": float("nan")})


def test_hashes(tmp_path: Path) -> None:
    import hashlib

    assert to_canonical_json({"b": 1, "a": [True, None]}) == '{"a":[true,null],"b":1}'
    assert hash_settings({"a": 1, "b": 2}) == hash_settings({"b": 2, "a": 1}) != hash_settings({"a": 1, "b": 3})
    (tmp_path / "f").write_bytes(b"beholder")
    assert hash_file(tmp_path / "f") == hashlib.sha256(b"beholder").hexdigest()


def test_seeds_are_fixed_for_ever_and_independent() -> None:
    assert derive_seed(42, "fraction") == 2472565341062313770
    assert derive_seed(42, "a", "bc") != derive_seed(42, "ab", "c")
    assert 0 <= derive_seed(-1) < 2**63
    assert make_generator(1, "x").integers(1 << 30) == make_generator(1, "x").integers(1 << 30)


def test_registries_suggest_and_grow() -> None:
    registry: Registry[int] = Registry("number")
    registry.add("one", 1)
    registry.register("two")(2)
    assert list(registry) == ["one", "two"] and "one" in registry and registry["two"] == 2
    with pytest.raises(UnknownNameError, match="expected the name of a number; got 'twoo'; try 'two'"):
        _ = registry["twoo"]


@pytest.mark.parametrize(
    ("room", "old", "new"),
    [
        ("experiments", "Staircase", "AdaptiveProcedure"), ("models", "Blueprint", "ModelDefinition"),
        ("responses", "Conduct", "ParticipantSummary"), ("units", "deal_" + "unit", "assign_unit"),
        ("activations", "iterate_" + "unit_values", "iter_unit_values"), ("stimuli", "tell_" + "steps", "format_steps"),
        ("figures", "plot_share_" + "matrix", "plot_proportion_matrix"),
        ("models", "place_model", "open_model"), ("activations", "load_stimulus", "beholder.models.load_stimulus"),
        ("activations", "name_bad_stimulus", "beholder.models.name_bad_stimulus"),
        ("activations", "check_modality", "beholder.models.check_modality"),
    ],
)  # fmt: skip
def test_a_renamed_public_name_works_and_says_what_it_is_called_now(room: str, old: str, new: str) -> None:
    module = importlib.import_module(f"beholder.{room}")
    with pytest.warns(DeprecationWarning, match=rf"beholder\.{room}\.{old} is now called {new}"):
        place, _, name = new.rpartition(".")
        assert getattr(module, old) is getattr(importlib.import_module(place) if place else module, name)
    assert old not in dir(module)


def test_an_own_name_is_found_without_reading_what_packages_offer(monkeypatch: pytest.MonkeyPatch) -> None:
    registry: Registry[int] = Registry("number", "beholder.numbers")
    registry.add("one", 1)
    asked: list[str] = []
    monkeypatch.setattr("beholder._core.registry.entry_points", lambda group: asked.append(group) or [])
    assert "one" in registry and not asked
    assert "two" not in registry and asked == ["beholder.numbers"]


def test_exit_codes_are_those_of_the_page_on_errors() -> None:
    """A busy output is a failure, not wrong input: the same line works when the other run has ended."""
    page = (Path(__file__).parents[2] / "docs" / "errors.md").read_text(encoding="utf-8")
    told = {name: int(code) for name, code in re.findall(r"^[│├└─ ]*(\w+)(?: \(\w+\))? +([12])  ", page, re.MULTILINE)}
    assert told["OutputBusy"] == 1 and told["ConfigurationChanged"] == 2 and len(told) > 10
    assert told == {name: getattr(errors, name).exit_code for name in told}


def test_provenance_keeps_the_entries_of_other_outputs(tmp_path: Path) -> None:
    record_provenance(tmp_path, "a.zarr", {"pool": "none"}, seed=1)
    record_provenance(tmp_path, "b.zarr", {"pool": "mean"})
    left = tmp_path / ".tmp-provenance.json-x1.json"
    left.touch()  # by a process that was killed before it wrote anything
    record_provenance(tmp_path, "a.zarr", {"pool": "max"})
    assert not left.exists()
    outputs = json.loads((tmp_path / "provenance.json").read_text(encoding="utf-8"))["outputs"]
    assert outputs["a.zarr"]["settings"] == {"pool": "max"} and "seed" not in outputs["a.zarr"]
    assert set(outputs["b.zarr"]) == {"command", "finished", "machine", "settings", "versions"}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"outputs": 3}', '{"outputs": {"x": 1}}'])
def test_a_damaged_provenance_stops_nobody_who_asks_whose_a_folder_is(content: str, tmp_path: Path) -> None:
    record_provenance(tmp_path, "x", {"network": "one"})
    with pytest.raises(ConfigurationChanged):
        refuse_other_network(tmp_path, ["x"], ["other"], "net")
    (tmp_path / "provenance.json").write_text(content)
    refuse_other_network(tmp_path, ["x"], ["other"], "net")
    assert (tmp_path / "provenance.json.damaged").read_text() == content


def test_registry_finds_the_modules_that_file_its_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the first look, those that fit the pattern; what was added before stands."""
    package = tmp_path / "toy_room"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "_base.py").write_text(
        "from beholder._core.registry import Registry\nTHINGS = Registry('thing', modules='toy_room._kind_*')\n"
    )
    for name in ("one", "two"):
        (package / f"_kind_{name}.py").write_text(
            f"from toy_room._base import THINGS\n\n\n@THINGS.register('{name}')\ndef make(): return '{name}'\n"
        )
    (package / "_other.py").write_text("raise RuntimeError\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    things = importlib.import_module("toy_room._base").THINGS
    things.register("two")("mine")
    assert "toy_room._kind_one" not in sys.modules
    assert sorted(things) == ["one", "two"] and things["one"]() == "one" and things["two"] == "mine"
    with pytest.raises(UnknownNameError):
        _ = things["three"]
