"""What serves experiments needs no more than ``requirements/`` says, and no torch."""

from __future__ import annotations

import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from .serving_commands import ROOT, prepare, run_all

REQUIREMENTS = ROOT / "requirements"
BLOCKER = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
from beholder.cli import main
main()
"""


def read_requirements(name: str) -> list[Requirement]:
    """Of a file, and of those that it names."""
    found = []
    for line in (REQUIREMENTS / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("-r "):
            found += read_requirements(line[3:].strip())
        elif line and not line.startswith("#"):
            found.append(Requirement(line))
    return found


def list_others(requirements: list[Requirement]) -> set[str]:
    """Top-level modules that are installed here, but not by the requirements."""
    names, left = {"beholder"}, [requirement.name for requirement in requirements]
    while left:
        name = normalize(left.pop())
        if name in names:
            continue
        names.add(name)
        for line in importlib.metadata.requires(name) or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                left.append(requirement.name)
    found = importlib.metadata.packages_distributions().items()
    return {module for module, brought_by in found if not names & {normalize(each) for each in brought_by}}


def normalize(name: str) -> str:
    """A distribution's name as all spell it."""
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("name", ["serving", "export"])
def test_serving_imports_nothing_that_its_list_does_not_bring(tmp_path: Path, name: str) -> None:
    blocked = list_others(read_requirements(f"{name}.txt"))
    assert {"torch", "scipy", "PIL"} <= blocked and not blocked & {"starlette", "beholder"}
    prepare(tmp_path)
    run_all([sys.executable, "-c", f"BLOCKED = {blocked}\n{BLOCKER}"], tmp_path, export=name == "export")


@pytest.mark.parametrize("name", ["serving", "export"])
def test_the_lists_have_the_bounds_of_the_package(name: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    bounds = {str(Requirement(line)) for line in project["dependencies"]}
    assert {str(each) for each in read_requirements(f"{name}.txt")} <= bounds
