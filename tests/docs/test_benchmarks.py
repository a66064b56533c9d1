"""Every benchmark has an environment that a file beside it makes, and ends with the line to type where it lacks one."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys

import pytest
from packaging.requirements import Requirement

from .conftest import ROOT

FOLDER = ROOT / "benchmarks"
SCRIPTS = sorted(path for path in FOLDER.glob("*.py") if path.name != "peers.py")


def read_page() -> str:
    return (FOLDER / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_benchmark_is_on_the_page_and_in_no_need_of_what_no_file_brings(script) -> None:
    assert f"python benchmarks/{script.name}" in read_page() and f"| `{script.name}` |" in read_page()
    tree = ast.parse(script.read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not {name.partition(".")[0] for name in names} & {"lucent", "thingsvision", "pytest", "playwright"}


def test_files_of_requirements_are_on_the_page_and_read() -> None:
    files = sorted(path.name for path in FOLDER.glob("requirements*.txt"))
    assert files == sorted(set(re.findall(r"benchmarks/(requirements[\w-]*\.txt)", read_page())))
    for name in files:
        for line in (FOLDER / name).read_text(encoding="utf-8").splitlines():
            if not line.startswith(("#", ".")):
                Requirement(line)


@pytest.mark.parametrize(
    ("line", "file"),
    [
        ("extraction.py --images . --rows squeezenet", "thingsvision"),
        ("synthesis.py", "lucent"),
        ("evidence.py", "browsers"),
        ("presentation.py", "browsers"),
        ("analysis.py", "analysis"),
        ("attacks.py", "attacks"),
    ],
)
def test_a_peer_that_is_missing_is_an_error_with_the_line_to_type(tmp_path, line: str, file: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nfor name in ('lucent', 'thingsvision', 'pytest', 'playwright', 'rsatoolbox', 'torchattacks'):\n"
        "    sys.modules[name] = None\n"
    )
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, *f"{FOLDER}/{line}".split()], env={**os.environ, "PYTHONPATH": path}, cwd=tmp_path,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: expected") and last.endswith(f"-r benchmarks/requirements-{file}.txt")
    assert "|" not in done.stdout
