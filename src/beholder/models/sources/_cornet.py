"""The source ``cornet``: CORnet Z, R, RT and S.

The networks are written from Kubilius et al. (2018), "CORnet: modeling the neural mechanisms of core object
recognition", and Kubilius et al. (2019), "Brain-like object recognition with high-performing shallow recurrent ANNs";
the published checkpoints load into them by name. S is the one that the 2019 paper is about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from beholder._core.errors import UnknownNameError
from beholder.models.definitions._base import ModelDefinition, Source
from beholder.models.preprocessing._read import ImagePreprocessing
from beholder.models.weights._published import (
    PublishedWeights,
    make_file_finder,
    make_tag_fetcher,
    make_tag_loader,
)
from beholder.models.words._vocabulary import list_imagenet_classes

if TYPE_CHECKING:
    from torch import nn

_ADDRESS = "https://s3.amazonaws.com/cornet-models"
_HASHES = {"cornet_r": "5930a990", "cornet_rt": "933c001c", "cornet_s": "1d3f7974", "cornet_z": "5c427c9c"}
_RECURRENT = {"cornet_r", "cornet_rt"}


@final
class CornetSource(Source):
    """CORnet Z, R, RT and S as ``cornet:cornet_z``, ``cornet:R``, ``cornet:CORnet-S``, ... ."""

    def list_names(self) -> list[str]:
        """The four names."""
        return sorted(_HASHES)

    def find(self, name: str, tag: str | None) -> ModelDefinition:
        """One of the four; one set of weights is published for each."""
        plain = name.lower().replace("-", "_").removeprefix("cornet_").removeprefix("cornet")
        canonical = f"cornet_{plain}"
        if canonical not in _HASHES:
            raise UnknownNameError("model of cornet", name, self.list_names())
        default = f"{canonical}-{_HASHES[canonical]}"
        published = {default: PublishedWeights(f"{_ADDRESS}/{default}.pth", _HASHES[canonical])}

        def build() -> nn.Module:
            from beholder.models.nets import _cornet as nets

            builders = {
                "cornet_z": nets.build_cornet_z,
                "cornet_r": nets.build_cornet_r,
                "cornet_rt": nets.build_cornet_rt,
                "cornet_s": nets.build_cornet_s,
            }
            return builders[canonical]()

        suffix = "@5" if canonical in _RECURRENT else ""
        return ModelDefinition(
            source="cornet",
            name=canonical,
            build=build,
            preprocessing=ImagePreprocessing(),
            default_tag=default,
            tags=(default,),
            fetch_tag=make_tag_fetcher(f"cornet:{canonical}", published),
            load_tag=make_tag_loader(f"cornet:{canonical}", published),
            published_file=make_file_finder(published),
            layers=tuple(f"{area}{suffix}" for area in ("V1", "V2", "V4", "IT")),
            classes=list_imagenet_classes(),
        )
