"""Fetching published files, weights that a source of models keeps among them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from beholder._core.errors import BeholderError, suggest_keywords
from beholder.stimuli import FetchedAsset, fetch_assets, get_asset

logger = logging.getLogger("beholder")


@suggest_keywords
def fetch_published(names: Iterable[str], *, stimuli: Sequence[int] | None = None) -> list[FetchedAsset]:
    """Fetch published assets; weights that a source of models keeps are fetched by it, after all others.

    Parameters
    ----------
    names : iterable of str
        Some of :func:`beholder.stimuli.list_assets`.
    stimuli : sequence of int, optional
        As for :func:`beholder.stimuli.fetch_assets`.

    Returns
    -------
    list of FetchedAsset

    Raises
    ------
    BeholderError
        After all others were fetched.
    """
    by_model = {name: model for name in names if (model := get_asset(name).model) is not None}
    others = [name for name in names if name not in by_model]
    ways: list[Callable[[], list[FetchedAsset]]] = [lambda: fetch_assets(others, stimuli=stimuli)]
    if by_model:
        ways.append(lambda: _fetch_with_models(by_model))
    fetched: list[FetchedAsset] = []
    failed: list[BeholderError] = []
    for fetch in ways:
        try:
            fetched += fetch()
        except BeholderError as error:
            failed.append(error)
    for error in failed[1:]:
        logger.warning("%s", error)
    if failed:
        raise failed[0]
    return fetched


def _fetch_with_models(by_model: dict[str, str]) -> list[FetchedAsset]:
    from beholder.models.sources._listing import fetch_weights

    got = zip(by_model, fetch_weights(by_model.values()), strict=True)
    return [FetchedAsset(name, Path(weights.file or ""), "with its model") for name, (_, weights) in got]
