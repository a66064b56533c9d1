"""A hook for mkdocs: docstrings use roles such as ``:func:``, which Markdown does not know."""

import re

_ROLE = re.compile(r":(?:func|class|meth|data|mod|attr):<code>~?")


def on_page_content(html: str, **_: object) -> str:
    """Take the roles away and keep the names."""
    return _ROLE.sub("<code>", html)
