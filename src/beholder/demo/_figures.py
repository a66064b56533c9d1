"""The demo's figures, each saved with its table and its words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from beholder.demo import _words as words
from beholder.figures import (
    colors_of_models,
    plot_accuracy,
    plot_feature_maps,
    plot_layer_activations,
    plot_rdms,
    save_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from beholder.activations import Activations
    from beholder.stimuli import StimulusSet

MEASURES = ("correlation", "cosine", "euclidean", "gaussian")
_SHOWN_CATEGORY = "spiral"
_N_MAPS = 8


def draw_figures(acts: Activations, stimuli: StimulusSet, folder: Path) -> None:
    """Draw and save every figure of the demo into ``folder``."""
    draw_accuracy(acts, stimuli, folder / "accuracy")
    draw_maps(acts, stimuli, folder / "feature_maps")
    draw_activity(acts, folder / "active_units")
    rdms = compute_rdms(acts)
    draw_rdms(acts, stimuli, rdms, folder)


def draw_accuracy(acts: Activations, stimuli: StimulusSet, path: Path) -> None:
    """Right answers by category."""
    answers = acts[acts.layers[-1]].to_numpy().reshape(len(stimuli), -1).argmax(axis=1)
    right = answers == stimuli.targets
    categories = list(dict.fromkeys(stimuli.labels))
    labels = np.asarray(stimuli.labels)
    n_right = [int(right[labels == category].sum()) for category in categories]
    n_shown = [int((labels == category).sum()) for category in categories]
    color = colors_of_models([acts.model])[acts.model]
    ax = plot_accuracy(n_right, n_shown, categories, chance=1 / len(categories), color=color)
    record = words.describe_accuracy(sum(n_right), sum(n_shown), len(categories))
    save_figure(
        figure_of(ax), path, record=record, table={"category": categories, "n_right": n_right, "n_shown": n_shown}
    )


def draw_maps(acts: Activations, stimuli: StimulusSet, path: Path) -> None:
    """Some maps of each layer for one picture."""
    index = list(stimuli.labels).index(_SHOWN_CATEGORY)
    layers = [layer for layer in acts.layers if len(acts[layer].feature_shape) == 3]
    maps, channels = {}, {}
    for layer in layers:
        values = np.asarray(acts[layer].with_replicates[index][0], dtype=np.float64)
        channels[layer] = sorted(np.argsort(-values.std(axis=(1, 2)), kind="stable")[:_N_MAPS].tolist())
        maps[layer] = values[channels[layer]]
    ax = plot_feature_maps(maps, picture=_read_picture(stimuli.path(index)), channels=channels)
    rows = [(layer, channel) for layer in layers for channel in channels[layer]]
    table = {
        "stimulus": [stimuli.ids[index]] * len(rows),
        "layer": [layer for layer, _ in rows],
        "channel": [channel for _, channel in rows],
        "mean": [float(m.mean()) for layer in layers for m in maps[layer]],
        "largest": [float(m.max()) for layer in layers for m in maps[layer]],
    }
    sizes = {layer: (stack.shape[1], stack.shape[2]) for layer, stack in maps.items()}
    save_figure(figure_of(ax), path, record=words.describe_maps(stimuli.ids[index], sizes), table=table)


def draw_activity(acts: Activations, path: Path) -> None:
    """Proportion of active units of each picture, by layer."""
    shares = {
        layer: np.concatenate(
            [100 * (block > 0).reshape(len(block), -1).mean(axis=1) for _, block in acts[layer].iter_blocks()]
        )
        for layer in acts.layers[:-1]
    }
    ax = plot_layer_activations(shares, name="Active units (%)", all_layers=acts.layers, limits=(0, 100))
    record = words.describe_activity({layer: float(share.mean()) for layer, share in shares.items()})
    save_figure(figure_of(ax), path, record=record, table={"stimulus": list(acts.stimulus_ids), **shares})


def compute_rdms(acts: Activations) -> np.ndarray:
    """RDMs of every layer by every measure, (n_layers, n_measures, n_stimuli, n_stimuli)."""
    from beholder.activations import compute_rdm

    rdms = []
    for layer in acts.layers:
        values = acts[layer].to_numpy().reshape(len(acts.stimulus_ids), -1).astype(np.float32)
        rdms.append([np.asarray(compute_rdm(values, measure)) for measure in MEASURES])
    return np.asarray(rdms)


def draw_rdms(acts: Activations, stimuli: StimulusSet, rdms: np.ndarray, folder: Path) -> None:
    """Matrices by layer, nearest neighbours by layer, and the last block by four measures."""
    from beholder.activations import correlate_rdms
    from beholder.report import write_rdms

    layers, labels, n = acts.layers, list(stimuli.labels), len(stimuli)
    write_rdms(
        folder / "similarity.rdms.npz", rdms,
        layers=layers, measures=MEASURES, stimulus_ids=acts.stimulus_ids, categories=labels, model=acts.model,
    )  # fmt: skip
    by_layer = dict(zip(layers, rdms[:, 0], strict=True))
    hits = {layer: find_neighbours(rdm, labels) for layer, rdm in by_layer.items()}
    shares = {layer: float(hit.mean()) for layer, hit in hits.items()}
    rows, columns = np.triu_indices(n, 1)
    pairs = {"stimulus_a": np.asarray(stimuli.ids)[rows], "stimulus_b": np.asarray(stimuli.ids)[columns]}

    fig = plot_rdms(by_layer, categories=labels)
    table = pairs | {layer: rdm[rows, columns] for layer, rdm in by_layer.items()}
    save_figure(fig, folder / "similarity", record=words.describe_rdms(layers, n, shares), table=table)

    same = np.asarray(labels)[:, None] == np.asarray(labels)
    chance = float((same.sum(axis=1) - 1).mean() / (n - 1))
    n_right = [int(hit.sum()) for hit in hits.values()]
    ax = plot_accuracy(
        n_right, [n] * len(layers), layers, chance=chance, color=colors_of_models([acts.model])[acts.model]
    )
    ax.set_xlabel(ax.get_xlabel().replace("Right answers", "Nearest is of the same category"))
    record = words.describe_neighbours(shares, chance, n)
    save_figure(
        figure_of(ax), folder / "neighbours", record=record,
        table={"layer": layers, "n_same_category": n_right, "n_shown": [n] * len(layers)},
    )  # fmt: skip

    place = len(layers) - 2
    by_measure: dict[str, np.ndarray] = dict(zip(MEASURES, rdms[place], strict=True))
    agreement = {
        measure: correlate_rdms(by_measure["correlation"], by_measure[measure], "spearman") for measure in MEASURES[1:]
    }
    fig = plot_rdms(by_measure, categories=labels, n_columns=2, width_mm=130)
    table = pairs | {measure: rdm[rows, columns] for measure, rdm in by_measure.items()}
    save_figure(fig, folder / "measures", record=words.describe_measures(layers[place], agreement), table=table)


def find_neighbours(rdm: np.ndarray, categories: list[str]) -> np.ndarray:
    """Whether the stimulus least unlike each stimulus is of its category, (n_stimuli,), bool."""
    others = rdm + np.diag(np.full(len(rdm), np.inf))
    names = np.asarray(categories)
    return names[others.argmin(axis=1)] == names


def _read_picture(path: Path) -> np.ndarray:
    from beholder.stimuli import open_image

    return np.asarray(open_image(path))


def figure_of(ax: Axes) -> Figure:
    """The figure that axes are in."""
    fig = ax.get_figure(root=True)
    assert fig is not None
    return fig
