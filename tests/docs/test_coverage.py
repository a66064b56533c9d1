"""Every command, flag, alias and public name is in the documents."""

from __future__ import annotations

import inspect
import re
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest

import beholder
from beholder.cli._main import app

from .conftest import PAGES, ROOT

# One file a command whose flags it describes; `demo` and `report` share a page.
_PAGE_OF = {
    "demo": "report-and-demo.md",
    "report": "report-and-demo.md",
    "models": "models.md",
    "models fetch": "models.md",
    "models export": "models.md",
    "models import": "models.md",
    "models card": "models.md",
    "models join": "models.md",
    "assets fetch": "assets.md",
    "assets verify": "assets.md",
    "assets path": "assets.md",
    "assets experiments": "assets.md",
    "layers": "extraction.md",
    "extract": "extraction.md",
    "panel": "panel.md",
    "show": "panel.md",
    "train": "training.md",
    "units sample": "units.md",
    "units split": "units.md",
    "units record": "units.md",
    "units exemplars": "units.md",
    "units optimize": "units.md",
    "units maps": "units.md",
    "units occlude": "units.md",
    "stimuli draw": "stimuli.md",
    "stimuli grade": "stimuli.md",
    "tasks plan": "tasks.md",
    "tasks build": "tasks.md",
    "tasks serve": "tasks.md",
    "tasks simulate": "tasks.md",
    "tasks import": "tasks.md",
    "tasks export": "tasks.md",
    "tasks status": "tasks.md",
    "tasks backup": "tasks.md",
    "tasks forget": "tasks.md",
    "tasks upgrade": "tasks.md",
    "metamers make": "metamers.md",
    "metamers null": "metamers.md",
    "metamers template": "metamers.md",
    "metamers judge": "judge.md",
    "replicate": "metamers.md",
    "analyze": "compare_brains.md",
    "analyze rsa": "compare_brains.md",
    "analyze agreement": "compare_people.md",
    "analyze interpretability": "compare_people.md",
    "analyze cka": "compare_networks.md",
    "analyze combine": "compare_networks.md",
    "analyze searchlight": "compare_networks.md",
    "analyze encode": "encoding.md",
    "analyze decode": "encoding.md",
    "analyze probe": "encoding.md",
    "analyze sounds": "encoding.md",
    "analyze regressions": "recordings.md",
    "analyze tuning": "encoding.md",
    "analyze recognition": "compare_people.md",
    "analyze anova": "compare_people.md",
    "analyze mixed": "compare_people.md",
    "analyze psychometrics": "compare_people.md",
    "analyze power": "compare_people.md",
    "evaluate": "evaluate.md",
    "evaluate natural": "evaluate.md",
    "evaluate adversarial": "attacked.md",
    "evaluate battery": "compare_people.md",
}


def iter_apps(parent: object = app, chain: tuple[str, ...] = ()) -> Iterator[tuple[str, object]]:
    """Every command and sub-command, by its words."""
    for name in parent:  # type: ignore[attr-defined]
        if not name.startswith("-"):
            child = parent[name]  # type: ignore[index]
            yield " ".join([*chain, name]), child
            yield from iter_apps(child, (*chain, name))


def iter_flags(name: str) -> Iterator[str]:
    """Flags of a command as users type them, positional arguments left out."""
    command = COMMANDS[name]
    if command.default_command is None:  # type: ignore[attr-defined]
        return
    with app.app_stack(name.split()):  # sub-commands take settings from those above them
        arguments = list(command.assemble_argument_collection())  # type: ignore[attr-defined]
    for argument in arguments:
        if argument.children:  # a group of flags, which are in the list too
            continue
        if argument.field_info.kind in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.VAR_POSITIONAL):
            continue
        for name in argument.names:
            if name.startswith("--"):
                yield "--" + name[2:].replace("-", "_")
            elif name.startswith("-"):
                yield name


COMMANDS = dict(iter_apps())


def read_docs() -> str:
    return "\n".join(page.read_text(encoding="utf-8") for page in PAGES)


@pytest.mark.parametrize("name", COMMANDS)
def test_command_and_flags_are_documented(name: str) -> None:
    page = (ROOT / "docs" / _PAGE_OF.get(name, f"{name}.md")).read_text(encoding="utf-8")
    assert f"beholder {name}" in page
    assert f"beholder {name}" in (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    missing = [flag for flag in iter_flags(name) if not re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", page)]
    assert not missing, f"{name}: {missing} are not in {_PAGE_OF.get(name)}"


def test_no_flag_is_documented_that_does_not_exist() -> None:
    """Every flag in backquotes is one of some command's, or one of all commands'."""
    known = {flag for name in COMMANDS for flag in iter_flags(name)}
    known |= {"--quiet", "--verbose", "--help", "--version"}
    told = set(re.findall(r"`(--[a-z][a-z_]*)", "\n".join(page.read_text(encoding="utf-8") for page in PAGES[1:])))
    assert not {flag for flag in told if "--" + flag[2:].replace("-", "_") not in known}


def test_every_public_name_is_documented() -> None:
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    missing = [name for name in beholder.__all__ if f"bh.{name}" not in page]  # pyright: ignore[reportAttributeAccessIssue]
    assert not missing


def test_documented_names_exist() -> None:
    told = set(re.findall(r"\bbh\.([A-Za-z_]+)", read_docs()))
    assert not {name for name in told if name not in beholder.__all__}  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    "room", ["activations", "models", "stimuli", "figures", "synthesis", "experiments", "responses", "testing"]
)
def test_names_of_rooms_exist(room: str) -> None:
    """The second table of docs/python.md names what is there."""
    import importlib

    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    (row,) = re.findall(rf"^\| `beholder\.{room}` \| (.*) \|$", page, re.MULTILINE)
    module = importlib.import_module(f"beholder.{room}")
    names = re.findall(r"`(\w+)`", row)
    assert names
    for name in names:
        if name != "clip":
            assert getattr(module, name) is not None


def test_every_alias_is_documented() -> None:
    from beholder.models import list_aliases

    page = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    built_in = [name for name in list_aliases() if f"`{name}`" not in page]
    assert not built_in


def test_every_door_for_plug_ins_is_documented() -> None:
    """Entry-point groups, the registries behind them, and the checks."""
    import beholder.testing

    page = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
    source = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "src").rglob("*.py")))
    found = re.findall(r"^(\w+): Registry\[.*?\] = Registry\(\s*\"[^\"]*\", \"(beholder\.\w+)\"", source, re.MULTILINE)
    assert len(found) >= 6
    told = [word for pair in found for word in pair] + [
        name for name in dir(beholder.testing) if name.startswith("check")
    ]
    assert not [word for word in told if word not in page]


def test_every_source_is_documented() -> None:
    from beholder.models import SOURCES

    page = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    assert not [name for name in SOURCES.names() if f"| `{name}` |" not in page]


def test_panel_names_load_what_the_page_says() -> None:
    """The column `loads` of both tables, row by row."""
    from beholder.models import find_alias

    page = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([^`]+)`[^|]*\| `(\w+):([^`@]+?)(?:@([^`]+))?` \|", page, re.MULTILINE)
    assert len(rows) > 25
    for name, source, model, tag in rows:
        alias = find_alias(name)
        assert alias is not None, name
        if model != "…":
            assert (alias.source, alias.model) == (source, model), name
        if tag and "…" not in tag:
            assert alias.tag == tag, name


def test_every_error_is_in_the_tree() -> None:
    from beholder._core import errors

    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, errors.BeholderError):
            assert re.search(rf"{name}\b.*  {kind.exit_code}  ", page), name


def test_readme_has_the_two_commands() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    for command in ("pip install . && beholder demo", "pip install '.[test]' && pytest"):
        assert lines.count(command) == 1


MADE = ("reference/", "commands/", "errors/", "contributing.md", "changelog.md")
"""Pages that the site's build makes, and looks for."""


def test_links_between_documents_lead_somewhere() -> None:
    """README's links too, which mkdocs does not check."""
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            is_elsewhere = target.startswith(("https://", *MADE))
            file = page.parent / target
            is_tutorial = file.parent.name == "gallery" and file.with_suffix(".py").exists()
            assert is_elsewhere or is_tutorial or file.exists(), f"{page.name}: {target}"


def test_no_page_is_missing_from_the_navigation() -> None:
    text = Path(ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for page in PAGES[1:]:
        assert f": {page.name}\n" in text


def test_the_picture_of_the_house_is_the_order_that_the_linter_holds() -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "draw_house.py"))
    drawn = tool["draw_house"](tool["read_orders"]())
    assert (ROOT / "docs" / "house.svg").read_text(encoding="utf-8") == drawn, "python tools/draw_house.py"
