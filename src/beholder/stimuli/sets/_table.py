"""Reading a set from a table of files, whose further columns are conditions."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from beholder._core.addresses import RemoteEntry, is_address, read_range, show_place
from beholder._core.errors import SKIP_HINT, InputError, StimulusError
from beholder._core.wording import format_count
from beholder.jobs import check_source
from beholder.stimuli.sets._folder import agree_on_kind, find_kind, make_ids
from beholder.stimuli.sets._manifest import Manifest
from beholder.stimuli.sets._remote_files import attach_remote, find_remote
from beholder.stimuli.words._labels import number_classes

if TYPE_CHECKING:
    import pandas as pd

FILE_COLUMNS = (
    "file", "path", "image", "filename", "file_name", "stimulus_file", "image_file", "image_path", "file_path",
    "filepath", "sound", "audio", "sound_file", "stimulus",
)  # fmt: skip
ID_COLUMNS = ("stimulus_id", "id")
LABEL_COLUMNS = ("label", "class")
TARGET_COLUMNS = ("target",)
_CODE = re.compile(r"[+-]?0\d")  # 007 is a name, not seven


def build_from_table(
    table: Path | str, *, kind: Literal["image", "sound"] | None = None, skip_missing: bool = False
) -> Manifest:
    """A set from a table; see :meth:`StimulusSet.from_table`."""
    table = Path(table)
    return _build(_read_frame(table), table.parent, show_place(table), kind, skip_missing)


def build_from_frame(frame: pd.DataFrame, *, skip_missing: bool = False) -> Manifest:
    """A set from a pandas table with a column of files, absolute or relative to the working directory."""
    _check_frame(frame, "the table")
    frame = _rename_columns(_to_text(frame), "the table")
    return _build(frame, None, "the table", None, skip_missing)


def _build(
    frame: pd.DataFrame, root: Path | None, table: str, kind: Literal["image", "sound"] | None, skip_missing: bool
) -> Manifest:
    entries: Mapping[str, RemoteEntry] = {}
    if is_address(root or "") or any(map(is_address, frame["file"].tolist())):
        root, entries, frame, skipped = _find_remote_files(frame, root or Path(), table, skip_missing)
    else:
        frame, skipped = _find_files(frame, root or Path(), table, skip_missing)
    files = frame["file"].tolist()
    kind = agree_on_kind(files, kind, table)
    if kind is None:
        raise InputError("a table of image or sound files", got=f"{table}, which lists {files[0]}")
    wrong = [file for file in files if find_kind(file) != kind]
    if wrong:
        raise InputError(
            f"{kind} files only", got=f"{format_count(len(wrong), 'other')} in {table}, such as {wrong[0]}"
        )
    ids = tuple(frame.pop("stimulus_id").tolist()) if "stimulus_id" in frame else make_ids(files)
    labels, targets = _read_classes(frame, files, table)
    made = Manifest(
        kind=kind,
        ids=ids,
        files=tuple(files),
        root=root,
        labels=labels,
        targets=targets,
        conditions={str(name): _parse_column(frame[name].tolist()) for name in frame.columns if name != "file"},
        layout="table",
        selection={"skipped": skipped} if skipped else {},
    )
    return attach_remote(made, entries.values()) if entries else made


def _read_frame(table: Path) -> pd.DataFrame:
    """The table as text, known columns renamed to ``file, stimulus_id, label, target``."""
    import pandas as pd

    suffix = table.suffix.lower()
    if suffix not in (".csv", ".tsv", ".txt", ".parquet"):
        raise InputError("a .csv, .tsv, .txt or .parquet table", got=str(table))
    source: Any = table
    if is_address(table):
        source = io.BytesIO(read_range(table))
    else:
        check_source(table)
    try:
        if suffix == ".parquet":
            frame = _to_text(pd.read_parquet(source))
        else:
            separator = "," if suffix == ".csv" else "\t"
            frame = pd.read_csv(source, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise InputError("a table of stimuli", got=f"no file at {table}") from error
    except (ValueError, OSError) as error:
        got = f"{show_place(table)}, which does not parse ({error})"
        raise InputError("a table of stimuli", got=got) from error
    _check_frame(frame, show_place(table))
    return _rename_columns(frame, show_place(table))


def _to_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Every cell as text, empty where there is none."""
    return frame.astype(object).where(frame.notna(), "").map(str)


def _check_frame(frame: pd.DataFrame, table: str) -> None:
    columns = [str(name).strip() for name in frame.columns]
    if len({name.lower() for name in columns}) < len(columns):
        raise InputError("columns with different names", got=f"{table} with {', '.join(columns)}")
    if len(frame) == 0:
        raise InputError("a table with at least one row", got=table)


def _rename_columns(frame: pd.DataFrame, table: str) -> pd.DataFrame:
    """Known columns as ``file, stimulus_id, label, target``."""
    frame = frame.reset_index(drop=True)
    frame.columns = [str(name).strip() for name in frame.columns]
    names = {name.lower(): name for name in reversed(list(frame.columns))}
    renamed: dict[str, str] = {}
    known = {"file": FILE_COLUMNS, "stimulus_id": ID_COLUMNS, "label": LABEL_COLUMNS, "target": TARGET_COLUMNS}
    for name, spellings in known.items():
        found = next((names[each] for each in spellings if each in names), None)
        if found is not None:
            renamed[found] = name
    if "file" not in renamed.values():
        got = f"{table} with {', '.join(frame.columns)}"
        raise InputError(f"a column named {', '.join(FILE_COLUMNS[:6])} or the like", got=got)
    return frame.rename(columns=renamed)


def _find_files(
    frame: pd.DataFrame, folder: Path, table: str, skip_missing: bool
) -> tuple[pd.DataFrame, list[dict[str, str]]]:
    """The rows whose files exist, with paths relative to the folder where they lie below it; and the others."""
    root = os.path.abspath(folder)  # noqa: PTH100 (links stay as they are)
    inside = root.rstrip(os.sep) + os.sep
    files, missing = [], []
    for given in frame["file"].tolist():
        full = os.path.normpath(os.path.join(root, given.replace("\\", "/")))  # noqa: PTH118 (a million at a time)
        if not given or not os.path.isfile(full):  # noqa: PTH113
            missing.append(given)
            files.append("")
            continue
        files.append((full[len(inside) :] if full.startswith(inside) else full).replace(os.sep, "/"))
    return _keep_files(frame.assign(file=files), missing, table, skip_missing)


def _find_remote_files(
    frame: pd.DataFrame, folder: Path, table: str, skip_missing: bool
) -> tuple[Path, dict[str, RemoteEntry], pd.DataFrame, list[dict[str, str]]]:
    """As :func:`_find_files`, of files at addresses; with their folder, and each by its name below it."""
    given = [str(each).replace("\\", "/") for each in frame["file"].tolist()]
    full = [each if not each or is_address(each) else os.path.normpath(folder / each) for each in given]
    local = next((each for each in full if each and not is_address(each)), None)
    if local is not None:
        raise InputError("files at addresses, or files of this machine", got=f"{table} with both, such as {local}")
    root, found = find_remote([each for each in full if each])
    files, missing, start = [], [], len(str(root)) + 1
    for place, each in zip(full, given, strict=True):
        name = str(Path(place.replace("://", ":/", 1)))[start:]
        is_there = bool(each) and found.get(name) is not None
        files.append(name if is_there else "")
        missing += [] if is_there else [each]
    entries = {name: entry for name, entry in found.items() if entry is not None}
    frame, skipped = _keep_files(frame.assign(file=files), missing, table, skip_missing)
    return root, entries, frame, skipped


def _keep_files(
    frame: pd.DataFrame, missing: Sequence[str], table: str, skip_missing: bool
) -> tuple[pd.DataFrame, list[dict[str, str]]]:
    """The rows whose files were found, and the others."""
    if missing and (not skip_missing or len(missing) == len(frame)):
        named = ", ".join(repr(each) for each in missing[:3]) + (", ..." if len(missing) > 3 else "")
        hint = None if skip_missing else f"paths relative to the table, or {SKIP_HINT}"
        raise StimulusError("files that exist", got=f"{table} with {len(missing)} missing: {named}", hint=hint)
    kept = frame.loc[frame["file"] != ""].reset_index(drop=True)
    return kept, [{"file": each, "reason": "no such file"} for each in missing]


def _read_classes(frame: pd.DataFrame, files: Sequence[str], table: str) -> tuple[tuple[str, ...], np.ndarray]:
    """Labels and targets from what the table says of them; takes both columns out of the frame."""
    given_labels = frame.pop("label").tolist() if "label" in frame else None
    given_targets = frame.pop("target").tolist() if "target" in frame else None
    if given_targets is not None:
        try:
            targets = np.array([int(float(each)) if float(each).is_integer() else None for each in given_targets])
            targets = targets.astype(np.int64)
        except (ValueError, TypeError) as error:
            raise InputError("integers in the column target", got=f"other values in {table}") from error
        return tuple(given_labels or given_targets), targets
    if given_labels is not None:
        return tuple(given_labels), number_classes(given_labels)
    return tuple(Path(file).stem for file in files), np.arange(len(files))


def _parse_column(texts: list[str]) -> list[Any]:
    """Text as numbers or truth values where every entry is one; empty entries are None."""
    filled = [text for text in texts if text != ""]
    if filled and all(text in ("True", "False", "true", "false") for text in filled):
        return [text in ("True", "true") if text else None for text in texts]
    if not filled or any(_CODE.match(text) for text in filled):
        return [text or None for text in texts]
    for number in (int, float):
        try:
            return [number(text) if text else None for text in texts]
        except ValueError:
            continue
    return [text or None for text in texts]
