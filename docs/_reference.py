"""A hook for mkdocs: the Python reference, a page a public name, made from the public lists and the docstrings."""

from __future__ import annotations

import ast
import functools
import posixpath
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _reference_page import NOT_SEARCHED, write_cell, write_definition, write_source, write_text
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

SOURCE = Path(__file__).resolve().parents[1] / "src" / "beholder"
FOLDER = "reference"
ERRORS = "errors"
"""Folder of the pages of errors, which are not a room's."""

ABOUT = """# Python by room

Every public name has a page: what it takes, gives and raises. `import beholder as bh` gives the names of the
[top level](#the-top-level); others are in the rooms, as `bh.synthesis.Adam` or `from beholder.synthesis import Adam`.
Where to begin: [Python](../python.md). Examples run in a folder that has pictures in `images/`, such as those that
`beholder.stimuli.draw_shapes_set("images", 2)` draws.

"""
_TITLES = {"function": "Functions", "class": "Classes", "value": "Values", "module": "Modules"}


@dataclass(frozen=True)
class Found:
    """Where a name is defined, what it is and what is said of it."""

    kind: str
    file: Path
    node: ast.AST
    text: str


@dataclass(frozen=True)
class Name:
    """A public name, its room (empty for what only the top level has), and its sub-room."""

    name: str
    room: str
    part: str
    found: Found

    @property
    def file(self) -> str:
        """Its page; ``OVER`` and ``Over`` are one file on some systems."""
        is_constant = self.found.kind == "value" and self.name.isupper()
        return f"{self.name}-constant.md" if is_constant else f"{self.name}.md"

    @property
    def page(self) -> str:
        """Its page, with the folder."""
        return f"{FOLDER}/{self.room}/{self.file}" if self.room else f"{ERRORS}/{self.file}"

    @property
    def path(self) -> str:
        """What it is imported as."""
        return ".".join(filter(None, ["beholder", self.room, self.name]))

    @property
    def summary(self) -> str:
        """What it is, in one line of a table."""
        line = " ".join(self.found.text.strip().partition("\n\n")[0].split())
        return write_cell(line, lambda name: f"`{name.strip('~').rpartition('.')[2]}`")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages."""
    for path, text in write_pages().items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_content(html: str, page: Page, **_: object) -> str:
    """Search finds a name by its text and tables; its signature says the same again."""
    is_name = page.file.src_uri.startswith((f"{FOLDER}/", f"{ERRORS}/"))
    return html.replace('<div class="language-', '<div data-search-exclude="1" class="language-') if is_name else html


def write_pages() -> dict[str, str]:
    """Pages by their paths: an index, one a room, one a name."""
    pages = {f"{FOLDER}/index.md": write_index()}
    for room in list_rooms():
        pages[f"{FOLDER}/{room}/index.md"] = write_room(room)
    return pages | {each.page: write_name(each) for room in ("", *list_rooms()) for each in list_names(room)}


@functools.cache
def list_rooms() -> list[str]:
    """Rooms that have a public list, by name."""
    return sorted(path.parent.name for path in SOURCE.glob("*/__init__.pyi"))


@functools.cache
def list_names(room: str) -> list[Name]:
    """The public list of a room; of the top level, whose names have the room they come from."""
    found = []
    for node in parse(SOURCE / room / "__init__.pyi").body:
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            module = ".".join(["beholder", *filter(None, [room]), node.module])
            own = room or ("" if node.module.startswith("_") else node.module.partition(".")[0])
            for alias in node.names:
                found.append(Name(alias.name, own, node.module.partition(".")[0], find(module, alias.name)))
    return found


@functools.cache
def parse(file: Path) -> ast.Module:
    """A file of the package."""
    return ast.parse(file.read_text(encoding="utf-8"))


def find(module: str, name: str) -> Found:
    """Where a name of a module is defined, through public lists and imports."""
    place = SOURCE.joinpath(*module.split(".")[1:])
    if (place / f"{name}.py").is_file():
        tree = parse(place / f"{name}.py")
        return Found("module", place / f"{name}.py", tree, ast.get_docstring(tree) or "")
    file = place.with_suffix(".py") if place.with_suffix(".py").is_file() else place / "__init__.py"
    body = parse(file).body
    found = [each for i in range(len(body)) if (each := _look(file, body, i, name))]
    if found:
        return found[-1]  # overloads come before
    listed = place / "__init__.pyi"
    for node in [*(parse(listed).body if listed.is_file() else []), *body]:
        for alias in node.names if isinstance(node, ast.ImportFrom) else []:
            if name in (alias.asname, alias.name):
                return find(f"{module}.{node.module}" if node.level else node.module or "", alias.name)
    raise LookupError(f"{module} has no {name}")


def _look(file: Path, body: list[ast.stmt], i: int, name: str) -> Found | None:
    """What one statement defines, if it is the name."""
    node = body[i]
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name == name:
        return Found(
            "class" if isinstance(node, ast.ClassDef) else "function", file, node, ast.get_docstring(node) or ""
        )
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    named = [each for target in targets for each in (target.elts if isinstance(target, ast.Tuple) else [target])]
    if any(isinstance(each, ast.Name) and each.id == name for each in named):
        after = body[i + 1] if i + 1 < len(body) else None
        text = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else ""
        return Found("value", file, node, text if isinstance(text, str) else "")
    return None


def write_index() -> str:
    """The rooms, and the names of the top level."""
    rooms = [f"| [`beholder.{room}`]({room}/index.md) | {describe_room(room)} |" for room in list_rooms()]
    top = [f"| [`bh.{each.name}`](../{each.page}) | {each.summary} |" for each in list_names("")]
    return "\n".join(
        [
            ABOUT,
            "## Rooms\n",
            "| room | holds |",
            "|---|---|",
            *rooms,
            "\n## The top level\n",
            "| name | is |",
            "|---|---|",
            *top,
            "",
        ]
    )


def describe_room(room: str) -> str:
    """The first line of a room's docstring, without its name before it."""
    text = ast.get_docstring(parse(SOURCE / room / "__init__.py")) or ""
    return text.partition("\n\n")[0].removeprefix(f"{room.capitalize()}: ").replace("\n", " ")


def write_room(room: str) -> str:
    """A room's names, by sub-room where it has some, else by what they are."""
    groups: dict[str, list[Name]] = {}
    for each in sorted(list_names(room), key=lambda each: each.name.lower()):
        groups.setdefault(_name_group(each), []).append(each)
    lines = [f"# beholder.{room}\n", f"{describe_room(room)}\n"]
    for group in sorted(groups):
        lines += [f"## {group}\n", "| name | is |", "|---|---|"]
        lines += [f"| [`{each.name}`]({each.file}) | {each.summary} |" for each in groups[group]] + [""]
    return "\n".join(lines)


def _name_group(name: Name) -> str:
    """The heading that a name stands under: what its sub-room says of itself, or what it is."""
    own = SOURCE / name.room / name.part / "__init__.py"
    text = ast.get_docstring(parse(own)) if own.is_file() else None
    return text.partition("\n\n")[0].rstrip(".").replace("\n", " ") if text else _TITLES[name.found.kind]


def write_name(name: Name) -> str:
    """The page of a name."""
    top = {each.page for each in list_names("")}
    called = f"bh.{name.name}" if name.page in top else name.path
    told = "`import beholder as bh`" if name.page in top else f"`from beholder.{name.room} import {name.name}`"
    head = f"---\ntitle: {name.name}\nsearch:\n  boost: 0.3\n---\n\n# {name.name}\n\n{told}\n"
    return f"{head}\n{_write_body(name, called)}\nIn `{name.found.file.relative_to(SOURCE.parents[1]).as_posix()}`.\n"


def _write_body(name: Name, called: str) -> str:
    found = name.found
    lines = found.file.read_text(encoding="utf-8").splitlines()

    def link(word: str) -> str:
        return link_name(word, name)

    if isinstance(found.node, ast.Module):
        shown = [
            each for each in found.node.body if isinstance(each, ast.FunctionDef | ast.ClassDef) and each.name[0] != "_"
        ]
        parts = [f"## {each.name}\n\n{write_definition(each, f'{called}.{each.name}', link, 3)}" for each in shown]
        return "\n".join([write_text(found.text, link), *parts])
    if isinstance(found.node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        text = write_definition(put_constants(found.node, found.file), called, link)
        source = write_source(found.node, lines) if not isinstance(found.node, ast.ClassDef) else ""
        return text + (f"\n## Source {NOT_SEARCHED}\n\n```python\n{source}\n```\n" if source else "")
    node = found.node
    assert isinstance(node, ast.Assign | ast.AnnAssign)
    source = lines[node.lineno - 1 : node.end_lineno]
    shown = "\n".join(source if len(source) <= 30 else [*source[:30], "..."])
    return f"```python\n{shown}\n```\n\n{write_text(found.text, link)}"


def put_constants(node: Any, file: Path) -> Any:
    """A definition whose defaults are values in place of the names of constants."""
    for each in ast.walk(node):
        if isinstance(each, ast.arguments):
            each.defaults = [_read_constant(value, file) for value in each.defaults]
            each.kw_defaults = [value and _read_constant(value, file) for value in each.kw_defaults]
        elif isinstance(each, ast.AnnAssign) and each.value is not None:
            each.value = _read_constant(each.value, file)
    return node


def _read_constant(value: ast.expr, file: Path) -> ast.expr:
    """What a constant of a file stands for, if that is a plain value."""
    if not isinstance(value, ast.Name) or not value.id.strip("_").isupper():
        return value
    module = ".".join(["beholder", *file.relative_to(SOURCE).with_suffix("").parts])
    node = find(module, value.id).node
    plain = getattr(node, "value", None)
    return plain if isinstance(plain, ast.Constant | ast.UnaryOp) else value


@functools.cache
def _index() -> dict[str, list[Name]]:
    index: dict[str, list[Name]] = {}
    for room in list_rooms():
        for each in list_names(room):
            index.setdefault(each.name, []).append(each)
    for each in list_names(""):
        if not each.room:
            index.setdefault(each.name, []).append(each)
    return index


def link_name(word: str, page: Name | None) -> str:
    """A name as code, with a link to its page, where it has one and it is not this one.

    A role's name may be dotted, and begin with ``~``, which hides all but its last part.
    """
    path = word.lstrip("~")
    parts = path.split(".")
    told = parts[-1] if word.startswith("~") else path
    known = _index().get(parts[-1], []) or (_index().get(parts[-2], []) if len(parts) > 1 else [])
    rooms = [each for each in known if each.path == path or each.room == (page.room if page else "")]
    chosen = (rooms or known or [None])[0]
    if (
        chosen is None
        or (page is not None and chosen.page == page.page)
        or (parts[0] not in ("beholder", "bh") and len(parts) > 2)
    ):
        return f"`{told}`"
    return f"[`{told}`]({posixpath.relpath(chosen.page, posixpath.dirname(page.page) if page else FOLDER)})"
