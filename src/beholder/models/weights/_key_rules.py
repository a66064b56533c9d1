"""Rules that turn the parameter names of a foreign checkpoint into a network's own."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.files import read_json

Rules = tuple[tuple[str, str], ...]
Value = TypeVar("Value")


@suggest_keywords
def read_key_rules(rules: Mapping[str, str] | Iterable[tuple[str, str]] | str | Path | None) -> Rules:
    """Rules in order, checked, from a table or from a JSON or TOML file that holds one.

    Parameters
    ----------
    rules : mapping, pairs, path or None
        Old name to new name; see :func:`rename_keys`. A TOML file may hold the table under ``keys``.

    Raises
    ------
    InputError
        No such file; not a table of texts; a rule with other stars on the right than on the left.
    """
    if rules is None:
        return ()
    if isinstance(rules, (str, Path)):
        rules = _read_file(Path(rules))
    pairs: list[Any] = list(rules.items()) if isinstance(rules, Mapping) else list(rules)
    for pair in pairs:
        if len(pair) != 2 or not all(isinstance(text, str) for text in pair) or not pair[0]:
            raise InputError("rules for keys: old name = new name", got=repr(pair))
        old, new = pair
        if new and new.count("*") > old.count("*"):
            raise InputError("a rule for keys with as many stars on the left as on the right", got=f"{old} = {new}")
    return tuple((old, new) for old, new in pairs)


def _read_file(path: Path) -> Mapping[str, str]:
    if path.suffix == ".json":
        content = read_json(path)
    elif path.is_file():
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError("a JSON or TOML file of rules for keys", got=f"{path} ({error})") from error
    else:
        raise InputError("a JSON or TOML file of rules for keys", got=f"no file at {path}")
    inner = content.get("keys") if isinstance(content, Mapping) else None
    content = inner if isinstance(inner, Mapping) else content
    if not isinstance(content, Mapping):
        raise InputError("a table of rules for keys", got=f"{path}, which holds {type(content).__name__}")
    return content


@suggest_keywords
def rename_keys(state: Mapping[str, Value], rules: Mapping[str, str] | Sequence[tuple[str, str]]) -> dict[str, Value]:
    """Give the tensors of a checkpoint other names.

    Each name is changed by the first rule whose left side it fits. ``*`` stands for any text, ``?`` for one
    character; stars on the right take up what those on the left stood for, in order. An empty right side leaves the
    tensor out. A name that fits no rule stays.

    Parameters
    ----------
    state : mapping of str to tensor
    rules : mapping, or sequence of pairs
        Old name to new name, in order.

    Raises
    ------
    InputError
        Two tensors get one name; a rule fits nothing.

    Examples
    --------
    >>> rename_keys({"net.fc.weight": 1, "net.conv.weight": 2, "ema.fc.weight": 3},
    ...             {"net.fc.*": "classifier.*", "net.*": "*", "ema.*": ""})
    {'classifier.weight': 1, 'conv.weight': 2}
    >>> rename_keys({"module.fc.weight": 1}, {"???????*": "*"})
    {'fc.weight': 1}
    """
    pairs = read_key_rules(rules)
    patterns = [(_compile(old), old, new) for old, new in pairs]
    used: set[str] = set()
    renamed: dict[str, Value] = {}
    origin: dict[str, str] = {}
    for name, value in state.items():
        target = name
        for pattern, old, new in patterns:
            match = pattern.fullmatch(name)
            if match:
                used.add(old)
                target = _fill(new, match.groups())
                break
        if not target:
            continue
        if target in renamed:
            raise InputError("rules for keys that keep names apart", got=f"{origin[target]} and {name}, both {target}")
        renamed[target], origin[target] = value, name
    idle = [old for old, _ in pairs if old not in used]
    if idle:
        shown = ", ".join(list(state)[:3])
        raise InputError("rules for keys that each fit some name", got=f"{idle[0]!r}, which fits none of {shown}, ...")
    return renamed


def _compile(old: str) -> re.Pattern[str]:
    parts = {"*": "(.*)", "?": "."}
    return re.compile("".join(parts.get(sign, re.escape(sign)) for sign in old), re.DOTALL)


def _fill(new: str, texts: tuple[str, ...]) -> str:
    pieces = new.split("*")
    return pieces[0] + "".join(text + piece for text, piece in zip(texts, pieces[1:], strict=False))


def hash_with_rules(sha256: str, rules: Sequence[tuple[str, str]]) -> str:
    """A file's hash, or, with rules, that of both."""
    return hashlib.sha256(f"{sha256}{json.dumps(list(rules))}".encode()).hexdigest() if rules else sha256
