"""One table of the house: lines, files, import circles, reaches into other rooms' private modules, and type errors.

python tools/measure_house.py           # all but types, a second or two
python tools/measure_house.py --types   # and pyright, standard and strict, by room: minutes
python tools/measure_house.py --names   # and name the circles and reaches
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tokenize
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src"
PACKAGE = "beholder"
SHARED = "_core"
"""The room that all others may open: its modules have names without underscores."""


@dataclass(frozen=True)
class Import:
    """One import of another module of the package, as it is written."""

    module: str
    target: str
    line: int
    kind: str
    """``top``, ``function`` or ``types`` (under ``TYPE_CHECKING``)."""


def list_modules(source: Path = SOURCE) -> dict[str, Path]:
    """Files by the name of their module."""
    found = {}
    for path in sorted((source / PACKAGE).rglob("*.py")):
        parts = path.relative_to(source).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def count_lines(path: Path) -> Counter[str]:
    """Lines of a file: all, those of code with docstrings, those of code alone."""
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    docs: set[int] = set()
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        for one in body if isinstance(body, list) else ():  # docstrings, and texts under constants and fields
            if isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant) and isinstance(one.value.value, str):
                docs |= set(range(one.lineno, (one.end_lineno or one.lineno) + 1))
    written: set[int] = set()
    skipped = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in skipped:
            written |= set(range(token.start[0], token.end[0] + 1))
    return Counter(files=1, lines=text.count("\n"), documented=len(written), code=len(written - docs))


def list_imports(modules: Mapping[str, Path]) -> list[Import]:
    """Imports of the package's modules; a name of a lazy list is an import of the module that holds it."""
    lazy = {name: _read_lazy(name, path) for name, path in modules.items() if path.name == "__init__.py"}
    return [each for each in _list_imports(modules, lazy) if each.target != each.module]


def _list_imports(modules: Mapping[str, Path], lazy: Mapping[str, Mapping[str, str]]) -> list[Import]:
    found = []
    for module, path in modules.items():
        for node, kind in _walk(ast.parse(path.read_text(encoding="utf-8")), "top"):
            for target in dict.fromkeys(_list_targets(module, path, node, modules, lazy)):
                found.append(Import(module, target, node.lineno, kind))
    return found


def _walk(node: ast.AST, kind: str) -> Iterator[tuple[ast.Import | ast.ImportFrom, str]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, kind
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from _walk(child, "function")
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            yield from _walk(child, "types")
        else:
            yield from _walk(child, kind)


def _list_targets(
    module: str,
    path: Path,
    node: ast.Import | ast.ImportFrom,
    modules: Mapping[str, Path],
    lazy: Mapping[str, Mapping[str, str]],
) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name in modules)
        return
    base = node.module or ""
    if node.level:
        package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
        above = package[: len(package) - node.level + 1]
        base = ".".join([*above, *([base] if base else [])])
    if base not in modules:
        return
    for alias in node.names:
        if f"{base}.{alias.name}" in modules:
            yield f"{base}.{alias.name}"
        else:
            yield resolve_name(base, alias.name, lazy)


def resolve_name(package: str, name: str, lazy: Mapping[str, Mapping[str, str]]) -> str:
    """The module that holds a name of a package's lazy list; the package itself for any other name."""
    while name in lazy.get(package, {}):
        package = lazy[package][name]
    return package


def _read_lazy(package: str, path: Path) -> dict[str, str]:
    """A package's lazy list: the stub beside its ``__init__``, or the mapping that this hands to ``attach``."""
    stub = path.with_suffix(".pyi")
    if stub.exists():
        found = {}
        for node in ast.parse(stub.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ImportFrom):
                place = f"{package}.{node.module}" if node.level else node.module or ""
                found |= {alias.asname or alias.name: place for alias in node.names}
        return found
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if (
            isinstance(node, ast.Call)
            and getattr(node.func, "id", "") == "attach"
            and isinstance(node.args[1], ast.Dict)
        ):
            table = ast.literal_eval(node.args[1])
            return {name: package + where if where.startswith(".") else where for name, where in table.items()}
    return {}


def find_circles(edges: Mapping[str, set[str]]) -> list[list[str]]:
    """Knots of modules that import each other, each with two members or more, the largest first (Tarjan, 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in sorted(edges.get(name, ())):
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            knot = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(knot) > 1:
                found.append(sorted(knot))

    for name in sorted(edges):
        if name not in index:
            visit(name)
    return sorted(found, key=lambda knot: (-len(knot), knot))


def to_edges(imports: list[Import], *kinds: str) -> dict[str, set[str]]:
    """Modules by those that import them, of some kinds of import."""
    edges: dict[str, set[str]] = {}
    for each in imports:
        if each.kind in kinds:
            edges.setdefault(each.module, set()).add(each.target)
    return edges


def find_room(module: str) -> str:
    """The room of a module: ``models`` of ``beholder.models.network._load``."""
    return [*module.split("."), ""][1]


def find_reaches(modules: Mapping[str, Path]) -> list[Import]:
    """Imports, anywhere in a file, that name a private module of another room."""
    found = []
    for each in _list_imports(modules, {}):
        room = find_room(each.target)
        inside = each.target.split(".")[2:]
        if room not in (SHARED, find_room(each.module)) and any(part.startswith("_") for part in inside):
            found.append(each)
    return found


def count_type_errors(mode: str) -> Counter[str]:
    """Errors of pyright by room."""
    pyright = shutil.which("pyright") or str(Path(sys.executable).with_name("pyright"))
    with tempfile.TemporaryDirectory() as folder:
        place = os.path.relpath(SOURCE, Path(folder).resolve())
        settings = {"include": [place], "extraPaths": [place], "typeCheckingMode": mode, "pythonVersion": "3.11"}
        config = Path(folder) / "pyrightconfig.json"
        config.write_text(json.dumps(settings), encoding="utf-8")
        command = [pyright, "--outputjson", "--pythonpath", sys.executable, "-p", str(config)]
        said = json.loads(subprocess.run(command, capture_output=True, text=True, check=False).stdout)
    if not said["summary"]["filesAnalyzed"]:
        raise RuntimeError("pyright looked at no file")
    found: Counter[str] = Counter()
    for each in said["generalDiagnostics"]:
        if each["severity"] == "error":
            parts = Path(each["file"]).relative_to(SOURCE / PACKAGE).parts
            found[parts[0] if len(parts) > 1 else "-"] += 1
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--types", action="store_true", help="run pyright")
    parser.add_argument("--names", action="store_true", help="name circles and reaches")
    asked = parser.parse_args()
    modules = list_modules()
    rooms: dict[str, Counter[str]] = {}
    for module, path in modules.items():
        rooms.setdefault(find_room(module) or "-", Counter()).update(count_lines(path))
    total: Counter[str] = sum(rooms.values(), Counter())
    modes = {mode: count_type_errors(mode) for mode in ("standard", "strict")} if asked.types else {}
    print("room         files   lines  code and docstrings   code", *(f"  {mode:>8}" for mode in modes), sep="")
    for room, counts in [*sorted(rooms.items()), ("all", total)]:
        errors = [sum(found.values()) if room == "all" else found[room] for found in modes.values()]
        row = f"{room:<11} {counts['files']:>6} {counts['lines']:>7} {counts['documented']:>20} {counts['code']:>6}"
        print(row, *(f"  {n:>8}" for n in errors), sep="")
    imports = list_imports(modules)
    for words, kinds in (("module level", ("top",)), ("with those in functions", ("top", "function"))):
        knots = find_circles(to_edges(imports, *kinds))
        print(
            f"import circles, {words}: {len(knots)}",
            f"of {', '.join(str(len(k)) for k in knots)} files" if knots else "",
        )
        if asked.names:
            print(*(f"    {' '.join(knot)}" for knot in knots), sep="\n")
    reaches = find_reaches(modules)
    print(f"imports of another room's private module: {len(reaches)}")
    if asked.names:
        print(*(f"    {each.module}:{each.line} {each.target}" for each in reaches), sep="\n")


if __name__ == "__main__":
    main()
