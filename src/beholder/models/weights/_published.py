"""Checkpoints that a source publishes under fixed addresses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from beholder.models.definitions._base import Weights

if TYPE_CHECKING:
    from torch import nn

AdaptStateDict = Callable[[dict[str, Any], "nn.Module"], dict[str, Any]]


@final
@dataclass(frozen=True)
class PublishedWeights:
    """One checkpoint: its address, and its sha256 (or the first digits of it) where the source publishes one."""

    url: str
    sha256: str | None = None

    @property
    def file_name(self) -> str:
        """Last part of the address, without its query."""
        return self.url.partition("?")[0].rsplit("/", 1)[-1]


def make_tag_fetcher(model: str, published: Mapping[str, PublishedWeights]) -> Callable[[str], Path]:
    """The ``fetch_tag`` of a definition whose weights are ``published``; arguments as for :func:`make_tag_loader`."""

    def fetch_tag(tag: str) -> Path:
        from beholder.models.weights._read import fetch_checkpoint

        file = published[tag]
        return fetch_checkpoint(file.url, model=model, tag=tag, sha256=file.sha256, file_name=file.file_name)

    return fetch_tag


def make_tag_loader(
    model: str, published: Mapping[str, PublishedWeights], adapt: AdaptStateDict | None = None
) -> Callable[[nn.Module, str], Weights]:
    """The ``load_tag`` of a definition whose weights are ``published``.

    Parameters
    ----------
    model : str
        ``source:name``, for messages.
    published : mapping
        Tag to file.
    adapt : callable, optional
        The definition's ``adapt_state_dict``.
    """
    fetch_tag = make_tag_fetcher(model, published)

    def load_tag(module: nn.Module, tag: str) -> Weights:
        from beholder.models.weights._read import load_file_weights

        return load_file_weights(module, fetch_tag(tag), tag=tag, adapt=adapt)

    return load_tag


def make_file_finder(published: Mapping[str, PublishedWeights]) -> Callable[[str], str | None]:
    """The ``published_file`` of a definition whose weights are ``published``."""

    def find_file(tag: str) -> str | None:
        return published[tag].file_name if tag in published else None

    return find_file
