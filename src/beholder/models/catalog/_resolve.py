"""What a model's name means: source, weights, file, path name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.files import to_path_name
from beholder.models.catalog._elsewhere import refuse_name_elsewhere
from beholder.models.catalog._sources_read import refuse_unknown_name
from beholder.models.definitions._base import RANDOM, SOURCES, Alias, ModelDefinition, get_source
from beholder.models.weights._card import ModelCard, find_card
from beholder.models.weights._checkpoint import adapt_definition
from beholder.models.weights._read import SUFFIXES, explain_missing, find_weights_file

BARE_NAME_SOURCES = ("torchvision", "timm", "open_clip")


@final
@dataclass(frozen=True)
class ResolvedModel:
    """What a name, and flags about weights, come to; nothing is built yet.

    Parameters
    ----------
    definition : Definition
    tag : str
        Published weights, ``"random"``, or the stem of ``file``.
    file : Path or None
        Weights file that the user named.
    path_name : str
        What the model is called in paths.
    alias : Alias or None
        The catalog or panel entry that was named.
    variant : str or None
        Published weights whose architecture and preprocessing are used, where they are not those of ``tag``.
    is_default : bool
        No weights were asked for.
    """

    definition: ModelDefinition
    tag: str
    file: Path | None
    path_name: str
    alias: Alias | None
    variant: str | None
    is_default: bool

    @property
    def name(self) -> str:
        """``source:name@weights``."""
        return f"{self.definition.source}:{self.definition.name}@{self.tag}"


@suggest_keywords
def resolve_model(
    name: str | Alias,
    *,
    pretrained: bool = False,
    weights: str | None = None,
    model_path: str | Path | None = None,
    check_file: bool = True,
) -> ResolvedModel:
    """Find what a name means, without building or downloading anything; arguments as for ``load_model``.

    With ``check_file`` off, no weights need to exist: for a look at the layers.
    """
    if isinstance(name, Alias):
        alias, own_weights, prefix = name, None, f"{name.source}:{name.model}"
    else:
        prefix, own_weights = split_weights(name)
        alias = None if prefix.partition(":")[0] in SOURCES and ":" in prefix else _find_alias(prefix)
    asked = own_weights or weights
    if not _agree(own_weights, weights, model_path, pretrained):
        given = [own_weights, weights, model_path and str(model_path), "--pretrained" if pretrained else None]
        raise InputError("one way of naming the weights", got=" and ".join(filter(None, given)), hint="one of them")
    alias_tag = alias.tag if alias is not None else None
    tag = asked or (None if model_path is not None else alias_tag)
    file = Path(model_path) if model_path is not None else _as_file(tag)
    variant = next((known for known in (tag, alias_tag) if known not in (None, RANDOM) and not _as_file(known)), None)
    definition = _find_blueprint(prefix, alias, variant)
    variant = variant or definition.requested_tag
    default = definition.requested_tag or definition.default_tag
    card = None
    if file is not None:
        file, tag = _settle_file(file, definition, variant or default, check_file)
        card = find_card(file)
        tag = name_checkpoint(file) if card is not None else tag
    elif tag is not None and tag != RANDOM and tag not in definition.tags:
        raise UnknownNameError(
            f"set of weights of {definition.source}:{definition.name}", tag, [*definition.tags, RANDOM]
        )
    is_default = tag is None and not pretrained and not definition.requested_tag
    tag = tag or default or (None if check_file else RANDOM)
    if tag is None:
        raise explain_missing(f"{definition.source}:{definition.name}", "", got="a source that publishes none for it")
    if card is not None:
        variant = _pick_variant(card, definition, variant)
        definition = adapt_definition(_find_blueprint(prefix, alias, variant), card)
        if alias is not None and (asked is not None or model_path is not None):
            alias = replace(alias, preprocessing=None)  # weights on top of an alias bring their own
    kept = alias is not None and ((asked is None and model_path is None) or tag == (alias_tag or default))
    if isinstance(name, Alias):
        path_name = to_path_name(name.path_name if kept else f"{name.path_name}--{tag}")
    else:
        path_name = _find_path_name(definition, tag, alias, kept)
    return ResolvedModel(definition, tag, file, path_name, alias, variant, is_default)


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
    named = {value for value in (own, weights) if value is not None}
    if model_path is not None:
        return not named
    return len(named) <= 1 and not (pretrained and named == {RANDOM})


def _as_file(weights: str | None) -> Path | None:
    if weights is None or weights == RANDOM:
        return None
    path = Path(weights).expanduser()
    looks = path.suffix in SUFFIXES or "/" in weights or "\\" in weights
    return path if looks or path.is_file() else None


def _settle_file(file: Path, definition: ModelDefinition, tag: str | None, check: bool) -> tuple[Path, str]:
    get_name = definition.published_file or (lambda tag: None)
    if check:
        file = find_weights_file(file, get_name(tag) if tag else None, model=f"{definition.source}:{definition.name}")
    generic = {"model.safetensors", "pytorch_model.bin"}
    published = [key for key in definition.tags if file.name not in generic and get_name(key) == file.name]
    if published:
        return file, tag if tag in published else published[0]
    return file, to_path_name(file.stem)


def name_checkpoint(file: Path) -> str:
    """What the weights in a checkpoint are called: the file's stem; in a training's folder with that folder's name.

    >>> name_checkpoint(Path("mine/net.safetensors")), name_checkpoint(Path("robust/checkpoints/best.safetensors"))
    ('net', 'robust-best')
    """
    folder = file.absolute().parent
    run = folder.parent.name if folder.name == "checkpoints" else ""
    return to_path_name(f"{run}-{file.stem}" if run else file.stem)


def _pick_variant(card: ModelCard, definition: ModelDefinition, variant: str | None) -> str | None:
    """The published weights whose architecture a checkpoint was trained in, where it is one of this definition."""
    same = card.model == f"{definition.source}:{definition.name}"
    return card.variant if same and card.variant in definition.tags else variant


def _find_alias(name: str) -> Alias | None:
    from beholder.models.catalog._entries import find_alias

    return find_alias(name)


def _find_blueprint(prefix: str, alias: Alias | None, tag: str | None) -> ModelDefinition:
    if alias is not None:
        return get_source(alias.source).find(alias.model, tag)
    source, colon, model = prefix.partition(":")
    if colon and source in SOURCES:
        return get_source(source).find(model, tag)
    if colon and "/" not in source and len(source) > 1:
        raise UnknownNameError("model source", source, SOURCES.names())
    refuse_unknown_name(prefix)
    for source in BARE_NAME_SOURCES:
        try:
            return get_source(source).find(prefix, tag)
        except UnknownNameError as error:
            if "tag" in error.kind:
                raise
    refuse_name_elsewhere(prefix)
    from beholder.models.catalog._entries import list_aliases

    known = [*list_aliases(), *(name for source in BARE_NAME_SOURCES for name in get_source(source).list_names())]
    raise UnknownNameError("model", prefix, dict.fromkeys(known), hint="`beholder models` for a list")


def _find_path_name(definition: ModelDefinition, tag: str, alias: Alias | None, keeps_alias: bool) -> str:
    from beholder.models.catalog._entries import find_path_name

    if alias is not None and (keeps_alias or alias.preprocessing is not None):
        return to_path_name(alias.path_name if keeps_alias else f"{alias.path_name}--{tag}")
    listed = find_path_name(definition.source, definition.name, tag)
    if listed is None and tag == definition.default_tag:
        listed = find_path_name(definition.source, definition.name, None)
    if listed is not None:
        return to_path_name(listed)
    name = get_file_model_name(definition.name) if definition.source == "file" else definition.name
    return to_path_name(name if tag == definition.default_tag else f"{name}--{tag}")


def get_file_model_name(path: str) -> str:
    """What a network in a Python file is called: the file's stem, or its folder's name for ``build_network.py``."""
    file = Path(path)
    return file.resolve().parent.name if file.stem in ("build_network", "main", "__init__") else file.stem
