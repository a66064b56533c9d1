"""``beholder metamers judge``: what other networks make of metamers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from beholder._core.errors import InputError
from beholder._core.tables import list_rows
from beholder._core.wording import format_share
from beholder.cli._flags import (
    AnswerFlags,
    Device,
    LongFlags,
    OutputFlags,
    Seed,
    Words,
    align,
    flags,
    list_files,
    look_up,
    refuse_missing,
)

if TYPE_CHECKING:
    from beholder.evaluation import Judgement, NetworkScatter


@flags
class _JudgeFlags(AnswerFlags):
    sets: Words = None
    """Names of the folders in RESULTS_DIR that are judged, where it holds two of one network; default all."""
    device: Device = "auto"
    """auto, cpu, cuda, cuda:N, mps, xpu or any other that torch knows here."""
    overwrite: bool = False
    """Ask these judges anew."""


@flags
class _ShownFlags:
    decision: Literal["category", "word", "class"] | None = None
    """What is shown: 16 categories, a word, or the judge's own classes; default for each stimulus the one that counts.
    """
    interval: Literal["wilson", "bootstrap"] = "wilson"
    """How intervals of proportions are found: wilson, or bootstrap over stimuli."""
    failed: bool = False
    """Count metamers that did not pass, too."""
    seed: Seed = 42
    """Seed of the bootstrap."""


@flags
class _ComparedFlags:
    human: Words = None
    """What people recognised: a .csv with network, layer, accuracy, or NETWORK=FILE.mat."""
    attacked: str | None = None
    """What `beholder evaluate adversarial --json` printed, or such a .csv."""
    attack: str | None = None
    """Which attack of that file, NORM:EPS or NORM:EPS:ATTACK, where it holds several."""
    brain: str | None = None
    """How well networks predict brains: a .csv or .json with network, value."""

    def check(self) -> None:
        """Raise where flags need one another, or files are not there, before judges are asked."""
        if self.attack and not self.attacked:
            raise InputError("--attacked FILE beside --attack", got="--attack alone")
        people = [each.partition("=")[2] or each for each in self.human or ()]
        for flag, files in (("human", people), ("attacked", [self.attacked]), ("brain", [self.brain])):
            refuse_missing([each for each in files if each], f"a file after --{flag}")


@flags
class _PublishedFlags:
    published: Words = None
    """What the networks of the metamer study (Feather et al. 2023) said of each other's metamers: files
    accuracy_on_metamers_from_….pckl, or folders with them, whose proportions are told beside these."""
    published_layers: Words = None
    """Layers whose names differ in the files of --published, LAYER=STAGE …: features.1=relu0."""

    def check(self) -> None:
        """Raise where flags need one another, or files are not there, before judges are asked."""
        self._read_layers()
        if self.published_layers and not self.published:
            raise InputError("--published FILES beside --published_layers", got="--published_layers alone")
        if self.published:
            from beholder.evaluation import find_published_predictions

            find_published_predictions(self.published)

    def compare(self, found: Judgement, shown: _ShownFlags) -> list[dict[str, Any]]:
        """A row a network, judge, decision and layer that is on both sides."""
        import pandas as pd

        from beholder.evaluation import compare_with_published, find_published_predictions, read_published_predictions

        if self.published is None:
            return []
        files = find_published_predictions(self.published, found.models)
        published = pd.concat([read_published_predictions(file) for file in files], ignore_index=True)
        decisions = [shown.decision] if shown.decision else dict.fromkeys(found.table["decision"])
        own = pd.concat([found.select_metamers(each, failed=shown.failed) for each in decisions])
        table = compare_with_published(own, published, layers=self._read_layers())
        return list_rows(table.dropna(subset=["proportion", "published"]))

    def _read_layers(self) -> dict[str, str]:
        pairs = [word.partition("=") for word in self.published_layers or ()]
        if not all(layer and stage for layer, _, stage in pairs):
            raise InputError("LAYER=STAGE", got=" ".join(self.published_layers or ()), hint="features.1=relu0")
        return {layer: stage for layer, _, stage in pairs}


def judge(
    results_dir: str,
    /,
    *,
    models: Words = None,
    asked: _JudgeFlags = _JudgeFlags(),
    compared: _ComparedFlags = _ComparedFlags(),
    told: _PublishedFlags = _PublishedFlags(),
    shown: _ShownFlags = _ShownFlags(),
    long: LongFlags = LongFlags(),
    output: OutputFlags = OutputFlags(),
) -> None:
    """Ask other networks what metamers are: recognised at which layer, by whom.

    Example: beholder stimuli draw shapes
    Example: beholder metamers make beholder:shapes images/star/star_0000.png --layers block2 block5 -I 100
    Example: beholder metamers null beholder:shapes images/ -N 1000
    Example: beholder metamers judge metamers/ --models beholder:shapes-robust

    Parameters
    ----------
    results_dir
        Metamers of one network, metamers/{model}, or a folder of several of these.
    models
        The judging networks; default all whose metamers are there.
    """
    from beholder.evaluation import find_metamer_sets

    judged = find_metamer_sets(results_dir, asked.sets)
    for name in models or ():
        look_up(name)
    compared.check()
    told.check()
    from beholder.evaluation import draw_judgements, judge_metamers

    judge_metamers(results_dir, models, **vars(asked), **vars(long))
    found, scatters, figures = draw_judgements(results_dir, asked.sets, **vars(compared), **vars(shown))
    published = told.compare(found, shown)
    tables: dict[str, Any] = {
        "layers": list_rows(found.recognize_layers(**vars(shown))),
        "matrix": list_rows(found.recognize_models(**vars(shown))),
        "scatters": [_to_row(name, scatter) for name, scatter in scatters.items()],
        "files": list_files(path / "judgements.parquet" for path in judged),
    }
    tables |= {"published": published} if told.published else {}
    lines = [*_describe(found, shown, scatters), *_describe_published(published)]
    output.print([*lines, str(figures)], tables)


def _describe_published(rows: list[dict[str, Any]]) -> Iterator[str]:
    """A row a network, judge, decision and layer, here and as published."""
    if not rows:
        return
    cells = [["metamers of", "judge", "decision", "layer", "here", "published", "n"]]
    for row in rows:
        here, there = (format_share(row[name]) for name in ("proportion", "published"))
        n = f"{row['n']:.0f}, {row['n_published']:.0f}"
        cells.append([str(row[key]) for key in ("model", "judge", "decision", "layer")] + [here, there, n])
    yield from align(cells, n_left=4)


def _to_row(name: str, scatter: NetworkScatter) -> dict[str, Any]:
    values = asdict(scatter.correlation)
    known = {key: None if math.isnan(value) else value for key, value in values.items()}
    return {"name": name, "x": scatter.x_name, "y": scatter.y_name, **known}


def _describe(found: Judgement, shown: _ShownFlags, scatters: dict[str, NetworkScatter]) -> Iterator[str]:
    """A table for people: a row a network and layer, a column a judge."""
    from beholder.evaluation import shorten_names

    layers: Any = found.recognize_layers(**vars(shown))
    yield repr(found)
    left_out = len(found.select(shown.decision, failed=True)) - len(found.select(shown.decision))
    if left_out and not shown.failed:
        yield f"{left_out} verdicts on metamers that did not pass are left out (--failed counts them)"
    names = dict(zip(found.judges, shorten_names(found.judges), strict=True))
    own = dict(zip(found.models, shorten_names(found.models), strict=True))
    rows = [["metamers of", "layer", "decision", *names.values()]]
    for (model, layer, decision), group in layers.groupby(["model", "layer", "decision"], sort=False):
        proportions = dict(zip(group["judge"], group["accuracy"], strict=True))
        cells = [format_share(proportions[judge]) if judge in proportions else "–" for judge in names]
        rows.append([own[model], layer or "original", decision, *cells])
    yield from align(rows, n_left=3)
    for name, scatter in scatters.items():
        yield f"{name}: {scatter.correlation}"
