"""Section kind: the metamers of one network (``metamers/{model}``), with what random pairs match like."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, final

import numpy as np

from beholder._core.tables import list_rows
from beholder._core.wording import count_items, format_count, format_number, use_plural, use_verb
from beholder.figures import colors_of_layers
from beholder.report._metamer_charts import Chart, draw_losses, draw_null
from beholder.report._metamer_view import (
    VERDICTS,
    Embedder,
    LayerCharts,
    MetamerGallery,
    MetamerRow,
    format_verdict,
    make_row,
    plan_side,
)
from beholder.report._section import SECTIONS, Page, Section, SectionKind, Table, list_choices
from beholder.report._sounds import is_sound
from beholder.stimuli import (
    MetamerFile,
    MetamerSet,
    NullHistogram,
    NullSet,
    find_null_folder,
    format_passed,
    format_steps,
    is_metamer_set,
    is_null_set,
    read_null_histograms,
)

_SHARE_OF_PAGE = 0.6
_TABLE_ROWS = 400
_MOST_CURVES = 60
_CLOSE_DB = 20
_MEASURES = (("spearman", "Spearman", ""), ("pearson", "Pearson", ""), ("db_snr", "SNR", "dB"))
_OWN_FILES = ("originals", "results.parquet", "judgements.parquet", "stimuli.csv")
Measures = Mapping[tuple[str, str, int], Mapping[str, Any]]


@SECTIONS.register("metamers")
@final
class MetamerKind(SectionKind):
    """What a network cannot tell apart: originals, one metamer a layer, their measures, random pairs, losses."""

    turn = 20

    def find(self, folder: Path) -> list[Path]:
        """Folders of one network's metamers."""
        found = []
        for root, folders, _ in os.walk(folder):
            folders[:] = sorted(name for name in folders if not name.startswith(".") and not name.endswith(".zarr"))
            if is_metamer_set(root):
                found.append(Path(root))
                folders.clear()
        return found

    def render(self, item: Path, page: Page) -> Section:
        """Gallery, pictures of layers, table."""
        made = MetamerSet(item)
        for name in _OWN_FILES:
            page.claim(item / name)
        for one in made:
            page.claim(one.path.parent)
        own = [row for row in list_rows(made.to_pandas()) if row["layer"] == row["measured_layer"]]
        measures = {(row["layer"], row["stimulus_id"], row["seed"]): row for row in own}
        colors = colors_of_layers(made.layers)
        null = read_null_histograms(find_null_folder(item)) if has_own_null(made, find_null_folder(item)) else {}
        rows, broken, n_rows = _make_rows(made, measures, colors, page)
        noun = "sounds" if any(is_sound(one.path) for one in made.files[:1]) else "pictures"
        warnings = []
        if len(rows) < n_rows:
            warnings.append(f"{len(rows):,} of {count_items(n_rows, 'stimuli')} are shown: the page is full.")
        if broken:
            more = f" and {len(broken) - 5:,} more" if len(broken) > 5 else ""
            warnings.append(f"Not readable: {', '.join(broken[:5])}{more}.")
        verdicts = [format_verdict(row) for row in own]
        if not has_own_null(made, find_null_folder(item)):
            warnings.append(f"{find_null_folder(item)} is of another network, and left out.")
        if "unknown" in verdicts:
            n = verdicts.count("unknown")
            warnings.append(
                f"{n:,} of {format_count(len(verdicts), 'metamer')} {use_verb(n, 'is')} not tested: "
                f"{_name_null(made, item)}, with a FOLDER of natural {noun}, makes the random pairs that they are "
                "tested by."
            )
        n_pairs = max((h.n_pairs for layer in null.values() for h in layer.values()), default=0)
        gallery = MetamerGallery(
            rows=tuple(rows),
            layers=tuple(
                _make_charts(made, layer, measures, colors[layer], null.get(layer, {})) for layer in made.layers
            ),
            choices=list_choices(one.layer for one in made),
            verdicts=tuple((key, f"{VERDICTS[key]} ({n})") for key, n in Counter(verdicts).items()),
            noun=noun,
            n_pairs=n_pairs,
        )
        columns = ("stimulus", "layer", "seed", "dB SNR as saved", "dB SNR", "dB published", "Spearman as saved",
                   "Pearson as saved", "percentile", "verdict", "decision", "rule", "original called",
                   "metamer called", "steps")  # fmt: skip
        cells = tuple(_list_cells(row) for row in own)
        return Section(
            title=f"What can {made.model} not tell apart{format_steps(item)}?",
            answer=_format_answer(made, noun),
            view=gallery,
            explanation=_explain(own, noun, n_pairs),
            table=Table(columns, cells[:_TABLE_ROWS], page.link(item / "results.parquet"), len(cells)),
            method="Match is measured between the activations of original and metamer at the matched layer, of the "
            f"{noun} as saved and read again: dB = 20 log₁₀(‖original‖ / ‖difference‖). A metamer passes when "
            "Spearman, Pearson and dB are each above those of every random pair, and the network gives it the "
            f"original's name{_format_decisions(own)}.",
            warnings=tuple(warnings),
            order=400,
            facts={"model": made.model},
        )


def has_own_null(made: MetamerSet, null: Path) -> bool:
    """Whether random pairs were measured with the metamers' own network, as far as both say."""
    if not is_null_set(null):
        return True
    networks = made.network, NullSet(null).network
    return None in networks or networks[0] == networks[1]


def _make_rows(
    made: MetamerSet, measures: Measures, colors: Mapping[str, str], page: Page
) -> tuple[list[MetamerRow], list[str], int]:
    groups: dict[tuple[str, int], list[MetamerFile]] = {}
    for one in made:
        groups.setdefault((one.stimulus_id, one.seed), []).append(one)
    place = {layer: i for i, layer in enumerate(made.layers)}
    has_sounds = any(is_sound(one.path) for one in made.files[:1])
    n_cards = sum(len(files) + 1 for files in groups.values())
    side = plan_side(n_cards, int(_SHARE_OF_PAGE * page.budget.left), has_sounds=has_sounds)
    embedder = Embedder(page.budget, side)
    tells_seed = any(seed for _, seed in groups)
    rows = []
    for files in groups.values():
        ordered = sorted(files, key=lambda one: place[one.layer])
        row = make_row(ordered, measures, colors, embedder, page, tells_seed=tells_seed)
        if row is None:
            break
        rows.append(row)
    return rows, embedder.broken, len(groups)


def _make_charts(
    made: MetamerSet, layer: str, measures: Measures, color: str, null: Mapping[str, NullHistogram]
) -> LayerCharts:
    files = [one for one in made if one.layer == layer]
    own = [measures[one.layer, one.stimulus_id, one.seed] for one in files]
    verdicts = [format_verdict(row) for row in own]
    charts: list[Chart | None] = [
        draw_null(heading, unit, null.get(name), [row[f"{name}_saved"] for row in own], verdicts)
        for name, heading, unit in _MEASURES
    ]
    charts.append(draw_losses(_read_losses(files[:_MOST_CURVES])))
    kinds = sorted({row["decision"] or "" for row in own})
    parts = [_count_verdicts([row for row in own if (row["decision"] or "") == kind]) for kind in kinds]
    several = len(kinds) > 1
    words = "; ".join(
        f"by {kind}: {part}" if several and kind else part for kind, part in zip(kinds, parts, strict=True)
    )
    return LayerCharts(layer, color, words, tuple(chart for chart in charts if chart is not None))


def _count_verdicts(own: Sequence[Mapping[str, Any]]) -> str:
    """How many of one decision pass, fail, are not tested."""
    counts = Counter(format_verdict(row) for row in own)
    return ", ".join(
        f"{counts[key]} of {len(own)} {_agree(VERDICTS[key], counts[key])}" for key in VERDICTS if counts[key]
    )


def _agree(verb: str, n: int) -> str:
    return verb if verb == "not tested" else use_verb(n, verb)


def _read_losses(files: Sequence[MetamerFile]) -> list[np.ndarray]:
    curves = []
    for one in files:
        try:
            curves.append(one.read_losses())
        except (OSError, ValueError):
            continue
    return curves


def _list_cells(row: Mapping[str, Any]) -> tuple[Any, ...]:
    names = ("db_snr_saved", "db_snr", "db_snr_published", "spearman_saved", "pearson_saved", "percentile")
    numbers = tuple("" if np.isnan(row[name]) else float(row[name]) for name in names)
    said = tuple(row[name] or "" for name in ("decision", "rule", "prediction_original", "prediction_metamer"))
    return (row["stimulus_id"], row["layer"], row["seed"], *numbers, VERDICTS[format_verdict(row)], *said, row["steps"])


def _format_decisions(own: Sequence[Mapping[str, Any]]) -> str:
    """By which decisions names are the same."""
    words = {
        "category": "one of 16 categories, for stimuli that are in one",
        "word": "a word",
        "class": "one of its own classes",
    }
    rules = sorted({row["rule"] for row in own if row["rule"]})
    told = [text for name, text in words.items() if any(row["decision"] == name for row in own)]
    return f": {', else '.join(told)}{f' (rule: {rules[0]})' if rules else ''}" if told else ""


def _format_answer(made: MetamerSet, noun: str) -> str:
    stimuli, layers = count_items(len(made.stimulus_ids), noun), format_count(len(made.layers), "layer")
    answer = f"{format_count(len(made), 'metamer')} of {stimuli} at {layers}"
    table: Any = made.to_pandas()
    tested = table[(table["layer"] == table["measured_layer"]) & table["passed"].notna()]
    if not len(tested):
        return f"{answer}; not tested yet."
    return (
        f"{answer}; {format_passed(tested)} tested {use_plural(len(tested), 'one')} {use_verb(len(tested), 'passes')}."
    )


def _name_null(made: MetamerSet, item: Path) -> str:
    """The command that tests metamers, typed beside the folder of all models' metamers."""
    folder = item.resolve().parent.name
    if folder == "metamers":
        return f"beholder metamers null {shlex.quote(made.model)} FOLDER"
    return f"beholder metamers null {shlex.quote(made.model)} FOLDER --metamers_path {shlex.quote(folder)}"


def _tell_match(own: Sequence[Mapping[str, Any]], sense: str) -> str:
    """That original and metamer are nearly the same to the network, where that is known; else how close they are."""
    known = [row["db_snr"] if np.isnan(row["db_snr_saved"]) else row["db_snr_saved"] for row in own]
    where = "at the layer named, original and metamer"
    words = " to ".join(dict.fromkeys(format_number(value) for value in (min(known), max(known))))
    if all(format_verdict(row) == "passed" or db >= _CLOSE_DB for row, db in zip(own, known, strict=True)):
        return (
            f"To the network, {where} are nearly the same: more alike than all random pairs, or to a tenth of the "
            f"activation ({_CLOSE_DB} dB). Where they {sense} different to you, it has stopped caring about the "
            "difference."
        )
    return (
        f"How alike {where} are to the network is told in dB, here {words}: at {_CLOSE_DB} dB they "
        f"differ by a tenth of the activation. Only where they are much alike and {sense} different to you has it "
        "stopped caring about the difference."
    )


def _explain(own: Sequence[Mapping[str, Any]], noun: str, n_pairs: int) -> str:
    sense, verb = ("sound", "Play") if noun == "sounds" else ("look", "Compare")
    bars = (
        f"grey bars are {format_count(n_pairs, 'random pair')} of natural {noun}, the dashed line is the best of them; "
    )
    bars = bars if n_pairs else ""
    return (
        f"{_tell_match(own, sense)} {verb} them from early layers on the left to late ones "
        f"on the right. Layer by layer, {bars}a dot is a metamer that passes, a cross one that fails, a ring one that "
        "is not tested; each blue line is the loss of one metamer."
    )
