"""Section kind: stimuli of single units (``stimuli/{model}``), as a gallery with one card a unit."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import final

from beholder._core.wording import format_count
from beholder.figures import colors_of_layers
from beholder.report._section import SECTIONS, Page, Section, SectionKind, Table, list_choices
from beholder.report._unit_thumbnails import Thumbnailer, plan_thumbnails
from beholder.report._unit_view import HEADINGS, UnitCard, UnitGallery, format_noun, make_card
from beholder.stimuli import ModelStimuli, is_model_stimuli, read_model_stimuli

_SHARE_OF_PAGE = 0.85
_VERDICTS = {
    "yes": "beat the natural ones",
    "tie": "tie with them for a sign",
    "no": "fall short for a sign",
    "unknown": "have nothing to be compared with",
}


@SECTIONS.register("units")
@final
class UnitKind(SectionKind):
    """What drives units most and least: natural exemplars, visualisations, and where both lie among all stimuli."""

    turn = 30

    def find(self, folder: Path) -> list[Path]:
        """Folders that hold models' folders of stimuli; ``folder`` itself if it is one model's."""
        if is_model_stimuli(folder):
            return [folder]
        return list(dict.fromkeys(model.parent for model in _find_models(folder)))

    def render(self, item: Path, page: Page) -> Section:
        """One gallery of all models in a folder."""
        paths = [item] if is_model_stimuli(item) else [path for path in sorted(item.iterdir()) if _is_model(path)]
        models = [read_model_stimuli(path) for path in paths]
        for path in paths:
            page.claim(path)
        cards, broken = _make_cards(models, page)
        n = sum(len(model) for model in models)
        noun = format_noun(models[0].units[0])
        names = (
            " and ".join(model.model for model in models)
            if len(models) < 4
            else f"{format_count(len(models), 'model')}"
        )
        warnings = []
        if len(cards) < n:
            warnings.append(f"{len(cards):,} of {format_count(n, 'unit')} are shown: the page is full.")
        if broken:
            more = f" and {len(broken) - 5:,} more" if len(broken) > 5 else ""
            warnings.append(f"Not readable: {', '.join(broken[:5])}{more}.")
        rows = tuple(row for model in models for row in _list_rows(model))
        columns = ("model", "layer", "channel", "sign", "most extreme natural", "best visualisation", "beats", "note")
        return Section(
            title=f"What drives single units of {names}?",
            answer=_format_answer(models, noun),
            view=UnitGallery(
                units=tuple(cards),
                models=tuple((model.model, f"{model.model} ({len(model)})") for model in models),
                layers=list_choices(card.layer for card in cards),
                verdicts=_list_verdicts(cards),
                has_maps=_has_maps(cards),
                noun=noun,
            ),
            explanation=_explain(models, noun, has_maps=_has_maps(cards)),
            table=Table(columns, rows),
            method="A unit is one channel of a layer; its activation is the mean over space, time or tokens. "
            f"Pixel for pixel the {noun} are those that the network saw; on this page they are smaller.",
            warnings=tuple(warnings),
            order=500,
            facts={"model": ", ".join(model.model for model in models)},
        )


def _find_models(folder: Path) -> list[Path]:
    found = []
    for root, folders, _ in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and not name.endswith(".zarr"))
        if is_model_stimuli(root):
            found.append(Path(root))
            folders.clear()
    return found


def _is_model(path: Path) -> bool:
    return path.is_dir() and not path.name.startswith(".") and is_model_stimuli(path)


def _make_cards(models: list[ModelStimuli], page: Page) -> tuple[list[UnitCard], list[str]]:
    n = sum(len(model) for model in models)
    noun = format_noun(models[0].units[0])
    has_optimized = any(unit.select("optimized") for model in models for unit in model)
    room = int(_SHARE_OF_PAGE * page.budget.left)
    plan = plan_thumbnails(n, room, has_sounds=noun == "sounds", has_optimized=has_optimized)
    thumbnailer = Thumbnailer(page.budget)
    cards: list[UnitCard] = []
    for model in models:
        colors = colors_of_layers(model.recorded_layers)
        for unit in model:
            card = make_card(unit, model.model, colors[unit.layer], plan, thumbnailer, page)
            if card is None:
                return cards, thumbnailer.broken
            cards.append(card)
    return cards, thumbnailer.broken


def _list_verdicts(cards: list[UnitCard]) -> tuple[tuple[str, str], ...]:
    counts = Counter(card.beats for card in cards)
    return tuple((beats, f"{words} ({counts[beats]})") for beats, words in _VERDICTS.items() if counts[beats])


def _has_maps(cards: list[UnitCard]) -> bool:
    return any(one.overlay for card in cards for side in card.sides for row in side.rows for one in row.thumbnails[:1])


def _format_answer(models: list[ModelStimuli], noun: str) -> str:
    n, n_layers = sum(len(model) for model in models), sum(len(model.layers) for model in models)
    sizes = sorted({sum(unit.counts) for model in models for unit in model if unit.counts})
    those = f"those of {sizes[-1]:,} natural {noun}" if sizes else f"the natural {noun}"
    where = f"{format_count(n, 'unit')} in {format_count(n_layers, 'layer')}"
    answer = f"{where}, each with {those} that drive it least and most."
    told = []
    for sign, words in (("max", "higher"), ("min", "lower")):
        judged = [unit.verdicts[sign]["beats"] for model in models for unit in model if sign in unit.verdicts]
        if judged:
            told.append(f"{sum(beats == 'yes' for beats in judged):,} of {format_count(len(judged), 'unit')} {words}")
    if told:
        answer += f" Visualisations drive {' and '.join(told)} than any natural {noun.removesuffix('s')}."
    return answer


def _explain(models: list[ModelStimuli], noun: str, *, has_maps: bool) -> str:
    parts = [
        f"Left what drives a unit least, right what drives it most, the most extreme first. References are the most "
        f"extreme natural {noun}; queries are milder ones, to be told apart in an experiment. In the histogram, grey "
        f"bars count the recorded {noun} by activation, and the marks below are the {noun} of the unit."
    ]
    if any(unit.select("optimized") for model in models for unit in model):
        parts.append(
            "Blue: visualisations, made to drive the unit. Where one is transparent, the ground shows through."
        )
    if has_maps:
        parts.append(
            f"Where in the {noun.removesuffix('s')}: what drives the unit stays clear, the rest is veiled; clear are "
            "the strongest 5 % of a row's positions, darkest the weakest 20 %."
        )
    return " ".join(parts)


def _list_rows(model: ModelStimuli) -> list[tuple[str | int | float, ...]]:
    rows: list[tuple[str | int | float, ...]] = []
    for unit in model:
        for sign in HEADINGS:
            natural, made = unit.select("natural", sign, "reference")[-1:], unit.select("optimized", sign)[-1:]
            values = ["" if not one or one[0].activation is None else one[0].activation for one in (natural, made)]
            verdict = unit.verdicts.get(sign, {})
            told = (verdict.get("beats", ""), verdict.get("note") or "")
            rows.append((model.model, unit.layer, unit.channel, sign, *values, *told))
    return rows
