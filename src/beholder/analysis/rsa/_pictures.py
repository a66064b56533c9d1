"""What pictures of a result need beyond its table: some RDMs, a map of the stimuli, small pictures of them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from beholder._core.errors import BeholderError
from beholder.activations import Activations
from beholder.analysis.rsa._compare import ComparedLayers
from beholder.analysis.rsa._layers import Layers
from beholder.analysis.rsa._targets import Targets
from beholder.statistics import map_stimuli, pool_rdms
from beholder.stimuli import open_packed

logger = logging.getLogger("beholder")

_MOST_STIMULI = 300
_MOST_TARGETS = 5
_SIDE = 48
_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")


def collect_arrays(
    sources: Sequence[ComparedLayers], targets: Targets, rows: Sequence[dict[str, Any]], ids: Sequence[str],
    first: Layers, places: np.ndarray, method: str, *, by_label: bool,
) -> dict[str, np.ndarray]:  # fmt: skip
    """RDMs of targets and of their nearest layers, the map of the first one, categories, thumbnails.

    Nothing for more than 300 stimuli: a picture of so many shows none.
    """
    if len(ids) > _MOST_STIMULI:
        return {}
    arrays: dict[str, np.ndarray] = {"stimulus_ids": np.array(ids, dtype=np.str_)}
    nearest = {row["target"]: row["layer"] for row in reversed(rows) if row["statistic"] == "nearest layer"}
    source = sources[0]
    for target in targets.found[:_MOST_TARGETS]:
        if target.name not in nearest:
            continue
        pooled = pool_rdms(target.rdms, method)
        if np.isfinite(pooled).all():
            arrays[f"target {target.name}"] = pooled.astype(np.float32)
        if nearest[target.name] in source.layers:
            rdm = source.rdms[source.layers.index(nearest[target.name])]
            arrays[f"layer {nearest[target.name]}"] = rdm.astype(np.float32)
    found = [row for row in rows if row["statistic"] == "nearest layer" and f"layer {row['layer']}" in arrays]
    if found:
        layer = str(max(found, key=lambda row: row["estimate"])["layer"])
        coordinates, proportion = map_stimuli(arrays[f"layer {layer}"])
        arrays |= {"map": coordinates, "map_proportion": np.array(proportion), "map_layer": np.array(layer)}
    if by_label and isinstance(first, Activations):
        arrays |= _read_stimuli(first, places)
    return arrays


def _read_stimuli(store: Activations, places: np.ndarray) -> dict[str, np.ndarray]:
    table: Any = store.stimuli
    found: dict[str, np.ndarray] = {}
    if "label" in table.columns:
        labels = np.array([str(each) for each in table["label"].to_numpy()[places]], dtype=np.str_)
        if 1 < len(set(labels.tolist())) <= len(labels) // 2:
            found["categories"] = labels
    root = store.attributes.get("stimulus_root")
    if "file" in table.columns and isinstance(root, str):
        thumbnails = _read_thumbnails(_find_pictures(root, table, places))
        if thumbnails is not None:
            found["thumbnails"] = thumbnails
    return found


def _find_pictures(root: str, table: Any, places: np.ndarray) -> Sequence[Path | bytes]:
    """Files, or their contents where they lie packed or at an address; none where they are no longer there."""
    try:
        packed = open_packed(root)
        if packed is not None:
            known = {name: i for i, name in enumerate(packed.ids)}
            return [packed.source(known[str(name)]) for name in table["id"].to_numpy()[places]]
    except (BeholderError, KeyError) as error:
        logger.warning("no thumbnails: %s", error)
        return []
    return [Path(root) / str(name) for name in table["file"].to_numpy()[places]]


def _read_thumbnails(files: Sequence[Path | bytes]) -> np.ndarray | None:
    """Small pictures, (n_stimuli, side, side, 3), uint8, or None where the files are no longer there or no pictures."""
    paths = [each for each in files if isinstance(each, Path)]
    if not files or not all(path.suffix.lower() in _PICTURES and path.is_file() for path in paths):
        return None
    from PIL import Image, ImageOps

    from beholder.stimuli import open_image

    found = np.empty((len(files), _SIDE, _SIDE, 3), dtype=np.uint8)
    try:
        for place, path in enumerate(files):
            picture = ImageOps.fit(open_image(path).convert("RGB"), (_SIDE, _SIDE), Image.Resampling.LANCZOS)
            found[place] = np.asarray(picture)
    except (BeholderError, OSError) as error:
        logger.warning("no thumbnails: %s", error)
        return None
    return found
