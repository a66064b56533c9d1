"""open_clip: the whole CLIP as a module, whose forward pass is the image embedding before normalisation."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from beholder._core.errors import MissingExtra, UnknownNameError, WeightsUnavailable
from beholder._core.hashing import hash_file
from beholder.models.definitions._base import ModelDefinition, Source, Weights
from beholder.models.definitions._meta import find_build_device
from beholder.models.preprocessing._read import from_open_clip
from beholder.models.weights._look import check_weights_file
from beholder.models.weights._read import explain_hub_errors, explain_missing

if TYPE_CHECKING:
    from torch import Tensor, nn

_PREFERRED_TAG = "openai"
SETTINGS_IN_STATE = ("input_resolution", "context_length", "vocab_size")


@final
class OpenClipSource(Source):
    """What :func:`open_clip.list_models` lists; the slash of ``ViT-B/32`` is read as ``-``.

    Default weights are ``openai`` where they exist, else the first that open_clip lists. Where weights were trained
    with the quick GELU, the network is built with it, whatever the architecture's name says.
    """

    def list_names(self) -> list[str]:
        """Names of the architectures."""
        with _keep_root_logger():
            import open_clip

            return sorted(open_clip.list_models())

    def find(self, name: str, tag: str | None) -> ModelDefinition:
        """Definition of an architecture, case ignored."""
        with _keep_root_logger():
            import open_clip

            by_lower = {known.lower(): known for known in open_clip.list_models()}
            wanted = name.replace("/", "-")
            known = by_lower.get(wanted.lower())
            if known is None:
                raise UnknownNameError("open_clip model", name, by_lower.values())
            config = open_clip.get_model_config(known) or {}
            tags = tuple(open_clip.list_pretrained_tags_by_model(known))
            default = _PREFERRED_TAG if _PREFERRED_TAG in tags else next(iter(tags), None)
            used = tag if tag in tags else default
            published = open_clip.get_pretrained_cfg(known, used) if used else {}
        settings = {key: published.get(key) for key in ("mean", "std", "interpolation", "resize_mode", "fill_color")}
        quick = bool(config.get("quick_gelu") or published.get("quick_gelu"))
        return ModelDefinition(
            source="open_clip",
            name=known,
            build=partial(_build, known, quick),
            fetch_tag=partial(_fetch_tag, known),
            load_tag=partial(_load_tag, known),
            preprocessing=from_open_clip({**settings, "size": config["vision_cfg"].get("image_size", 224)}),
            default_tag=default,
            tags=tags,
            published_file=partial(_get_file_name, known),
            adapt_state_dict=_adapt_state,
            forward=encode_image,
        )


def encode_image(module: nn.Module, x: Tensor) -> Tensor:
    """Embedding of normalised pictures, not scaled to unit length: (n_stimuli, n_dimensions)."""
    return module.encode_image(x, normalize=False)  # pyright: ignore[reportCallIssue]


@contextlib.contextmanager
def _keep_root_logger() -> Iterator[None]:
    """Keep open_clip, which logs to the root logger, from configuring it."""
    root, handler = logging.getLogger(), logging.NullHandler()
    added = not root.handlers
    if added:
        root.addHandler(handler)
    try:
        yield
    finally:
        if added:
            root.removeHandler(handler)


def _build(name: str, quick_gelu: bool) -> nn.Module:
    with _keep_root_logger():
        import open_clip

        try:
            here = find_build_device()
            return open_clip.create_model(name, pretrained_text=False, force_quick_gelu=quick_gelu, device=here)
        except (RuntimeError, OSError) as error:
            text = (open_clip.get_model_config(name) or {}).get("text_cfg", {}).get("hf_model_name")
            if text is None:
                raise
            if find_spec("transformers") is None:
                raise MissingExtra("transformers", "transformers", f"the text tower of open_clip:{name}") from error
            raise WeightsUnavailable(
                f"the configuration of {text}, the text tower of open_clip:{name}",
                got="neither a copy in HF_HOME nor a connection to the hub",
                hint="once where there is a network",
            ) from error


def _get_file_name(name: str, tag: str) -> str | None:
    from open_clip import get_pretrained_cfg

    hub = get_pretrained_cfg(name, tag).get("hf_hub", "")
    return (hub.rpartition("/")[2] or "open_clip_model.safetensors") if hub else None


def _fetch_tag(name: str, tag: str) -> Path:
    model = f"open_clip:{name}"
    with _keep_root_logger():
        import open_clip

        config = open_clip.get_pretrained_cfg(name, tag)
        repository, file_name = config.get("hf_hub", "").rpartition("/")[::2]
        if not repository:
            raise explain_missing(model, tag, got="weights that open_clip does not publish on the hub")
        with explain_hub_errors(model, tag, repository, file_name or "open_clip_model.safetensors"):
            return Path(open_clip.download_pretrained(config))


def _load_tag(name: str, module: nn.Module, tag: str) -> Weights:
    path = _fetch_tag(name, tag)
    check_weights_file(path)
    with _keep_root_logger():
        from open_clip.factory import load_checkpoint

        load_checkpoint(module, str(path))  # pyright: ignore[reportArgumentType]
    return Weights(tag=tag, file=str(path), sha256=hash_file(path))


def _adapt_state(state: dict[str, Any], module: nn.Module) -> dict[str, Any]:
    """What open_clip's own checkpoint reader does to names and shapes."""
    from open_clip.convert import convert_state_dict
    from open_clip.model import convert_to_custom_text_state_dict, resize_pos_embed, resize_text_pos_embed

    own = module.state_dict()
    dropped = {*SETTINGS_IN_STATE, *(key for key in state if key.endswith("attn_mask") and key not in own)}
    state = {key: value for key, value in state.items() if key not in dropped}
    state = convert_state_dict(module, state)  # pyright: ignore[reportArgumentType]
    if "positional_embedding" in state and "positional_embedding" not in own:
        state = convert_to_custom_text_state_dict(state)
    for name in ("logit_scale", "logit_bias"):
        if name in state and name in own:
            state[name] = state[name].reshape(own[name].shape)
    state.pop("text.transformer.embeddings.position_ids", None)
    resize_pos_embed(state, module)
    resize_text_pos_embed(state, module)
    return state
