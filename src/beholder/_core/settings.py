"""Comparing the settings of an existing output with those of a run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from beholder._core.errors import ConfigurationChanged
from beholder._core.narrowing import is_mapping
from beholder._core.progress import logger
from beholder._core.wording import show_value

_NETWORK = re.compile(r"(\w+\.)?network was ")


def compare_settings(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """One phrase for each setting that differs: ``"pool was 'none', now 'mean'"``. None is as good as absent.

    >>> before, now = {"pool": "none", "data": [{"name": "V4"}]}, {"pool": "mean", "data": [{"name": "IT"}]}
    >>> compare_settings(before, now)
    ['other data', "pool was 'none', now 'mean'"]
    """
    differences: list[str] = []
    for key in sorted({*old, *new}):
        before, after = old.get(key), new.get(key)
        if is_mapping(before) and is_mapping(after):
            differences += compare_settings(before, after, f"{prefix}{key}.")
        elif before != after and (_is_table(before) or _is_table(after)):
            differences.append(f"other {prefix}{key}")
        elif before != after:
            differences.append(f"{prefix}{key} was {_show(before)}, now {_show(after)}")
    return differences


def keep_batch_size(asked: int | None, old: Mapping[str, Any], what: str) -> int | None:
    """The batch size that an output was begun with, and keeps; a word where another one is asked for.

    Parameters
    ----------
    asked : int or None
        None: whatever it has.
    old : mapping
        Its settings.
    what : str
        What it holds, in the plural.
    """
    kept = old["batch_size"]
    if asked not in (None, kept):
        told = "batches of their own" if kept is None else f"{kept} in a batch"
        logger.info("the %s were begun with %s, which they keep; --batch_size %d is left out", what, told, asked)
    return kept


def refuse_changes(
    old: Mapping[str, Any], new: Mapping[str, Any], output: str, hints: Mapping[str, str] | None = None,
    ways: Sequence[str] = ("another output folder", "--overwrite to replace it"),
) -> None:  # fmt: skip
    """Raise when settings differ.

    Parameters
    ----------
    old, new : mapping
        Settings that the output was made with, and those of this run.
    output : str
        The output, for the message.
    hints : mapping, optional
        For single settings, a way out other than ``--overwrite``.
    ways : sequence of str, optional
        Ways out whatever differs.

    Raises
    ------
    ConfigurationChanged
        With the first differences named.
    """
    _refuse_other_format(old, new, output)
    differences = compare_settings(old, new)
    if differences:
        differences = _word_network(differences, new)
        more = f" and {len(differences) - 3} more" if len(differences) > 3 else ""
        named = [hint for key, hint in (hints or {}).items() if any(d.startswith(key) for d in differences)]
        raise ConfigurationChanged(
            f"the settings that {output} was made with",
            got=f"{'; '.join(differences[:3])}{more}",
            hint=" or ".join([*named, *ways]),
        )


def _refuse_other_format(old: Mapping[str, Any], new: Mapping[str, Any], output: str) -> None:
    """Raise for an output of another version's format, which is read and never continued.

    Raises
    ------
    ConfigurationChanged
        In one line, with what to type.
    """
    before, now = old.get("format"), new.get("format")
    if before != now:
        raise ConfigurationChanged(
            f"an output of the format {now}",
            got=f"{output} of {before}, which is read, shown and exported, but not continued or used for verdicts",
            hint="another output folder, or --overwrite to make it anew",
        )


def _word_network(differences: list[str], new: Mapping[str, Any]) -> list[str]:
    """Say what another identity of the network means, last, since other settings that differ are part of it."""
    plain = [difference for difference in differences if not _NETWORK.match(difference)]
    if len(plain) == len(differences):
        return differences
    model = new.get("model", new.get("judge"))
    name = model.get("name") if is_mapping(model) else model
    return [*plain, f"{name or 'the network'} has other weights, code or hooks than the network that made it"]


def _is_table(value: Any) -> bool:
    """Several things of several settings each, too long for a line."""
    return isinstance(value, list) and bool(value) and is_mapping(value[0])  # pyright: ignore[reportUnknownArgumentType]


def _show(value: Any) -> str:
    return "unset" if value is None else show_value(value)
