"""A stimulus beside its metamers by network and stage, and how a notebook shows several."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from beholder._core.wording import count_items
from beholder.stimuli.images._notebook import format_rows
from beholder.stimuli.sets._html import embed_stimulus

_SHOWN, _SIDE = 4, 88
_MOST_PLAYERS = 70
"""Of sounds: a browser plays no more than some 75 of a page, and each is some 60 kB in the notebook."""


@final
@dataclass(frozen=True)
class GridRow:
    """One stimulus.

    Attributes
    ----------
    stimulus : str
    label : str
        Its class, where it is known.
    original : Path or None
        None where it is not there.
    made : dict of str to tuple of (str, Path)
        Network to its stages, early to late, with the metamer of each; seeds other than 0 are told with the stage.
    """

    stimulus: str
    label: str
    original: Path | None
    made: Mapping[str, tuple[tuple[str, Path], ...]]


def render_rows(head: str, rows: Sequence[GridRow]) -> str:
    """HTML of the first stimuli: a table each, a row a network, a column a stage; sounds are players."""
    parts = [f"<p>{html.escape(head)}</p>"]
    shown = rows[: _count_shown(rows)]
    for row in shown:
        original = _show("original", row.original)
        cells = [
            (network, "" if i else original, *(_show(stage, path) for stage, path in stages))
            for i, (network, stages) in enumerate(row.made.items())
        ]
        label = f" ({row.label})" if row.label and row.label != row.stimulus else ""
        name = f"stimulus {row.stimulus}" if row.stimulus.isdecimal() else row.stimulus
        parts.append(format_rows(f"{name}{label}", (), cells or [("", original)]))
    if len(rows) > len(shown):
        parts.append(f"<p>… and {count_items(len(rows) - len(shown), 'more stimuli')}: .select([…]) shows others</p>")
    return "".join(parts)


def _count_shown(rows: Sequence[GridRow]) -> int:
    """The first few stimuli, fewer where they are sounds of many networks; one at least."""
    n_files = 0
    for n, row in enumerate(rows[:_SHOWN]):
        files = [path for stages in row.made.values() for _, path in stages]
        n_files += 1 + len(files)
        if n and n_files > _MOST_PLAYERS and files and files[0].suffix.lower() == ".wav":
            return n
    return _SHOWN


def _show(name: str, path: Path | None) -> str:
    """A picture, or a player, with words below."""
    if path is not None and path.suffix.lower() == ".wav":
        return embed_stimulus(path, name)
    shown = "<span>not here</span>" if path is None else embed_stimulus(path, name, side=_SIDE)
    figure = "margin:0 6px 6px 0;font-size:11px;max-width:160px;overflow-wrap:anywhere"
    return f"<figure style='{figure}'>{shown}<figcaption>{html.escape(name)}</figcaption></figure>"
