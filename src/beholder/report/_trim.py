"""Sections whose words and tables have a size that a page can hold, whatever the files said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from beholder.report._section import Section, Table

_WORDS = 12_000
"""A Methods paragraph of several analyses, with its references, is whole."""
_CELL = 300
_COLUMNS = 60
_LINES = 20
_TEXT = 200_000


def trim_section(section: Section) -> Section:
    """The section with long words, tables and texts cut short."""
    return replace(
        section,
        title=_cut(section.title, _CELL),
        answer=_cut(section.answer, _WORDS),
        explanation=_cut(section.explanation, _WORDS),
        method=_cut(section.method, _WORDS),
        warnings=tuple(_cut(each, _WORDS) for each in section.warnings[:_LINES]),
        text=_cut(section.text, _TEXT, "\n… cut here: the file holds more"),
        table=None if section.table is None else _trim_table(section.table),
        facts={name: _cut(fact, _CELL) for name, fact in section.facts.items()},
    )


def _trim_table(table: Table) -> Table:
    rows = tuple(tuple(_trim_cell(cell) for cell in row[:_COLUMNS]) for row in table.rows)
    return replace(table, columns=tuple(_cut(name, _CELL) for name in table.columns[:_COLUMNS]), rows=rows)


def _trim_cell(cell: Any) -> Any:
    return cell if isinstance(cell, int | float) and abs(cell) < 1e300 else _cut(cell, _CELL)


def _cut(words: Any, most: int, end: str = "…") -> str:
    text = words if isinstance(words, str) else repr(words)
    return text if len(text) <= most else text[:most] + end
