"""A hook for mkdocs: pages of the commands, made from the command line itself."""

from __future__ import annotations

import functools
import inspect
import re
import types
from collections import defaultdict
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any, Literal, get_args, get_origin

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

FOLDER = "commands"
WORDS = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL)

MARK = "<!-- letters -->"
"""Stands in ``commands.md`` for the table of short flags with several meanings."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages."""
    for path, text in write_pages().items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Fill in the table of letters."""
    return markdown.replace(MARK, write_letters()) if MARK in markdown else markdown


@functools.cache
def read_apps() -> dict[str, Any]:
    """Every command by its words."""
    return dict(list_apps())


def write_pages() -> dict[str, str]:
    """Pages by their paths: one for each command with its sub-commands."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in read_apps():
        groups[name.partition(" ")[0]].append(name)
    return {f"{FOLDER}/{group}.md": write_group(group, names, read_apps()) for group, names in groups.items()}


def write_letters() -> str:
    """Short flags that mean one thing in some commands, another in others."""
    rows = [
        f"| `{flag}` | {meaning} | {', '.join(f'`{name}`' for name in names)} |"
        for flag, meanings in find_letters(read_apps()).items()
        for meaning, names in meanings.items()
    ]
    return "\n".join(["| letter | is | of |", "|---|---|---|", *rows])


def list_apps(parent: Any = None, words: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every command and sub-command, by its words."""
    from beholder.cli._main import app

    parent = app if parent is None else parent
    for name in parent:
        if not name.startswith("-"):
            yield " ".join([*words, name]), parent[name]
            yield from list_apps(parent[name], (*words, name))


def write_group(group: str, names: list[str], apps: dict[str, Any]) -> str:
    """The page of a command and its sub-commands."""
    return f"# beholder {group}\n\n" + "\n".join(write_command(name, apps[name]) for name in names)


def write_command(name: str, app: Any) -> str:
    """What a command does, how it is called, an example, its flags."""
    text, *examples = re.split(r"\n\s*Example: ", "\n" + read_text(app))
    head = [f"## beholder {name} {{#{slug(name)}}}\n"] if " " in name else []  # else it is the page's own
    lines = [*head, escape(text.strip()), ""]
    arguments = list_arguments(name, app)
    if arguments:
        lines += ["```text", write_usage(name, arguments), "```\n"]
    if examples:
        lines += ["Example:" if len(examples) == 1 else "For example:", "\n```sh"]
        lines += [*(" ".join(each.split()) for each in examples), "```\n"]
    words = [each for each in arguments if each.field_info.kind in WORDS]
    flags = [each for each in arguments if each.field_info.kind not in WORDS and each.show]
    if words:
        lines += ["| word | is |", "|---|---|"]
        lines += [f"| `{each.names[0]}` | {escape(read_help(each))} |" for each in words] + [""]
    if flags:
        lines += ["| flag | takes | default | meaning |", "|---|---|---|---|"]
        lines += [
            f"| {', '.join(f'`{flag}`' for flag in list_flags(each))} | {describe_kind(each)} "
            f"| {describe_default(each)} | {escape(read_help(each))} |"
            for each in flags
        ]
    return "\n".join(lines) + "\n"


def list_arguments(name: str, app: Any) -> list[Any]:
    """Words and flags of a command, without the groups that hold flags."""
    return [] if app.default_command is None else _read_arguments(name)


@functools.cache
def _read_arguments(name: str) -> list[Any]:
    from beholder.cli._main import app as root

    with root.app_stack(name.split()):
        collection = read_apps()[name].assemble_argument_collection(parse_docstring=True)
    return [each for each in collection if not each.children]


def read_text(app: Any) -> str:
    """What a command's help says before its flags."""
    text = (app.default_command.__doc__ if app.default_command else None) or app.help or ""
    return inspect.cleandoc(text.partition("\n    Parameters\n")[0])


def read_help(argument: Any) -> str:
    """What help says of a flag, on one line."""
    return " ".join((argument.parameter.help or "").split())


def write_usage(name: str, arguments: list[Any]) -> str:
    """The command with its words, those flags that are needed, and a mark for the others."""
    parts = [f"beholder {name}"]
    for each in arguments:
        if each.field_info.kind in WORDS:
            many = " …" if each.field_info.kind is inspect.Parameter.VAR_POSITIONAL or list in list_kinds(each) else ""
            parts.append(f"{each.names[0]}{many}" if each.required else f"[{each.names[0]}{many}]")
    for each in arguments:
        if each.field_info.kind not in WORDS and each.required:
            value = "" if describe_kind(each) == "" else f" {list_flags(each)[0].strip('-').upper()}"
            parts.append(f"{list_flags(each)[0]}{value}")
    return " ".join([*parts, "[FLAG …]"])


def list_flags(argument: Any) -> list[str]:
    """Names of a flag as people type them, long ones first."""
    names = ["--" + name[2:].replace("-", "_") if name.startswith("--") else name for name in argument.names]
    return sorted(dict.fromkeys(names), key=lambda name: not name.startswith("--"))


def list_kinds(argument: Any) -> set[Any]:
    """What an annotation is made of."""

    def walk(hint: Any) -> Iterator[Any]:
        yield get_origin(hint) or hint
        if get_origin(hint) is not Literal:
            for each in get_args(hint):
                yield from walk(each)

    return set(walk(argument.hint)) - {types.NoneType, types.UnionType}


def describe_kind(argument: Any) -> str:
    """What a flag is followed by; nothing for a switch."""
    kinds, many = list_kinds(argument), ""
    if kinds & {list, tuple}:
        many = " …"
    if Literal in kinds:
        found = [
            choice for hint in (argument.hint, *get_args(argument.hint), *_inner(argument.hint))
            if get_origin(hint) is Literal for choice in get_args(hint)
        ]  # fmt: skip
        return ", ".join(f"`{each}`" for each in dict.fromkeys(found)) + many
    if bool in kinds:
        return ""
    if int in kinds and float not in kinds:
        return "whole number" + many
    if float in kinds:
        return "number" + many
    return ("path" if any(isinstance(kind, type) and issubclass(kind, PurePath) for kind in kinds) else "text") + many


def _inner(hint: Any) -> list[Any]:
    return [each for arg in get_args(hint) if get_origin(arg) is not Literal for each in get_args(arg)]


def describe_default(argument: Any) -> str:
    """What holds where a flag is left out."""
    default = argument.field_info.default
    if argument.required:
        return "needed"
    if default in (None, argument.field_info.empty, "") or default is False:
        return "–"
    if default is True:
        return "on"
    return f"`{' '.join(map(str, default)) if isinstance(default, list | tuple) else default}`"


def find_letters(apps: dict[str, Any]) -> dict[str, dict[str, list[str]]]:
    """Short flags with several meanings: letter, what it is, the commands where it is that."""
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for name, app in apps.items():
        for each in list_arguments(name, app):
            names = list_flags(each)
            for flag in names:
                if re.fullmatch(r"-\w{1,3}", flag) and each.field_info.kind not in WORDS and each.show:
                    long = next((other for other in names if other.startswith("--") and other.islower()), names[0])
                    found[flag][f"`{long}`"].append(name)
    return {flag: meanings for flag, meanings in sorted(found.items()) if len(meanings) > 1}


def slug(name: str) -> str:
    """The anchor of a command on its page."""
    return "beholder-" + name.replace(" ", "-")


def escape(text: str) -> str:
    """Text whose stars, angles and bars Markdown leaves alone."""
    return re.sub(r"([*<|_])", r"\\\1", text).replace("\\_", "_")
