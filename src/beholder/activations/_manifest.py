"""Which stimuli a store holds, in which order: one file, replaced as a whole, that additions start from."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from beholder._core.errors import ConfigurationChanged, InputError
from beholder.jobs import read_record, write_record
from beholder.stimuli import StimulusSet

if TYPE_CHECKING:
    import pandas as pd

_NAME = "stimuli.parquet"
_SAMPLE = 200
_CONDITION = "condition:"
_GONE = -1


def write_manifest(folder: Path, stimuli: StimulusSet) -> None:
    """Write ids, files, labels and targets by rename; ``source`` is the path as given, for reading again."""
    import pandas as pd

    paths = [_find_source(stimuli, i) for i in range(len(stimuli))]
    conditions = {
        f"{_CONDITION}{name}": [json.dumps(value, default=_to_plain) for value in column]
        for name, column in stimuli.conditions.items()
    }
    table = pd.DataFrame(
        {
            "id": stimuli.ids,
            "file": stimuli.files,
            "source": paths,
            "bytes": [_find_size(path) for path in paths],
            "label": stimuli.labels,
            "target": np.asarray(stimuli.targets),
            **conditions,
        }
    )
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    write_record(folder / _NAME, buffer.getvalue())


def _to_plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else str(value)


def _read_conditions(table: pd.DataFrame) -> dict[str, list[Any]]:
    """The conditions that :func:`write_manifest` wrote."""
    names = [str(name) for name in table.columns if str(name).startswith(_CONDITION)]
    return {name.removeprefix(_CONDITION): [json.loads(text) for text in table[name]] for name in names}


def _find_source(stimuli: StimulusSet, index: int) -> str:
    return str(stimuli.path(index)) if stimuli.arrays is None else ""


def _find_size(path: str) -> int:
    try:
        return Path(path).stat().st_size if path else 0
    except OSError:
        return _GONE


def check_unchanged(old: pd.DataFrame | None, new: StimulusSet, hashes: Mapping[str, str]) -> None:
    """Refuse stimuli that have kept their ids but not their content since they were extracted.

    Sizes are compared for all files, hashes for files that lie elsewhere than before and for a sample of arrays. A
    file that is gone is missed only where it is to be read again.

    Parameters
    ----------
    old : DataFrame or None
        The manifest so far.
    new : StimulusSet
        Ids of ``old`` are looked up in it.
    hashes : mapping of str to str
        sha256 by id, as recorded when the stimuli were extracted.
    """
    if old is None:
        return
    places = {i: place for place, i in enumerate(new.ids)}
    every = max(1, len(new) // _SAMPLE)
    for i, source, size in zip(old["id"], old["source"], old["bytes"], strict=True):
        place = places.get(i)
        if place is None or not hashes.get(i):
            continue
        now = _find_source(new, place)
        if now and now == source:
            changed = _find_size(now) not in (size, _GONE)
        elif now or place % every == 0:
            changed = new.hash_stimulus(place) != hashes[i]
        else:
            changed = False
        if changed:
            raise ConfigurationChanged(
                "the stimuli that were extracted before", got=f"{now or i}, whose content differs under the same id",
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
            f"the {len(old_ids)} stimuli that {store} holds",
            got=f"{len(new)}: {', '.join(named) or 'in another order'}",
            hint="--append to add stimuli, another output folder, or --overwrite to replace it",
        )
    _check_additions(old, new)
    added = [i for i in new.ids if i not in known]
    if known <= offered:
        return new[[*old_ids, *added]]
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
        targets=np.concatenate([old["target"].to_numpy(), fresh.targets]),
        conditions=conditions,
        layout=new.layout,
        selection=new.selection,
    )


def _check_additions(old: pd.DataFrame, new: StimulusSet) -> None:
    sources = dict(zip(old["id"], old["source"], strict=True))
    ids = {source: i for i, source in sources.items() if source}
    for place, i in enumerate(new.ids):
        source = _find_source(new, place)
        if source and ids.get(source, i) != i:
            raise ConfigurationChanged(
                "additions that leave the old ids as they are",
                got=f"{source}, which was {ids[source]!r} and would become {i!r}",
                hint="another name for the new file, or another output folder",
            )
        if i in sources and source != sources[i]:
            raise ConfigurationChanged(
                "additions with ids of their own",
                got=f"{i!r}, which is {sources[i]} in the store and {source} here",
                hint="another name for the file, or another output folder",
            )
