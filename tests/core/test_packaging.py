"""Whatever the package imports at run time is among its dependencies or extras."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DISTRIBUTIONS = {"PIL": "pillow", "open_clip": "open-clip-torch"}


def normalize(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_import_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    declared = {normalize(re.split(r"[<>=\[]", line)[0]) for line in [*project["dependencies"], *extras]}
    imported: dict[str, str] = {}
    for file in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names = [node.module]
            imported |= {name.partition(".")[0]: str(file.relative_to(ROOT)) for name in names}
    foreign = {name: file for name, file in imported.items() if name not in {*sys.stdlib_module_names, "beholder"}}
    missing = {name: file for name, file in foreign.items() if normalize(DISTRIBUTIONS.get(name, name)) not in declared}
    assert not missing
