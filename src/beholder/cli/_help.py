"""How ``--help`` looks: examples that can be copied whole, flags as the documents write them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from cyclopts.help import DefaultFormatter, HelpEntry, HelpPanel, InlineText
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions

_EXAMPLE = "Example: "
_LONG_FLAG = re.compile(r"(?<![\w-])--[A-Za-z][\w-]*")


class HelpLook:
    """What cyclopts asks to print help, part by part."""

    def __init__(self) -> None:
        self._look = DefaultFormatter()

    def render_usage(self, console: Console, options: ConsoleOptions, usage: Any) -> None:
        """The line of usage."""
        self._look.render_usage(console, options, usage and Text(_spell(str(usage)), style="bold"))

    def render_description(self, console: Console, options: ConsoleOptions, description: Any) -> None:
        """Paragraphs, and below them the examples, each on one line however wide the terminal is."""
        paragraphs = _read_paragraphs(description)
        examples = [each.removeprefix(_EXAMPLE) for each in paragraphs if each.startswith(_EXAMPLE)]
        for each in paragraphs:
            if not each.startswith(_EXAMPLE):
                console.print(Text(each), end="\n\n")
        for each in examples:
            if each is examples[0]:
                console.print(Text("Example:" if len(examples) == 1 else "Examples:"))
            console.print(Text(f"  {each}"), soft_wrap=True)
        if examples:
            console.print()

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        """Words, flags or commands in a frame."""
        self._look(console, options, panel.copy(entries=[_take_look(each) for each in panel.entries]))


def _take_look(entry: HelpEntry) -> HelpEntry:
    text = entry.description
    if isinstance(text, InlineText) and isinstance(text.primary_renderable, Text):
        text.primary_renderable = Text(" ".join(text.primary_renderable.plain.split()), end="")
    positive, negative = (tuple(map(_spell, names)) for names in (entry.positive_names, entry.negative_names))
    default = None if entry.default in ("False", '""', "''") else entry.default
    return entry.copy(positive_names=positive, negative_names=negative, default=default)


def _spell(text: str) -> str:
    """Long flags with underscores.

    >>> _spell("beholder units split --units-file STR [OPTIONS] N")
    'beholder units split --units_file STR [OPTIONS] N'
    """
    return _LONG_FLAG.sub(lambda flag: "--" + flag[0][2:].replace("-", "_"), text)


def _read_paragraphs(description: Any) -> list[str]:
    if not isinstance(description, InlineText) or not isinstance(description.primary_renderable, Text):
        return []
    text = description.primary_renderable.plain.strip()
    return [" ".join(each.split()) for each in re.split(rf"\n\s*\n|\n(?=\s*{_EXAMPLE})", text)]
