"""Names for models: the documents' own, the panel's, and those that users register."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from beholder._core.errors import InputError, find_near_names, suggest_keywords
from beholder.models.catalog._metamer_observers import add_metamer_observers
from beholder.models.catalog._panel_table import CatalogEntry, parse_entry, read_builtin
from beholder.models.definitions._base import Alias

if TYPE_CHECKING:
    from beholder.models.preprocessing._read import Preprocessing

_REGISTERED: list[CatalogEntry] = []


@functools.cache
def _read_builtin_catalog() -> tuple[CatalogEntry, ...]:
    return add_metamer_observers([*read_builtin("catalog"), *read_builtin("panel")])


def list_catalog() -> list[CatalogEntry]:
    """All entries: built-in names, then the panel, then registered ones."""
    return [*_read_builtin_catalog(), *_REGISTERED]


def list_aliases() -> list[str]:
    """All names that :func:`find_alias` knows, in the catalog's order."""
    return [name for entry in list_catalog() for name in entry.names]


@suggest_keywords
def find_alias(name: str) -> Alias | None:
    """What a catalog name loads; None when the catalog does not hold it.

    An exactly spelled name wins; else letter case is ignored. ``path_name`` is the first name in the catalog of the
    same weights, so that every spelling of one model goes to the same place.

    Parameters
    ----------
    name : str
        A name without source and weights, such as ``"RN50"``.

    Raises
    ------
    InputError
        When names that differ only in case would do, and load different things (``resnet50``, ``ResNet50``).

    Examples
    --------
    >>> alias = find_alias("clip-vit")
    >>> alias.source, alias.model, alias.tag, alias.path_name
    ('open_clip', 'ViT-B-32', 'openai', 'ViT-32')
    """
    entries = list_catalog()
    for entry in reversed(entries):
        if name in entry.names:
            return _with_path_name(entry.alias)
    near = [(known, entry.alias) for entry in entries for known in entry.names if known.lower() == name.lower()]
    if not near:
        return None
    if len({_identify(alias) for _, alias in near}) > 1:
        names = " or ".join(repr(known) for known, _ in near)
        raise InputError("a model's name in its own spelling", got=repr(name), hint=f"{names}: their weights differ")
    return _with_path_name(near[0][1])


def suggest_aliases(name: str) -> list[str]:
    """Catalog names that look like ``name``, nearest first."""
    return find_near_names(name, list_aliases())


def find_path_name(source: str, model: str, tag: str | None) -> str | None:
    """First name in the catalog of ``source:model@tag`` with its own preprocessing; None when it has none.

    >>> find_path_name("torchvision", "vgg19", "IMAGENET1K_V1")
    'vgg19'
    """
    return next(
        (entry.names[0] for entry in list_catalog() if _identify(entry.alias) == (source, model, tag, None)), None
    )


def _identify(alias: Alias) -> tuple[str, str, str | None, Preprocessing | None]:
    return alias.source, alias.model, alias.tag, alias.preprocessing


def _with_path_name(alias: Alias) -> Alias:
    first = next(entry.names[0] for entry in list_catalog() if _identify(entry.alias) == _identify(alias))
    return replace(alias, path_name=first)


@suggest_keywords
def register_model(
    name: str,
    source: str,
    *,
    weights: str | None = None,
    layers: Sequence[str] = (),
    taps: Mapping[str, str] | None = None,
    preprocessing: Preprocessing | Mapping[str, Any] | str | None = None,
    pooling: str | None = None,
    device: str | None = None,
    aliases: Sequence[str] = (),
    metamer_layers: Sequence[str] = (),
    keys: Mapping[str, str] | str | None = None,
    overwrite: bool = False,
) -> Alias:
    """Add a name to the catalog of this process; the arguments are a panel file's keys.

    Parameters
    ----------
    name : str
        The new name, also used in paths.
    source : str
        ``"source:name"`` or a name of the catalog, such as ``"timm:convnext_tiny"``.
    weights, layers, taps, preprocessing, pooling, device, aliases, metamer_layers, keys
        As in :func:`~beholder.models.load_panel`; ``preprocessing`` may also be a finished one.
    overwrite : bool
        Replace an entry of this name.

    Returns
    -------
    Alias
        What the name now loads.

    Raises
    ------
    InputError
        The name is taken, or an argument is of the wrong type.

    Examples
    --------
    >>> register_model("my-resnet", "torchvision:resnet18", layers=["layer{1..4}"]).layers
    ('layer1', 'layer2', 'layer3', 'layer4')
    """
    from beholder.models.preprocessing._read import Preprocessing

    taken = set(list_aliases()) & {name, *aliases}
    if taken and not overwrite:
        raise InputError("a name that is not taken", got=repr(min(taken)), hint="another name, or overwrite=True")
    ready = preprocessing if isinstance(preprocessing, Preprocessing) else None
    table = {
        "name": name,
        "source": source,
        "weights": weights,
        "layers": list(layers) if not isinstance(layers, str) else layers,
        "taps": dict(taps or {}),
        "preprocessing": None if ready else preprocessing,
        "pooling": pooling,
        "device": device,
        "aliases": list(aliases),
        "metamer_layers": list(metamer_layers) if not isinstance(metamer_layers, str) else metamer_layers,
        "keys": keys,
    }
    given = {key: value for key, value in table.items() if value is not None}
    entry = parse_entry(given, where="register_model", find_alias=find_alias)
    if ready:
        entry = replace(entry, alias=replace(entry.alias, preprocessing=ready))
    _REGISTERED[:] = [old for old in _REGISTERED if old.names[0] != name]
    _REGISTERED.append(entry)
    return entry.alias
