"""timm: every architecture, with the preprocessing that each set of weights was made for."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from beholder._core.errors import InputError, UnknownNameError
from beholder._core.hashing import hash_file
from beholder.models.definitions._base import ModelDefinition, Source, Weights
from beholder.models.preprocessing._read import from_timm
from beholder.models.weights._look import check_weights_file
from beholder.models.weights._read import explain_hub_errors, fetch_checkpoint

if TYPE_CHECKING:
    from torch import nn

_HUB_FILES = ("model.safetensors", "pytorch_model.bin")


@final
class TimmSource(Source):
    """What :func:`timm.list_models` lists; ``timm:name.tag`` and ``timm:name@tag`` are the same model.

    The preprocessing is timm's own evaluation transform for the tag. Weights come by timm's own road: its hub
    repository, or a URL into ``TORCH_HOME``.
    """

    def list_names(self) -> list[str]:
        """Names of the architectures, without tags."""
        import timm

        return sorted(timm.list_models())

    def find(self, name: str, tag: str | None) -> ModelDefinition:
        """Definition of ``name`` or ``name.tag``; old names of timm's are followed to their new ones."""
        from timm.data.config import resolve_data_config
        from timm.models import get_deprecated_models, is_model

        requested, _, own_tag = name.partition(".")
        if not is_model(requested):
            raise UnknownNameError("timm model", name, self.list_names())
        replacement = get_deprecated_models().get(requested, requested)
        if replacement is None:
            raise InputError("a timm model", got=f"{requested!r}, which timm has removed")
        architecture, _, replaced_tag = replacement.partition(".")
        configs = _list_configs(architecture)
        published = tuple(key for key, config in configs.items() if config.has_weights)
        if own_tag and own_tag not in configs:
            raise UnknownNameError(f"tag of timm:{architecture}", own_tag, published)
        default = own_tag or replaced_tag or _find_default(architecture, configs)
        config = configs.get(tag or "") or configs.get(default or "")
        settings = {} if config is None else config.to_dict()
        data = (
            resolve_data_config(pretrained_cfg=settings) if settings else resolve_data_config(args={"crop_pct": 0.875})
        )
        if data["input_size"][0] != 3:
            raise InputError(
                "a network for colour pictures", got=f"timm:{name}, which takes {data['input_size'][0]} channels"
            )
        canonical = _find_default(architecture, configs)
        return ModelDefinition(
            source="timm",
            name=architecture,
            build=partial(_create, architecture, (tag if tag in configs else default) or ""),
            fetch_tag=partial(_fetch_tag, architecture),
            build_tag=partial(_create_pretrained, architecture),
            preprocessing=from_timm(data),
            default_tag=canonical if canonical in published else None,
            requested_tag=own_tag or (replaced_tag if replaced_tag else None),
            tags=published,
            published_file=lambda tag: _get_file_name(configs[tag]) if tag in configs else None,
            adapt_state_dict=partial(_adapt_state, architecture),
            classes=_get_classes(settings),
        )


def _list_configs(architecture: str) -> dict[str, Any]:
    from timm.models import get_arch_pretrained_cfgs

    return {key.partition(".")[2]: config for key, config in get_arch_pretrained_cfgs(architecture).items()}


def _find_default(architecture: str, configs: dict[str, Any]) -> str | None:
    from timm.models import get_pretrained_cfg

    config = get_pretrained_cfg(architecture) if configs else None
    return None if config is None else (config.tag or "")


def _get_file_name(config: Any) -> str:
    if config.hf_hub_id:
        return config.hf_hub_filename or _HUB_FILES[0]
    return str(config.url).rsplit("/", 1)[-1]


def _create(architecture: str, tag: str, **options: Any) -> nn.Module:
    import timm

    return timm.create_model(f"{architecture}.{tag}" if tag else architecture, **options)


def _fetch_tag(architecture: str, tag: str) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    config = _list_configs(architecture)[tag]
    model = f"timm:{architecture}"
    if not config.hf_hub_id:
        return fetch_checkpoint(config.url, model=model, tag=tag)
    cached = find_hub_file(config.hf_hub_id, config.hf_hub_filename)
    if cached is not None:
        return cached
    repository, _, revision = config.hf_hub_id.partition("@")
    names = (config.hf_hub_filename,) if config.hf_hub_filename else _HUB_FILES
    with explain_hub_errors(model, tag, config.hf_hub_id, names[0]):
        for name in names[:-1]:
            try:
                return Path(hf_hub_download(repository, name, revision=revision or None))
            except LocalEntryNotFoundError:
                raise
            except EntryNotFoundError:
                continue
        return Path(hf_hub_download(repository, names[-1], revision=revision or None))


def _create_pretrained(architecture: str, tag: str) -> tuple[nn.Module, Weights]:
    config = _list_configs(architecture)[tag]
    path = _fetch_tag(architecture, tag)
    check_weights_file(path)
    with explain_hub_errors(f"timm:{architecture}", tag, config.hf_hub_id or config.url, _get_file_name(config)):
        module = _create(architecture, tag, pretrained=True)
    return module, Weights(tag=tag, file=str(path), sha256=hash_file(path))


def find_hub_file(repository: str, file_name: str | None) -> Path | None:
    """The file in the hub cache that holds a repository's weights."""
    from huggingface_hub import try_to_load_from_cache

    repository, _, revision = repository.partition("@")
    for name in (file_name,) if file_name else _HUB_FILES:
        found = try_to_load_from_cache(repository, name, revision=revision or None)
        if isinstance(found, str):
            return Path(found)
    return None


def _adapt_state(architecture: str, state: dict[str, Any], module: nn.Module) -> dict[str, Any]:
    """Let timm translate a file in the format of the architecture's first authors."""
    own = module.state_dict()
    if own.keys() <= state.keys():
        return state
    try:
        return _create(architecture, "", pretrained=True, pretrained_cfg_overlay={"state_dict": state}).state_dict()
    except (RuntimeError, KeyError, AttributeError, TypeError, ValueError):
        return state


def _get_classes(config: dict[str, Any]) -> tuple[str, ...] | None:
    if config.get("num_classes") != 1000 or config.get("label_offset"):
        return None
    from torchvision.models import AlexNet_Weights

    return tuple(AlexNet_Weights.IMAGENET1K_V1.meta["categories"])
