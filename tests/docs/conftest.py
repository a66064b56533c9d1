"""Pages of the documentation, and folders that their snippets and the examples run in."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
ADDRESS = "https://beholder.test/"
"""Where the site is, to a browser that asks no network."""
_BUILT_WITHIN = 900.0
_FENCE = re.compile(r"^(?P<indent> *)```(?P<kind>[^\n`]*)\n(?P<body>.*?)^(?P=indent)```\s*$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One fenced block: its kind (``python``, ``console``, ...), its text, and its first line's number."""

    kind: str
    body: str
    line: int


def read_blocks(page: Path) -> list[Block]:
    """Fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(match["kind"].strip(), textwrap.dedent(match["body"]), text.count("\n", 0, match.start("body")) + 1)
        for match in _FENCE.finditer(text)
    ]


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen drawn pictures in class folders."""
    from beholder.stimuli import draw_shapes_set

    folder = tmp_path_factory.mktemp("documents") / "images"
    draw_shapes_set(folder, n_per_category=1)
    return folder


@pytest.fixture
def workplace(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own, made the working directory: the pictures are ``images/`` and ``demo/stimuli``."""
    (tmp_path / "images").symlink_to(pictures)
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "stimuli").symlink_to(pictures)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    return tmp_path


@pytest.fixture
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of somebody who has installed the package and nothing else, without a network."""
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in ("BEHOLDER_HOME", "TORCH_HOME", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "downloads"))
    monkeypatch.setenv("BEHOLDER_OFFLINE", "1")
    monkeypatch.setenv("MPLBACKEND", "agg")
    return folder


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site; ``BEHOLDER_SITE`` names one that is built already, or being built."""
    folder = os.environ.get("BEHOLDER_SITE")
    if folder is not None:
        end = time.monotonic() + _BUILT_WITHIN
        while not Path(folder).is_dir():
            assert not Path(folder).exists(), "the site could not be built"
            assert time.monotonic() < end, f"no site in {folder}"
            time.sleep(0.2)
    else:
        folder = str(tmp_path_factory.mktemp("site"))
        command = [sys.executable, "-W", "ignore", "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder]
        environment = {**os.environ, "BEHOLDER_GALLERY": "kept"}  # tutorials have tests of their own
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return Path(folder)


@pytest.fixture
def visit(chromium: Any, site: Path) -> Iterator[Callable[..., Any]]:
    """Opens a page of the site, given its address and options of the context; no server is asked."""
    with contextlib.ExitStack() as stack:

        def go(address: str, **options: Any) -> Any:
            context = stack.enter_context(contextlib.closing(chromium.new_context(**options)))
            context.route("**/*", lambda route: _answer(route, site))
            page = context.new_page()
            page.goto(ADDRESS + address)
            return page

        yield go


def _answer(route: Any, site: Path) -> None:
    file = site / route.request.url.removeprefix(ADDRESS).partition("?")[0].partition("#")[0]
    file = file / "index.html" if file.is_dir() else file
    if file.is_file():
        route.fulfill(path=file)
    else:
        route.fulfill(status=404)
