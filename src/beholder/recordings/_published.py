"""Published results of voxel regressions: read without unpickling, summarised without the raw data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.narrowing import is_json_object
from beholder._core.plain_pickle import read_plain_pickle
from beholder.recordings._voxel_features import label_masks

if TYPE_CHECKING:
    import pandas as pd


@final
@dataclass(frozen=True, eq=False)
class PublishedRegression:
    """How well one stage of a network predicts each voxel, over splits of the sounds.

    Attributes
    ----------
    layer : str
    r2 : (n_voxels, n_splits), float
        Corrected variance explained; values above 1 occur.
    alphas : (n_voxels, n_splits), float
        Penalties that leave-one-out chose, from 1e-40 to 1e39.
    units : DataFrame
        ``subject``, ``region`` (empty), the columns of ``voxel_features_meta.npy``, and ``in_{mask}``.
    train, test : (n_sounds, n_splits), bool
    seed : int
    """

    layer: str
    r2: np.ndarray
    alphas: np.ndarray
    units: pd.DataFrame
    train: np.ndarray
    test: np.ndarray
    seed: int


@suggest_keywords
def read_published_regression(path: Path | str) -> PublishedRegression:
    """Read ``voxelwise_regression_….pckl`` of the metamer study (the asset ``fmri-regressions``); nothing in it is run.

    Raises
    ------
    InputError
        A file of another form.

    Source: Feather et al. (2023), run_regressions_all_voxels_om_natsounddata.py.
    """
    import pandas as pd

    from beholder.recordings._labels import make_table

    content: Any = read_plain_pickle(path)
    wanted = (
        "r2s",
        "alphas",
        "layer_name",
        "all_train_idxs",
        "all_test_idxs",
        "random_seed",
        "voxel_meta",
        "roi_masks",
    )
    if not is_json_object(content) or any(name not in content for name in wanted):
        raise InputError("published results of a regression, with r2s, alphas and voxel_meta", got=str(path))
    r2 = np.asarray(content["r2s"], dtype=np.float64)
    meta: np.ndarray = np.asarray(content["voxel_meta"])
    if r2.ndim != 2 or len(meta) != len(r2) or not meta.dtype.names:
        raise InputError("a row of voxel_meta for each voxel of r2s", got=f"{meta.shape} and {r2.shape} in {path}")
    columns: dict[str, Any] = {}
    for name in meta.dtype.names:
        column = meta[name]
        columns[name] = np.char.decode(column, "utf-8", "replace") if column.dtype.kind == "S" else column
    columns |= label_masks(content["roi_masks"], len(r2), str(path))
    name = content["layer_name"]
    return PublishedRegression(
        layer=name.decode() if isinstance(name, bytes) else str(name),
        r2=r2,
        alphas=np.asarray(content["alphas"], dtype=np.float64),
        units=make_table(pd.DataFrame(columns), len(r2), "voxels"),
        train=np.asarray(content["all_train_idxs"]) != 0,
        test=np.asarray(content["all_test_idxs"]) != 0,
        seed=int(content["random_seed"]),
    )


@suggest_keywords
def summarize_published_regressions(results: Iterable[PublishedRegression]) -> pd.DataFrame:
    """The published summary of several stages of one network, for all voxels and within each mask.

    Median over splits; then, for ``best``, each voxel's best stage on the same data, which makes it an upper bound that
    favours networks with many stages; median over voxels. ``sd`` is that of the medians over voxels, over splits.

    Returns
    -------
    DataFrame
        ``region`` (``all`` or a mask), ``layer`` (a stage, or ``best``), ``r2`` (median), ``sd``, ``n_voxels``,
        ``proportion_above_1`` (of voxels, after the median over splits), ``subject_sem`` (standard error of subjects'
        medians).

    Source: Feather et al. (2023), voxel_regression_functions.py, ``compute_median_across_predictions``.
    """
    import pandas as pd

    stages = list(results)
    if not stages or any(stage.r2.shape != stages[0].r2.shape for stage in stages):
        shapes = ", ".join(str(stage.r2.shape) for stage in stages) or "none"
        raise InputError("stages with the same voxels and splits", got=shapes)
    units = stages[0].units
    masks: dict[str, np.ndarray] = {"all": np.ones(len(units), dtype=bool)}
    masks |= {name[3:]: units[name].to_numpy(dtype=bool) for name in units.columns if name.startswith("in_")}
    values = np.stack([stage.r2 for stage in stages])
    records: list[dict[str, Any]] = []
    for region, mask in masks.items():
        subjects = units["subject"].to_numpy()[mask]
        inside = values[:, mask]
        best = np.nanargmax(np.nanmedian(inside, axis=2), axis=0)
        chosen = inside[best, np.arange(inside.shape[1])]
        for layer, part in [*zip((stage.layer for stage in stages), inside, strict=True), ("best", chosen)]:
            records.append({"region": region, "layer": layer, **_summarize(part, subjects)})
    return pd.DataFrame(records)


def _summarize(r2: np.ndarray, subjects: Sequence[str] | np.ndarray) -> dict[str, Any]:
    by_voxel = np.nanmedian(r2, axis=1)
    by_subject = [float(np.median(by_voxel[subjects == each])) for each in np.unique(subjects)]
    n = len(by_subject)
    return {
        "r2": float(np.median(by_voxel)),
        "sd": float(np.std(np.median(r2, axis=0))),
        "n_voxels": len(by_voxel),
        "proportion_above_1": float((by_voxel > 1).mean()),
        "subject_sem": float(np.std(by_subject, ddof=1) / np.sqrt(n)) if n > 1 else float("nan"),
    }
