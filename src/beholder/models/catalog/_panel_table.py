"""Tables of models in TOML: those of the catalog, of the built-in panel and of panel files."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from beholder._core.braces import expand_braces
from beholder._core.errors import InputError, find_near_names
from beholder._core.wording import format_count
from beholder.models.definitions._base import Alias, refuse_code
from beholder.models.definitions._devices import check_device_name

if TYPE_CHECKING:
    from beholder.models.preprocessing._read import Preprocessing

KEYS = ("name", "aliases", "source", "weights", "keys", "layers", "metamer_layers", "taps", "preprocessing", "pooling",
        "device", "note")  # fmt: skip
POOLINGS = ("none", "mean", "max", "cls", "center")

FindAlias = Callable[[str], Alias | None]

_WEIGHT_SUFFIXES = {".pt", ".pth", ".ckpt", ".safetensors", ".bin", ".tar"}


@final
@dataclass(frozen=True)
class CatalogEntry:
    """One ``[[models]]`` table.

    Parameters
    ----------
    names : tuple of str
        The name and its other spellings.
    alias : Alias
        What the names load.
    note : str
        A remark for people.
    """

    names: tuple[str, ...]
    alias: Alias
    note: str = ""


def expand_taps(taps: Mapping[str, str]) -> dict[str, str]:
    """Spell out braces on both sides of a table of taps, pairing them in order.

    >>> expand_taps({"pool{1,2}": "features.{4,9}"})
    {'pool1': 'features.4', 'pool2': 'features.9'}
    """
    expanded: dict[str, str] = {}
    for name, layer in taps.items():
        names, layers = expand_braces(name), expand_braces(layer)
        if len(names) != len(layers):
            raise InputError(
                f"as many layers as names in the tap {name!r}",
                got=f"{format_count(len(layers), 'layer')} for {format_count(len(names), 'name')}",
            )
        expanded.update(zip(names, layers, strict=True))
    return expanded


def parse_entry(
    table: Mapping[str, Any],
    *,
    where: str = "a panel file",
    folder: Path | None = None,
    run_code: bool = True,
    find_alias: FindAlias | None = None,
) -> CatalogEntry:
    """Check one ``[[models]]`` table and read it; the keys are those of :func:`load_panel`.

    Parameters
    ----------
    table : mapping
        The table.
    where : str
        The file, for messages.
    folder : path, optional
        Where relative paths of weights and of ``file:`` sources start.
    run_code : bool
        Let the table name a source that runs code.
    find_alias : callable, optional
        What a name of the catalog loads; without it ``source`` must name a source.

    Raises
    ------
    InputError
        A key is unknown, missing or of the wrong type.
    """
    for key in table:
        if key not in KEYS:
            near = find_near_names(key, KEYS)
            hint = f"{near[0]!r}; the keys are {', '.join(KEYS)}" if near else f"one of {', '.join(KEYS)}"
            raise InputError(f"a known key of [[models]] in {where}", got=repr(key), hint=hint)
    name = _get_text(table, "name", where)
    where = f"{where} (model {name!r})"
    base = _find_source(_get_text(table, "source", where), where, folder, find_alias)
    if not run_code and ":" in table["source"]:
        refuse_code(table["source"], where, "--run_code")
    weights = _get_text(table, "weights", where, required=False)
    preprocessing = table.get("preprocessing")
    layers = [layer for text in _get_texts(table, "layers", where) for layer in expand_braces(text)]
    stages = [layer for text in _get_texts(table, "metamer_layers", where) for layer in expand_braces(text)]
    taps = table.get("taps", {})
    if not isinstance(taps, Mapping) or not all(isinstance(layer, str) for layer in taps.values()):
        raise InputError(f"a table of names and layers under 'taps' in {where}", got=repr(taps))
    pooling = _get_text(table, "pooling", where, required=False)
    if pooling is not None and pooling not in POOLINGS:
        raise InputError(f"a pooling in {where}", got=repr(pooling), hint=f"one of {', '.join(POOLINGS)}")
    device = _get_text(table, "device", where, required=False)
    tag = _find_weights(weights, where, folder) if weights else base.tag
    alias = Alias(
        path_name=name,
        source=base.source,
        model=base.model,
        tag=tag,
        layers=tuple(layers) or base.layers,
        taps={**base.taps, **expand_taps(taps)},
        preprocessing=_read_preprocessing(preprocessing, base, tag, where),
        pool=pooling or base.pool,
        device=check_device_name(device) if device else base.device,
        metamer_layers=tuple(stages) or base.metamer_layers,
        keys=_read_keys(table.get("keys"), where, folder) or base.keys,
    )
    return CatalogEntry((name, *_get_texts(table, "aliases", where)), alias, table.get("note", ""))


def _read_keys(rules: Any, where: str, folder: Path | None) -> tuple[tuple[str, str], ...]:
    from beholder.models.weights._key_rules import read_key_rules

    if rules is None:
        return ()
    if isinstance(rules, str):
        return read_key_rules((folder or Path()) / Path(rules).expanduser())
    if not isinstance(rules, Mapping):
        raise InputError(f"a table of names, or a file of one, under 'keys' in {where}", got=repr(rules))
    return read_key_rules(rules)


def _get_text(table: Mapping[str, Any], key: str, where: str, *, required: bool = True) -> Any:
    value = table.get(key)
    if value is None and not required:
        return None
    if not isinstance(value, str) or not value:
        raise InputError(f"a text under {key!r} in {where}", got="nothing" if value is None else repr(value))
    return value


def _get_texts(table: Mapping[str, Any], key: str, where: str) -> list[str]:
    value = table.get(key, [])
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) and text for text in texts):
        raise InputError(f"a text or a list of texts under {key!r} in {where}", got=repr(value))
    return list(texts)


def _find_source(text: str, where: str, folder: Path | None, find_alias: FindAlias | None) -> Alias:
    source, colon, rest = text.partition(":")
    if not colon and find_alias is not None:
        known = find_alias(text)
        if known is not None:
            return known
    if not (source and rest):
        raise InputError(f"'source:name' or a name of the catalog under 'source' in {where}", got=repr(text))
    model, _, tag = rest.partition("@")
    if source == "file" and folder is not None:
        model = str(folder / model)
    return Alias(text, source, model, _find_weights(tag, where, folder) if tag else None)


def _find_weights(weights: str, where: str, folder: Path | None) -> str:
    path = (folder or Path()) / Path(weights).expanduser()
    if path.is_file():
        return str(path.absolute())
    if "/" in weights or path.suffix in _WEIGHT_SUFFIXES:
        raise InputError(f"a weights file in {where}", got=f"no file at {path}")
    return weights


def _read_preprocessing(table: Any, base: Alias, tag: str | None, where: str) -> Preprocessing | None:
    """The preprocessing that a table asks for; else that of a checkpoint's card, or of the catalog's entry."""
    from beholder.models.definitions._base import get_source
    from beholder.models.preprocessing._read import read_preprocessing
    from beholder.models.weights._card import find_card

    card = None if tag is None else find_card(tag)
    own = (None if card is None else card.read_preprocessing()) or base.preprocessing
    if table is None:
        return own
    if isinstance(table, Mapping) and "base" not in table and "kind" not in table:
        own = own or get_source(base.source).find(base.model, tag).preprocessing
        table = {**own.to_dict(), **table}
    elif not isinstance(table, str | Mapping):
        raise InputError(f"a table or a name under 'preprocessing' in {where}", got=repr(table))
    try:
        return read_preprocessing(table)
    except TypeError as error:
        raise InputError(f"fields of a preprocessing in {where}", got=str(error)) from error


def read_panel(
    text: str,
    *,
    where: str = "a panel file",
    folder: Path | None = None,
    run_code: bool = False,
    find_alias: FindAlias | None = None,
) -> list[CatalogEntry]:
    """Entries of a panel file's text, in order; see :func:`load_panel`."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"TOML in {where}", got=str(error)) from error
    extra = sorted(set(document) - {"models"})
    if extra:
        raise InputError(f"only [[models]] tables in {where}", got=", ".join(map(repr, extra)))
    tables = document.get("models", [])
    if not isinstance(tables, list) or not tables or not all(isinstance(table, Mapping) for table in tables):
        raise InputError(f"at least one [[models]] table in {where}", got="none")
    entries = [
        parse_entry(table, where=where, folder=folder, run_code=run_code, find_alias=find_alias) for table in tables
    ]
    names = [name for entry in entries for name in entry.names]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(f"each name once in {where}", got=f"{repeated[0]!r} twice")
    return entries


def read_builtin(name: str) -> list[CatalogEntry]:
    """Entries of a list that ships with the package: ``"panel"`` or ``"catalog"``."""
    text = (files("beholder.models") / "_data" / f"{name}.toml").read_text(encoding="utf-8")
    return read_panel(text, where=f"the built-in {name}")
