"""Hooks for mkdocs: what the pages and docstrings hold that its Markdown does not know."""

import re

_ROLE = re.compile(r":(?:func|class|meth|data|mod|attr):<code>~?")
_NOT_TESTED = re.compile(r"^```(\w+) notest$", re.MULTILINE)


def on_page_markdown(markdown: str, **_: object) -> str:
    """Take off the mark of snippets that no test runs, which would keep the block from being one."""
    return _NOT_TESTED.sub(r"```\1", markdown)


def on_page_content(html: str, **_: object) -> str:
    """Take the roles of docstrings, such as ``:func:``, away and keep the names."""
    return _ROLE.sub("<code>", html)
