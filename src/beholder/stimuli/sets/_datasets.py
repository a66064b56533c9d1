"""Stimulus sets from other libraries' data sets: torch, torchvision and Hugging Face, known by their types alone.

No library is loaded here: whoever hands over its data set has loaded it.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from beholder._core.errors import InputError, StimulusError
from beholder._core.tensors import is_tensor
from beholder.stimuli.images._picture import is_transparent, looks_like_pictures
from beholder.stimuli.sets._arrays import build_from_items
from beholder.stimuli.sets._items import StimulusItems, check_item, to_plain
from beholder.stimuli.sets._manifest import Kind
from beholder.stimuli.sets._set import StimulusSet

logger = logging.getLogger("beholder")

_ID_COLUMNS = ("stimulus_id", "id")
_LABEL_COLUMNS = ("label", "labels", "class", "category", "fine_label", "coarse_label")


def is_torch(source: Any) -> bool:
    """Whether this is a torch data set."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(source, torch.utils.data.Dataset)


def is_loader(source: Any) -> bool:
    """Whether this is a torch loader."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(source, torch.utils.data.DataLoader)


def is_hugging_face(source: Any) -> bool:
    """Whether this is a Hugging Face data set of any kind."""
    library = sys.modules.get("datasets")
    names = ("Dataset", "DatasetDict", "IterableDataset", "IterableDatasetDict")
    kinds = tuple(kind for name in names if isinstance(kind := getattr(library, name, None), type))
    return bool(kinds) and isinstance(source, kinds)


def from_loader(loader: Any, collect: Callable[[Any], StimulusSet]) -> StimulusSet:
    """The stimuli of a loader's data set, which the loader must give in its order and as they are."""
    data: Any = sys.modules["torch"].utils.data
    if isinstance(loader.dataset, data.IterableDataset):
        return collect(loader.dataset)
    is_plain = type(loader.batch_sampler) in (data.BatchSampler, type(None))
    sampler = loader.batch_sampler.sampler if is_plain and loader.batch_sampler is not None else loader.sampler
    in_order = isinstance(sampler, data.SequentialSampler) and len(sampler) == len(loader.dataset)
    if not (is_plain and in_order):
        raise InputError("a loader in the data set's order", got="one that shuffles or samples", hint="shuffle=False")
    if loader.batch_sampler is not None and loader.collate_fn is not data.default_collate:
        raise InputError("a loader that stacks items as they are", got="one with a collate_fn", hint="its data set")
    found = collect(loader.dataset)
    if loader.drop_last:
        kept = len(found) // loader.batch_size * loader.batch_size
        if kept < len(found):
            logger.warning("%d stimuli less: the loader drops its last batch", len(found) - kept)
        found = found[:kept]
    return found


def from_torch(dataset: Any, collect: Callable[[Any], StimulusSet]) -> StimulusSet:
    """The stimuli of a torch data set; labels and their numbers are kept.

    Folders of files without a transform are read as files; other items are made when they are needed.
    """
    data: Any = sys.modules["torch"].utils.data
    if isinstance(dataset, data.Subset):
        return collect(dataset.dataset)[[int(i) for i in dataset.indices]]
    if isinstance(dataset, data.IterableDataset):
        return _from_rows(list(dataset), _read_classes(dataset))
    if not len(dataset):
        raise InputError("at least one stimulus", got="an empty data set")
    if _is_folder(dataset) and dataset.transform is None and dataset.target_transform is None:
        return _from_samples(dataset)
    if isinstance(dataset, data.TensorDataset):
        rows = dataset.tensors[1] if len(dataset.tensors) > 1 else None
        labels = None if rows is None or rows.ndim != 1 or rows.is_floating_point() else rows.tolist()
        return StimulusSet.from_arrays(to_plain(dataset.tensors[0]), **_name_classes(labels, None))
    return _from_rows(dataset, _read_classes(dataset))


def _is_folder(dataset: Any) -> bool:
    vision = sys.modules.get("torchvision")
    return vision is not None and isinstance(dataset, vision.datasets.DatasetFolder)


def _from_samples(dataset: Any) -> StimulusSet:
    """A set of the files of torchvision's ``ImageFolder``, with its classes and their numbers."""
    from beholder.stimuli.sets._folder import find_kind, make_ids

    root = Path(dataset.root)
    files = tuple(Path(file).absolute() for file, _ in dataset.samples)
    base = root.absolute()
    inside = all(file.is_relative_to(base) for file in files)
    names = tuple((file.relative_to(base) if inside else file).as_posix() for file in files)
    kinds = {find_kind(name) for name in names}
    if kinds not in ({"image"}, {"sound"}):
        raise InputError("a data set of pictures or of sounds", got=f"{dataset.root} with others")
    targets = np.array([target for _, target in dataset.samples])
    return StimulusSet(
        kind="sound" if "sound" in kinds else "image",
        ids=make_ids(names),
        files=names,
        root=root if inside else None,
        labels=tuple(dataset.classes[target] for target in targets),
        targets=targets,
        layout="classes",
    )


def _read_classes(dataset: Any) -> Sequence[str] | None:
    """Names of the classes by number, where a data set says them as torchvision's do."""
    classes = getattr(dataset, "classes", None)
    return [str(name) for name in classes] if isinstance(classes, (list, tuple)) else None


def _from_rows(rows: Any, classes: Sequence[str] | None) -> StimulusSet:
    """A set from items that are a stimulus, or a stimulus and its label, made one by one when needed."""
    if not len(rows):
        raise InputError("at least one stimulus", got="an empty data set")
    first = rows[0]
    array = check_item(_pick_stimulus(first), "item 0")
    labels = _read_labels(rows) if isinstance(first, (tuple, list)) and len(first) > 1 else None
    kind = "image" if looks_like_pictures((1, *array.shape)) or is_transparent(array) else "array"
    items = StimulusItems(rows, _convert_row)
    return StimulusSet.from_manifest(build_from_items(items, kind=kind, **_name_classes(labels, classes)))


def _read_labels(rows: Any) -> Sequence[Any] | None:
    """The second value of every item; torchvision's data sets hold all of them as ``targets``."""
    known: Any = getattr(rows, "targets", None)
    known = known.tolist() if is_tensor(known) else known
    is_whole = isinstance(known, (list, tuple)) and len(known) == len(rows)
    if not is_whole or getattr(rows, "target_transform", None) is not None:
        known = [rows[i][1] for i in range(len(rows))] if _is_label(rows[0][1]) else None
    if known is None or not all(map(_is_label, known)):
        logger.warning("the second values of the data set's items are no labels, and are left out")
        return None
    return known


def _pick_stimulus(row: Any) -> Any:
    return row[0] if isinstance(row, (tuple, list)) else row


def _convert_row(row: Any) -> np.ndarray:
    return check_item(_pick_stimulus(row), "an item of the data set")


def _is_label(value: Any) -> bool:
    return isinstance(value, (str, int, np.integer)) or (is_tensor(value) and value.ndim == 0)


def _name_classes(labels: Sequence[Any] | None, classes: Sequence[str] | None) -> dict[str, Any]:
    """``labels`` and ``targets`` for a set: numbers are kept as targets, and named where the classes are known."""
    if labels is None:
        return {}
    if isinstance(labels[0], str):
        return {"labels": list(labels)}
    targets = [int(label) for label in labels]
    known = classes is not None and min(targets) >= 0 and max(targets) < len(classes)
    return {"labels": [classes[i] if known and classes else str(i) for i in targets], "targets": targets}


def from_hugging_face(dataset: Any) -> StimulusSet:
    """The stimuli of a Hugging Face data set: its one column of images or sounds, read as files when needed."""
    library: Any = sys.modules["datasets"]
    if not isinstance(dataset, library.Dataset):
        names = list(dataset) if isinstance(dataset, dict) else []
        hint = f"one of its parts, such as dataset[{names[0]!r}]" if names else "load_dataset(..., streaming=False)"
        raise InputError("a data set of one part, not streamed", got=type(dataset).__name__, hint=hint)
    if not len(dataset):
        raise InputError("at least one stimulus", got="an empty data set")
    dataset = dataset.with_format(None)
    features = dataset.features
    found = [name for name, feature in features.items() if isinstance(feature, (library.Image, library.Audio))]
    if len(found) != 1:
        got = ", ".join(found) or f"only {', '.join(features)}"
        raise InputError("one column of images or sounds", got=got, hint="dataset.select_columns([...])")
    (column,) = found
    kind: Kind = "sound" if isinstance(features[column], library.Audio) else "image"
    rest = dataset.remove_columns([column])
    plain = {name: rest[name][:] for name in rest.column_names if _is_plain(rest.features[name], library)}
    id_column = next((name for name in _ID_COLUMNS if name in plain), None)
    ids = [str(value) for value in plain[id_column]] if id_column is not None else None
    if ids is not None and len(set(ids)) == len(ids):
        plain.pop(id_column)
    else:
        ids = None
    label = next((name for name in plain if isinstance(features[name], library.ClassLabel)), None)
    label = label or next((name for name in _LABEL_COLUMNS if name in plain), None)
    named: dict[str, Any] = {}
    if label is not None and all(isinstance(value, (int, str)) for value in plain[label]):
        classes = features[label].names if isinstance(features[label], library.ClassLabel) else None
        named = _name_classes(plain.pop(label), classes)
    encoded = dataset.select_columns([column]).cast_column(column, type(features[column])(decode=False))
    items = StimulusItems(encoded, partial(_read_encoded, column=column))
    return StimulusSet.from_manifest(build_from_items(items, ids=ids, kind=kind, conditions=plain, **named))


def _is_plain(feature: Any, library: Any) -> bool:
    """Whether a column holds one number, text or truth value a row."""
    is_value = isinstance(feature, library.Value) and "binary" not in str(feature.dtype)
    return is_value or isinstance(feature, library.ClassLabel)


def _read_encoded(row: Any, column: str) -> bytes:
    """The bytes of the file that a row holds or names."""
    entry = row[column]
    if entry is not None and entry.get("bytes") is not None:
        return bytes(entry["bytes"])
    path = None if entry is None else entry.get("path")
    if not path:
        raise StimulusError("a file's content or its path", got=f"an empty entry in column {column!r}")
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise StimulusError("a file that can be read", got=f"{path} ({error.strerror})") from error
