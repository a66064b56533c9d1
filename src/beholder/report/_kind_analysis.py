"""Section kind: results of analyses (``{name}.result.json`` beside ``{name}.parquet``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, final

from beholder.report._embed import embed_svg_bytes
from beholder.report._section import SECTIONS, Page, Picture, Section, SectionKind, Table, find_files

_TABLE_ROWS = 200
_ANSWERS = 3


@SECTIONS.register("analysis")
@final
class AnalysisKind(SectionKind):
    """What an analysis found: its sentences, pictures, table, and the paragraph for a paper."""

    turn = 5

    def find(self, folder: Path) -> list[Path]:
        """Results."""
        from beholder.analysis import RESULT_SUFFIX

        return find_files(folder, f"*{RESULT_SUFFIX}")

    def render(self, item: Path, page: Page) -> Section:
        """All from the saved result; nothing is computed."""
        from beholder.analysis import RESULT_KINDS, RESULT_SUFFIX, open_result
        from beholder.figures import render_svg

        stem = item.name.removesuffix(RESULT_SUFFIX)
        table_file = item.with_name(f"{stem}.parquet")
        page.claim(table_file)
        result = open_result(item)
        kind = RESULT_KINDS[result.kind]
        pictures: list[Picture] = []
        explanations: list[str] = []
        for drawing in kind.draw(result):
            saved = {end: item.parent / "figures" / f"{stem}_{drawing.name}.{end}" for end in ("svg", "pdf", "png")}
            for path in saved.values():
                page.claim(path)
            shown = embed_svg_bytes(render_svg(drawing.figure), page.budget)
            if shown is not None:
                links = [(end.upper(), page.link(path)) for end, path in saved.items() if path.is_file()]
                files = tuple((end, link) for end, link in links if link)
                pictures.append(Picture(shown[0], drawing.alt, shown[1], files, shown[2]))
                explanations.append(drawing.explanation)
        told = result.sentences()
        table: Any = result.table
        rows = tuple(tuple(row) for row in table.head(_TABLE_ROWS).itertuples(index=False, name=None))
        models = ", ".join(dict.fromkeys(str(name) for name in table["model"] if name))
        return Section(
            title=kind.title(result),
            answer=" ".join(told[:_ANSWERS]),
            pictures=tuple(pictures),
            explanation=" ".join(filter(None, [*dict.fromkeys(explanations), *told[_ANSWERS:]])),
            table=Table(tuple(map(str, table.columns)), rows, page.link(table_file), len(table)),
            method=kind.methods(result),
            warnings=result.warnings,
            order=200,
            facts={"model": models},
        )
