"""What is measured of the house, and what no room may do: reach into another room's private modules."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"


def load_tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, TOOLS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


measure_house = load_tool("measure_house")
count_passed_files = load_tool("count_passed_files")


def test_no_room_reaches_into_another() -> None:
    """A room's public list is its one door."""
    found = measure_house.find_reaches(measure_house.list_modules())
    told = "\n".join(f"{each.module}, line {each.line}: {each.target}" for each in found)
    assert not found, f"{told}\nput the names on their room's public list, or move them to a room below both"


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A package of two rooms with a circle and a reach."""
    files = {
        "__init__.py": "",
        "_core/__init__.py": "",
        "_core/lazy.py": "",
        "low/__init__.py": "",
        "low/__init__.pyi": "from ._a import one as one\n",
        "low/_a.py": (
            '"""Doc."""\n\n# a comment\n\n\ndef one():\n    """Doc."""\n    from beholder.low._b import two\n'
            "    return two\n"
        ),
        "low/_b.py": "from beholder.low import one\nfrom beholder._core import lazy\n\ntwo = 2\n",
        "high/__init__.py": "",
        "high/_c.py": (
            "from typing import TYPE_CHECKING\nfrom beholder.low import one\n"
            "if TYPE_CHECKING:\n    from ..low import _a\n\n\ndef three():\n    import beholder.low._b\n"
        ),
    }
    for name, text in files.items():
        path = tmp_path / "beholder" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def test_circles_reaches_and_lines(house: Path) -> None:
    modules = measure_house.list_modules(house)
    imports = measure_house.list_imports(modules)
    assert measure_house.find_circles(measure_house.to_edges(imports, "top")) == []
    both = measure_house.find_circles(measure_house.to_edges(imports, "top", "function"))
    assert both == [["beholder.low._a", "beholder.low._b"]], "through the lazy list of the room"
    reaches = measure_house.find_reaches(modules)
    assert [(each.module, each.target, each.kind) for each in reaches] == [
        ("beholder.high._c", "beholder.low._a", "types"),
        ("beholder.high._c", "beholder.low._b", "function"),
    ]
    assert measure_house.count_lines(modules["beholder.low._a"]) == {
        "files": 1, "lines": 9, "documented": 5, "code": 3
    }  # fmt: skip


def test_files_are_counted_in_all_threads_and_imports_are_not(tmp_path: Path) -> None:
    import threading

    (tmp_path / "low.py").write_text("def one():\n    import high\n    return high.x\n")
    (tmp_path / "high.py").write_text("def two():\n    return 2\n\n\nx = two()\n")
    (tmp_path / "other.py").write_text("def three():\n    return 3\n")
    sys.path.insert(0, str(tmp_path))
    try:
        import low  # type: ignore[import-not-found]
        import other  # type: ignore[import-not-found]

        with count_passed_files.note_files(tmp_path) as found:
            low.one()
            thread = threading.Thread(target=other.three)
            thread.start()
            thread.join()
    finally:
        sys.path.remove(str(tmp_path))
        for name in ("low", "high", "other"):
            sys.modules.pop(name, None)
    assert found == {"low.py", "other.py"}
