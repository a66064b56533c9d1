"""Section kind: representational dissimilarity matrices (``{name}.rdms.npz``)."""

from __future__ import annotations

from pathlib import Path
from typing import final

from beholder._core.wording import format_count
from beholder.figures import RECORD_SUFFIX
from beholder.report._embed import embed_svg_bytes
from beholder.report._kind_figures import FigureKind
from beholder.report._rdm_file import RDM_SUFFIX, StoredRdms, read_rdms
from beholder.report._section import SECTIONS, Page, Picture, Section, SectionKind, Table, find_files

_MOST_LAYERS = 12
_MOST_STIMULI = 1000
_MOST_NAMED = 24


@SECTIONS.register("rdms")
@final
class RdmKind(SectionKind):
    """RDMs of a model's layers. A figure saved under the same name beside them takes their place."""

    turn = 10

    def find(self, folder: Path) -> list[Path]:
        """Files of RDMs."""
        return find_files(folder, f"*{RDM_SUFFIX}")

    def render(self, item: Path, page: Page) -> Section:
        """One picture a layer, by the first measure of the file."""
        stored = read_rdms(item)
        figure = item.with_name(item.name.removesuffix(RDM_SUFFIX) + RECORD_SUFFIX)
        if figure.is_file():
            page.claim(figure)
            return FigureKind().render(figure, page)
        n, measures = len(stored.stimulus_ids), ", ".join(stored.measures)
        picture = _draw(stored, page)
        return Section(
            title=f"Which stimuli are alike to {stored.model or item.name}?",
            answer=f"Dissimilarities ({measures}) of {format_count(n, 'stimulus')} at "
            f"{format_count(len(stored.layers), 'layer')}.",
            pictures=(picture,) if picture else (),
            explanation="Each square compares the stimulus of its row with that of its column. "
            "Dark: alike to the layer; light: unlike. Dark blocks along the diagonal are categories kept together.",
            table=Table(("layer",), tuple((layer,) for layer in stored.layers), page.link(item)),
            method=f"{stored.measures[0]} dissimilarity, shown as the share of pairs that are as alike or more alike.",
            warnings=() if picture else ("No picture: the file is empty, or holds too many stimuli for a page.",),
            order=400,
            facts={"model": stored.model, "stimuli": format_count(n, "stimulus")},
        )


def _draw(stored: StoredRdms, page: Page) -> Picture | None:
    from beholder.figures import plot_rdms, render_svg

    if not stored.layers or not stored.measures or not 1 < len(stored.stimulus_ids) <= _MOST_STIMULI:
        return None
    layers, measure = stored.layers[:_MOST_LAYERS], stored.measures[0]
    rdms = {layer: stored.get(layer, measure) for layer in layers}
    categories = _group_names(stored)
    labels = stored.stimulus_ids if categories is None and len(stored.stimulus_ids) <= _MOST_NAMED else None
    fig = plot_rdms(rdms, categories=categories, labels=labels)
    shown = embed_svg_bytes(render_svg(fig), page.budget)
    alt = f"Dissimilarity matrices by {measure} at {', '.join(layers)}"
    return Picture(shown[0], alt, shown[1], height=shown[2]) if shown else None


def _group_names(stored: StoredRdms) -> tuple[str, ...] | None:
    """Categories, unless nearly every stimulus is one of its own."""
    distinct = len(set(stored.categories))
    return stored.categories if 1 < distinct <= len(stored.stimulus_ids) // 2 else None
