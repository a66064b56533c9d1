"""What files hold, part by part, as short digests: the same on every machine where the values are exact."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
import platform
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

Parts = dict[str, str]

_FREE = frozenset({
    "finished", "machine", "versions", "instructions", "processor", "gpu", "beholder", "marks",
    "consolidated_metadata",
})  # fmt: skip
"""Keys of JSON objects that hold times, hosts, versions, the times of files that were read, or what some zarrs add."""
_MARKS = {"digest", "digests", "files"}
"""Keys of receipts that hold hashes and sizes of other files, which the libraries that wrote those decide."""
_LIBRARIES = (
    "beholder", "h5py", "matplotlib", "numcodecs", "numpy", "open_clip_torch", "pandas", "pillow", "pyarrow", "scipy",
    "soundfile", "timm", "torch", "torchvision", "transformers", "zarr",
)  # fmt: skip
_VOLATILE = ("provenance.json", ".sqlite", ".html")
_NUMBER = re.compile(r"-?\d+\.\d+(?:e[-+]?\d+)?")


def describe_machine() -> dict[str, str]:
    """What decides the bytes of files whose values or containers come from libraries."""
    import torch

    found = {name: version(name) for name in _LIBRARIES}
    processor = next(
        (line.partition(":")[2].strip() for line in _read_lines("/proc/cpuinfo") if line.startswith("model name")), ""
    )
    return {
        "python": ".".join(platform.python_version_tuple()[:2]), **found,
        "instructions": torch.backends.cpu.get_cpu_capability(), "processor": processor or platform.machine(),
    }  # fmt: skip


def _read_lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def read_parts(path: Path, *, exact: bool) -> Parts:
    """A digest for each part of a file.

    Parameters
    ----------
    path : Path
    exact : bool
        Its numbers are the same on every machine. Otherwise only their type and shape count.
    """
    kind = next((kind for kind in _READERS if path.name.endswith(kind)), "")
    read = _READERS.get(kind, _read_plain)
    return {part: digest(value) for part, value in read(path, exact)}


def read_bytes(path: Path) -> str | None:
    """The digest of all bytes; None for files that hold times or random names."""
    data = path.read_bytes()
    return None if path.name.endswith(_VOLATILE) or b'"marks": [' in data[: 2**16] else digest(data)


def digest(value: Any) -> str:
    """Sixteen hexadecimal digits of bytes, or of what anything else prints as."""
    data = value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def _read_plain(path: Path, exact: bool) -> Iterator[tuple[str, Any]]:
    """Nothing: the chunks of an array are read with its zarr.json."""
    yield from ()


def _read_copy(path: Path, exact: bool) -> Iterator[tuple[str, Any]]:
    head, _, rest = path.read_bytes().partition(b"\n")
    yield "copy", [head[:7], rest == path.with_suffix("").read_bytes()]


def _read_text(path: Path, exact: bool) -> Iterator[tuple[str, Any]]:
    text = path.read_bytes().decode("utf-8")
    yield "text", text if exact else _NUMBER.sub("#", text)


def _read_json(path: Path, exact: bool) -> Iterator[tuple[str, Any]]:
    """One part for each key of the outermost object, in the file's order, and the layout of the text."""
    text = path.read_text(encoding="utf-8").replace(str(Path.cwd()), "HERE")
    value = clean(json.loads(text), exact, is_receipt=path.parent.name == "receipts" or path.name.startswith("sealed"))
    yield "layout", [text[:2], text.count("\n") == 0, text[-1:]]
    if isinstance(value, dict):
        yield "keys", list(value)
        for key, item in value.items():
            yield f"{key}:", json.dumps(item)
    else:
        yield "value", json.dumps(value)


def clean(value: Any, exact: bool, *, is_receipt: bool = False) -> Any:
    """A JSON value without what times, hosts and versions decide; with ``exact`` False without floats, too."""
    if isinstance(value, dict):
        found = {}
        for key, item in value.items():
            if is_receipt and key in _MARKS:
                found[key] = sorted(item) if isinstance(item, dict) else ""
            elif key == "sha256" and not exact:
                found[key] = ""
            elif key not in _FREE:
                found[key] = clean(item, exact, is_receipt=is_receipt)
        return found
    if isinstance(value, list):
        return [clean(item, exact, is_receipt=is_receipt) for item in value]
    return "float" if isinstance(value, float) and not exact else value


def describe_array(array: Any, exact: bool) -> Any:
    """Type, shape and values of an array; no values of floats that are not exact."""
    array = np.asarray(array)
    if array.dtype.hasobject or array.dtype.kind in "TUS":
        texts = [str(value) for value in array.ravel().tolist()]
        return ["text", array.shape, texts if exact else [_NUMBER.sub("#", text) for text in texts]]
    values = exact or array.dtype.kind not in "fc"
    head = [array.dtype.str, array.shape]
    return [*head, digest(np.ascontiguousarray(array).tobytes())] if values else head


def _read_csv(path: Path, exact: bool) -> Iterator[tuple[str, Any]]:
    data = path.read_bytes()
    rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))
    if exact:
        yield "layout", [data.startswith(b"\xef\xbb\xbf"), data.count(b"\r\n"), data.count(b"\n"), data.count(b'"')]
    yield "header", rows[:1]
    yield "rows", len(rows)
    names = rows[0] if rows else []
    columns = {name: [row[k] if k < len(row) else None for row in rows[1:]] for k, name in enumerate(names)}
    yield "empty columns", [name for name, cells in columns.items() if not any(cells)]
    for name, cells in columns.items():
        if any(cells) and (exact or name != "sha256"):
            yield f"column {name}", cells if exact else [_NUMBER.sub("#", cell or "") for cell in cells]


def _read_parquet(path: Path, exact: bool) -> Iterator[tuple[str, Any]]:
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    metadata = {key: value for key, value in (table.schema.metadata or {}).items() if key != b"pandas"}
    yield "schema", table.schema.remove_metadata().to_string().replace("large_string", "string")
    yield "metadata", [(key, json.dumps(clean(_parse(value), exact))) for key, value in metadata.items()]
    yield "row groups", pq.ParquetFile(path).num_row_groups
    columns = {name: table[name].to_pylist() for name in table.column_names}
    yield "empty columns", [name for name, values in columns.items() if all(value is None for value in values)]
    for name, values in columns.items():
        if any(value is not None for value in values) and (exact or name != "sha256"):
            yield f"column {name}", json.dumps(clean(values, exact), default=str)


def _parse(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return data.decode("utf-8", "replace")


def _read_picture(path: Path, exact: bool) -> Iterator[tuple[str, Any]]:
    from PIL import Image

    with Image.open(path) as picture:
        picture.load()
        yield "format", [picture.format, picture.mode, picture.size, sorted(picture.info)]
        if exact:
            yield "pixels", picture.tobytes()


def _read_sound(path: Path, exact: bool) -> Iterator[tuple[str, Any]]:
    import soundfile

    about = soundfile.info(str(path))
    yield "format", [about.format, about.subtype, about.samplerate, about.channels, about.frames]
    if exact:
        yield "samples", soundfile.read(str(path), dtype="float64")[0].tobytes()


def _read_npy(path: Path, exact: bool) -> Iterator[tuple[str, Any]]:
    yield "array", describe_array(np.load(path), exact)
    yield "head", path.read_bytes()[:8]


def _read_npz(path: Path, exact: bool) -> Iterator[tuple[str, Any]]:
    with np.load(path) as file:
        yield "names", file.files
        for name in file.files:
            yield name, describe_array(file[name], exact)


def _read_hdf5(path: Path, exact: bool) -> Iterator[tuple[str, Any]]:
    import h5py

    with h5py.File(path, "r") as file:
        found: list[str] = []
        file.visit(found.append)
        for name in ["/", *found]:
            item = file[name]
            for key, value in item.attrs.items():
                plain = value.item() if isinstance(value, np.generic) else value
                yield f"{name} @{key}", _describe_attribute(key, plain, exact)
            if isinstance(item, h5py.Dataset):
                yield (
                    f"{name} layout",
                    [item.dtype, item.shape, item.chunks, item.compression, item.shuffle, item.maxshape],
                )
                yield (
                    f"{name} values",
                    describe_array(item.asstr()[:] if item.dtype.kind == "O" and item.shape else item[()], exact),
                )


def _describe_attribute(key: str, value: Any, exact: bool) -> Any:
    if key in _FREE:
        return ""
    if isinstance(value, str | bytes):
        return json.dumps(clean(_parse(value.encode() if isinstance(value, str) else value), exact))
    return describe_array(value, exact) if isinstance(value, np.ndarray) else json.dumps(clean(value, exact))


def _read_tensors(path: Path, exact: bool) -> Iterator[tuple[str, Any]]:
    import torch

    yield from _walk("value", torch.load(path, weights_only=True), exact)


def _walk(place: str, value: Any, exact: bool) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        yield f"{place} keys", list(value)
        for key, item in value.items():
            yield from _walk(f"{place}.{key}", item, exact)
    elif isinstance(value, list | tuple):
        yield f"{place} length", [type(value).__name__, len(value)]
        for k, item in enumerate(value):
            yield from _walk(f"{place}[{k}]", item, exact)
    elif hasattr(value, "detach"):
        yield place, [value.dtype, describe_array(value.detach().float().numpy(), exact)]
    else:
        yield place, clean(value, exact)


def _read_matlab(path: Path, exact: bool) -> Iterator[tuple[str, Any]]:
    from scipy.io import loadmat, whosmat

    yield "names", whosmat(str(path))
    for name, value in loadmat(path).items():
        if not name.startswith("__"):
            yield name, describe_array(value, exact)


def _read_database(path: Path, exact: bool) -> Iterator[tuple[str, Any]]:
    """Statements of the schema, and each table's rows in the order of its key, column by column."""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        objects = db.execute("SELECT name, type, sql FROM sqlite_master ORDER BY type, name").fetchall()
        for name, kind, text in objects:
            yield f"{kind} {name}", text
        for name in (name for name, kind, _ in objects if kind == "table"):
            cursor = db.execute(f'SELECT * FROM "{name}"')
            columns, rows = [column[0] for column in cursor.description], cursor.fetchall()
            yield f"{name} rows", len(rows)
            for k, column in enumerate(columns):
                yield f"{name}.{column}", [row[k] for row in rows]


def _read_zarr_node(path: Path, exact: bool) -> Iterator[tuple[str, Any]]:
    import zarr

    node = zarr.open(path.parent, mode="r")
    if isinstance(node, zarr.Array):
        yield "about", json.dumps(clean(json.loads(path.read_text(encoding="utf-8")), exact))
        yield "values", describe_array(node[...], exact)
    else:
        yield from _read_json(path, exact)


_SCRIPT = re.compile(r"<script[^>]*>(.*?)</script>", re.DOTALL)
_STYLE = re.compile(r"<style[^>]*>(.*?)</style>", re.DOTALL)


def _read_page(path: Path, exact: bool) -> Iterator[tuple[str, Any]]:
    """Scripts and styles one by one, and the rest; of a page with figures its tags alone."""
    text = path.read_text(encoding="utf-8")
    for kind, pattern in (("script", _SCRIPT), ("style", _STYLE)):
        for k, found in enumerate(pattern.findall(text)):
            yield f"{kind} {k}", found if exact else _NUMBER.sub("#", found) if kind == "style" else len(found) > 0
        text = pattern.sub(f"<{kind}>", text)
    tags = re.findall(r"<(/?[a-zA-Z][\w-]*)(?:[^>]*?\sclass=\"([^\"]*)\")?", text)
    yield "document", text if exact else tags


Reader = Callable[[Path, bool], Iterator[tuple[str, Any]]]
_READERS: dict[str, Reader] = {
    ".copy": _read_copy,
    "zarr.json": _read_zarr_node,
    ".json": _read_json,
    ".csv": _read_csv,
    ".tsv": _read_text,
    ".txt": _read_text,
    ".md": _read_text,
    ".py": _read_text,
    ".parquet": _read_parquet,
    ".png": _read_picture,
    ".wav": _read_sound,
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".h5": _read_hdf5,
    ".hdf5": _read_hdf5,
    ".pt": _read_tensors,
    ".mat": _read_matlab,
    ".sqlite": _read_database,
    ".html": _read_page,
}
