"""Typical slips end in one line with exit code 2; spellings of one path are one path."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import beholder as bh

Command = Callable[..., tuple[int, str, str]]
NET = ("-m", "beholder:shapes")


@pytest.fixture
def workplace(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with pictures in ``images/`` and some elsewhere."""
    shutil.copytree(place / "images" / "cat", tmp_path / "images")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_one_folder_in_four_spellings_is_one_folder(workplace: Path, beholder: Command) -> None:
    extract = ["extract", *NET, "--module_name", "block5", "--pool", "mean", "--out_path", "out", "--append"]
    assert beholder(*extract, "--in_path", "images")[0] == 0
    (workplace / "link").symlink_to("images")
    for i, spelling in enumerate(["./images/", workplace / "images", "link", "link/../images"]):
        shutil.copy(workplace / "images" / "picture_0.png", workplace / "images" / f"new_{i}.png")
        code, _, err = beholder(*extract, "--in_path", spelling)
        assert code == 0, err


@pytest.mark.parametrize("prefix", ["../x", "a/b", "/tmp/x", ""])
def test_a_prefix_stays_in_the_output_folder(workplace: Path, beholder: Command, prefix: str) -> None:
    command = ["panel", "--stimuli_root", "images", "--output_dir", "out/deep", "--models", "beholder:shapes"]
    before = set(workplace.rglob("*"))
    code, _, err = beholder(*command, "--layers", "block5", "--output_prefix", prefix)
    assert code == 2 and "--output_prefix" in err and err.count("\n") == 1
    assert set(workplace.rglob("*")) == before


@pytest.mark.skipif(os.name != "posix", reason="names of bytes")
def test_names_of_bytes_that_are_no_text(workplace: Path, beholder: Command) -> None:
    """A stimulus, a folder and an output whose names no encoding explains."""
    folder = Path("images")
    shutil.copytree("images", os.fsdecode(b"f\xe4cher"))
    shutil.copy(folder / "picture_0.png", folder / os.fsdecode(b"gr\xfcn.png"))
    extract = ["extract", *NET, "--module_name", "block5", "--pool", "mean", "--in_path", folder]
    code, _, err = beholder(*extract, "--out_path", "out")
    assert code == 2 and "expected file names that are text in UTF-8; got 'gr\\xfcn.png'" in err, err
    (folder / os.fsdecode(b"gr\xfcn.png")).unlink()
    code, _, err = beholder(*extract[:-1], os.fsdecode(b"f\xe4cher"), "--out_path", "out")
    assert code == 2 and "got 'f\\xe4cher'" in err, err
    out = os.fsdecode(b"\xf6ut")
    for command in ([*extract, "--out_path", out], ["show", f"{out}/shapes.mean.zarr"]):
        program = [sys.executable, "-c", "import beholder.cli as c; c.main()", *map(str, command)]
        environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
        ran = subprocess.run(program, capture_output=True, env=environment, check=False)
        assert ran.returncode == 0 and b"rror" not in ran.stderr, ran.stderr
    provenance = json.loads((Path(out) / "provenance.json").read_text(encoding="utf-8"))
    assert provenance["outputs"]


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["units", "sample", "-n", "2", *NET], "got -n; try --n_units"),
        (["units", "split", "-n", "2"], "got -n; try beholder units split --help"),
        (["extract", *NET, "--batchsize", "3"], "try --batch_size"),
        (["units", "sample", "-D", "model_analysis_folders/visual_networks/alexnet"], "no directory model_analysis"),
        (["metamers", "make", "3", "-D", "model_analysis_folders/visual_networks/alexnet"], "try -m alexnet, which is"),
        (["extract", "-m", "my net"], "try beholder layers 'my net'"),
    ],
)
def test_what_to_try_is_what_there_is(workplace: Path, beholder: Command, command: list[str], told: str) -> None:
    code, out, err = beholder(*command)
    assert (code, out, err.count("\n")) == (2, "", 1) and told in err


def test_a_mistyped_keyword_names_the_function_and_the_nearest(workplace: Path) -> None:
    for call, name in (
        (lambda: bh.extract("beholder:shapes", "images", ["block1"], batchsize=3), "extract"),  # pyright: ignore[reportCallIssue]
        (lambda: bh.record_units("beholder:shapes", "images", batchsize=3), "record_units"),  # pyright: ignore[reportCallIssue]
        (lambda: bh.extract_panel("images", "out", batchsize=3), "extract_panel"),  # pyright: ignore[reportCallIssue]
    ):
        with pytest.raises(TypeError, match=rf"keyword of {name}\(\); got 'batchsize'; try 'batch_size'") as caught:
            call()
        assert isinstance(caught.value, bh.InputError)


def test_printed_commands_can_be_pasted(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A path with a space, in what messages print."""
    from beholder.cli._metamers_make import template
    from beholder.models import load_model
    from beholder.models.weights._read import explain_missing
    from beholder.synthesis.metamers._results import name_null_command

    template("my network", picture=True)
    words = shlex.split(capsys.readouterr().out.splitlines()[-1])
    assert words[:3] == ["beholder", "metamers", "make"] and words[-2:] == ["-D", "my network"]
    assert Path(words[3]).is_file()
    model = load_model("file:my network", device="cpu")
    places = Path("my network/null_dist"), Path("my network/metamers")
    assert shlex.split(name_null_command(model, ["a"], *places))[3:] == ["-D", str(Path("my network"))]
    elsewhere = shlex.split(name_null_command(model, ["a"], *places[:1], Path("my metamers")))
    assert elsewhere[3:] == ["-D", "my network", "--metamers_path", str(Path("my metamers").resolve())]
    hint = explain_missing("file:my net.py", "own", got="none").hint or ""
    assert shlex.split(hint.split("`")[1])[-1] == "file:my net.py@own"
