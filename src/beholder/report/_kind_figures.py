"""Section kind: figures saved with their words and their table (``{name}.figure.json``)."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import final

from beholder._core.errors import InputError
from beholder._core.tables import read_rows
from beholder.figures import RECORD_SUFFIX, read_figure_record
from beholder.report._embed import embed_picture, embed_svg
from beholder.report._section import SECTIONS, Page, Picture, Section, SectionKind, Table, find_files

_TABLE_ROWS = 200
_FIGURE_PIXELS = 1400


@SECTIONS.register("figures")
@final
class FigureKind(SectionKind):
    """A figure with the question it answers."""

    turn = 50

    def find(self, folder: Path) -> list[Path]:
        """Records of figures."""
        return find_files(folder, f"*{RECORD_SUFFIX}")

    def render(self, item: Path, page: Page) -> Section:
        """The figure, its words, its table."""
        record = read_figure_record(item)
        stem = item.name.removesuffix(RECORD_SUFFIX)
        files = {kind: item.with_name(f"{stem}.{kind}") for kind in ("svg", "pdf", "png", "csv")}
        for path in files.values():
            page.claim(path)
        picture = embed_figure(files, record.alt or record.title, page)
        table, unread = None, ()
        if files["csv"].is_file():
            try:
                table = read_table(files["csv"], page)
            except InputError as error:
                unread = (f"{files['csv'].name} could not be read: {error}",)
        missing = () if picture else ("The picture is not on this page: its file is missing, or the page is full.",)
        return Section(
            title=record.title,
            answer=record.answer,
            pictures=(picture,) if picture else (),
            explanation=record.explanation,
            table=table,
            method=record.method,
            warnings=(*record.warnings, *missing, *unread),
            order=record.order,
        )


def embed_figure(files: dict[str, Path], alt: str, page: Page) -> Picture | None:
    """A saved figure as a picture of the page: the SVG, or the PNG when that is absent or too large."""
    shown = None
    if files["svg"].is_file():
        shown = embed_svg(files["svg"], page.budget)
    if shown is None and files["png"].is_file():
        found = embed_picture(files["png"], _FIGURE_PIXELS, page.budget)
        if found:
            width = min(680, found[1][0] // 3)
            shown = found[0], width, round(width * found[1][1] / found[1][0])
    if shown is None:
        return None
    links = [(kind.upper(), page.link(path)) for kind, path in files.items() if kind != "csv" and path.is_file()]
    return Picture(shown[0], alt, shown[1], tuple((kind, link) for kind, link in links if link), shown[2])


def read_table(path: Path, page: Page) -> Table:
    """The first rows of a CSV file."""
    reader = read_rows(path)
    columns = tuple(next(reader, ()))
    rows = [tuple(_to_number(cell) for cell in row) for row in itertools.islice(reader, _TABLE_ROWS)]
    n_rows = len(rows) + sum(1 for _ in reader)
    return Table(columns, tuple(rows), page.link(path), n_rows)


def _to_number(cell: str) -> str | int | float:
    for convert in (int, float):
        try:
            return convert(cell)
        except ValueError:
            continue
    return cell
