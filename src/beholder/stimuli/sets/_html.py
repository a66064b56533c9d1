"""A stimulus set in a notebook: its first pictures, small, or sounds, played."""

from __future__ import annotations

import base64
import html
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beholder._core.errors import BeholderError, suggest_keywords
from beholder.stimuli.images._notebook import embed_thumbnail
from beholder.stimuli.sets._folder import find_kind
from beholder.stimuli.sounds._player import embed_player

if TYPE_CHECKING:
    from beholder.stimuli.sets._set import StimulusSet

_SHOWN = 8
_SIDE = 96


def render_set(stimuli: StimulusSet) -> str:
    """HTML of the set's description and of its first eight pictures or sounds."""
    head = html.escape(repr(stimuli))
    if stimuli.kind == "array":
        return f"<code>{head}</code>"
    cells = [_render(stimuli, i) for i in range(min(len(stimuli), _SHOWN))]
    more = f"<span>… and {len(stimuli) - _SHOWN:,} more</span>" if len(stimuli) > _SHOWN else ""
    row = "display:flex;flex-wrap:wrap;gap:8px;align-items:end;margin-top:4px"
    return f"<code>{head}</code><div style='{row}'>{''.join(cells)}{more}</div>"


@suggest_keywords
def embed_stimulus(source: Any, title: str = "", *, kind: str | None = None, side: int = 56) -> str:
    """A picture, or a player of a sound, for a notebook.

    Parameters
    ----------
    source
        As ``StimulusSet.source`` gives it.
    title : str
        Shown on hover, or above the player.
    kind : {"image", "sound"}, optional
        By default told by the file's name.
    side : int
        Longer side of a picture in pixels, on the screen.
    """
    if kind is None and isinstance(source, (str, Path)):
        kind = find_kind(Path(source).name)
    if kind == "sound":
        return embed_player(source, title)
    return embed_thumbnail(source, title, side)


def _render(stimuli: StimulusSet, i: int) -> str:
    from beholder.stimuli.images._image import open_image

    name, label = html.escape(stimuli.ids[i]), html.escape(stimuli.labels[i])
    try:
        if stimuli.kind == "sound":
            return embed_player(stimuli.source(i), stimuli.ids[i])
        picture = open_image(stimuli.source(i), draft=(_SIDE, _SIDE))
        picture.thumbnail((_SIDE, _SIDE))
        buffer = io.BytesIO()
        picture.save(buffer, "PNG")
        source = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
        shown = f"<img src='{source}' alt='{name}' title='{label}'>"
    except (BeholderError, ValueError):
        shown = "<span>cannot be read</span>"
    return f"<figure style='margin:0;font-size:11px'>{shown}<figcaption>{name}</figcaption></figure>"
