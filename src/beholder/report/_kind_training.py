"""Section kind: training runs (``settings.json`` of a run, beside its ``log.jsonl``)."""

from __future__ import annotations

from pathlib import Path
from typing import final

from beholder._core.errors import InputError
from beholder._core.files import read_json
from beholder._core.wording import format_count, use_verb
from beholder.report._embed import embed_svg_bytes
from beholder.report._section import SECTIONS, Page, Picture, Section, SectionKind, Table, find_files

_TABLE_ROWS = 200


@SECTIONS.register("training")
@final
class TrainingKind(SectionKind):
    """How a network learnt: curves of loss and accuracy, the rows of its log."""

    turn = 6

    def find(self, folder: Path) -> list[Path]:
        """Settings of runs with an epoch or more."""
        return [path for path in find_files(folder, "settings.json") if _is_run(path)]

    def render(self, item: Path, page: Page) -> Section:
        """All from the log; nothing is computed."""
        from beholder.figures import plot_training, render_svg
        from beholder.training import open_training_record

        record = open_training_record(item.parent)
        for name in ("settings.json", "log.csv", "log.jsonl"):
            page.claim(item.with_name(name))
        settings, n_classes = record.settings, len(record.described["classes"])
        figure = plot_training(record.history, n_classes=n_classes, attack=settings["attack"])
        shown = embed_svg_bytes(render_svg(figure), page.budget)
        told = record.sentences()
        columns = tuple(record.history[0])
        rows = tuple(tuple(row.get(name) for name in columns) for row in record.history[:_TABLE_ROWS])
        pictures = (
            ()
            if shown is None
            else (Picture(shown[0], "Loss and accuracy over epochs. " + " ".join(told), shown[1], height=shown[2]),)
        )
        return Section(
            title=f"How did {record.described['model']} learn?",
            answer=" ".join(told),
            pictures=pictures,
            explanation="Left the loss, right the share of right answers: of what was learnt from (as it was learnt "
            "from: varied, attacked), and of the held-out part at the end of each epoch.",
            table=Table(columns, rows, page.link(item.with_name("log.csv")), len(record.history)),
            method=record.methods(),
            warnings=tuple(_warn(record.history)),
            order=190,
            facts={"model": str(record.described["model"])},
        )


def _is_run(path: Path) -> bool:
    log = path.with_name("log.jsonl")
    try:
        document = read_json(path)
    except InputError:
        return False
    is_run = isinstance(document, dict) and str(document.get("format", "")).startswith("beholder-training-")
    return is_run and log.is_file() and log.stat().st_size > 0


def _warn(history: tuple[dict[str, object], ...]) -> list[str]:
    n = int(str(history[-1].get("n_skipped") or 0))
    return [f"{format_count(n, 'stimulus')} could not be read and {use_verb(n, 'was')} left out."] if n else []
