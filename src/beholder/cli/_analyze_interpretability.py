"""``beholder analyze interpretability``: how well people know what drives units."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from beholder.cli._analyze_flags import ResultFlags
from beholder.cli._flags import Layers, Seed, Words


def interpretability(
    exports: list[Path],
    /,
    *,
    machine: Annotated[list[Path] | None, Parameter(consume_multiple=True)] = None,
    columns: Words = None,
    include_excluded: bool = False,
    layers: Layers = None,
    n_draws: Annotated[int, Parameter(name="--n-draws")] = 10_000,
    seed: Seed = 42,
    output: ResultFlags = ResultFlags(),
) -> None:
    """Proportion correct of units, layers and networks in two-alternative trials, by confidence, with a machine beside.

    Example: beholder stimuli draw shapes
    Example: beholder units sample beholder:shapes --n_units 2
    Example: beholder units record beholder:shapes --units_file units.json
    Example: beholder units exemplars beholder:shapes --units_file units.json --num_batches 2
    Example: beholder tasks plan -s stimuli/shapes -m natural -nt 2 -nb 1 -nc 1 -nh 4
    Example: beholder tasks build
    Example: beholder tasks simulate exp_data --db simulated.db --participants 4 --observer lapse:0.2
    Example: beholder tasks export --db simulated.db
    Example: beholder analyze interpretability responses/ --include_excluded

    Parameters
    ----------
    exports
        Exports of 2afc or counterfactual experiments, or tables of others.
    machine
        Answers of a machine to the same trials: an export of tasks simulate --observer model.
    columns
        What the columns are called, NAME=COLUMN …: participant=participant_id unit=channel.
    include_excluded
        For exports: also count answers of participants who broke a rule or did not finish.
    layers
        The network's layers in order, over which depth is counted, or its store (.zarr) or a table (.csv) that has
        them so; default those of the answers by their names.
    n_draws
        Bootstrap draws of units.
    seed
        Seed of the draws.
    """
    from beholder.analysis import analyze_interpretability, read_unit_answers

    people = read_unit_answers(exports, columns=columns, include_excluded=include_excluded)
    others = None if machine is None else read_unit_answers(machine, columns=columns, include_excluded=True)
    output.run("interpretability", analyze_interpretability, people, others, layers=layers, n_draws=n_draws, seed=seed)
