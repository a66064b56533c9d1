"""The demo's twins: metamers of a standard and of an adversarially trained network, and who recognises them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from beholder._core.wording import format_count
from beholder.demo._figures import figure_of
from beholder.demo._units import redo
from beholder.demo._words import describe_twin_metamers, describe_twins
from beholder.figures import colors_of_models, plot_accuracy, plot_stimulus_rows, save_figure
from beholder.stimuli import MetamerSet, open_image

if TYPE_CHECKING:
    from beholder.evaluation import MakerComparison
    from beholder.models import Model
    from beholder.stimuli import StimulusSet

logger = logging.getLogger("beholder")

TWINS = ("beholder:shapes@v2", "beholder:shapes-robust@v2")
NAMES = ("standard", "adversarially trained")
JUDGE = "beholder:shapes@v1"
LAYER = "classifier"
_ITERATIONS, _PAIRS = 60, 100
_N_SHOWN = 5


def compare_twins(stimuli: StimulusSet, folder: Path, figures: Path, n_stimuli: int, seed: int) -> MakerComparison:
    """Make late metamers by both twins, have other networks judge them, draw the difference with its interval.

    Each twin's metamers are judged by the other twin and by a third network of earlier weights.

    Parameters
    ----------
    stimuli : StimulusSet
        Pictures, from which some are taken at equal distances.
    folder : path
        Gets ``metamers/`` with judgements, and ``null_dist/``.
    figures : path
    n_stimuli : int
        At least 2.
    seed : int
        Of the bootstrap over stimuli.

    Returns
    -------
    MakerComparison
        The standard twin first.
    """
    from beholder.evaluation import compare_makers, judge_metamers
    from beholder.models import load_model
    from beholder.synthesis import make_metamers, null_distribution

    nets = [load_model(name) for name in TWINS]
    chosen = stimuli[np.linspace(0, len(stimuli) - 1, n_stimuli).round().astype(int).tolist()]
    made = {"out_path": folder / "metamers", "iterations": _ITERATIONS, "measured": [LAYER]}
    null = {"out_path": folder / "null_dist", "n_pairs": _PAIRS}
    for net in nets:
        logger.info("demo: making late metamers of %s", net.name)
        redo(lambda net=net, **again: null_distribution(net, stimuli, [LAYER], **null, **again))
        redo(lambda net=net, **again: make_metamers(net, chosen, [LAYER], **made, **again))
    logger.info("demo: asking other networks what they are")
    judged = judge_metamers(folder / "metamers", [*nets, load_model(JUDGE)])
    found = compare_makers(judged, nets[0].name, nets[1].name, LAYER, failed=True, seed=seed)
    _draw_difference(found, nets, figures / "twins")
    _draw_metamers(chosen, nets, folder / "metamers", figures / "twin_metamers")
    return found


def _draw_difference(found: MakerComparison, nets: Sequence[Model], path: Path) -> None:
    """How often others are right about each twin's metamers."""
    sides = (found.first, found.second)
    shown = [side.n * len(judges) for side, judges in zip(sides, found.judges, strict=True)]
    right = [round(side.estimate * n) for side, n in zip(sides, shown, strict=True)]
    intervals = [(side.low, side.high) for side in sides]
    classes = nets[0].classes
    assert classes is not None
    color = colors_of_models([net.name for net in nets])[nets[0].name]
    ax = plot_accuracy(
        right, shown, list(NAMES), color=color, chance=1 / len(classes), intervals=intervals,
        note=f"line: 95 % interval (Student) over {format_count(found.difference.n, 'picture')}",
    )  # fmt: skip
    ax.set_xlabel(ax.get_xlabel().replace("Right answers", "Recognised by other networks"))
    record = describe_twins(found, [net.name for net in nets])
    ends = (*sides, found.difference)
    table = {
        "metamers of": [*(net.name for net in nets), "difference"], "layer": [found.layer] * 3,
        "recognised": [each.estimate for each in ends], "low": [each.low for each in ends],
        "high": [each.high for each in ends], "n_stimuli": [each.n for each in ends],
        "judges": [*(" ".join(judges) for judges in found.judges), ""],
    }  # fmt: skip
    save_figure(figure_of(ax), path, record=record, table=table)


def _draw_metamers(chosen: StimulusSet, nets: Sequence[Model], folder: Path, path: Path) -> None:
    """A few originals, and what each twin takes for the same."""
    shown = chosen[:_N_SHOWN]
    rows = {"original": [_read(shown.path(i)) for i in range(len(shown))]}
    for name, net in zip(("standard", "robust"), nets, strict=True):
        files = {one.stimulus_id: one.path for one in MetamerSet(folder / net.path_name) if one.layer == LAYER}
        rows[name] = [_read(files[stimulus]) for stimulus in shown.ids]
    ax = plot_stimulus_rows(rows)
    table = {"stimulus": list(shown.ids), "category": list(shown.labels)}
    save_figure(figure_of(ax), path, record=describe_twin_metamers(LAYER, list(shown.labels)), table=table)


def _read(path: Path) -> np.ndarray:
    """A picture, (3, height, width), float in [0, 1]."""
    return np.asarray(open_image(path)).transpose(2, 0, 1) / 255
