"""Where a flag acts: followed by name from the command through the functions that it is handed to, in the source."""

from __future__ import annotations

import ast
import heapq
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import beholder

SRC = Path(beholder.__file__).parent

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Place:
    """A value in a file: a variable of a function, with ``field`` one field of it or one entry of a mapping."""

    file: Path
    function: str
    name: str
    field: str = ""


@cache
def parse(file: Path) -> ast.Module:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        for child in ast.iter_child_nodes(node):
            child.parent = node  # type: ignore[attr-defined]
    return tree


@cache
def list_definitions(file: Path) -> dict[str, ast.AST]:
    """Functions, classes and methods (``Class.method``) of a file."""
    found: dict[str, ast.AST] = {}
    for node in parse(file).body:
        if isinstance(node, Function | ast.ClassDef):
            found[node.name] = node
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{each.name}": each for each in node.body if isinstance(each, Function)}
    return found


@cache
def list_imports(file: Path) -> dict[str, tuple[Path, str]]:
    """What a file imports from the package by name, as the file and the name of its definition."""
    found = {}
    for node in ast.walk(parse(file)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("beholder"):
            for alias in node.names:
                if (target := find_definition(node.module or "", alias.name)) is not None:
                    found[alias.asname or alias.name] = target
    return found


@cache
def find_definition(module: str, name: str) -> tuple[Path, str] | None:
    """The file that defines what ``from module import name`` gives, through the public lists."""
    place = SRC.joinpath(*module.split(".")[1:])
    if place.with_suffix(".py").is_file():
        file = place.with_suffix(".py")
        return (file, name) if name in list_definitions(file) else list_imports(file).get(name)
    listed = place / "__init__.pyi"
    for node in parse(listed).body if listed.is_file() else []:
        if isinstance(node, ast.ImportFrom) and node.level and any(alias.name == name for alias in node.names):
            return find_definition(f"{module}.{node.module}", name)
    return None


@cache
def list_files() -> list[Path]:
    return [file for file in sorted(SRC.rglob("*.py")) if "static" not in file.parts]


@cache
def index_methods() -> dict[str, list[tuple[Path, str]]]:
    """Methods of the package by their names."""
    found: dict[str, list[tuple[Path, str]]] = {}
    for file in list_files():
        for name in list_definitions(file):
            if "." in name:
                found.setdefault(name.partition(".")[2], []).append((file, name))
    return found


@cache
def index_readers() -> tuple[dict[str, set[Path]], dict[str, set[Path]]]:
    """Files that read ``.key`` of something, and ``["key"]`` or ``.get("key")``."""
    fields: dict[str, set[Path]] = {}
    entries: dict[str, set[Path]] = {}
    for file in list_files():
        for node in ast.walk(parse(file)):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                fields.setdefault(node.attr, set()).add(file)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _is_key(node):
                entries.setdefault(node.value, set()).add(file)
    return fields, entries


def _is_key(node: ast.Constant) -> bool:
    parent = node.parent  # type: ignore[attr-defined]
    if isinstance(parent, ast.Subscript):
        return parent.slice is node and isinstance(parent.ctx, ast.Load)
    return (
        isinstance(parent, ast.Call) and isinstance(parent.func, ast.Attribute) and parent.func.attr in ("get", "pop")
    )


def forget() -> None:
    """Read the source anew."""
    for each in (parse, list_definitions, list_imports, find_definition, list_files, index_methods, index_readers):
        each.cache_clear()


def count_files(start: Place, begun: frozenset[Path]) -> tuple[int, list[str]]:
    """The fewest further files, beyond those where one begins, that lead to where a value acts, and the way there.

    What a command does with a value that it also hands on does not count; where it hands it to nobody, it acts there.
    """
    found = _search(start, begun, here=False)
    return found if found[1] else _search(start, begun, here=True)


def _search(start: Place, begun: frozenset[Path], *, here: bool) -> tuple[int, list[str]]:
    number = itertools.count()
    queue = [(0, next(number), start, begun, [])]
    seen: set[Place] = set()
    while queue:
        cost, _, place, files, way = heapq.heappop(queue)
        if place in seen:
            continue
        seen.add(place)
        told = [
            *way,
            f"{place.file.relative_to(SRC)}:{place.function}({place.name}{place.field and '.' + place.field})",
        ]
        ends = list(follow(place))
        if place.file in begun and not here and any(isinstance(each, Place) for each in ends):
            ends = [each for each in ends if isinstance(each, Place)]
        for found in ends:
            next_place = Place(found, "", "") if isinstance(found, Path) else found
            more = files if _is_record(next_place) else files | {next_place.file}
            heapq.heappush(queue, (len(more - begun), next(number), next_place, more, told))
        if not place.function:
            return cost, told
    return 99, []


def _is_record(place: Place) -> bool:
    """Whether it is a field of a class, which is read by its name: nobody has to look where it is declared."""
    return bool(place.function) and isinstance(list_definitions(place.file)[place.function], ast.ClassDef)


def follow(place: Place) -> Iterator[Place | Path]:
    """Where a value goes from here; a file where it acts."""
    if not place.function:
        return
    node = list_definitions(place.file)[place.function]
    if not isinstance(node, ast.ClassDef) and not place.field:
        yield from _follow_decorators(node, place)
    if isinstance(node, ast.ClassDef):
        known = (place.file, place.function)
        readers = index_readers()[0].get(place.name, set())
        yield from (file for file in readers if file == place.file or known in list_imports(file).values())
        return
    for use in ast.walk(node):
        if isinstance(use, ast.Name) and use.id == place.name and isinstance(use.ctx, ast.Load):
            if place.field:
                yield from _follow_group(use, place)
            else:
                yield from _follow_use(use, place)


def _follow_decorators(node: ast.AST, place: Place) -> Iterator[Path]:
    """A keyword that a decorator of the function reads: a field of the record of all that it reads."""
    for each in node.decorator_list:  # type: ignore[attr-defined]
        target = list_imports(place.file).get(each.id) if isinstance(each, ast.Name) else None
        if target is not None and _has_field(target[0], place.name):
            yield target[0]


def _has_field(file: Path, name: str) -> bool:
    """Whether a class of the file has a field of this name."""
    classes = [node for node in parse(file).body if isinstance(node, ast.ClassDef)]
    fields = [each.target for node in classes for each in node.body if isinstance(each, ast.AnnAssign)]
    return any(isinstance(each, ast.Name) and each.id == name for each in fields)


def _follow_group(use: ast.Name, place: Place) -> Iterator[Place | Path]:
    """A group of flags, or a mapping of keywords: one of its fields."""
    parent = use.parent  # type: ignore[attr-defined]
    if isinstance(parent, ast.Attribute):
        if parent.attr == place.field:
            yield from _follow_use(parent, place)
        elif isinstance(parent.parent, ast.Call):  # type: ignore[attr-defined]
            for file, name in index_methods().get(parent.attr, []):
                if file.is_relative_to(SRC / "cli"):
                    yield Place(file, name, "self", place.field)
                    if _gives_fields(list_definitions(file)[name]):
                        yield from _follow_mapping(parent.parent, place)  # type: ignore[attr-defined]
    elif isinstance(parent, ast.Subscript) and isinstance(parent.slice, ast.Constant):
        if parent.slice.value == place.field:
            yield from _follow_use(parent, place)
    elif isinstance(parent, ast.Call) and isinstance(parent.func, ast.Name) and parent.func.id == "vars":
        yield from _follow_mapping(parent, place)
    elif isinstance(parent, ast.Call):
        for file, function, name in _find_parameters(parent, use, place):
            yield Place(file, function, name, place.field)
    elif isinstance(parent, ast.keyword) and parent.arg is not None:
        call = parent.parent  # type: ignore[attr-defined]
        for file, function, name in _find_parameters(call, use, place, parent.arg):
            yield Place(file, function, name, place.field)
    else:
        yield from _follow_mapping(use, place)


def _gives_fields(method: ast.AST) -> bool:
    """Whether it gives its group's fields: ``vars(self)``, or the group with others, ``replace(self, ...)``."""
    return any(
        isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("vars", "replace", "dataclasses.replace")
        and ast.unparse(node.args[0]) == "self"
        for node in ast.walk(method)
    )


def _follow_mapping(use: ast.expr, place: Place) -> Iterator[Place | Path]:
    """``**vars(group)``, in a call or in a mapping that is handed to one; ``name = group.read()``."""
    parent = use.parent  # type: ignore[attr-defined]
    if isinstance(parent, ast.Attribute) and parent.attr == "items":
        whole = parent.parent.parent.parent  # type: ignore[attr-defined]
        if isinstance(whole, ast.DictComp):
            yield from _follow_mapping(whole, place)
    elif isinstance(parent, ast.Dict):
        use, parent = parent, parent.parent  # type: ignore[attr-defined]
    if isinstance(parent, ast.keyword) and parent.arg is None:
        for file, function, name in _find_parameters(parent.parent, use, place, place.field):  # type: ignore[attr-defined]
            yield Place(file, function, name)
    elif (name := _find_target(use)) is not None:
        yield Place(place.file, place.function, name, place.field)


def _find_target(value: ast.expr) -> str | None:
    """The variable that a value is assigned to, alone or among others; of several that a call gives the first."""
    parent = value.parent  # type: ignore[attr-defined]
    k = 0
    if isinstance(parent, ast.Tuple):
        k, parent = parent.elts.index(value), parent.parent  # type: ignore[attr-defined]
    if not isinstance(parent, ast.Assign | ast.AnnAssign):
        return None
    target = parent.targets[0] if isinstance(parent, ast.Assign) else parent.target
    target = target.elts[k] if isinstance(target, ast.Tuple) else target
    return target.id if isinstance(target, ast.Name) else None


def _follow_use(use: ast.expr, place: Place) -> Iterator[Place | Path]:
    parent = use.parent  # type: ignore[attr-defined]
    if isinstance(parent, ast.BoolOp) and any(isinstance(each, ast.Compare) for each in parent.values):
        yield place.file
    elif isinstance(parent, ast.BoolOp | ast.IfExp | ast.Starred):  # a default in its place
        yield from _follow_use(parent, place)
    elif isinstance(parent, ast.Compare) and any(isinstance(op, ast.Is | ast.IsNot) for op in parent.ops):
        if _decides(parent, place):
            yield place.file
    elif (name := _find_target(use)) is not None:
        if name != place.name or place.field:
            yield Place(place.file, place.function, name)
    elif isinstance(parent, ast.keyword):
        yield from _follow_call(parent.parent, parent.value, place, parent.arg or "")  # type: ignore[attr-defined]
    elif isinstance(parent, ast.Call) and use in parent.args:
        yield from _follow_call(parent, use, place)
    elif isinstance(parent, ast.Dict):
        key = parent.keys[parent.values.index(use)] if use in parent.values else None
        if isinstance(key, ast.Constant):
            readers = index_readers()[1].get(str(key.value), set())
            yield from (file for file in readers if _find_room(file) == _find_room(place.file))
            yield from _follow_packed(parent, place, str(key.value))
    else:
        yield place.file


def _find_room(file: Path) -> str:
    return file.relative_to(SRC).parts[0]


def _decides(test: ast.Compare, place: Place) -> bool:
    """Whether ``is None`` chooses what is done, rather than a default or a refusal."""
    branch = test.parent  # type: ignore[attr-defined]
    if not isinstance(branch, ast.If):
        return False
    body = [*branch.body, *branch.orelse]
    assigned = {
        node.id
        for each in body
        for node in ast.walk(each)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    return place.name not in assigned and not any(isinstance(each, ast.Raise) for each in body)


def _follow_packed(mapping: ast.Dict, place: Place, key: str) -> Iterator[Place | Path]:
    """A mapping that is handed on whole, ``**{...}`` or by a name."""
    parent = mapping.parent  # type: ignore[attr-defined]
    if isinstance(parent, ast.keyword) and parent.arg is None:
        for file, function, name in _find_parameters(parent.parent, mapping, place, key):  # type: ignore[attr-defined]
            yield Place(file, function, name)
    elif (name := _find_target(mapping)) is not None:
        yield Place(place.file, place.function, name, key)
    elif isinstance(parent, ast.Call):
        yield place.file


def _follow_call(call: ast.AST, use: ast.expr, place: Place, keyword: str = "") -> Iterator[Place | Path]:
    assert isinstance(call, ast.Call)
    found = list(_find_parameters(call, use, place, keyword))
    if not found:
        yield place.file
    for file, function, name in found:
        yield Place(file, function, name)


def _find_parameters(call: ast.Call, use: ast.expr, place: Place, keyword: str = "") -> Iterator[tuple[Path, str, str]]:
    """The parameters of functions of the package that a value of a call goes into."""
    called, values = call.func, list(call.args)
    if isinstance(called, ast.Attribute) and called.attr == "run" and len(values) > 1 and _is_word(values[0]):
        called, values = values[1], values[2:]  # output.run("rsa", analyze_rsa, ...): a function and what it is given
    for file, name in _find_called(called, place.file):
        node = list_definitions(file).get(name)
        if node is None:
            continue
        if isinstance(node, ast.ClassDef):
            init = list_definitions(file).get(f"{name}.__init__")
            fields = [
                each.target.id
                for each in node.body
                if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
            ]
            if isinstance(init, Function):
                node, name, names = init, f"{name}.__init__", [arg.arg for arg in init.args.args[1:]]
                names += [arg.arg for arg in init.args.kwonlyargs]
            else:
                names = fields
        else:
            assert isinstance(node, Function)
            names = [arg.arg for arg in node.args.posonlyargs + node.args.args]
            names = names[1:] if names[:1] in (["self"], ["cls"]) else names
            names += [arg.arg for arg in node.args.kwonlyargs]
        if keyword in names:
            yield file, name, keyword
        elif not keyword and use in values and values.index(use) < len(names):
            yield file, name, names[values.index(use)]


def _is_word(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _find_called(function: ast.expr, file: Path) -> list[tuple[Path, str]]:
    if isinstance(function, ast.Name):
        if function.id in list_imports(file):
            return [list_imports(file)[function.id]]
        return [(file, function.id)] if function.id in list_definitions(file) else []
    if isinstance(function, ast.Attribute):
        if isinstance(function.value, ast.Name) and f"{function.value.id}.{function.attr}" in list_definitions(file):
            return [(file, f"{function.value.id}.{function.attr}")]
        found = index_methods().get(function.attr, [])
        ours = [each for each in found if each[0].parent == file.parent == SRC / "cli"]
        return ours if len(ours) == 1 else found if len(found) == 1 else []
    return []
