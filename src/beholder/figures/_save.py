"""A figure on disk: SVG, PDF, PNG, the table that made it, and a few words about it.

``{name}.svg``, ``{name}.pdf``, ``{name}.png`` (300 dpi, twice the size on screen), ``{name}.csv`` and
``{name}.figure.json``, which the report reads. The same figure gives the same bytes.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.files import read_json, write_bytes, write_json
from beholder.figures._labels import fit_labels
from beholder.figures._style import use_style

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from pandas import DataFrame

RECORD_SUFFIX = ".figure.json"
"""What the file ends in that holds the numbers of a figure."""
_FORMATS: dict[str, dict[str, Any]] = {
    "svg": {"metadata": {"Date": None, "Creator": "Beholder"}},
    "pdf": {"metadata": {"CreationDate": None, "ModDate": None, "Creator": "Beholder", "Producer": None}},
    "png": {"metadata": {"Software": None}},
}


@final
@dataclass(frozen=True)
class FigureRecord:
    """What a figure says, in words.

    Attributes
    ----------
    title : str
        The question that the figure answers.
    answer : str
        The answer, in words and figures, one sentence.
    explanation : str
        How to read the picture.
    alt : str
        The picture for those who cannot see it.
    method : str
        How the numbers were made.
    warnings : tuple of str
        What a reader should not conclude.
    order : int
        Place in the report, low first.
    """

    title: str
    answer: str = ""
    explanation: str = ""
    alt: str = ""
    method: str = ""
    warnings: tuple[str, ...] = ()
    order: int = 100


@suggest_keywords
def save_figure(
    fig: Figure,
    path: Path | str,
    *,
    table: DataFrame | Mapping[str, Sequence[Any] | np.ndarray] | None = None,
    record: FigureRecord | None = None,
) -> dict[str, Path]:
    """Save a figure as SVG, PDF and PNG, with its table and its words beside it.

    Parameters
    ----------
    fig : matplotlib Figure
    path : path
        Name without ending, or with one of the three; parent folders are made.
    table : DataFrame or mapping of columns, optional
        The numbers in the picture, written as ``{name}.csv``, unrounded.
    record : FigureRecord, optional
        Written as ``{name}.figure.json``; a report opens the figure's section with it.

    Returns
    -------
    dict of str to Path
        The files by kind: ``svg``, ``pdf``, ``png``, and ``csv`` and ``record`` where given.
    """
    stem = _strip_ending(Path(path))
    files: dict[str, Path] = {}
    with _settle(fig):
        for kind, options in _FORMATS.items():
            buffer = io.BytesIO()
            fig.savefig(buffer, format=kind, **options)
            files[kind] = stem.with_name(f"{stem.name}.{kind}")
            write_bytes(files[kind], buffer.getvalue())
    if table is not None:
        import pandas as pd

        files["csv"] = stem.with_name(f"{stem.name}.csv")
        write_bytes(files["csv"], pd.DataFrame(table).to_csv(index=False, lineterminator="\n").encode())
    if record is not None:
        files["record"] = stem.with_name(stem.name + RECORD_SUFFIX)
        write_json(files["record"], asdict(record) | {"warnings": list(record.warnings)})
    return files


@suggest_keywords
def render_svg(fig: Figure) -> bytes:
    """A figure as the SVG of a page: what it holds of pixels has 150 dpi.

    Examples
    --------
    >>> from beholder.figures import plot_rdm, render_svg
    >>> render_svg(plot_rdm([[0, 1], [1, 0]]).figure)[:5]
    b'<?xml'
    """
    buffer = io.BytesIO()
    with _settle(fig):
        fig.savefig(buffer, format="svg", dpi=150, **_FORMATS["svg"])
    return buffer.getvalue()


@contextlib.contextmanager
def _settle(fig: Figure) -> Iterator[None]:
    """Within the block all has its place: with a layout engine, each format would draw all once before."""
    import matplotlib as mpl

    with use_style(), mpl.rc_context({"figure.constrained_layout.use": False}):
        fit_labels(fig)
        engine = fig.get_layout_engine()
        fig.set_layout_engine(None)
        try:
            yield
        finally:
            fig.set_layout_engine(engine)


@suggest_keywords
def read_figure_record(path: Path | str) -> FigureRecord:
    """Read ``{name}.figure.json``; a file that holds something else is an :class:`InputError`."""
    content = read_json(path)
    expected = InputError("a figure's record, a JSON object with at least a title", got=str(path))
    if not isinstance(content, dict):
        raise expected
    fields: dict[str, Any] = content | {"warnings": tuple(content.get("warnings", ()))}
    try:
        record = FigureRecord(**fields)
    except TypeError as error:
        raise expected from error
    if not isinstance(record.order, int) or not all(
        isinstance(word, str)
        for word in (record.title, record.answer, record.explanation, record.alt, record.method, *record.warnings)
    ):
        raise expected
    return record


def _strip_ending(path: Path) -> Path:
    return path.with_suffix("") if path.suffix.lower().lstrip(".") in _FORMATS else path
