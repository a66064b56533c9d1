"""The page of a public name, in Markdown: signature and defaults from the source, the rest from its docstring."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator

from griffe import Docstring, DocstringSectionKind

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef
Link = Callable[[str], str]
"""A name as code, with a link where it has a page."""

_ROLE = re.compile(r":(?:func|class|meth|data|mod|attr):`([^`]+)`")
_MATH = re.compile(r":math:`([^`]+)`")
_NORM = re.compile(r"\\\||\\lVert ?| ?\\rVert")
_BARE_BAR = re.compile(r"(`[^`]*`)|\|")
"""Code, in which a bar does not end a cell and a backslash is shown; a bar elsewhere."""
NOT_SEARCHED = '{ data-search-exclude="1" }'
"""Behind a heading that every page has."""
_WIDTH = 100
_SHOWN_LINES = 45
"""Sources of at most so many lines are shown."""


def write_definition(node: Definition, called: str, link: Link, level: int = 2) -> str:
    """What a function or class takes and gives, what is said of it, and of a class its methods."""
    is_plain = isinstance(node, ast.ClassDef) and not find_fields(node)
    parts = [] if is_plain else [f"```python\n{write_signature(node, called)}\n```\n"]
    if isinstance(node, ast.ClassDef):
        bases = [link(ast.unparse(base)) for base in node.bases if not isinstance(base, ast.Subscript)]
        parts += [f"Bases: {', '.join(bases)}\n"] if bases else []
    parts.append(write_docstring(ast.get_docstring(node) or "", find_defaults(node), link, level))
    if isinstance(node, ast.ClassDef):
        methods = [each for each in list_methods(node) if ast.get_docstring(each)]
        parts += [f"{'#' * level} Methods and properties {NOT_SEARCHED}\n"] if methods else []
        for each in methods:
            name = f"{called.rpartition('.')[2]}.{each.name}" if is_static(each) else f".{each.name}"
            parts += [f"{'#' * (level + 1)} `{each.name}`\n", write_definition(each, name, link, level + 2)]
    return "\n".join(parts)


def list_methods(node: ast.ClassDef) -> list[Function]:
    """The public ones, setters apart."""
    return [
        each
        for each in node.body
        if isinstance(each, Function) and not each.name.startswith("_")
        and not any("setter" in ast.unparse(mark) for mark in each.decorator_list)
    ]  # fmt: skip


def has_mark(node: Definition, *names: str) -> bool:
    """Whether a definition is decorated with one of these."""
    return any(ast.unparse(mark).split("(")[0].rpartition(".")[2] in names for mark in node.decorator_list)


def is_static(node: Function) -> bool:
    """Whether a method is called on its class."""
    return has_mark(node, "classmethod", "staticmethod")


def find_fields(node: ast.ClassDef) -> list[tuple[str, str, str | None]]:
    """Name, type and default of what a class is made with: of a dataclass its fields, else those of ``__init__``."""
    own = next((each for each in node.body if isinstance(each, Function) and each.name == "__init__"), None)
    if own is not None:
        return [(name, kind, default) for name, kind, default, _ in list_parameters(own) if name != "self"]
    if not has_mark(node, "dataclass"):
        return []
    found = [each for each in node.body if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)]
    shown = [each for each in found if "init=False" not in ast.unparse(each) and "ClassVar" not in ast.unparse(each)]
    return [(ast.unparse(each.target), ast.unparse(each.annotation), _default(each.value)) for each in shown]


def _default(value: ast.expr | None) -> str | None:
    """A default as it is read; what a factory makes."""
    if value is None:
        return None
    if isinstance(value, ast.Call) and ast.unparse(value.func) in ("field", "dataclasses.field"):
        given = {word.arg: word.value for word in value.keywords}
        if "default" in given:
            return ast.unparse(given["default"])
        made = given.get("default_factory")
        return (
            None
            if made is None
            else f"{ast.unparse(made)}()"
            if not isinstance(made, ast.Lambda)
            else ast.unparse(made.body)
        )
    return ast.unparse(value)


def list_parameters(node: Function) -> Iterator[tuple[str, str, str | None, str]]:
    """Name, type, default and mark (``*`` or ``**``) of each parameter; ``*`` and ``/`` have a turn of their own."""
    given = node.args
    plain = [*given.posonlyargs, *given.args]
    defaults = [None] * (len(plain) - len(given.defaults)) + list(given.defaults)
    for i, (each, value) in enumerate(zip(plain, defaults, strict=True)):
        yield each.arg, _annotation(each), None if value is None else ast.unparse(value), ""
        if given.posonlyargs and i == len(given.posonlyargs) - 1:
            yield "/", "", None, ""
    if given.vararg:
        yield given.vararg.arg, _annotation(given.vararg), None, "*"
    elif given.kwonlyargs:
        yield "*", "", None, ""
    for each, value in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        yield each.arg, _annotation(each), None if value is None else ast.unparse(value), ""
    if given.kwarg:
        yield given.kwarg.arg, _annotation(given.kwarg), None, "**"


def _annotation(each: ast.arg) -> str:
    return ast.unparse(each.annotation) if each.annotation else ""


def write_signature(node: Definition, called: str) -> str:
    """How it is called, on one line where that has the room."""
    if isinstance(node, Function) and has_mark(node, "property", "cached_property"):
        return f"{called}: {ast.unparse(node.returns)}" if node.returns else called
    if isinstance(node, ast.ClassDef):
        words = [_write_parameter(name, kind, default, "") for name, kind, default in find_fields(node)]
        gives = ""
    else:
        words = [_write_parameter(*each) for each in list_parameters(node) if each[0] not in ("self", "cls")]
        gives = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    line = f"{called}({', '.join(words)}){gives}"
    return line if len(line) <= _WIDTH else f"{called}(\n" + "".join(f"    {word},\n" for word in words) + f"){gives}"


def _write_parameter(name: str, kind: str, default: str | None, mark: str) -> str:
    told = f"{mark}{name}" + (f": {kind}" if kind else "")
    return told if default is None else f"{told} = {default}" if kind else f"{told}={default}"


def find_defaults(node: Definition) -> dict[str, str | None]:
    """Default of each parameter, None for those that are needed."""
    if isinstance(node, ast.ClassDef):
        return {name: default for name, _, default in find_fields(node)}
    return {name: "" if mark else default for name, _, default, mark in list_parameters(node)}


def write_docstring(text: str, defaults: dict[str, str | None], link: Link, level: int) -> str:
    """The sections of a docstring, tables for what is taken, given and raised."""
    parts: list[str] = []
    for section in Docstring(text).parse("numpy", warnings=False):
        kind, value = section.kind, section.value
        if kind is DocstringSectionKind.text:
            parts.append(write_text(value, link))
        elif kind in (DocstringSectionKind.parameters, DocstringSectionKind.attributes):
            is_taken = kind is DocstringSectionKind.parameters
            parts += [f"**{'Parameters' if is_taken else 'Attributes'}**\n"]
            parts += (
                ["| name | type | default | meaning |", "|---|---|---|---|"]
                if is_taken
                else ["| name | type | meaning |", "|---|---|---|"]
            )
            for each in value:
                default = [_tell_default(each.name, defaults)] if is_taken else []
                cells = [
                    f"`{each.name}`",
                    write_cell(str(each.annotation or ""), link, is_type=True),
                    *default,
                    write_cell(each.description, link),
                ]
                parts.append(f"| {' | '.join(cells)} |")
            parts.append("")
        elif kind in (DocstringSectionKind.returns, DocstringSectionKind.yields, DocstringSectionKind.raises):
            parts += [f"**{kind.value.capitalize()}**\n", "| type | meaning |", "|---|---|"]
            parts += [
                f"| {write_cell(str(each.annotation or ''), link, is_type=True)} | {told} |"
                for each in value
                for told in [write_cell(each.description, link)]
            ]
            parts.append("")
        elif kind is DocstringSectionKind.examples:
            parts.append("**Example**\n")
            parts += [
                write_text(body, link) if part is DocstringSectionKind.text else _fence(body) for part, body in value
            ]
        else:
            body = value.contents if hasattr(value, "contents") else str(value)
            parts.append(write_text(body, link))
    return "\n".join(parts) + "\n"


def _tell_default(name: str, defaults: dict[str, str | None]) -> str:
    default = defaults.get(name.strip("*"), "")
    return "needed" if default is None else f"`{default}`" if default else ""


def write_cell(text: str, link: Link, *, is_type: bool = False) -> str:
    """Text in a cell of a table: on one line, its bars escaped."""
    line = " ".join(text.split())
    if is_type:
        line = line.replace("|", "\\|")
        return re.sub(r"[A-Za-z_][\w.]*", lambda found: link(found[0]) if found[0][0].isupper() else found[0], line)
    return _BARE_BAR.sub(lambda found: found[1] or "\\|", write_text(line, link).strip())


def _fence(example: str) -> str:
    return "```pycon\n" + re.sub(r" +# doctest:.*", "", example) + "\n```\n"


def write_text(text: str, link: Link) -> str:
    """Text whose roles are links and whose double backquotes are single ones; blocks after ``::`` are code."""
    text = _ROLE.sub(lambda found: link(found[1]), text).replace("``", "`")
    text = _MATH.sub(lambda found: f"`{_NORM.sub('‖', found[1])}`", text)
    return re.sub(r"::(?=\n\n)", ":", text) + "\n"


def write_source(node: Function, lines: list[str]) -> str:
    """The source without docstring, where it is short."""
    body = node.body[1:] if ast.get_docstring(node) else node.body
    if not body or not isinstance(node, Function):
        return ""
    shown = lines[node.lineno - 1 : node.body[0].lineno - 1] + lines[body[0].lineno - 1 : node.end_lineno]
    return "" if len(shown) > _SHOWN_LINES else inspect.cleandoc("\n".join(shown))
