"""Public lists: the stub beside a package is what type checkers see and what the package gives, lazily."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

import beholder
from beholder._core.lazy import attach

ROOT = Path(beholder.__file__).parent
STUBS = {
    ".".join(("beholder", *path.parent.relative_to(ROOT).parts)): path for path in sorted(ROOT.rglob("__init__.pyi"))
}


def read_stub(path: Path) -> tuple[dict[str, str], list[str]]:
    """Public names with the module each comes from, and the names of what else the stub declares."""
    names: dict[str, str] = {}
    others: list[str] = []
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            assert node.level == 1
            for alias in node.names:
                assert alias.asname == alias.name, f"{alias.name} is not re-exported"
                names[alias.name] = f".{node.module}" if node.module else ""
        else:
            assert isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
            others.append(node.target.id)
    return names, others


def test_every_lazy_package_has_a_stub_and_every_stub_a_lazy_package() -> None:
    attached = re.compile(r"attach\(\s*__name__,\s*__file__")
    lazy = {path.parent for path in ROOT.rglob("__init__.py") if attached.search(path.read_text(encoding="utf-8"))}
    assert lazy == {path.parent for path in STUBS.values()}
    assert (ROOT / "py.typed").is_file()


@pytest.mark.parametrize("package", STUBS)
def test_the_stub_and_the_package_list_the_same_names_and_all_resolve(package: str) -> None:
    names, others = read_stub(STUBS[package])
    module = importlib.import_module(package)
    assert module.__all__ == sorted(names) == dir(module)
    for name, source in names.items():
        home = importlib.import_module(source, package) if source else None
        own = importlib.import_module(f".{name}", package) if home is None else getattr(home, name)
        assert getattr(module, name) is own
    for name in others:
        assert hasattr(module, name)


def test_a_name_that_is_not_there_is_answered_with_the_near_ones() -> None:
    with pytest.raises(AttributeError, match=r"^module 'beholder' has no attribute 'load_modle'; try 'load_model' or"):
        beholder.load_modle  # noqa: B018  # pyright: ignore
    with pytest.raises(AttributeError, match=r"^module 'beholder' has no attribute 'zzz'$"):
        beholder.zzz  # noqa: B018  # pyright: ignore
    assert not hasattr(beholder, "__extract__")
    with pytest.raises(ImportError, match="cannot import name 'extrct' from 'beholder'"):
        from beholder import extrct  # noqa: F401  # pyright: ignore


def test_a_name_is_loaded_when_it_is_used_and_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "lazy_toy"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from beholder._core.lazy import attach\n__getattr__, __dir__, __all__ = attach(__name__, __file__)\n"
    )
    (package / "__init__.pyi").write_text("from ._part import value as value\n")
    (package / "_part.py").write_text(
        "import lazy_toy\nlazy_toy.loads = [*getattr(lazy_toy, 'loads', []), 1]\nvalue = 3\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    toy = importlib.import_module("lazy_toy")
    assert "value" not in vars(toy) and not vars(toy).get("loads")
    assert toy.value == 3 and toy.value == 3 and toy.loads == [1]


def test_a_package_without_its_stub_is_refused() -> None:
    with pytest.raises(ValueError, match="non-existent stub"):
        attach("nowhere", "/nowhere/__init__.py")
