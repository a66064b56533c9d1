"""Whoever reads a flag finds where it acts in three files: its group, what takes it, and what reads it.

From the command, whose groups of flags say what each is, to the public function that has it as a keyword, to the
module that reads it by its name.
"""

from __future__ import annotations

import dataclasses
import gc
import inspect
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from beholder.cli._flags import Hidden

from . import flag_paths
from .flag_paths import Place, count_files
from .test_every_flag import APPS

LONGER = {
    ("models import", "model"): "a name is resolved where all names are",
    ("panel", "run_code"): "whether a file may name code is asked where its rows are read",
    ("units record", "batch_size"): "a recording is an extraction",
    ("units record", "compile"): "a recording is an extraction",
    ("tasks serve", "fill"): "who comes in is decided at the entrance, behind the book of participants",
    ("tasks import", "db"): "files of answers belong to the room of responses",
    ("metamers judge", "seed"): "a method of the verdicts counts them, and intervals are of the room of statistics",
    ("metamers judge", "weights_seed"): "a judge is loaded as any network is",
    ("analyze anova", "variable"): "matrices of recognition belong to the room of responses",
    ("evaluate adversarial", "seed"): "what is drawn is decided where stimuli are attacked",
    ("evaluate natural", "column"): "labels of stimuli are read where training and attacks read them",
    ("evaluate natural", "pattern"): "labels of stimuli are read where training and attacks read them",
    ("analyze recognition", "include_excluded"): "who counts is decided where tables of answers are read",
} | {
    ("train", name): "what is not given is the preset's: asked is in one place, resolved in another"
    for name in (
        "attack_keep", "random_start", "eval_stimuli", "accumulation", "step_factor", "warmup_epochs",
        "label_smoothing", "clip_norm", "ema", "precision",
    )
}  # fmt: skip
"""Flags that take one file more."""

MATCHED = "id_pattern"
"""The one flag of many commands that takes one file more: ids of stimuli, activations and answers are matched alike."""

CHOSEN = {"tasks plan"}
"""Commands whose function is that of a record, which the kind of task names: its flags are told by its keywords."""


def list_flags(name: str) -> Iterator[tuple[str, Place, frozenset[Path]]]:
    """Flags of a command that do something, where their values are in it, and the files of it and of its groups."""
    command: Any = APPS[name][1].default_command
    file = Path(inspect.getsourcefile(command) or "")
    hints = typing.get_type_hints(command, include_extras=True)
    groups = {key: hint for key, hint in hints.items() if dataclasses.is_dataclass(getattr(hint, "__origin__", hint))}
    classes = {key: getattr(hint, "__origin__", hint) for key, hint in groups.items()}
    files = frozenset(
        {file, *(Path(inspect.getsourcefile(each) or "") for key in classes for each in classes[key].__mro__[:-1])}
    )
    for key in inspect.signature(command).parameters:
        if Hidden in getattr(hints[key], "__metadata__", ()):
            continue
        if key not in classes:
            yield key, Place(file, command.__name__, key), files
            continue
        fields = typing.get_type_hints(classes[key], include_extras=True)
        for each in dataclasses.fields(classes[key]):
            if Hidden not in getattr(fields[each.name], "__metadata__", ()):
                yield each.name, Place(file, command.__name__, key, each.name), files


@pytest.fixture(scope="module", autouse=True)
def parsed() -> Iterator[None]:
    """The source stays parsed for these tests, and no longer; what is parsed is no garbage to look for."""
    gc.disable()
    yield
    flag_paths.forget()
    gc.enable()


@pytest.mark.parametrize("name", sorted(set(APPS) - CHOSEN))
def test_a_flag_acts_within_three_files(name: str) -> None:
    far = {}
    for flag, place, files in list_flags(name):
        n_further, way = count_files(place, files)
        if n_further > 2 + ((name, flag) in LONGER or flag == MATCHED):
            far[flag] = way or "nobody reads it"
    assert far == {}


def test_flags_that_take_one_file_more_still_do() -> None:
    found = {
        (name, flag)
        for name in {name for name, _ in LONGER}
        for flag, place, files in list_flags(name)
        if flag != MATCHED and count_files(place, files)[0] > 2
    }
    assert found == set(LONGER)


FILES = {
    "cli/make.py": """
from beholder.room import make
def command(*, asked, plain):
    values = asked.read()
    make(steps=plain, **values)
""",
    "room/__init__.pyi": "from ._make import make as make",
    "room/_make.py": """
from beholder.room._next import pass_on, Options
def make(*, steps, size, spare, tone):
    options = Options(size=size)
    pass_on(options, steps, tone)
""",
    "room/_next.py": """
from beholder.room._last import act
class Options:
    size: int
def pass_on(options, steps, tone):
    act(steps=steps)
    return tone + 1
""",
    "room/_last.py": """
from beholder.room._next import Options
def act(*, steps):
    return steps * 2
def look(options: Options):
    return options.size
""",
    "room/_other.py": "def look(options):\n    return options.spare",
    "cli/_flags.py": """
class Group:
    def read(self):
        return {name: value for name, value in vars(self).items()}
""",
}


@pytest.mark.parametrize(("flag", "n_further"), [("plain", 3), ("size", 2), ("tone", 2), ("spare", 99)])
def test_the_count(flag: str, n_further: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(flag_paths, "SRC", tmp_path)
    flag_paths.forget()
    begun = frozenset({tmp_path / "cli/make.py", tmp_path / "cli/_flags.py"})
    start = Place(tmp_path / "cli/make.py", "command", *(("plain", "") if flag == "plain" else ("asked", flag)))
    assert count_files(start, begun)[0] == n_further
    flag_paths.forget()
