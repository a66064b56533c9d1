"""One table of what an analysis found, with the settings that made it, and the registry of how it is told and drawn."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, final

import numpy as np

from beholder._core.errors import (
    ConfigurationChanged,
    DamagedOutput,
    InputError,
    suggest_keywords,
    suggest_method_keywords,
)
from beholder._core.files import explain_read_errors, open_atomic, read_json_object, write_bytes, write_json
from beholder._core.hashing import hash_bytes
from beholder._core.registry import Registry
from beholder._core.wording import format_count, word

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RESULT_SUFFIX = ".result.json"
"""What the file of a result ends in."""
FORMAT = 1

_WORDS = ("model", "layer", "target", "subject", "statistic", "method")
_NUMBERS = ("estimate", "low", "high", "p")
_COUNTS = ("n", "seed")
COLUMNS = (*_WORDS, *_NUMBERS, *_COUNTS)
"""The columns that every result has, first and in this order."""


@suggest_method_keywords
@final
@dataclass(frozen=True, repr=False, eq=False)
class Result:
    """What an analysis found: one tidy table, from which all pictures and sentences are made.

    Attributes
    ----------
    kind : str
        Name of the analysis in :data:`RESULT_KINDS`: ``rsa``, ``encode``, ...
    table : DataFrame
        A row a number. The columns ``model, layer, target, subject, statistic, method`` (words, empty where they do not
        apply), ``estimate, low, high, p`` (NaN where there is none; low and high are the ends of the 95 % interval),
        ``n`` and ``seed``, then those of the kind.
    settings : dict
        What was asked for, plain JSON.
    warnings : tuple of str
        What a reader should not conclude; whole sentences.
    arrays : mapping of str to ndarray
        What pictures need beyond the table, such as RDMs; numbers or words, no objects.

    Examples
    --------
    >>> import numpy as np
    >>> import beholder as bh
    >>> result = bh.analyze_anova(np.random.default_rng(0).uniform(0.4, 1, (6, 3, 2)), n_permutations=19)
    >>> result.kind, result.save("anova.parquet").as_posix()
    ('anova', 'anova.parquet')
    """

    kind: str
    table: pd.DataFrame
    settings: dict[str, Any]
    warnings: tuple[str, ...] = ()
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict[str, np.ndarray])

    def __repr__(self) -> str:
        table: Any = self.table
        told = " ".join(self.sentences()[:1])
        return f"Result({self.kind}, {format_count(len(table), 'row')}{': ' if told else ''}{told})"

    def _repr_html_(self) -> str:
        """Sentences, warnings and the head of the table, for notebooks."""
        import html

        table: Any = self.table
        told = [*self.sentences(), *(f"Note: {warning}" for warning in self.warnings)]
        words = "".join(f"<p>{html.escape(line)}</p>" for line in told)
        return words + str(table.head(20).to_html(index=False))

    def to_pandas(self) -> pd.DataFrame:
        """The table, a copy."""
        return self.table.copy()

    def to_json(self) -> dict[str, list[dict[str, Any]]]:
        """Named tables, each a list of records, numbers unrounded, None where there is none: what ``--json`` prints."""
        table: Any = self.table
        rows = [{str(key): _to_plain(value) for key, value in row.items()} for row in table.to_dict("records")]
        for row in rows:
            row |= {name: json.loads(row[name] or "[]") for name in RESULT_KINDS[self.kind].lists if name in row}
        records = RESULT_KINDS[self.kind].records
        first = {self.kind: rows} if records is None else {self.kind: records(self), "table": rows}
        return {
            **first,
            "sentences": [{"text": text} for text in self.sentences()],
            "warnings": [{"text": text} for text in self.warnings],
        }

    def sentences(self) -> list[str]:
        """What was found, in sentences for people."""
        return RESULT_KINDS[self.kind].sentences(self)

    def methods(self) -> str:
        """A paragraph for a paper's Methods: what was computed with which settings, and whom to cite."""
        return RESULT_KINDS[self.kind].methods(self)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the result's main picture."""
        return RESULT_KINDS[self.kind].plot(self, ax)

    def save(self, path: Path | str) -> Path:
        """Write ``{name}.parquet``, settings in it and beside it (``{name}.result.json``), arrays in ``{name}.npz``.

        The same result gives the same bytes. :func:`open_result` and ``bh.open`` read it.
        """
        import pyarrow as pa  # pyright: ignore[reportMissingTypeStubs]
        from pyarrow import parquet  # pyright: ignore[reportMissingTypeStubs]

        path = Path(path)
        if path.suffix != ".parquet":
            raise InputError("a file name ending in .parquet", got=str(path), hint=f"{path.stem}.parquet")
        arrays, content = path.with_suffix(".npz"), b""
        if self.arrays:
            buffer = io.BytesIO()
            plain: dict[str, Any] = {name: np.asarray(self.arrays[name]) for name in sorted(self.arrays)}
            np.savez_compressed(buffer, **plain)
            content = buffer.getvalue()
        record = {
            "format": FORMAT, "kind": self.kind, "settings": self.settings, "warnings": list(self.warnings),
            "arrays": sorted(self.arrays), "arrays_hash": hash_bytes(content) if content else None,
        }  # fmt: skip
        library: Any = pa
        table = library.Table.from_pandas(self.table, preserve_index=False)
        table = table.replace_schema_metadata({"beholder": json.dumps(record)})
        if content:
            write_bytes(arrays, content)
        else:
            arrays.unlink(missing_ok=True)
        with open_atomic(path) as file:
            writer: Any = parquet
            writer.write_table(table, file)
        write_json(path.with_suffix(RESULT_SUFFIX), record)
        return path


@suggest_keywords
def make_result(
    kind: str,
    rows: Sequence[Mapping[str, Any]],
    settings: dict[str, Any],
    *,
    warnings: Sequence[str] = (),
    arrays: Mapping[str, np.ndarray] | None = None,
) -> Result:
    """A result from rows, the columns that every result has filled in and put first.

    Parameters
    ----------
    kind : str
    rows : sequence of mapping
        ``statistic`` and ``estimate`` at least; further keys become further columns, in order of first appearance.
    settings : dict
        Plain JSON.
    warnings : sequence of str
        Each is kept once; flags in them are keywords in Python.
    arrays : mapping of str to ndarray, optional

    Examples
    --------
    >>> made = make_result("rsa", [{"layer": "conv1", "statistic": "r", "estimate": 0.5, "n": 4}], {})
    >>> list(made.table.columns)[:7]
    ['model', 'layer', 'target', 'subject', 'statistic', 'method', 'estimate']
    """
    import pandas as pd

    further = dict.fromkeys(key for row in rows for key in row if key not in COLUMNS)
    columns: dict[str, Any] = {}
    for name in _WORDS:
        columns[name] = np.array([str(row.get(name, "")) for row in rows], dtype=object)
    for name in _NUMBERS:
        columns[name] = np.array([_number(row.get(name)) for row in rows], dtype=np.float64)
    for name in _COUNTS:
        columns[name] = np.array([int(row.get(name) or 0) for row in rows], dtype=np.int64)
    for name in further:
        columns[name] = [row.get(name) for row in rows]
    plain = json.loads(json.dumps(settings, allow_nan=False))
    table: Any = pd.DataFrame({name: _settle(column) for name, column in columns.items()})
    return Result(kind, table, plain, tuple(dict.fromkeys(map(word, warnings))), dict(arrays or {}))


@suggest_keywords
def open_result(path: Path | str) -> Result:
    """Read what :meth:`Result.save` wrote.

    Parameters
    ----------
    path : path
        ``{name}.parquet`` or ``{name}.result.json``.

    Raises
    ------
    InputError
        For a file that is none, or that a newer version wrote.
    """
    path = Path(path)
    if path.name.endswith(RESULT_SUFFIX):
        path = path.with_name(path.name.removesuffix(RESULT_SUFFIX) + ".parquet")
    expected = "the result of an analysis (.parquet)"
    if not path.is_file():
        raise InputError(expected, got=f"no file at {path}")
    with explain_read_errors(path, expected):
        from pyarrow import parquet  # pyright: ignore[reportMissingTypeStubs]

        reader: Any = parquet
        found: Any = reader.read_table(path)
        metadata: dict[bytes, bytes] = found.schema.metadata or {}
        words = metadata.get(b"beholder")
        if words is None:
            raise InputError(expected, got=f"{path}, a table of another kind")
        record = json.loads(words)
        if record["format"] != FORMAT:
            raise InputError(f"a result of the format {FORMAT}", got=f"{path} of {record['format']}")
        arrays: dict[str, np.ndarray] = {}
        if record["arrays"] and path.with_suffix(".npz").is_file():
            stored = path.with_suffix(".npz").read_bytes()
            if record.get("arrays_hash") not in (None, hash_bytes(stored)):
                raise DamagedOutput(
                    f"the arrays of {path.name} in {path.stem}.npz", got="those of another result",
                    hint="the analysis again: it was interrupted while it wrote",
                )  # fmt: skip
            with np.load(io.BytesIO(stored), allow_pickle=False) as content:
                arrays = {name: content[name] for name in record["arrays"]}
        return Result(record["kind"], found.to_pandas(), record["settings"], tuple(record["warnings"]), arrays)


def refuse_other_inputs(old: Any, new: Any, output: str) -> None:
    """Refuse inputs of other content than those that a result was made of, by their names: a mapping to their hashes.

    Raises
    ------
    ConfigurationChanged
        Which.
    """
    if old != new:
        named: list[dict[str, Any]] = [each for each in (old, new) if isinstance(each, dict)]
        other = sorted(name for name in {*old, *new} if old.get(name) != new.get(name)) if len(named) == 2 else []
        raise ConfigurationChanged(
            f"the inputs that {output} was made of", got=f"other content in the {', the '.join(other) or 'inputs'}",
            hint="another output folder, or --overwrite to replace it",
        )  # fmt: skip


def read_result_settings(path: Path | str) -> dict[str, Any]:
    """Settings of a saved result by its ``{name}.result.json``, its table unread."""
    return read_json_object(path, "settings")["settings"]


@final
@dataclass(frozen=True)
class Drawing:
    """One picture of a result.

    Attributes
    ----------
    name : str
        End of the file's name: ``layers``, ``heat_map``.
    figure : matplotlib Figure
    alt : str
        The picture for those who cannot see it.
    explanation : str
        How to read it.
    """

    name: str
    figure: Figure
    alt: str
    explanation: str = ""


@final
@dataclass(frozen=True)
class ResultKind:
    """How results of one kind are told and drawn, from the result alone.

    Attributes
    ----------
    title : callable
        The question that the result answers: the title of its section in the report.
    sentences : callable
        What was found, for people; the first one is the section's answer.
    methods : callable
        A paragraph for a paper's Methods, with citations.
    plot : callable
        The main picture, into ``ax`` where one is given.
    draw : callable
        Every picture of the report, one after the other.
    attach : callable, optional
        Writes further files into a folder, under names that begin with the result's, and gives their paths.
    records : callable, optional
        Rows that ``--json`` prints in place of the table, which then follows them.
    lists : tuple of str
        Columns of lists of numbers, which are words in the table and lists in what ``--json`` prints.
    """

    title: Callable[[Result], str]
    sentences: Callable[[Result], list[str]]
    methods: Callable[[Result], str]
    plot: Callable[[Result, Axes | None], Axes]
    draw: Callable[[Result], Iterator[Drawing]]
    attach: Callable[[Result, Path, str], list[Path]] | None = None
    records: Callable[[Result], list[dict[str, Any]]] | None = None
    lists: tuple[str, ...] = ()


RESULT_KINDS: Registry[ResultKind] = Registry(
    "kind of result", "beholder.result_kinds", modules="beholder.analysis.kinds._*"
)
"""Kinds of results by name: how each is told and drawn."""


def format_estimate(value: float, *, digits: int = 2) -> str:
    """A number between -1 and 1 as papers print it, without the zero before the point.

    >>> format_estimate(0.224), format_estimate(-0.05), format_estimate(1.0), format_estimate(float("nan"))
    ('.22', '−.05', '1.00', 'not defined')
    """
    if math.isnan(value):
        return "not defined"
    text = f"{abs(value):.{digits}f}"
    sign = "−" if value < 0 and float(text) > 0 else ""
    return sign + (text[1:] if text.startswith("0.") else text)


def format_interval(low: float, high: float, *, digits: int = 2) -> str:
    """An interval in brackets, or nothing where there is none.

    >>> format_interval(0.18, 0.271), format_interval(float("nan"), 1)
    ('[.18, .27]', '')
    """
    if math.isnan(low) or math.isnan(high):
        return ""
    return f"[{format_estimate(low, digits=digits)}, {format_estimate(high, digits=digits)}]"


def format_p(p: float) -> str:
    """A p value as papers print it.

    >>> format_p(0.0213), format_p(0.0002), format_p(float("nan"))
    ('p = .021', 'p < .001', 'p not computed')
    """
    if math.isnan(p):
        return "p not computed"
    return "p < .001" if p < 0.001 else f"p = {format_estimate(p, digits=3)}"


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _settle(column: Any) -> Any:
    """A further column as words, numbers or truths, by what it holds; words and numbers mixed are words."""
    if not isinstance(column, list):
        return column
    values = cast(list[Any], column)
    known = [value for value in values if value is not None]
    if known and all(isinstance(value, bool | np.bool_) for value in known) and len(known) == len(values):
        return np.array(values, dtype=bool)
    if all(isinstance(value, int | np.integer) for value in known) and len(known) == len(values):
        return np.array(values, dtype=np.int64)
    if all(isinstance(value, int | float | np.number) for value in known):
        return np.array([_number(value) for value in values], dtype=np.float64)
    return np.array(["" if value is None else str(value) for value in values], dtype=object)


def _to_plain(value: Any) -> Any:
    plain: Any = cast(Any, value).item() if isinstance(value, np.generic) else value
    return None if isinstance(plain, float) and not math.isfinite(plain) else plain
