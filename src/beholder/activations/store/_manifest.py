"""Which stimuli a store holds, in which order: one file, replaced as a whole, that additions start from."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from beholder._core.errors import ConfigurationChanged, InputError
from beholder._core.progress import tell
from beholder._core.wording import format_count
from beholder.jobs import JobFolder, read_record, write_record
from beholder.stimuli import StimulusSet, number_classes, sort_classes

if TYPE_CHECKING:
    import pandas as pd

_NAME = "stimuli.parquet"
_CONDITION = "condition:"
_ROWS_AT_ONCE = 2**17


class Known(NamedTuple):
    """What a stimulus was when it was extracted: the hash of its content, and the mark of its file."""

    digest: str
    mark: list[int] | None


def write_manifest(folder: Path, stimuli: StimulusSet) -> None:
    """Write ids, files, labels and targets by rename; ``source`` is the path as given, for reading again.

    A million stimuli are put together and written some at a time.
    """
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    def tabulate(start: int) -> pa.Table:
        rows = slice(start, start + _ROWS_AT_ONCE)
        conditions = {
            f"{_CONDITION}{name}": [json.dumps(value, default=_to_plain) for value in column[rows]]
            for name, column in stimuli.conditions.items()
        }
        columns = {
            "id": stimuli.ids[rows], "file": stimuli.files[rows], "source": _list_sources(stimuli, rows),
            "label": stimuli.labels[rows], "target": np.asarray(stimuli.targets[rows]), **conditions,
        }  # fmt: skip
        return pa.Table.from_pandas(pd.DataFrame(columns, copy=False), preserve_index=False)

    buffer, first = io.BytesIO(), tabulate(0)
    with pq.ParquetWriter(buffer, first.schema) as writer:
        writer.write_table(first)
        for start in range(_ROWS_AT_ONCE, len(stimuli), _ROWS_AT_ONCE):
            writer.write_table(tabulate(start).cast(first.schema))
    del first
    pa.default_memory_pool().release_unused()
    write_record(folder / _NAME, buffer.getvalue())


def _to_plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else str(value)


def _read_conditions(table: pd.DataFrame) -> dict[str, list[Any]]:
    """The conditions that :func:`write_manifest` wrote."""
    names = [str(name) for name in table.columns if str(name).startswith(_CONDITION)]
    return {name.removeprefix(_CONDITION): [json.loads(text) for text in table[name]] for name in names}


def _list_sources(stimuli: StimulusSet, rows: slice) -> list[str]:
    """Of some stimuli the paths that :meth:`StimulusSet.path` gives, for a million of them in a second."""
    root = "" if stimuli.root is None else str(stimuli.root)
    places, files = range(len(stimuli))[rows], stimuli.files[rows]
    if stimuli.arrays is not None or root in ("", ".") or root.endswith("/") or os.sep != "/":
        return [_find_source(stimuli, i) for i in places]
    odd = ("//", "/./")
    return [
        str(stimuli.path(i)) if any(part in f"/{file}/" for part in odd) else f"{root}/{file}"
        for i, file in zip(places, files, strict=True)
    ]


def _find_source(stimuli: StimulusSet, index: int) -> str:
    return str(stimuli.path(index)) if stimuli.arrays is None else ""


def check_unchanged(new: StimulusSet, known: Mapping[str, Known]) -> None:
    """Refuse stimuli that have kept their ids but not their content since they were extracted.

    A file whose size, times and inode are all as they were when it was read is not read again; a file that is gone is
    missed only where it is to be read.

    Parameters
    ----------
    new : StimulusSet
    known : mapping of str to Known
        By id, as :func:`collect_known` gives it.

    Raises
    ------
    ConfigurationChanged
    """
    for place, stimulus_id in enumerate(new.ids):
        before = known.get(stimulus_id)
        if before is None:
            continue
        mark = new.mark(place)
        is_gone = new.arrays is None and mark is None
        is_untouched = mark is not None and mark == before.mark
        if not (is_gone or is_untouched or new.has_hash(place, before.digest)):
            _refuse(_find_source(new, place) or stimulus_id)


def collect_known(folder: JobFolder, manifest: pd.DataFrame | None) -> dict[str, Known]:
    """What is known of the stimuli that were extracted already, by id, from the receipts.

    Raises
    ------
    ConfigurationChanged
        Two shards were computed from different stimuli under one id.
    """
    known: dict[str, Known] = {}
    if manifest is None:
        return known
    ids = [str(i) for i in manifest["id"]]
    for receipt in folder.iter_receipts("p"):
        hashes = receipt["facts"].get("hashes") or receipt["facts"].get("sha256", [])
        marks = receipt["facts"].get("marks") or [None] * len(hashes)
        for stimulus_id, digest, mark in zip(ids[receipt["payload"]["start"] :], hashes, marks, strict=False):
            before = known.get(stimulus_id)
            if before is not None and digest and before.digest != digest:
                _refuse(stimulus_id)
            if before is None and digest:
                known[stimulus_id] = Known(digest, mark)
    return known


def _refuse(name: str) -> None:
    raise ConfigurationChanged(
        "the stimuli that were extracted before", got=f"{name}, whose content differs under the same id",
        hint="another output folder, or --overwrite to replace the store",
    )  # fmt: skip


def read_manifest(folder: Path) -> pd.DataFrame | None:
    """What :func:`write_manifest` wrote, or None for a new store."""
    import pandas as pd

    return read_record(folder / _NAME, lambda data: pd.read_parquet(io.BytesIO(data)))


def count_kept(old: pd.DataFrame, new: StimulusSet) -> int | None:
    """How many stimuli come before the first that was left out as bad; None if the sets differ in other ways too."""
    skipped = {entry["file"] for entry in new.selection.get("skipped", [])}
    kept = [i for i, file in zip(old["id"], old["file"], strict=True) if file not in skipped]
    if len(kept) == len(old) or kept != list(new.ids):
        return None
    pairs = zip(old["id"], [*new.ids, *[None] * len(old)], strict=False)
    return next(place for place, (before, now) in enumerate(pairs) if before != now)


def join_stimuli(old: pd.DataFrame | None, new: StimulusSet, store: Path, *, append: bool) -> StimulusSet:
    """The stimuli of an existing store and those to add; old ids and order stay.

    Raises
    ------
    ConfigurationChanged
        When the stimuli differ without ``append``, or an addition would alter an id.
    """
    if old is None or list(new.ids) == list(old["id"]):
        return new
    old_ids = [str(i) for i in old["id"]]
    known, offered = set(old_ids), set(new.ids)
    if not append:
        missing = [i for i in old_ids if i not in offered]
        extra = [i for i in new.ids if i not in known]
        named = [
            f"{len(group)} {word} ({group[0]}{', ...' if len(group) > 1 else ''})"
            for word, group in (("missing", missing), ("new", extra))
            if group
        ]
        raise ConfigurationChanged(
            f"the {format_count(len(old_ids), 'stimulus')} that {store} holds",
            got=f"{len(new)}: {', '.join(named) or 'in another order'}",
            hint="--append to add stimuli, another output folder, or --overwrite to replace it",
        )
    _check_additions(old, new)
    added = [i for i in new.ids if i not in known]
    if known <= offered:
        joined = new[[*old_ids, *added]]
        place, labels = len(old_ids), [str(label) for label in old["label"]]
        if joined.labels[:place] != tuple(labels):
            return joined
        return replace(joined, targets=join_targets(labels, old["target"].to_numpy(), joined[place:], store))
    if new.arrays is not None:
        raise InputError("all old stimuli among the arrays to append", got=f"{len(new)} without some of them")
    fresh = new[added]
    before = _read_conditions(old)
    conditions = {
        name: [*before.get(name, [None] * len(old_ids)), *fresh.conditions.get(name, [None] * len(fresh))]
        for name in dict.fromkeys([*before, *fresh.conditions])
    }
    return StimulusSet(
        kind=new.kind,
        ids=(*old_ids, *fresh.ids),
        files=(*(str(path) for path in old["source"]), *(str(fresh.path(i)) for i in range(len(fresh)))),
        root=None,
        labels=(*(str(label) for label in old["label"]), *fresh.labels),
        targets=join_targets([str(label) for label in old["label"]], old["target"].to_numpy(), fresh, store),
        conditions=conditions,
        layout=new.layout,
        selection=new.selection,
    )


def join_targets(labels: Sequence[str], targets: np.ndarray, fresh: StimulusSet, store: Path) -> np.ndarray:
    """Class indices of a store's stimuli and of those to add, of which one class has one index.

    What is added has indices of its own count, unless a table gave them: a class that the store has gets the store's,
    and a new one the next.

    Parameters
    ----------
    labels, targets
        (n_old,), of the store.
    fresh : StimulusSet
        What is added.
    store : path
        For the message.

    Raises
    ------
    ConfigurationChanged
        The indices that were given contradict the store's.
    """
    known = dict(zip(labels, targets.tolist(), strict=True))
    added = dict(zip(fresh.labels, fresh.targets.tolist(), strict=True))
    names = {target: label for label, target in known.items()}
    wrong = [name for name, i in added.items() if known.get(name, i) != i or names.get(i, name) != name]
    if not wrong:
        return np.concatenate([targets, fresh.targets])
    counted = number_classes(fresh.labels) if fresh.layout != "flat" else np.arange(len(fresh))
    if fresh.layout not in ("flat", "classes") and not np.array_equal(counted, fresh.targets):
        name = wrong[0]
        other = f"{known[name]} in the store" if name in known else f"that of {names[added[name]]!r} in the store"
        raise ConfigurationChanged(
            f"class indices as in {store}", got=f"{added[name]} for {name!r}, which is {other}",
            hint="the column target as the store has it, or another output folder",
        )  # fmt: skip
    following = max(known.values(), default=-1) + 1
    for name in sort_classes(added) if fresh.layout != "flat" else added:
        if name not in known:
            known[name] = following
            following += 1
    tell("classes that are added count on from those of %s: %s", store, ", ".join(
        f"{name} is {known[name]}" for name in list(added)[:8]))  # fmt: skip
    return np.concatenate([targets, [known[name] for name in fresh.labels]])


def _check_additions(old: pd.DataFrame, new: StimulusSet) -> None:
    sources = dict(zip(old["id"], old["source"], strict=True))
    ids = {os.path.realpath(source): i for i, source in sources.items() if source}
    for place, i in enumerate(new.ids):
        source = _find_source(new, place)
        real = os.path.realpath(source) if source else ""
        if source and ids.get(real, i) != i:
            raise ConfigurationChanged(
                "additions that leave the old ids as they are",
                got=f"{source}, which was {ids[real]!r} and would become {i!r}",
                hint="another name for the new file, or another output folder",
            )
        if i in sources and real != (os.path.realpath(sources[i]) if sources[i] else ""):
            raise ConfigurationChanged(
                "additions with ids of their own",
                got=f"{i!r}, which is {sources[i]} in the store and {source} here",
                hint="another name for the file, or another output folder",
            )
