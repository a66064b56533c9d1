"""Small pictures of stimuli in a notebook."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from beholder._core.errors import StimulusError, suggest_keywords
from beholder.stimuli.images._image import open_image

_SIDE = 56
_QUALITY = 80


@suggest_keywords
def embed_thumbnail(source: Any, title: str = "", side: int = _SIDE) -> str:
    """A picture as an ``<img>`` of a few kilobytes; its name where it cannot be shown.

    Parameters
    ----------
    source : path, bytes, array or PIL.Image.Image
        As for :func:`open_image`.
    title : str
        Shown on hover.
    side : int
        Longer side in pixels, on the screen.
    """
    try:
        picture = open_image(source, keep_alpha=True)
    except StimulusError:
        name = source.name if isinstance(source, Path) else "stimulus"
        return f"<span title='{html.escape(title, quote=True)}'>{html.escape(name)}</span>"
    picture.thumbnail((2 * side, 2 * side))
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=_QUALITY, method=2)
    data = base64.b64encode(buffer.getvalue()).decode()
    longest = max(picture.size)
    size = f"width='{side * picture.width // longest}' height='{side * picture.height // longest}'"
    words = html.escape(title, quote=True)
    return f"<img src='data:image/webp;base64,{data}' {size} alt='{words}' title='{words}' style='margin:1px'>"


@suggest_keywords
def format_rows(head: str, columns: Sequence[str], rows: Iterable[Sequence[str]], rest: str = "") -> str:
    """A small table for a notebook.

    Parameters
    ----------
    head : str
        Above the table, if anything.
    columns : sequence of str
        Their names; none for a table without.
    rows : iterable of sequence of str
        HTML of the cells; the first column is plain text.
    rest : str
        Below the table.
    """
    top = "".join(f"<th style='text-align:left'>{html.escape(column)}</th>" for column in columns)
    body = "".join(
        f"<tr><th style='text-align:left'>{html.escape(row[0])}</th>"
        + "".join(f"<td style='text-align:left'>{cell}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    above, below = (f"<p>{html.escape(words)}</p>" if words else "" for words in (head, rest))
    return f"{above}<table>{f'<thead><tr>{top}</tr></thead>' if columns else ''}<tbody>{body}</tbody></table>{below}"
