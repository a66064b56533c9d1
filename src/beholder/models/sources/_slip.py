"""The source ``slip``: image towers of SLIP, CLIP and SimCLR trained on the same pictures.

Source: Mu, Kirillov, Wagner & Xie (2021), "SLIP: Self-supervision meets Language-Image Pre-training", section 4 and
table 1. The small tower is the one of MoCo v3: twelve heads where other small ViTs have six.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

from beholder._core.errors import InputError, UnknownNameError
from beholder.models.definitions._base import ModelDefinition, Source
from beholder.models.preprocessing._read import ImagePreprocessing
from beholder.models.weights._published import PublishedWeights, make_file_finder, make_tag_fetcher, make_tag_loader

if TYPE_CHECKING:
    from torch import nn

_ADDRESS = "https://dl.fbaipublicfiles.com/slip"
_TAGS = {
    "vit_small": ("slip_small_100ep", "slip_small_50ep", "slip_small_25ep", "clip_small_25ep", "simclr_small_25ep"),
    "vit_base": (
        "slip_base_100ep",
        "slip_base_50ep",
        "slip_base_25ep",
        "clip_base_25ep",
        "simclr_base_25ep",
        "slip_base_cc3m_40ep",
        "clip_base_cc3m_40ep",
        "slip_base_cc12m_35ep",
        "clip_base_cc12m_35ep",
    ),
    "vit_large": ("slip_large_100ep", "slip_large_50ep", "slip_large_25ep", "clip_large_25ep", "simclr_large_25ep"),
}
_OTHER_PARTS = (
    "transformer.",
    "token_embedding.",
    "positional_embedding",
    "ln_final.",
    "image_projection",
    "text_projection",
    "logit_scale",
    "image_mlp.",
)


def build_tower(name: str, **overrides: Any) -> nn.Module:
    """Image tower of one size: a ViT with 16-pixel patches that gives its class token.

    Parameters
    ----------
    name : {"vit_small", "vit_base", "vit_large"}
        Width 384, 768 or 1024; depth 12, 12 or 24; heads 12, 12 or 16.
    overrides
        Settings of timm's ``VisionTransformer`` for smaller networks.
    """
    import timm

    settings: dict[str, Any] = {"num_heads": 12} if name == "vit_small" else {}
    return timm.create_model(f"{name}_patch16_224", pretrained=False, num_classes=0, **{**settings, **overrides})


def pick_image_tower(state: dict[str, Any], _module: nn.Module) -> dict[str, Any]:
    """Tensors of the image tower, named as in it, out of a checkpoint of the whole model.

    The text tower and the heads that only training used are left out, each by its name; a name that belongs to
    neither stays, so that loading refuses it.

    Raises
    ------
    InputError
        When the checkpoint is of a whole model and has no image tower.
    """
    plain = {name.removeprefix("module."): value for name, value in state.items()}
    parts = {name: value for name, value in plain.items() if not name.startswith(_OTHER_PARTS)}
    if len(parts) == len(plain) and not any(name.startswith("visual.") for name in parts):
        return plain
    if not parts:
        raise InputError("a checkpoint with an image tower (names that begin with visual.)", got="one without")
    return {name.removeprefix("visual."): value for name, value in parts.items()}


@final
class SlipSource(Source):
    """SLIP's image towers: ``slip:vit_small``, ``slip:vit_base``, ``slip:vit_large``."""

    def list_names(self) -> list[str]:
        """The three sizes."""
        return sorted(_TAGS)

    def find(self, name: str, tag: str | None) -> ModelDefinition:
        """One of the three; a tag is a published file's stem, such as ``slip_small_100ep``."""
        plain = name.lower().replace("-", "_").removeprefix("slip_")
        canonical = plain if plain.startswith("vit_") else f"vit_{plain}"
        if canonical not in _TAGS:
            raise UnknownNameError("model of slip", name, self.list_names())
        tags = _TAGS[canonical]
        published = {stem: PublishedWeights(f"{_ADDRESS}/{stem}.pt") for stem in tags}
        return ModelDefinition(
            source="slip",
            name=canonical,
            build=lambda: build_tower(canonical),
            preprocessing=ImagePreprocessing(resize=224),
            default_tag=tags[0],
            tags=tags,
            fetch_tag=make_tag_fetcher(f"slip:{canonical}", published),
            load_tag=make_tag_loader(f"slip:{canonical}", published, pick_image_tower),
            published_file=make_file_finder(published),
            adapt_state_dict=pick_image_tower,
        )
