"""A stimulus set in a notebook: its first pictures, small."""

from __future__ import annotations

import base64
import html
import io
from typing import TYPE_CHECKING

from beholder._core.errors import BeholderError

if TYPE_CHECKING:
    from beholder.stimuli.sets._set import StimulusSet

_SHOWN = 8
_SIDE = 96


def render_set(stimuli: StimulusSet) -> str:
    """HTML of the set's description and, of pictures, of its first eight."""
    head = html.escape(repr(stimuli))
    if stimuli.kind != "image":
        return f"<code>{head}</code>"
    cells = [_render_picture(stimuli, i) for i in range(min(len(stimuli), _SHOWN))]
    more = f"<span>… and {len(stimuli) - _SHOWN:,} more</span>" if len(stimuli) > _SHOWN else ""
    row = "display:flex;flex-wrap:wrap;gap:8px;align-items:end;margin-top:4px"
    return f"<code>{head}</code><div style='{row}'>{''.join(cells)}{more}</div>"


def _render_picture(stimuli: StimulusSet, i: int) -> str:
    from beholder.stimuli.images._image import open_image

    name, label = html.escape(stimuli.ids[i]), html.escape(stimuli.labels[i])
    try:
        picture = open_image(stimuli.source(i), draft=(_SIDE, _SIDE))
        picture.thumbnail((_SIDE, _SIDE))
        buffer = io.BytesIO()
        picture.save(buffer, "PNG")
        source = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
        shown = f"<img src='{source}' alt='{name}' title='{label}'>"
    except (BeholderError, ValueError):
        shown = "<span>cannot be read</span>"
    return f"<figure style='margin:0;font-size:11px'>{shown}<figcaption>{name}</figcaption></figure>"
