"""CLIP networks as classifiers of the ImageNet classes: the image tower, and a zero-shot readout.

Source: Radford et al. (2021), "Learning transferable visual models from natural language supervision", section 3.1.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from beholder._core.errors import InputError
from beholder.models.network._readout import SCALE
from beholder.models.words._zero_shot import build_zero_shot_head

if TYPE_CHECKING:
    from beholder.models.definitions._base import ModelDefinition, Weights

logger = logging.getLogger("beholder")

N_CLASSES = 1000


@final
class ZeroShotClip(nn.Module):
    """An image tower of CLIP, then 100 times the cosine with each class.

    Parameters
    ----------
    visual : nn.Module
        open_clip's tower: a residual network, or a transformer, which is run step by step so that
        ``class_embedding_cat`` (patches and class token, before their positions are added) is a module.
    n_dimensions : int
        Of the embedding.
    """

    head: Tensor

    def __init__(self, visual: nn.Module, n_dimensions: int, n_classes: int = N_CLASSES) -> None:
        super().__init__()
        self.visual = visual
        self.is_transformer = "ln_pre" in dict(visual.named_children())
        self.class_embedding_cat = nn.Identity()
        self.image_features = nn.Identity()
        head = torch.randn(n_classes, n_dimensions)
        self.register_buffer("head", head / head.norm(dim=1, keepdim=True))
        self.final = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Normalised pictures (n, 3, 224, 224) to logits (n, n_classes)."""
        features = self.image_features(self._embed(x) if self.is_transformer else self.visual(x))
        return self.final(SCALE * functional.normalize(features, dim=-1) @ self.head.t())

    def _embed(self, x: Tensor) -> Tensor:
        tower: Any = self.visual
        tokens = tower.conv1(x).flatten(2).transpose(1, 2)
        first = tower.class_embedding.expand(len(tokens), 1, -1)
        tokens = self.class_embedding_cat(torch.cat([first, tokens], 1))
        tokens = tower.ln_pre(tower.patch_dropout(tokens + tower.positional_embedding))
        return tower.ln_post(tower.transformer(tokens)[:, 0]) @ tower.proj


def build_clip_observer(clip: ModelDefinition) -> ZeroShotClip:
    """The classifier around the network of ``clip``, without weights."""
    return _wrap_network(clip.build())


def load_clip_observer(clip: ModelDefinition, tag: str) -> tuple[ZeroShotClip, Weights]:
    """The classifier with published weights; its readout is computed once by the text tower, then kept on disk.

    Eighty prompts for each of 1,000 classes take an hour or more on a CPU, a minute on a GPU.
    """
    assert clip.load_tag is not None
    network = clip.build()
    weights = clip.load_tag(network, tag)
    observer = _wrap_network(network)
    observer.head.copy_(read_head(network.float().eval(), f"{clip.name}-{tag}", weights.sha256 or tag))
    return observer, weights


def read_head(network: nn.Module, name: str, weights: str) -> Tensor:
    """The readout of the ImageNet classes, from the cache beside the downloaded weights, else computed.

    Parameters
    ----------
    network : nn.Module
        open_clip's, both towers.
    name, weights : str
        What the cached file is called, and the hash that it must carry.
    """
    from safetensors import safe_open
    from safetensors.torch import save

    from beholder._core.files import write_bytes
    from beholder.models.weights._read import get_checkpoint_folder

    file = get_checkpoint_folder() / f"zero_shot_imagenet-{name}.safetensors"
    if file.is_file():
        with safe_open(file, "pt") as content:
            if (content.metadata() or {}).get("weights") == weights:
                return content.get_tensor("head")
    logger.info("%s: computing the zero-shot readout from 80,000 prompts, once; it is kept at %s", name, file)
    head = torch.from_numpy(build_zero_shot_head(network, list_class_names()))
    write_bytes(file, save({"head": head.contiguous()}, metadata={"weights": weights}))
    return head


def list_class_names() -> list[str]:
    """The names of the ImageNet classes that CLIP's authors prompt with."""
    from open_clip import IMAGENET_CLASSNAMES

    return list(IMAGENET_CLASSNAMES)


def adapt_clip_state(clip: ModelDefinition, state: dict[str, Any], module: nn.Module) -> dict[str, Any]:
    """A file of both towers, or one saved from this classifier, under this module's names.

    The readout of a file of both towers is computed by its text tower, and not kept.
    """
    if any(name in ("head", "module.head") for name in state):
        return state
    assert isinstance(module, ZeroShotClip)
    network = clip.build()
    own = clip.adapt_state_dict(state, network) if clip.adapt_state_dict else state
    missing, _ = network.load_state_dict(own, strict=False)
    if missing:
        raise InputError(
            f"the weights of both towers of {clip.name}", got=f"a file without {missing[0]}", hint="the whole network"
        )
    logger.info("%s: computing the zero-shot readout from 80,000 prompts", clip.name)
    head = torch.from_numpy(build_zero_shot_head(network.eval(), list_class_names()))
    visual = {f"visual.{name}": value for name, value in network.get_submodule("visual").state_dict().items()}
    return {**visual, "head": head}


def _wrap_network(network: Any) -> ZeroShotClip:
    return ZeroShotClip(network.visual, int(network.visual.output_dim))
