"""``beholder metamers judge``: what it does with its flags, and what it says."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from beholder._core.errors import InputError
from beholder.cli._options import BatchSize, Device, Json, Seed, WeightsSeed, Words, print_json
from beholder.cli._units_run import Summary

if TYPE_CHECKING:
    from beholder.evaluation import Judgement, NetworkScatter


def judge(
    results_dir: str,
    /,
    *,
    models: Words = None,
    sets: Words = None,
    human: Words = None,
    attacked: str | None = None,
    attack: str | None = None,
    brain: str | None = None,
    decision: Literal["category", "word", "class"] | None = None,
    rule: Literal["first", "mean", "max", "sum"] = "first",
    interval: Literal["wilson", "bootstrap"] = "wilson",
    failed: bool = False,
    seed: Seed = 42,
    weights_seed: WeightsSeed = 42,
    device: Device = "auto",
    batch_size: BatchSize = None,
    workers: Annotated[int, Parameter(name="--workers")] = 1,
    overwrite: bool = False,
    json: Json = False,
) -> None:
    """Ask other networks what metamers are: recognised at which layer, by whom.

    Example: beholder metamers judge metamers/ --models alexnet resnet50

    Parameters
    ----------
    results_dir
        Metamers of one network, metamers/{model}, or a folder of several of these.
    models
        The judging networks; default all whose metamers are there.
    sets
        Names of the folders in RESULTS_DIR that are judged, where it holds two of one network; default all.
    human
        What people recognised: a .csv with network, layer, accuracy, or NETWORK=FILE.mat.
    attacked
        What `beholder evaluate adversarial --json` printed, or such a .csv.
    attack
        Which attack of that file, NORM:EPS, where it holds several.
    brain
        How well networks predict brains: a .csv or .json with network, value.
    decision
        What is shown: 16 categories, a word, or the judge's own classes; default for each stimulus the one that counts.
    rule
        How a judge of ImageNet's classes names a category: by the first class in one, from the most likely down, or by
        the mean, largest or sum of the probabilities of a category's classes.
    interval
        Of shares: wilson, or bootstrap over stimuli.
    failed
        Count metamers that did not pass, too.
    seed
        Of the bootstrap.
    weights_seed
        Of the weights of judges that end in @random.
    device
        auto, cpu, cuda, cuda:N or mps.
    batch_size
        Stimuli in one pass.
    workers
        Processes.
    overwrite
        Ask these judges anew.
    json
        Print one JSON document to stdout.
    """
    options = {"device": device, "batch_size": batch_size, "workers": workers, "overwrite": overwrite, "rule": rule,
               "sets": sets, "weights_seed": weights_seed}  # fmt: skip
    shown = {"decision": decision, "interval": interval, "failed": failed, "seed": seed}
    summary = run_judge(results_dir, models, human or [], attacked, attack, brain, options, shown)
    print_json(summary.tables) if json else print("\n".join(summary.lines))


def run_judge(
    results_dir: str,
    models: list[str] | None,
    human: Sequence[str],
    attacked: str | None,
    attack: str | None,
    brain: str | None,
    options: dict[str, Any],
    shown: dict[str, Any],
) -> Summary:
    """Ask the judges, save tables and figures, tell the shares."""
    from beholder.evaluation import judge_metamers

    if attack and not attacked:
        raise InputError("--attacked FILE beside --attack", got="--attack alone")
    found = judge_metamers(results_dir, models, **options)
    chosen = {"failed": shown["failed"], "decision": shown["decision"]}
    scatters = dict(_compare(found, human, attacked, attack, brain, chosen))
    layers = found.recognize_layers(**shown)
    matrix = found.recognize_models(**shown)
    figures = Path(results_dir) / "figures"
    _save_figures(found, scatters, figures, shown)
    tables: dict[str, Any] = {
        "layers": layers.to_dict("records"),
        "matrix": matrix.to_dict("records"),
        "scatters": [_to_row(name, scatter) for name, scatter in scatters.items()],
        "files": [{"file": str(path / "judgements.parquet")} for path in _list_folders(results_dir, options["sets"])],
    }
    return Summary([*_describe(found, shown, scatters), str(figures)], tables)


def _list_folders(results_dir: str, sets: list[str] | None) -> list[Path]:
    from beholder.evaluation import find_metamer_sets

    return find_metamer_sets(results_dir, sets)


def _compare(
    found: Judgement,
    human: Sequence[str],
    attacked: str | None,
    attack: str | None,
    brain: str | None,
    chosen: dict[str, Any],
) -> Iterator[tuple[str, NetworkScatter]]:
    import pandas as pd

    from beholder.evaluation import (
        compare_networks,
        read_attacked_accuracy,
        read_brain_prediction,
        read_human_recognition,
    )

    if human:
        parts = []
        for each in human:
            name, mark, file = each.partition("=")
            parts.append(read_human_recognition(file if mark else name, found.layers, name if mark else ""))
        yield "people", compare_networks(found, pd.concat(parts), "Recognised by people (%)", **chosen)
    if attacked:
        shares = read_attacked_accuracy(attacked, found.layers, attack)
        percent = {name: 100 * share for name, share in shares.items()}
        words = f"Accuracy under attack{f' {attack}' if attack else ''} (%)"
        yield "attacked", compare_networks(found, percent, words, **chosen)
    if brain:
        values = read_brain_prediction(brain, found.layers)
        yield "brain", compare_networks(found, values, "Prediction of brains, best layer", **chosen)


def _save_figures(found: Judgement, scatters: dict[str, NetworkScatter], folder: Path, shown: dict[str, Any]) -> None:
    from beholder.evaluation import describe_layers_figure, describe_matrix_figure, describe_scatter_figure
    from beholder.figures import save_figure

    chosen = {"decision": shown["decision"], "failed": shown["failed"]}
    ax = found.plot(**chosen)
    fig: Any = ax.get_figure(root=True)
    table = found.recognize_models(**shown)
    save_figure(fig, folder / "judged_matrix", table=table, record=describe_matrix_figure(found, table))
    layers = found.recognize_layers(**shown)
    fig = found.plot_layers(**chosen, interval=shown["interval"])
    save_figure(fig, folder / "judged_layers", table=layers, record=describe_layers_figure(found, layers))
    for name, scatter in scatters.items():
        fig = scatter.plot().get_figure(root=True)
        save_figure(fig, folder / f"judged_{name}", table=scatter.table, record=describe_scatter_figure(scatter))


def _to_row(name: str, scatter: NetworkScatter) -> dict[str, Any]:
    values = asdict(scatter.correlation)
    known = {key: None if math.isnan(value) else value for key, value in values.items()}
    return {"name": name, "x": scatter.x_name, "y": scatter.y_name, **known}


def _describe(found: Judgement, shown: dict[str, Any], scatters: dict[str, NetworkScatter]) -> Iterator[str]:
    """A table for people: a row a network and layer, a column a judge."""
    from beholder.evaluation import shorten_names

    layers = found.recognize_layers(**shown)
    yield repr(found)
    left_out = len(found.select(shown["decision"], failed=True)) - len(found.select(shown["decision"]))
    if left_out and not shown["failed"]:
        yield f"{left_out} verdicts on metamers that did not pass are left out (--failed counts them)"
    names = dict(zip(found.judges, shorten_names(found.judges), strict=True))
    own = dict(zip(found.models, shorten_names(found.models), strict=True))
    rows = [["metamers of", "layer", "decision", *names.values()]]
    for (model, layer, decision), group in layers.groupby(["model", "layer", "decision"], sort=False):  # type: ignore[misc]
        shares = dict(zip(group["judge"], group["accuracy"], strict=True))
        cells = [f"{100 * shares[judge]:.0f} %" if judge in shares else "–" for judge in names]
        rows.append([own[model], layer or "original", decision, *cells])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(
            cell.ljust(width) if i < 3 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
    for name, scatter in scatters.items():
        yield f"{name}: {scatter.correlation}"
