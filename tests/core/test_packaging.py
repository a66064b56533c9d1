"""Whatever the package imports at run time is among its dependencies or extras, and nothing else is."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

import beholder

ROOT = Path(__file__).resolve().parents[2]
DISTRIBUTIONS = {
    "PIL": "pillow",
    "imagecorruptions": "imagecorruptions-imaug",
    "open_clip": "open-clip-torch",
    "sklearn": "scikit-learn",
    "websocket": "websocket-client",
}
PROGRAMS = {
    "aiobotocore",
    "beholder",
    "moto",
    "pytest-xdist",
    "ruff",
    "pyright",
    "import-linter",
    "mkdocs-material",
    "griffelib",
    "pandas-stubs",
    "scipy-stubs",
    "httpx2",
    "ipykernel",
    "jupytext",
}
"""Run, or imported by others: starlette's client for tests, Jupyter's kernels; by the site."""


def normalize(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def list_imports(folder: Path) -> dict[str, str]:
    """Packages that modules below a folder import, each with a file that does."""
    imported: dict[str, str] = {}
    for file in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names = [node.module]
            imported |= {name.partition(".")[0]: str(file.relative_to(ROOT)) for name in names}
    own = {*sys.stdlib_module_names, "beholder"}
    return {normalize(DISTRIBUTIONS.get(name, name)): file for name, file in imported.items() if name not in own}


def read_names(lines: Iterable[str]) -> set[str]:
    return {normalize(re.split(r"[<>=\[]", line)[0]) for line in lines}


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]


def test_the_version_is_one() -> None:
    version, day = beholder.__version__, r"\d{4}-\d\d-\d\d"
    assert PROJECT["version"] == version
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    released = re.search(rf"^## (\d+\.\d+\.\d+) \(({day})\)$", changes, re.MULTILINE)
    assert released and released[1] == version
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {version}\ndate-released: {released[2]}\n" in citation
    assert f"(version {version})" in (ROOT / "docs" / "versions.md").read_text(encoding="utf-8")


def test_every_import_is_declared() -> None:
    declared = read_names([*PROJECT["dependencies"], *(line for lines in EXTRAS.values() for line in lines)])
    assert not {name: file for name, file in list_imports(ROOT / "src").items() if name not in declared}


def test_everything_declared_is_imported() -> None:
    imported = list_imports(ROOT / "src")
    for lines in (PROJECT["dependencies"], *(lines for name, lines in EXTRAS.items() if name != "test")):
        assert not read_names(lines) - set(imported)
    assert not read_names(EXTRAS["test"]) - set(imported) - set(list_imports(ROOT / "tests")) - PROGRAMS
