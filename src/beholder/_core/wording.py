"""Flags in messages: as they are at the command line, as keywords in Python.

Messages are written with flags (``--batch_size``, ``--overwrite``). Where no command line runs, what the user sees has
keywords in their place; commands in a message (`` `beholder ...` ``) stay as they are.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Generator, Iterable
from typing import Any

_KEYWORDS = {
    "flatten_acts": "flatten", "in_path": "stimuli", "model_name": "model",
    "module_name": "layers", "rnd_seed": "seed", "set": "settings",
    "-N": "n_pairs", "-o": "path", "-sc": "catch_source", "-nc": "n_catch", "-minb": "min_batch",
    "-maxb": "max_batch", "-nb": "n_batches", "-nh": "n_tasks", "-nr": "n_references", "-nt": "n_trials",
    "-upm": "n_units", "-s": "sources", "-t": "folder", "-Z": "step_size", "-L": "loss",
}  # fmt: skip
"""Flags that Python knows under another name than their own."""

_SWITCHES = {
    "append", "as_shown", "average_replicates", "balanced", "browser", "compile", "compress_acts", "draft", "dry_run",
    "failed", "in_mm", "include_excluded", "keep_failed", "mixed", "new_head", "overwrite", "paired", "pretrained",
    "random_start", "run_code", "shuffle", "skip_bad", "transparency",
}  # fmt: skip
_WORDED = {
    "device", "dtype", "file_format", "kind", "loss", "parameterization", "pool", "recipe", "reduce", "scheme",
}  # fmt: skip

_COMMAND = re.compile(r"`[^`]*`|\bbeholder [a-z].*?(?=;|$)")
_VALUE = r"(?: (?:[A-Z][A-Z0-9_:]*…?|\d[\d.]*)(?![\w.]*\w))"
_FLAG = re.compile(
    rf"(?<![\w-])(?P<flag>--[a-z][a-z0-9_]*|{'|'.join(name for name in _KEYWORDS if name[0] == '-')})(?![\w-])"
    rf"(?P<values>{_VALUE}+)?(?: (?P<word>[a-z][a-z0-9_]*(?::\w+)?)(?![\w|]))?"
)

_at_command_line = False


@contextlib.contextmanager
def at_command_line() -> Generator[None]:
    """Messages keep their flags inside the block."""
    global _at_command_line
    before, _at_command_line = _at_command_line, True
    try:
        yield
    finally:
        _at_command_line = before


def is_at_command_line() -> bool:
    """Whether a command runs."""
    return _at_command_line


def pick_words(at_command_line: str, in_python: str) -> str:
    """Words for whoever reads them, where what helps in Python is not what helps at the command line."""
    return at_command_line if _at_command_line else in_python


def word(text: str) -> str:
    """A message for whoever reads it: unchanged at the command line, else with keywords for flags."""
    return text if _at_command_line else use_keywords(text)


def use_keywords(text: str) -> str:
    """Put keywords for flags.

    >>> use_keywords("expected --batch_size of 1 or more; got 0; try --overwrite, or `beholder show --json`")
    'expected batch_size of 1 or more; got 0; try overwrite=True, or `beholder show --json`'
    >>> use_keywords("try --device cpu, --model_path FILE or --percentile 40 60")
    'try device="cpu", model_path=FILE or percentile=(40, 60)'
    """
    parts: list[str] = []
    end = 0
    for command in _COMMAND.finditer(text):
        parts += [_FLAG.sub(_replace, text[end : command.start()]), command.group()]
        end = command.end()
    return "".join([*parts, _FLAG.sub(_replace, text[end:])])


def _replace(match: re.Match[str]) -> str:
    flag = match["flag"]
    name = _KEYWORDS.get(flag) or _KEYWORDS.get(flag.lstrip("-")) or flag.lstrip("-")
    values, after = match["values"], match["word"]
    rest = "" if after is None else f" {after}"
    if values:
        told = ", ".join(values.split())
        return f"{name}={f'({told})' if ',' in told else told}{rest}"
    if after and name in _WORDED and after not in _PROSE:
        return f'{name}="{after}"'
    if flag.lstrip("-") in _SWITCHES:
        name = f"{name}=True"
    return f"{name}{values or ''}{rest}"


_PROSE = {"of", "or", "and", "with", "where", "to", "for", "above", "from", "is", "in"}


def flow_text(text: str) -> str:
    r"""A text that was written over several lines, as one.

    >>> flow_text("Stimuli were shown\n    once.")
    'Stimuli were shown once.'
    """
    return " ".join(text.split())


def show_value(value: Any) -> str:
    """A value as Python writes it, cut after 60 characters.

    >>> show_value("a" * 80)[-6:]
    'aaa...'
    """
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


_PLURALS = {
    "analysis": "analyses", "batch": "batches", "category": "categories", "class": "classes", "copy": "copies",
    "entry": "entries", "index": "indices", "library": "libraries", "loss": "losses", "match": "matches",
    "matrix": "matrices", "pass": "passes", "person": "people", "process": "processes", "query": "queries",
    "stimulus": "stimuli", "vertex": "vertices",
}  # fmt: skip
_VERBS = {"does": "do", "has": "have", "is": "are", "was": "were"}
_SINGULARS = {plural: one for one, plural in _PLURALS.items()}


def use_verb(n: int, verb: str) -> str:
    """A verb for so many: as it is for one, else without its s.

    >>> use_verb(1, "passes"), use_verb(2, "passes"), use_verb(2, "is"), use_verb(0, "lies")
    ('passes', 'pass', 'are', 'lie')
    """
    if n == 1:
        return verb
    return _VERBS.get(verb, verb.removesuffix("es") if verb.endswith("sses") else verb.removesuffix("s"))


def use_plural(n: int, what: str) -> str:
    """A noun for so many: as it is for one, else its last word in the plural.

    >>> use_plural(1, "stimulus"), use_plural(2, "stimulus"), use_plural(0, "spoken word")
    ('stimulus', 'stimuli', 'spoken words')
    """
    if n == 1:
        return what
    head, _, last = what.rpartition(" ")
    return f"{head} {_PLURALS.get(last, f'{last}s')}".lstrip()


def format_count(n: int, what: str) -> str:
    """So many of something; what is counted stands in the singular, its last word is put in the plural.

    >>> format_count(1, "task"), format_count(0, "spoken word"), format_count(12800, "stimulus")
    ('1 task', '0 spoken words', '12,800 stimuli')
    """
    return f"{n:,} {use_plural(n, what)}"


def format_span(counts: Iterable[int], what: str) -> str:
    """So many of something, or from so many to so many.

    >>> format_span([5, 3, 5], "stimulus"), format_span([1, 1], "stimulus")
    ('3 to 5 stimuli', '1 stimulus')
    """
    numbers = sorted(counts)
    least, most = numbers[0], numbers[-1]
    return format_count(most, what) if least == most else f"{least:,} to {format_count(most, what)}"


def count_items(n: int, items: str) -> str:
    """So many of what has a name in the plural.

    >>> count_items(1, "stimuli"), count_items(1, "layers"), count_items(12_800, "pairs")
    ('1 stimulus', '1 layer', '12,800 pairs')
    """
    if n != 1:
        return f"{n:,} {items}"
    head, _, last = items.rpartition(" ")
    return " ".join(filter(None, ["1", head, _SINGULARS.get(last, last.removesuffix("s"))]))


def format_share(share: float) -> str:
    """A measured proportion in per cent, always with one decimal; what is set, such as chance, has the digits it needs.

    >>> format_share(27 / 32), format_share(0.8), format_share(1.0)
    ('84.4 %', '80.0 %', '100.0 %')
    """
    return f"{100 * share:.1f} %"


def format_number(value: float, digits: int = 3) -> str:
    """A number to look at: three significant digits, whole from 1,000 on, a true minus sign.

    >>> [format_number(value) for value in (0.12345, -1.5, 1234.5, 0.0, 1e-9, float("inf"))]
    ['0.123', '−1.5', '1,234', '0', '1e−09', '∞']
    """
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.{digits}g}"
    return ("0" if value == 0 or text == "-0" else text).replace("-", "−")
