"""The metamer study as commands."""

from __future__ import annotations

from pathlib import Path

import pytest

import beholder as bh
from beholder._core.errors import InputError
from beholder.analysis.replication._plan import ReplicationPlaces, ReplicationSettings, plan_replication
from beholder.cli._main import app, split_globals


def test_the_study_of_a_network_of_pictures() -> None:
    places = ReplicationPlaces(Path("out"), natural=Path("train"), labelled=Path("val"))
    steps = plan_replication(["--model_name", "resnet50"], False, places, ReplicationSettings(), ["alexnet"])
    assert [step.name for step in steps] == ["metamers", *(f"null-{i}" for i in range(5)), "judging", "adversarial"]
    make, null = steps[0].command, steps[5].command
    assert make[2:402] == tuple(str(i) for i in range(400)) and "published" in make
    assert (
        null[null.index("--n_pairs") + 1] == "200000" and null[null.index("--seed") + 1] == "4" and "--shuffle" in null
    )
    assert steps[6].after == ("metamers", *(f"null-{i}" for i in range(5))) and steps[6].command[-2:] == (
        "--models",
        "alexnet",
    )
    assert steps[7].command[:4] == ("evaluate", "adversarial", "resnet50", "val") and steps[7].after == ()


def test_the_study_of_a_network_of_sounds() -> None:
    places = ReplicationPlaces(Path("out"), natural=Path("train"), recordings=Path("fmri"))
    steps = plan_replication(["--model_name", "cochresnet50"], True, places, ReplicationSettings(n_draws=2))
    names = [step.name for step in steps]
    assert names == ["metamers", "null-0", "null-1", "judging", "sounds", "regression", "adversarial"]
    null, sounds, regression = steps[2].command, steps[4], steps[5]
    assert "--no_shuffle" in null and null[null.index("--split") + 1] == "1", "pairs in order, another split a job"
    assert "fmri/165_natural_sounds" in sounds.command and not sounds.is_array
    assert regression.after == ("sounds",) and "out/regression/natsound_activations.h5" in regression.command


@pytest.mark.parametrize("is_sound", [False, True])
def test_every_command_is_one(is_sound: bool) -> None:
    places = ReplicationPlaces(Path("out"), Path("a"), Path("b"), Path("c"), Path("d"))
    settings = ReplicationSettings("default", ("0",), 5, 2, 10, 1, 3, 7, "l2", ("1", "2"))
    network = ["--model_name", "beholder:shapes", "--device", "cpu"]
    for step in plan_replication(network, is_sound, places, settings, ["alexnet"]):
        more = ["--cluster", "local:2", "--mixed"] if step.is_array else []
        app.parse_args(split_globals([*step.command, *more])[0])


def test_a_dry_run_says_what_it_comes_to_and_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = bh.replicate("beholder:shapes", "a", "b", n_draws=1, mixed=True, dry_run=True)
    assert str(found).splitlines()[0] == "4 steps, one after the other:"
    assert "regressions are left out" in str(found) and not list(tmp_path.iterdir())
    assert all("--mixed" in step.command for step in found.steps)
    with pytest.raises(InputError, match="expected natural stimuli of which random pairs are drawn"):
        bh.replicate("beholder:shapes")
    scripts = bh.replicate("beholder:shapes", "a", "b", n_draws=1, cluster="script:time=10,tasks=2").scripts
    assert scripts is not None and scripts.command.endswith("beholder-jobs/replicate-shapes/submit.sh")
    assert {path.parent.name for path in tmp_path.rglob("array.sh")} == {"metamers", "null-0", "judging", "adversarial"}


def test_an_observer_of_own_code_judges_its_metamers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Metamers name it, but what a file of data names may not run: the command says it itself."""
    code = "from torch import nn\n\ninput_shape = (3, 8, 8)\n\n\ndef build():\n    return nn.Conv2d(3, 2, 3)\n"
    (tmp_path / "net.py").write_text(code, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for observer, judges in (("file:net.py", ("--models", "file:net.py@own")), ("beholder:shapes", ())):
        (judging,) = [each for each in bh.replicate(observer, "a", "b", dry_run=True).steps if each.name == "judging"]
        assert judging.command[3:] == judges
