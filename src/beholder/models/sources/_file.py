"""Networks in a user's own Python file."""

from __future__ import annotations

import functools
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from beholder._core.errors import InputError
from beholder._core.hashing import hash_file
from beholder.models.definitions._base import ModelDefinition, Source, Weights, call_module
from beholder.models.preprocessing._read import ArrayPreprocessing, Preprocessing
from beholder.models.sources._dataset import read_classes, read_dataset
from beholder.models.sources._network_file import (
    NetworkFile,
    explain_file_errors,
    find_network_file,
    format_first_line,
    run_network_file,
)

if TYPE_CHECKING:
    from types import ModuleType

    from torch import nn

logger = logging.getLogger("beholder")

OWN_WEIGHTS = "own"


@final
class FileSource(Source):
    """``file:path/build_network.py``: the file is run as Python, so name only files that you trust.

    It must define one of

    ``build()``
        returns the network, or ``(network, layers)``;
    ``main(return_metamer_layers=True)``
        returns ``(network, dataset, layers)``, as metamer model directories do; a ``main`` that takes
        ``include_identity_sequential`` and ``strict`` gets False and True;
    ``model``
        the network itself.

    and may define ``preprocessing`` (a :class:`Preprocessing`, or a table or name for
    :func:`read_preprocessing`), ``input_shape``, ``input_range``, ``sample_rate``, ``layers`` (a list), ``classes``
    and ``version`` (a string that stands for code which cannot be identified). Where it does not, the dataset's
    ``min_value``, ``max_value``, ``transform_test``, ``SR`` and ``label_mapping`` say so; without either, stimuli pass
    through as they are. A network that takes ``with_latent`` is driven through it: the keys of its ``all_outputs`` are
    names of layers. The weights that the file itself loads are its default ones, under the tag ``own``;
    ``--model_path`` puts others into the network.
    """

    runs_code = True

    def list_names(self) -> list[str]:
        """None: files cannot be listed."""
        return []

    def find(self, name: str, tag: str | None) -> ModelDefinition:
        """Definition of the network in the file ``name``."""
        path = find_network_file(name)
        loaded = _open_file(path)
        return ModelDefinition(
            source="file",
            name=str(path),
            build=loaded.build,
            preprocessing=loaded.preprocessing,
            default_tag=OWN_WEIGHTS,
            tags=(OWN_WEIGHTS,),
            load_tag=lambda module, tag: Weights(tag=tag, file=str(path), sha256=hash_file(path)),
            layers=loaded.layers,
            metamer_layers=loaded.layers,
            taps=loaded.taps,
            classes=loaded.classes,
            version=loaded.version,
            forward=loaded.forward,
            multi_layer_output=bool(loaded.latent),
        )


@dataclass
class _LoadedFile:
    """What a file that was run says of its network."""

    run: NetworkFile
    layers: tuple[str, ...]
    preprocessing: Preprocessing
    latent: dict[str, bool]

    def build(self) -> nn.Module:
        """A network of its own, with the file's own weights."""
        network = self.run.take_network()
        if self.latent:
            from beholder.models.network._latent import attach_outputs

            attach_outputs(network, self.latent)
        return network

    @property
    def forward(self) -> Any:
        if not self.latent:
            return call_module
        from beholder.models.network._latent import drive

        return drive

    @property
    def taps(self) -> dict[str, str]:
        if not self.latent:
            return {}
        from beholder.models.network._latent import make_taps

        return make_taps(self.latent)

    @property
    def version(self) -> str | None:
        found = vars(self.run.module).get("version")
        return found if isinstance(found, str) else None

    @property
    def classes(self) -> tuple[str, ...] | None:
        own = vars(self.run.module).get("classes")
        return tuple(own) if own is not None else None if self.run.dataset is None else read_classes(self.run.dataset)


def find_input_shape(name: Path | str) -> tuple[int, ...] | None:
    """Shape of one prepared stimulus of the network in a file."""
    return _open_file(find_network_file(name)).preprocessing.input_shape


def _open_file(path: Path) -> _LoadedFile:
    return _describe_network(run_network_file(path))


@functools.cache
def _describe_network(run: NetworkFile) -> _LoadedFile:
    names = vars(run.module)
    shape = names.get("input_shape")
    with explain_file_errors(run.path):
        described = None
        if run.dataset is not None and names.get("preprocessing") is None:
            described = read_dataset(run.dataset, str(run.path.resolve()), None if shape is None else tuple(shape))
        preprocessing = described or _find_preprocessing(run.module)
    network = run.take_network()
    latent = _find_latent(network, preprocessing, run.path)
    run.spare = network
    return _LoadedFile(run, tuple(names.get("layers", ())) or run.layers, preprocessing, latent)


def _find_latent(network: nn.Module, preprocessing: Preprocessing, path: Path) -> dict[str, bool]:
    from beholder.models.network._latent import find_latent_names, takes_latent
    from beholder.models.network._model import make_plain_model

    if not takes_latent(network):
        return {}
    import torch

    from beholder.models.network._input_shape import choose_shape

    low, high = preprocessing.input_range or (0.0, 1.0)
    shape = choose_shape(preprocessing)
    noise = torch.rand((1, *shape), generator=torch.Generator().manual_seed(0)) * (high - low) + low
    device = next((t.device for t in [*network.parameters(), *network.buffers()]), torch.device("cpu"))
    try:
        return find_latent_names(make_plain_model(network), preprocessing.normalize(noise.to(device)))
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"a network in {path} that runs on a stimulus of shape {shape}",
            got=format_first_line(error),
            hint="input_shape = (...) in the file",
        ) from error


def _find_preprocessing(module: ModuleType) -> Preprocessing:
    from beholder.models.preprocessing._read import read_preprocessing

    names = vars(module)
    given = names.get("preprocessing")
    if isinstance(given, Preprocessing):
        return given
    if given is not None:
        return read_preprocessing(given)
    shape, limits = names.get("input_shape"), names.get("input_range")
    return ArrayPreprocessing(
        shape=None if shape is None else tuple(shape),
        value_range=None if limits is None else (float(limits[0]), float(limits[1])),
        rate=names.get("sample_rate"),
    )
