"""What a model source is: where names come from, and how one model is built before any weights are read."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, final

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.registry import Registry

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor, nn

    from beholder.models.preprocessing._read import Preprocessing

RANDOM = "random"


@final
@dataclass(frozen=True)
class Weights:
    """Which weights a model holds.

    Parameters
    ----------
    tag : str
        The source's own name for them (``"IMAGENET1K_V1"``), ``"random"``, or the stem of a file that the user named.
    file : str or None
        The file they were read from.
    sha256 : str or None
        Hash of that file.
    """

    tag: str
    file: str | None = None
    sha256: str | None = None


def call_module(module: nn.Module, x: Tensor) -> Any:
    """The plain forward pass."""
    return module(x)


@final
@dataclass(frozen=True)
class ModelDefinition:
    """How one model is built, known without its weights.

    Parameters
    ----------
    source, name : str
        The model is ``{source}:{name}``; ``name`` is the source's one canonical spelling, without the weights.
    build : callable
        ``build() -> nn.Module`` with freshly initialised weights; must also work under ``torch.device("meta")``.
    preprocessing : Preprocessing
        Of the weights that the definition was asked for, of the default weights when none were named.
    default_tag : str or None
        Weights used when none are named; None when the source publishes none.
    tags : tuple of str
        All weights that the source publishes for this model.
    load_tag : callable, optional
        ``load_tag(module, tag) -> Weights`` puts published weights into the module, downloading them if need be.
        Raises :class:`~beholder._core.errors.WeightsUnavailable` (see ``_weights.explain_missing``).
    fetch_tag : callable, optional
        ``fetch_tag(tag) -> Path``: the file of published weights, downloaded if need be. Called before ``build``, so
        that weights that cannot be had are noticed before a large network is made.
    build_tag : callable, optional
        ``build_tag(tag) -> (module, Weights)``: build and load in one step, instead of ``build`` and ``load_tag``.
    requested_tag : str, optional
        Weights that the name's spelling itself asked for (``timm:name.tag``).
    published_file : callable, optional
        ``published_file(tag) -> str | None``: name of the file that ``tag`` is published as.
    adapt_state_dict : callable, optional
        ``adapt_state_dict(state, module) -> state`` applied to what a user's file holds before it is loaded.
    forward : callable
        ``forward(module, x)`` on normalised input, giving logits or an embedding.
    layers, taps : recorded layers, and named layer expressions
    classes : tuple of str, optional
        Names of the outputs, in order.
    multi_layer_output : bool
        The module takes ``with_latent=True`` and gives ``(logits, penultimate, all_outputs)``.
    metamer_layers : tuple of str
        Stages that metamers are made at, from the input to the output, where they are not ``layers``.
    version : str or None
        Stands for code that cannot be identified; see :func:`~beholder.models.identify_model`.
    """

    source: str
    name: str
    build: Callable[[], nn.Module]
    preprocessing: Preprocessing
    default_tag: str | None = None
    tags: tuple[str, ...] = ()
    load_tag: Callable[[nn.Module, str], Weights] | None = None
    fetch_tag: Callable[[str], Path] | None = None
    build_tag: Callable[[str], tuple[nn.Module, Weights]] | None = None
    requested_tag: str | None = None
    published_file: Callable[[str], str | None] | None = None
    adapt_state_dict: Callable[[dict[str, Any], nn.Module], dict[str, Any]] | None = None
    forward: Callable[[nn.Module, Tensor], Any] = call_module
    layers: tuple[str, ...] = ()
    taps: Mapping[str, str] = field(default_factory=dict)
    classes: tuple[str, ...] | None = None
    multi_layer_output: bool = False
    metamer_layers: tuple[str, ...] = ()
    version: str | None = None


@final
@dataclass(frozen=True)
class Alias:
    """A catalog or panel entry: a name for one model, with what is recorded of it.

    Parameters
    ----------
    path_name : str
        What the model is called in paths and groups: the entry's first name.
    source, model : str
        What it loads.
    tag : str or None
        Its weights; None for the source's default.
    layers, taps : recorded layers, and named layer expressions
    preprocessing : Preprocessing or None
        Replaces the source's own.
    pool : str or None
        How ``panel`` turns a layer's output into a vector.
    device : str or None
        Where a panel file wants it to run.
    metamer_layers : tuple of str
        Stages that metamers are made at, where they are not ``layers``.
    keys : tuple of (str, str)
        Rules for the names in a file of weights; see :func:`~beholder.models.rename_keys`.
    """

    path_name: str
    source: str
    model: str
    tag: str | None = None
    layers: tuple[str, ...] = ()
    taps: Mapping[str, str] = field(default_factory=dict)
    preprocessing: Preprocessing | None = None
    pool: str | None = None
    device: str | None = None
    metamer_layers: tuple[str, ...] = ()
    keys: tuple[tuple[str, str], ...] = ()


class Source(ABC):
    """A place that models come from. Third parties add theirs through the entry-point group ``beholder.models``.

    Importing a source's module, and making the source, should import nothing heavy.

    Attributes
    ----------
    runs_code : bool
        A name of this source leads to code that :meth:`find` runs. Such a model is loaded only where the command line
        or Python names it, never because a file of data does.
    """

    runs_code: bool = False

    @abstractmethod
    def list_names(self) -> list[str]:
        """Names that :meth:`find` knows, sorted; empty when they cannot be listed (files, hub repositories)."""

    @abstractmethod
    def find(self, name: str, tag: str | None) -> ModelDefinition:
        """How to build ``name``.

        Parameters
        ----------
        name : str
            The part after ``source:``, without ``@weights``; other spellings of the same model are welcome.
        tag : str or None
            Weights asked for, which may choose the preprocessing; None, or a tag the source does not know, means
            the default (the loader checks tags against ``ModelDefinition.tags``).

        Raises
        ------
        UnknownNameError
            When there is no such model; with near names.
        """


@final
class _LazySource(Source):
    """A built-in source whose module is imported at first use."""

    def __init__(self, module: str, attribute: str, runs_code: bool = False) -> None:
        self._module, self._attribute = module, attribute
        self._source: Source | None = None
        self.runs_code = runs_code

    def _open(self) -> Source:
        if self._source is None:
            module = importlib.import_module(self._module, "beholder.models")
            self._source = getattr(module, self._attribute)()
            assert self._source is not None
        return self._source

    def list_names(self) -> list[str]:
        return self._open().list_names()

    def find(self, name: str, tag: str | None) -> ModelDefinition:
        return self._open().find(name, tag)


SOURCES: Registry[Any] = Registry("model source", "beholder.models")
"""Sources of networks by name."""
for _name, _module, _attribute in (
    ("torchvision", ".sources._torchvision", "TorchvisionSource"),
    ("timm", ".sources._timm", "TimmSource"),
    ("open_clip", ".sources._open_clip", "OpenClipSource"),
    ("transformers", ".sources._transformers", "TransformersSource"),
    ("cornet", ".sources._cornet", "CornetSource"),
    ("slip", ".sources._slip", "SlipSource"),
    ("robust", ".sources._robust", "RobustSource"),
    ("metamers", ".sources._metamers", "MetamersSource"),
    ("audio", ".sources._audio", "AudioSource"),
    ("file", ".sources._file", "FileSource"),
    ("beholder", ".sources._bundled", "BundledSource"),
):
    SOURCES.add(_name, _LazySource(_module, _attribute, runs_code=_name == "file"))


def get_source(name: str) -> Source:
    """The source called ``name``; an entry point may name a :class:`Source` class or an instance."""
    found = SOURCES[name]
    if isinstance(found, type):
        found = found()
        SOURCES.add(name, found)
    if not isinstance(found, Source):
        raise InputError(
            f"the entry point {name!r} of group 'beholder.models' to name a beholder.models.Source",
            got=repr(type(found)),
        )
    return found


@suggest_keywords
def runs_code(name: str) -> bool:
    """Whether looking up ``source:name`` runs code that the name leads to.

    >>> runs_code("file:build_network.py"), runs_code("torchvision:alexnet"), runs_code("alexnet")
    (True, False, False)
    """
    source, colon, _ = name.partition(":")
    return bool(colon) and source in SOURCES and get_source(source).runs_code


@suggest_keywords
def refuse_code(name: str, where: object, hint: str) -> None:
    """Raise where a model that a file of data names would run code.

    Parameters
    ----------
    name : str
        The model, as the file names it.
    where : path or str
        The file.
    hint : str
        How the user names the model, or says that the file may.

    Raises
    ------
    InputError
        Nothing has been run.
    """
    if runs_code(name):
        raise InputError(
            "a model whose code the command line or Python names, not a file of data",
            got=f"{name!r} in {where}, which would run it",
            hint=f"{hint}, if you trust that code",
        )
