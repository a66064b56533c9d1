"""What can be loaded, and getting weights ahead of an offline run."""

from __future__ import annotations

import fnmatch
import logging
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import final

from beholder._core.errors import BeholderError, InputError, WeightsUnavailable, suggest_keywords
from beholder._core.hashing import hash_file
from beholder.models.definitions._base import RANDOM, SOURCES, Alias, Weights, get_source

logger = logging.getLogger("beholder")


@final
@dataclass(frozen=True)
class ModelListing:
    """One name that :func:`~beholder.models.load_model` takes.

    Parameters
    ----------
    name : str
        The name.
    source : str
        Where it comes from.
    loads : str
        ``source:name[@weights]``.
    """

    name: str
    source: str
    loads: str


@suggest_keywords
def list_models(pattern: str | None = None) -> list[ModelListing]:
    """Names that can be loaded: the catalog's, then every source's.

    Parameters
    ----------
    pattern : str, optional
        With ``* ? [...]``: a pattern for the whole name, with or without ``source:``. Without them: a part of it, in
        any case. ``timm:`` alone lists one source.

    Examples
    --------
    >>> [model.loads for model in list_models("torchvision:squeezenet*")]
    ['torchvision:squeezenet1_0', 'torchvision:squeezenet1_1']
    """
    from beholder.models.catalog._entries import list_catalog

    source, colon, rest = (pattern or "").partition(":")
    only = source if colon and source in SOURCES else None
    listings = [
        ModelListing(
            name,
            "catalog",
            f"{entry.alias.source}:{entry.alias.model}" + (f"@{entry.alias.tag}" if entry.alias.tag else ""),
        )
        for entry in ([] if only else list_catalog())
        for name in entry.names
    ]
    for name in [only] if only else SOURCES.names():
        try:
            known = get_source(name).list_names()
        except (BeholderError, ImportError):
            if only:
                raise
            continue
        listings += [ModelListing(model, name, f"{name}:{model}") for model in known]
    wanted = rest if only else pattern
    return [listing for listing in listings if not wanted or _matches(listing, wanted)]


def _matches(listing: ModelListing, pattern: str) -> bool:
    full = f"{listing.source}:{listing.name}"
    if any(sign in pattern for sign in "*?["):
        return fnmatch.fnmatchcase(listing.name, pattern) or fnmatch.fnmatchcase(full, pattern)
    return pattern.lower() in full.lower()


def _check_fetched(path: Path, name: str) -> None:
    """Raise where a file in a cache does not read as weights; nothing in it is run."""
    from beholder.models.weights._read import SUFFIXES, read_weights

    try:
        if path.suffix in SUFFIXES:
            read_weights(path)
    except InputError as error:
        raise WeightsUnavailable(
            f"the weights of {name}",
            got=error.got,
            hint=f"removing {path}, then `beholder models fetch {shlex.quote(name)}` again",
        ) from error


@suggest_keywords
def fetch_weights(models: Iterable[str | Alias]) -> list[tuple[str, Weights]]:
    """Download the weights of models, ahead of an offline run; what is in the cache already is kept.

    Parameters
    ----------
    models : iterable of str or Alias
        Names as :func:`~beholder.models.load_model` takes them.

    Returns
    -------
    list of (str, Weights)
        Full name, and the file with its hash.

    Raises
    ------
    WeightsUnavailable
        After all the others were fetched; of several that failed, names them.
    """
    from beholder.models.network._load import load_model, resolve_model

    fetched: list[tuple[str, Weights]] = []
    failed: dict[str, WeightsUnavailable] = {}
    for name in models:
        try:
            resolved = resolve_model(name, pretrained=not isinstance(name, Alias) and "@" not in name)
            if resolved.definition.fetch_tag is None or resolved.file is not None or resolved.tag == RANDOM:
                weights = load_model(name, device="cpu").weights
            else:
                path = resolved.definition.fetch_tag(resolved.tag)
                _check_fetched(path, resolved.name)
                weights = Weights(resolved.tag, str(path), hash_file(path))
        except WeightsUnavailable as error:
            logger.warning("%s", error)
            failed[name.path_name if isinstance(name, Alias) else name] = error
            continue
        fetched.append((resolved.name, weights))
    if len(failed) == 1:
        raise next(iter(failed.values()))
    if failed:
        reasons = "; ".join(dict.fromkeys(error.got or "" for error in failed.values()))
        raise WeightsUnavailable(
            f"the weights of {', '.join(failed)}", got=reasons, hint="again where there is a network"
        )
    return fetched
