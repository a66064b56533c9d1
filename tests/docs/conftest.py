"""Pages of the documentation, and a folder of pictures that their snippets run on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_FENCE = re.compile(r"^```(?P<kind>[^\n`]*)\n(?P<body>.*?)^```\s*$", re.MULTILINE | re.DOTALL)


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
        Block(match["kind"].strip(), match["body"], text.count("\n", 0, match.start("body")) + 1)
        for match in _FENCE.finditer(text)
    ]


def iter_commands(block: Block) -> Iterator[str]:
    """Command lines of a ``console`` or ``sh`` block that call ``beholder``."""
    for line in block.body.replace("\\\n", " ").splitlines():
        command = line.strip().removeprefix("$ ")
        for part in command.split(" && "):
            if part.startswith("beholder "):
                yield part


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
