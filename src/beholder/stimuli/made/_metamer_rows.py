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
    for row in rows[:_SHOWN]:
        original = _show("original", row.original)
        cells = [
            (network, "" if i else original, *(_show(stage, path) for stage, path in stages))
            for i, (network, stages) in enumerate(row.made.items())
        ]
        label = f" ({row.label})" if row.label and row.label != row.stimulus else ""
        parts.append(format_rows(f"{row.stimulus}{label}", (), cells or [("", original)]))
    if len(rows) > _SHOWN:
        parts.append(f"<p>… and {count_items(len(rows) - _SHOWN, 'more stimuli')}</p>")
    return "".join(parts)


def _show(name: str, path: Path | None) -> str:
    """A picture, or a player, with words below."""
    if path is not None and path.suffix.lower() == ".wav":
        return embed_stimulus(path, name)
    shown = "<span>not here</span>" if path is None else embed_stimulus(path, name, side=_SIDE)
    figure = "margin:0 6px 6px 0;font-size:11px;max-width:160px;overflow-wrap:anywhere"
    return f"<figure style='{figure}'>{shown}<figcaption>{html.escape(name)}</figcaption></figure>"
