"""What ``--help`` prints: examples that can be copied, flags as they are written everywhere, nothing cut off."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from beholder.cli._main import COMMANDS

from .test_every_flag import APPS
from .test_help_examples import list_examples

Call = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize("width", ["80", "120"])
@pytest.mark.parametrize("name", ["extract", "models", "analyze mixed", "metamers make", "tasks plan"])
def test_examples_stand_on_one_line_and_flags_are_spelled_with_underscores(
    name: str, width: str, beholder: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    code, out, _ = beholder(*name.split(), "--help")
    lines = out.splitlines()
    examples = list_examples(name)
    assert code == 0 and [f"  {each}" for each in examples] == [
        line for line in lines if line.startswith("  beholder ")
    ]
    assert max(len(line) for line in lines if line.strip() not in examples) <= int(width)
    assert "[default: False]" not in out and "--in-path" not in out and "--model-name" not in out


def test_names_with_signs_of_markup_are_shown_as_they_are(beholder: Call) -> None:
    assert "{stem}_0.json to {stem}_{N-1}.json" in " ".join(beholder("units", "split", "--help")[1].split())


def test_help_without_a_sub_command_is_that_of_the_group(beholder: Call) -> None:
    for name in ("units", "tasks", "metamers", "analyze", "evaluate", "stimuli"):
        code, out, _ = beholder(name)
        assert code == 0 and COMMANDS[name][1] in out
        assert all(each.split()[1] in out for each in APPS if each.startswith(f"{name} "))
    code, out, _ = beholder()
    assert code == 0 and all(f" {name} " in out for name in COMMANDS) and "--help" in out


def test_completion_knows_commands_and_flags(tmp_path: Path, beholder: Call) -> None:
    script = tmp_path / "beholder.bash"
    code, _, err = beholder("--install-completion", "--shell", "bash", "--output", str(script))
    assert code == 0, err
    text = script.read_text(encoding="utf-8")
    assert "exemplars" in text and "--num-batches" in text
