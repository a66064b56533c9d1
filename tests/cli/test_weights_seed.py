"""``@random``: its seed reaches the weights in every command that runs a network, and printed commands tell it."""

from __future__ import annotations

import importlib
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cyclopts import App

import beholder as bh
from beholder.cli._main import COMMANDS
from beholder.models import identify_model
from beholder.stimuli import read_metamer_table

Call = Callable[..., tuple[int, str, str]]
NAME = "beholder:shapes@random"


def list_commands() -> Iterator[tuple[str, App]]:
    for name, (target, _) in COMMANDS.items():
        module, _, attribute = target.partition(":")
        yield from _walk(name, getattr(importlib.import_module(module), attribute))


def _walk(name: str, app: App) -> Iterator[tuple[str, App]]:
    if app.default_command is not None:
        yield name, app
    for own in app:
        if not own.startswith("-"):
            yield from _walk(f"{name} {own}", app[own])


def test_every_command_that_runs_a_network_takes_the_seed_of_its_weights() -> None:
    commands = {name: list(app.assemble_argument_collection(parse_docstring=True)) for name, app in list_commands()}
    running = {name for name, flags in commands.items() if any("--device" in flag.names for flag in flags)}
    told = {name: " ".join(flag.parameter.help or "" for flag in flags) for name, flags in commands.items()}
    without = {name for name in running if not re.search(r"ends? in @random", told[name])}
    assert without == {"layers", "replicate", "units exemplars", "units sample", "units split"}  # no weights are loaded


def test_metamers_of_random_networks(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, beholder: Call
) -> None:
    monkeypatch.chdir(tmp_path)
    images, out = str(place / "images" / "cat"), "my study/metamers"
    make = ["metamers", "make", NAME, images, "--layers", "block2", "-I", "3", "--measured", "block2", "-op", out]
    code, _, err = beholder(*make, "--weights_seed", "7")
    assert code == 0, err
    code, _, refused = beholder(*make)
    assert code == 2 and "other weights" in refused
    command = re.findall(r"`(beholder [^`]*)`", err)[-1]
    words = [images if word == "FOLDER" else word for word in shlex.split(command)[1:]]
    assert words[words.index("--weights_seed") + 1] == "7"
    code, _, err = beholder(*words)
    assert code == 0, err
    folder = Path(out) / "shapes--random"
    assert read_metamer_table(folder)["passed"].notna().all()
    assert (Path("my study/null_dist") / folder.name / "layers.json").is_file() and not Path("null_dist").exists()
    code, _, refused = beholder(*[word for word in words if word not in ("--weights_seed", "7")], "-N", "4")
    assert code == 2 and "other weights" in refused
    judge = ["metamers", "judge", str(folder), "--failed"]
    code, _, refused = beholder(*judge)
    assert code == 2 and "the network that made" in refused
    code, _, err = beholder(*judge, "--weights_seed", "7")
    assert code == 0, err


def test_a_simulated_participant_is_the_network_of_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    import beholder.evaluation
    from beholder.cli._tasks_simulate import ObserverFlags

    monkeypatch.setattr(beholder.evaluation, "NetworkObserver", lambda model, *_: model)
    for seed in (1, 2):
        made: Any = ObserverFlags(model_name=NAME, weights_seed=seed, device="cpu").make_model(None)  # type: ignore[arg-type]
        assert identify_model(made) == identify_model(bh.load_model(NAME, seed=seed, device="cpu"))
