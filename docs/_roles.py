"""Hooks for mkdocs: what the pages and docstrings hold that its Markdown does not know."""

import inspect
import re

_ROLE = re.compile(r":(?:func|class|meth|data|mod|attr):<code>~?")
OBJECTIVES_MARK = "<!-- objectives -->"
_ROLE_IN_TEXT = re.compile(r":(?:func|class|meth|data|mod|attr):`~?([^`]+)`")
_NOT_TESTED = re.compile(r"^```(\w+) notest$", re.MULTILINE)


def on_page_markdown(markdown: str, **_: object) -> str:
    """Fill in lists that the code holds; take off the mark of snippets that no test runs, which spoils their blocks."""
    if OBJECTIVES_MARK in markdown:
        markdown = markdown.replace(OBJECTIVES_MARK, list_objectives())
    return _NOT_TESTED.sub(r"```\1", markdown)


def list_objectives() -> str:
    """A table of the objectives that come with the package: name, parameters, first line of the docstring."""
    from beholder.synthesis import OBJECTIVES

    lines = ["| objective | wants |", "|---|---|"]
    for name in OBJECTIVES:
        kind = OBJECTIVES[name]
        if kind.__module__.startswith("beholder."):
            told = _ROLE_IN_TEXT.sub(r"`\1`", (inspect.getdoc(kind) or "").splitlines()[0]).replace("|", "\\|")
            parameters = ", ".join(inspect.signature(kind).parameters)
            lines.append(f"| `{name}({parameters})` | {told.replace('``', '`')} |")
    return "\n".join(lines)


def on_page_content(html: str, **_: object) -> str:
    """Take the roles of docstrings, such as ``:func:``, away and keep the names."""
    return _ROLE.sub("<code>", html)
