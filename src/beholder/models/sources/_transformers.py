"""transformers (an extra): encoders of pictures and of sounds."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from beholder._core.errors import InputError, MissingExtra, UnknownNameError
from beholder._core.hashing import hash_file
from beholder.models.definitions._base import ModelDefinition, Source, Weights
from beholder.models.preprocessing._read import ImagePreprocessing, Preprocessing, SoundPreprocessing
from beholder.models.sources._timm import find_hub_file
from beholder.models.weights._look import check_weights_file
from beholder.models.weights._read import SUFFIXES, explain_hub_errors

if TYPE_CHECKING:
    from torch import Tensor, nn

_WAVEFORM_TYPES = (
    "wav2vec2", "hubert", "wavlm", "unispeech", "unispeech-sat", "data2vec-audio", "sew", "sew-d", "wav2vec2-conformer",
)  # fmt: skip
_SOUND_TYPES = (*_WAVEFORM_TYPES, "whisper", "audio-spectrogram-transformer")
_IMAGE_TYPES = (
    "vit", "deit", "dinov2", "dinov2_with_registers", "beit", "data2vec-vision", "convnext", "convnextv2", "swin",
    "swinv2", "resnet", "regnet", "vit_msn", "hiera", "mobilenet_v2", "efficientnet", "poolformer", "bit",
    "levit", "cvt", "pvt",
)  # fmt: skip
_NICKNAMES = {"ast": "audio-spectrogram-transformer"}
_HEADS = {
    "ForImageClassification": "AutoModelForImageClassification",
    "ForAudioClassification": "AutoModelForAudioClassification",
    "ForSequenceClassification": "AutoModelForAudioClassification",
}
_RESAMPLING = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}
_FALLBACK_PROCESSOR = "ViTImageProcessor"
_PAD_TO_AST = (1024 - 1) * 160 + 400


@final
class TransformersSource(Source):
    """Hub repositories (``transformers:google/vit-base-patch16-224``), and model types (``transformers:vit``).

    A folder that holds a copy of a repository will do too (``transformers:./my-vit``).

    A repository is built as its configuration says: with its classification head if it has one, else as the bare
    encoder (of Whisper: the encoder half). A model type is built from its default configuration, so it has random
    weights only. Preprocessing comes from the repository's own processor, or from the type's defaults.
    """

    def list_names(self) -> list[str]:
        """The model types; repositories cannot be listed."""
        return sorted([*_IMAGE_TYPES, *_SOUND_TYPES]) if find_spec("transformers") else []

    def find(self, name: str, tag: str | None) -> ModelDefinition:
        """Definition of a repository or a model type."""
        if find_spec("transformers") is None:
            raise MissingExtra("transformers", "transformers", f"transformers:{name}")
        model_type = _NICKNAMES.get(name, name)
        if "/" in name:
            config = _read_config(name, tag or "main")
        elif model_type in (*_IMAGE_TYPES, *_SOUND_TYPES):
            config = _make_config(model_type)
        else:
            raise UnknownNameError("transformers model type", name, self.list_names(), hint="a repository: owner/name")
        if config.model_type not in (*_IMAGE_TYPES, *_SOUND_TYPES):
            known = ", ".join([*_IMAGE_TYPES[:4], *_SOUND_TYPES[:3]])
            raise InputError(
                f"an encoder of pictures or sounds ({known}, ...)", got=f"transformers:{name}, a {config.model_type}",
                hint="wrap() of transformers' own model",
            )  # fmt: skip
        is_repository = "/" in name
        head = _find_head(config) if is_repository else "AutoModel"
        labels = config.id2label if head != "AutoModel" else None
        return ModelDefinition(
            source="transformers",
            name=name if is_repository else model_type,
            build=partial(_build, config, head),
            build_tag=partial(_load, name, config, head) if is_repository else None,
            preprocessing=_find_preprocessing(name if is_repository else None, tag or "main", config),
            default_tag="main" if is_repository else None,
            tags=(tag or "main",) if is_repository else (),
            published_file=lambda tag: "model.safetensors",
            forward=_forward,
            classes=None if labels is None else tuple(str(labels[i]) for i in range(len(labels))),
        )


def _make_config(model_type: str) -> Any:
    from transformers import AutoConfig

    return AutoConfig.for_model(model_type)


def _read_config(repository: str, revision: str) -> Any:
    from transformers import AutoConfig

    with _keep_quiet(), explain_hub_errors(f"transformers:{repository}", revision, repository, "config.json"):
        return AutoConfig.from_pretrained(repository, revision=revision)


def _find_head(config: Any) -> str:
    architecture = (config.architectures or [""])[0]
    return next((head for ending, head in _HEADS.items() if architecture.endswith(ending)), "AutoModel")


def _build(config: Any, head: str) -> nn.Module:
    import transformers

    with _keep_quiet():
        module = getattr(transformers, head).from_config(config)
    return module.get_encoder() if config.model_type == "whisper" and head == "AutoModel" else module


def _load(repository: str, config: Any, head: str, tag: str) -> tuple[nn.Module, Weights]:
    import torch
    import transformers

    model = f"transformers:{repository}"
    cached = None if Path(repository).is_dir() else find_hub_file(f"{repository}@{tag}", None)
    if cached is not None:
        check_weights_file(cached)
    with _keep_quiet(), explain_hub_errors(model, tag, repository):
        module, info = getattr(transformers, head).from_pretrained(
            repository, revision=tag, dtype=torch.float32, output_loading_info=True
        )
    if info["missing_keys"]:
        names = ", ".join(sorted(info["missing_keys"])[:4])
        raise InputError(
            f"weights for all of {model}", got=f"{len(info['missing_keys'])} missing ({names}, ...)", hint="wrap()"
        )
    if Path(repository).is_dir():
        path = next((file for file in sorted(Path(repository).iterdir()) if file.suffix in SUFFIXES), None)
    else:
        path = find_hub_file(f"{repository}@{tag}", None)
    weights = Weights(tag) if path is None else Weights(tag, str(path), hash_file(path))
    return module.get_encoder() if config.model_type == "whisper" and head == "AutoModel" else module, weights


def _forward(module: nn.Module, x: Tensor) -> Tensor:
    """Logits; else the pooled output; else the mean over tokens or time."""
    output: Any = module(x)
    for key in ("logits", "pooler_output"):
        value = output.get(key) if isinstance(output, Mapping) else None
        if value is not None:
            return value.flatten(1)
    hidden = output["last_hidden_state"]
    return hidden.mean(dim=1) if hidden.ndim == 3 else hidden.mean(dim=(-2, -1))


def _find_preprocessing(repository: str | None, revision: str, config: Any) -> Preprocessing:
    settings = _read_processor(repository, revision) if repository else None
    if config.model_type in _SOUND_TYPES:
        return _describe_sound(config, settings or {})
    return _describe_image(
        settings if settings and "image_mean" in settings else _get_default_processor(config), config
    )


def _read_processor(repository: str, revision: str) -> dict[str, Any] | None:
    import json

    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    with contextlib.suppress(EntryNotFoundError, OSError):
        path = Path(repository, "preprocessor_config.json")
        if not Path(repository).is_dir():
            path = hf_hub_download(repository, "preprocessor_config.json", revision=revision)
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    return None


def _get_default_processor(config: Any) -> dict[str, Any]:
    import transformers
    from transformers.models.auto import image_processing_auto

    # "vit": {"pil": name, "torchvision": name}; (name, name) in older releases
    names: Any = vars(image_processing_auto)["IMAGE_PROCESSOR_MAPPING_NAMES"].get(
        config.model_type, _FALLBACK_PROCESSOR
    )
    choices = [names] if isinstance(names, str) else list(names.values()) if isinstance(names, Mapping) else list(names)
    choices = [choice for choice in choices if choice]
    name = next(
        (choice for choice in choices if choice.endswith("Pil")), choices[0] if choices else _FALLBACK_PROCESSOR
    )
    with _keep_quiet():
        return getattr(transformers, name)().to_dict()


def _describe_image(settings: Mapping[str, Any], config: Any) -> ImagePreprocessing:
    size, crop = settings.get("size") or {}, settings.get("crop_size")
    size = {"height": size, "width": size} if isinstance(size, int) else dict(size)
    resize: Any = None
    mode = "center"
    if settings.get("do_resize", True):
        edge = size.get("shortest_edge")
        if edge is not None and settings.get("crop_pct"):
            crop, resize = (edge, edge), int(edge / settings["crop_pct"]) if edge < 384 else (edge, edge)
            mode = "center" if edge < 384 else "squash"
        elif edge is not None:
            resize = int(edge)
        else:
            resize, mode = (int(size["height"]), int(size["width"])), "squash"
    if isinstance(crop, Mapping):
        crop = (int(crop["height"]), int(crop["width"])) if "height" in crop else (int(crop["shortest_edge"]),) * 2
    elif isinstance(crop, int):
        crop = (crop, crop)
    if not settings.get("do_center_crop") and not settings.get("crop_pct"):
        crop = resize if isinstance(resize, tuple) else None
    if crop is None:
        side = getattr(config, "image_size", 224)
        crop = (side, side) if isinstance(side, int) else tuple(side)
    normalizes = settings.get("do_normalize", True)
    return ImagePreprocessing(
        resize=resize,
        crop=tuple(crop),  # pyright: ignore[reportArgumentType]
        crop_mode=mode,
        interpolation=_RESAMPLING.get(settings.get("resample", 2), "bilinear"),
        mean=tuple(settings["image_mean"]) if normalizes else (0.0, 0.0, 0.0),  # pyright: ignore[reportArgumentType]
        std=tuple(settings["image_std"]) if normalizes else (1.0, 1.0, 1.0),  # pyright: ignore[reportArgumentType]
    )


def _describe_sound(config: Any, settings: Mapping[str, Any]) -> SoundPreprocessing:
    rate = int(settings.get("sampling_rate", 16_000))
    if config.model_type == "whisper":
        n_mels = int(settings.get("feature_size", config.num_mel_bins))
        return SoundPreprocessing(rate, float(settings.get("chunk_length", 30)), front_end="whisper", n_mels=n_mels)
    if config.model_type == "audio-spectrogram-transformer":
        return SoundPreprocessing(
            rate,
            _PAD_TO_AST / rate,
            front_end="ast",
            n_mels=int(settings.get("num_mel_bins", config.num_mel_bins)),
            n_frames=int(settings.get("max_length", config.max_length)),
            mean=float(settings.get("mean", -4.2677393)),
            std=float(settings.get("std", 4.5689974)),
        )
    return SoundPreprocessing(rate, front_end="standardized" if settings.get("do_normalize", True) else "waveform")


@contextlib.contextmanager
def _keep_quiet() -> Iterator[None]:
    """Keep transformers' bars, and its advice about its own options, off the terminal."""
    from transformers.utils import logging as messages

    logger = logging.getLogger("transformers")
    level, had_bars = logger.level, messages.is_progress_bar_enabled()
    logger.setLevel(logging.ERROR)
    messages.disable_progress_bar()
    try:
        yield
    finally:
        logger.setLevel(level)
        if had_bars:
            messages.enable_progress_bar()
