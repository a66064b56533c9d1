"""``analyze regressions``: published results of voxel regressions, summarised without the raw data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder.analysis._inputs import identify_inputs
from beholder.analysis._result import Result, make_result
from beholder.recordings import read_published_regression, summarize_published_regressions
from beholder.stimuli import find_asset

ASSET = "fmri-regressions"
_PATTERN = "*.pckl"
_RESULTS = "regression_results"
_ENDS = {"input_after_preproc": 0, "avgpool": 2, "relufc": 3, "final": 4}


@suggest_keywords
def analyze_regressions(files: Any = None) -> Result:
    """The published summary of how well a network's stages predict voxels, for all voxels and within each mask.

    Parameters
    ----------
    files : path, or a list of paths, optional
        Files ``voxelwise_regression_….pckl`` of the metamer study, or folders with them; a network is the folder that
        holds them, or the one above ``regression_results``. Default the asset ``fmri-regressions``. Nothing is run.

    Returns
    -------
    Result
        ``published r2`` for every network, stage and mask (``target``): median over voxels of their median over splits
        of corrected variance explained. ``best stage``: of each voxel's best stage on the same data, an upper bound
        that favours networks with many stages. Columns ``above_1`` (proportion of voxels), ``sd`` (over splits) and
        ``subject_sem`` (standard error of people's medians).

    Raises
    ------
    InputError
        No such files; stages with other voxels or splits in one folder.

    Notes
    -----
    Source: Feather et al. (2023), Nature Neuroscience 26, 2017-2034; voxel_regression_functions.py.

    Examples
    --------
    >>> bh.analyze_regressions("model_analysis_folders/audio_networks")  # doctest: +SKIP
    """
    groups = _find_files(files)
    rows: list[dict[str, Any]] = []
    contents: dict[str, Any] = {}
    for name, paths in groups.items():
        stages = sorted((read_published_regression(path) for path in paths), key=lambda stage: order_stage(stage.layer))
        contents[name] = np.concatenate([stage.r2 for stage in stages])
        table: Any = summarize_published_regressions(stages)
        for row in table.to_dict("records"):
            best = row["layer"] == "best"
            rows.append(
                {
                    "model": name, "layer": "" if best else row["layer"], "target": row["region"],
                    "method": "published", "statistic": "best stage" if best else "published r2",
                    "estimate": row["r2"], "n": row["n_voxels"], "above_1": row["proportion_above_1"],
                    "sd": row["sd"], "subject_sem": row["subject_sem"],
                }
            )  # fmt: skip
    settings = {"models": {name: len(paths) for name, paths in groups.items()}, "inputs": identify_inputs(**contents)}
    return make_result("regressions", rows, settings)


def _find_files(files: Any) -> dict[str, list[Path]]:
    """Files by the folder that they lie in: a network."""
    given: Sequence[Any] = list(cast(Any, files)) if isinstance(files, list | tuple) else [files]
    if files is None:
        folder = find_asset(ASSET)
        if folder is None:
            raise InputError("published results of regressions", got="none", hint=f"`beholder assets fetch {ASSET}`")
        given = [folder]
    found: dict[str, list[Path]] = {}
    for each in map(Path, given):
        paths = sorted(each.rglob(_PATTERN)) if each.is_dir() else [each]
        if not paths:
            raise InputError(f"files {_PATTERN}", got=f"none in {each}")
        for path in paths:
            found.setdefault(_name_network(path.resolve()), []).append(path)
    return found


def order_stage(name: str) -> tuple[int, list[tuple[int, str]]]:
    """Where a stage of the study's networks stands: the input first, what follows the last block at the end.

    >>> sorted(["avgpool", "final", "input_after_preproc", "relu10", "relu2", "relufc"], key=order_stage)
    ['input_after_preproc', 'relu2', 'relu10', 'avgpool', 'relufc', 'final']
    """
    parts = [part for part in re.split(r"(\d+)", name) if part]
    numbered = [(int(part), "") if part.isdigit() else (-1, part) for part in parts]
    return _ENDS.get(name, 1), numbered


def _name_network(path: Path) -> str:
    parts = path.parts
    return parts[parts.index(_RESULTS) - 1] if _RESULTS in parts[1:] else path.parent.name
