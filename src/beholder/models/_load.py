"""From a name to a model: parsing, looking up, weights, device."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from beholder._core.errors import InputError, UnknownNameError
from beholder._core.files import to_path_name
from beholder._core.seeds import DEFAULT_SEED, derive_seed
from beholder.models._meta import build_on_meta
from beholder.models._model import Model, ModelSpec
from beholder.models._source import RANDOM, SOURCES, Alias, Blueprint, Weights, get_source
from beholder.models._weights import SUFFIXES, explain_missing, find_weights_file, load_file_weights

if TYPE_CHECKING:
    from torch import nn

logger = logging.getLogger("beholder")

BARE_NAME_SOURCES = ("torchvision", "timm", "open_clip")


@final
@dataclass(frozen=True)
class ResolvedModel:
    """What a name, and flags about weights, come to; nothing is built yet.

    Parameters
    ----------
    blueprint : Blueprint
    tag : str
        Published weights, ``"random"``, or the stem of ``file``.
    file : Path or None
        Weights file that the user named.
    path_name : str
        What the model is called in paths.
    alias : Alias or None
        The catalog or panel entry that was named.
    is_default : bool
        No weights were asked for.
    """

    blueprint: Blueprint
    tag: str
    file: Path | None
    path_name: str
    alias: Alias | None
    is_default: bool

    @property
    def name(self) -> str:
        """``source:name@weights``."""
        return f"{self.blueprint.source}:{self.blueprint.name}@{self.tag}"


def load_model(
    name: str | Alias | Model,
    *,
    pretrained: bool = False,
    weights: str | None = None,
    model_path: str | Path | None = None,
    device: str = "auto",
    meta: bool = False,
    seed: int = DEFAULT_SEED,
) -> Model:
    """Load a network by name.

    Parameters
    ----------
    name : str
        ``source:name[@weights]``, or a bare name: looked up in the catalog, then in torchvision, timm and open_clip.
        ``weights`` is a tag of the source, a file, or ``random``. A catalog entry, or a model (returned as it is,
        on ``device``) will do too.
    pretrained : bool
        Ask for the published weights; what happens anyway when no other weights are named.
    weights : str, optional
        The same as ``@weights``.
    model_path : path, optional
        File with weights, or a folder that holds them under their published name.
    device : {"auto", "cpu", "mps", "cuda", "cuda:N"}
        ``auto`` picks MPS, then CUDA, then CPU.
    meta : bool
        Build without weights and memory, on torch's ``meta`` device: enough to look at the layers.
    seed : int
        Of random weights.

    Returns
    -------
    Model
        In eval mode, float32, parameters without gradients.

    Raises
    ------
    UnknownNameError
        Nothing answers to the name; suggests near ones.
    WeightsUnavailable
        The weights are not on this machine and cannot be fetched; lists the ways.
    InputError
        A device that is absent, a file that is no file of weights, flags that contradict one another.

    Examples
    --------
    >>> load_model("torchvision:squeezenet1_1@random", device="cpu").path_name
    'squeezenet1_1--random'
    """
    from beholder.models._devices import pick_device

    if isinstance(name, Model):
        return name if device == "auto" else name.to(pick_device(device))
    place = "meta" if meta else pick_device(device)
    resolved = resolve_model(name, pretrained=pretrained, weights=weights, model_path=model_path, check_file=not meta)
    if resolved.is_default and not meta:
        logger.info("%s: no weights were named, so the default ones are used: %s", resolved.path_name, resolved.name)
    return _make_model(_make_spec(resolved, seed), resolved.blueprint, place)


def resolve_model(
    name: str | Alias,
    *,
    pretrained: bool = False,
    weights: str | None = None,
    model_path: str | Path | None = None,
    check_file: bool = True,
) -> ResolvedModel:
    """Find what a name means, without building or downloading anything; arguments as for :func:`load_model`.

    With ``check_file`` off, no weights need to exist: for a look at the layers.
    """
    if isinstance(name, Alias):
        alias, own_weights, prefix = name, None, f"{name.source}:{name.model}"
    else:
        prefix, own_weights = split_weights(name)
        alias = None if ":" in prefix and prefix.partition(":")[0] in SOURCES else _find_alias(prefix)
    wanted = [own_weights, weights, None if model_path is None else str(model_path), "published" if pretrained else None]
    if sum(value is not None for value in wanted) > 1 and not _agree(own_weights, weights, model_path, pretrained):
        raise InputError("one way of naming the weights", got=", ".join(str(value) for value in wanted if value), hint="one of them")
    asked = own_weights or weights
    alias_tag = alias.tag if alias is not None else None
    file = Path(model_path) if model_path is not None else _as_file(asked)
    if file is None and asked is None and alias_tag is not None:
        file = _as_file(alias_tag)
    tag = None if file is not None else (asked or alias_tag)
    hint_tag = None if tag == RANDOM else (tag or alias_tag)
    blueprint = _find_blueprint(prefix, alias, hint_tag)
    default = blueprint.requested_tag or blueprint.default_tag
    if tag is not None and tag != RANDOM and tag not in blueprint.tags:
        known = [*blueprint.tags, RANDOM]
        raise UnknownNameError(f"set of weights of {blueprint.source}:{blueprint.name}", tag, known)
    if file is not None:
        file, tag = _settle_file(file, blueprint, hint_tag or default, check_file)
    is_default = tag is None and not pretrained and not blueprint.requested_tag
    tag = tag or default or (None if check_file else RANDOM)
    if tag is None:
        raise explain_missing(f"{blueprint.source}:{blueprint.name}", "", got="a source that publishes none for it")
    kept = alias is not None and ((asked is None and model_path is None) or tag == (alias_tag or default))
    path_name = _find_path_name(blueprint, tag, alias, kept)
    return ResolvedModel(blueprint, tag, file, path_name, alias, is_default)


def split_weights(name: str) -> tuple[str, str | None]:
    """Split ``name@weights``; an ``@`` inside a file name stays there.

    >>> split_weights("torchvision:alexnet@random")
    ('torchvision:alexnet', 'random')
    """
    if not name.strip():
        raise InputError("a model: source:name[@weights]", got="an empty name", hint="`beholder models`")
    prefix, at, weights = name.rpartition("@")
    if not at or (name.startswith("file:") and Path(name[5:]).exists()):
        return name, None
    if not prefix or not weights:
        raise InputError("a model: source:name[@weights]", got=repr(name))
    return prefix, weights


def _agree(own: str | None, weights: str | None, model_path: Any, pretrained: bool) -> bool:
    named = [value for value in (own, weights) if value is not None]
    if model_path is not None:
        return not named
    return len(set(named)) == 1 and not (pretrained and named[0] == RANDOM)


def _as_file(weights: str | None) -> Path | None:
    if weights is None or weights == RANDOM:
        return None
    path = Path(weights).expanduser()
    looks = path.suffix in SUFFIXES or "/" in weights or "\\" in weights
    return path if looks or path.is_file() else None


def _settle_file(file: Path, blueprint: Blueprint, tag: str | None, check: bool) -> tuple[Path, str]:
    get_name = blueprint.published_file or (lambda tag: None)
    if check:
        file = find_weights_file(file, get_name(tag) if tag else None, model=f"{blueprint.source}:{blueprint.name}")
    generic = {"model.safetensors", "pytorch_model.bin"}
    published = [key for key in blueprint.tags if file.name not in generic and get_name(key) == file.name]
    if published:
        return file, tag if tag in published else published[0]
    return file, to_path_name(file.stem)


def _find_alias(name: str) -> Alias | None:
    from beholder.models._catalog import find_alias

    return find_alias(name)


def _find_blueprint(prefix: str, alias: Alias | None, tag: str | None) -> Blueprint:
    if alias is not None:
        return get_source(alias.source).find(alias.model, tag)
    source, colon, model = prefix.partition(":")
    if colon and source in SOURCES:
        return get_source(source).find(model, tag)
    if colon and "/" not in source and len(source) > 1:
        raise UnknownNameError("model source", source, SOURCES.names())
    for source in BARE_NAME_SOURCES:
        try:
            return get_source(source).find(prefix, tag)
        except UnknownNameError as error:
            if "tag" in error.kind:
                raise
    from beholder.models._catalog import list_aliases

    known = [*list_aliases(), *(name for source in BARE_NAME_SOURCES for name in get_source(source).list_names())]
    raise UnknownNameError("model", prefix, dict.fromkeys(known), hint="`beholder models` for a list")


def _find_path_name(blueprint: Blueprint, tag: str, alias: Alias | None, keeps_alias: bool) -> str:
    from beholder.models._catalog import find_path_name

    if alias is not None and (keeps_alias or alias.preprocessing is not None):
        return to_path_name(alias.path_name if keeps_alias else f"{alias.path_name}--{tag}")
    listed = find_path_name(blueprint.source, blueprint.name, tag)
    if listed is None and tag == blueprint.default_tag:
        listed = find_path_name(blueprint.source, blueprint.name, None)
    if listed is not None:
        return to_path_name(listed)
    name = get_file_model_name(blueprint.name) if blueprint.source == "file" else blueprint.name
    return to_path_name(name if tag == blueprint.default_tag else f"{name}--{tag}")


def get_file_model_name(path: str) -> str:
    """What a network in a Python file is called: the file's stem, or its folder's name for ``build_network.py``."""
    file = Path(path)
    return file.resolve().parent.name if file.stem in ("build_network", "main", "__init__") else file.stem


def _make_spec(resolved: ResolvedModel, seed: int) -> ModelSpec:
    blueprint, alias = resolved.blueprint, resolved.alias
    return ModelSpec(
        source=blueprint.source,
        model=blueprint.name,
        tag=resolved.tag,
        file=None if resolved.file is None else str(resolved.file),
        sha256=None,
        path_name=resolved.path_name,
        preprocessing=(alias.preprocessing if alias else None) or blueprint.preprocessing,
        layers=(alias.layers if alias else ()) or blueprint.layers,
        taps=tuple({**blueprint.taps, **(alias.taps if alias else {})}.items()),
        pool=alias.pool if alias else None,
        seed=seed,
    )


def build_from_spec(spec: ModelSpec, device: str = "cpu") -> Model:
    """Build the model of a recipe; see :meth:`ModelSpec.load`."""
    from beholder.models._devices import pick_device

    blueprint = get_source(spec.source).find(spec.model, None if spec.tag == RANDOM or spec.file else spec.tag)
    return _make_model(spec, blueprint, pick_device(device))


def _make_model(spec: ModelSpec, blueprint: Blueprint, device: str) -> Model:
    if device == "meta":
        module, weights = build_on_meta(blueprint.build), Weights(tag=spec.tag)
    else:
        module, weights = _build_with_weights(spec, blueprint)
        module = module.float().to(device)
    return Model(
        name=f"{spec.source}:{spec.model}@{spec.tag}",
        path_name=spec.path_name,
        module=module,
        preprocessing=spec.preprocessing,
        weights=weights,
        layers=spec.layers,
        taps=dict(spec.taps),
        classes=blueprint.classes,
        forward=blueprint.forward,
        spec=replace(spec, sha256=weights.sha256),
        pool=spec.pool,
        multi_layer_output=blueprint.multi_layer_output,
    )


def _build_with_weights(spec: ModelSpec, blueprint: Blueprint) -> tuple[nn.Module, Weights]:
    import torch

    model = f"{blueprint.source}:{blueprint.name}"
    if spec.file is None and spec.tag != RANDOM and blueprint.fetch_tag is not None:
        blueprint.fetch_tag(spec.tag)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(spec.seed, "random weights", model))
        if spec.file is None and spec.tag != RANDOM and blueprint.build_tag is not None:
            return blueprint.build_tag(spec.tag)
        module = blueprint.build()
    if spec.file is not None:
        return module, load_file_weights(module, Path(spec.file), tag=spec.tag, adapt=blueprint.adapt_state_dict)
    if spec.tag == RANDOM:
        return module, Weights(tag=RANDOM)
    if blueprint.load_tag is None:
        raise explain_missing(model, spec.tag, got="a source that publishes none for it")
    return module, blueprint.load_tag(module, spec.tag)
