"""Forty architectures with what the axes of some of their layers count, written by hand from their papers and code.

Sizes are small and no two axes of a stimulus alike, so that no guess by size can be right by chance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

CHW, HWC = ("channel", "height", "width"), ("height", "width", "channel")
TOKENS, WINDOWS = ("token", "channel"), ("window", "token", "channel")
SOUND, FRAMES = ("channel", "time"), ("time", "channel")
WEIGHTS = ("head", "query", "key")
FLAT = ("channel",)


@dataclass(frozen=True)
class Case:
    """A network, its input, and the axes of some layers with the size of the channel axis."""

    build: Callable[[], nn.Module]
    shape: tuple[int, ...]
    layers: dict[str, tuple[tuple[str, ...], int | None]]
    rate: int | None = None
    needs: str = "torch"


class Returns(nn.Module):
    """Calls a network of transformers, and returns one of its outputs."""

    def __init__(self, net: nn.Module, name: str = "last_hidden_state") -> None:
        super().__init__()
        self.net, self.name = net, name

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)[self.name]


class StftNet(nn.Module):
    """A spectrogram of its own, filter banks, two convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.spectrum, self.bands = nn.Identity(), nn.Identity()
        self.conv = nn.Sequential(nn.Conv2d(1, 6, 3), nn.Hardswish())
        self.head = nn.Linear(6, 3)
        self.register_buffer("bank", torch.rand(20, 33))
        self.register_buffer("window", torch.hann_window(64))

    def forward(self, x: Tensor) -> Tensor:
        z = self.spectrum(torch.stft(x, 64, 16, window=self.window, return_complex=True).abs())  # pyright: ignore[reportArgumentType]
        z = self.bands((self.bank @ z).log1p())
        return self.head(self.conv(z.unsqueeze(1)).mean((2, 3)))


class SoundNet(nn.Module):
    """One-dimensional convolutions on samples, as tutorials write them."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv1d(1, 8, 16, stride=4), nn.BatchNorm1d(8), nn.ReLU(), nn.MaxPool1d(4), nn.Conv1d(8, 12, 3), nn.GELU()
        )
        self.flat = nn.Flatten()
        self.head = nn.Linear(1164, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.flat(self.features(x)))


class Recurrent(nn.Module):
    """An LSTM and a GRU, batch first or not."""

    def __init__(self, batch_first: bool) -> None:
        super().__init__()
        self.batch_first = batch_first
        self.lstm = nn.LSTM(12, 10, num_layers=2, bidirectional=True, batch_first=batch_first)
        self.norm, self.drop = nn.LayerNorm(20), nn.Dropout()
        self.gru = nn.GRU(20, 8, batch_first=batch_first)
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = x if self.batch_first else x.transpose(0, 1)
        y = self.gru(self.drop(self.norm(self.lstm(x)[0])))[0]
        return self.head(y[:, -1] if self.batch_first else y[-1])


class FrameByFrame(nn.Module):
    """A picture network on the frames of a film, then a convolution over time."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.act, self.time = nn.Conv2d(3, 8, 3), nn.Hardswish(), nn.Conv1d(8, 6, 3)
        self.head = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        n, n_frames = x.shape[:2]
        y = self.act(self.conv(x.flatten(0, 1))).mean((2, 3)).view(n, n_frames, -1)
        return self.head(self.time(y.transpose(1, 2)).mean(-1))


class SequenceFirst(nn.Module):
    """PyTorch's encoder, (token, stimulus, channel)."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32), 1, enable_nested_tensor=False)
        self.head = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(x.transpose(0, 1)).mean(0))


class Shuffled(nn.Module):
    """Space to depth, channel shuffle, a squeeze gate."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.conv = nn.PixelUnshuffle(2), nn.Conv2d(12, 18, 1)
        self.shuffle, self.gate, self.up = nn.ChannelShuffle(3), nn.Linear(18, 18), nn.PixelShuffle(3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.shuffle(self.conv(self.down(x)))
        return self.up(y * self.gate(y.mean((2, 3))).sigmoid()[:, :, None, None])


class Patches(nn.Module):
    """Patches cut by ``nn.Unfold`` and put back by ``nn.Fold``."""

    def __init__(self) -> None:
        super().__init__()
        self.cut, self.mix, self.put = nn.Unfold(4, stride=4), nn.Linear(48, 32), nn.Fold((8, 12), 4, stride=4)

    def forward(self, x: Tensor) -> Tensor:
        return self.put(self.mix(self.cut(x).transpose(1, 2)).transpose(1, 2))


def _tv(name: str, **options: Any) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        from torchvision import models

        return models.get_model(name, weights=None, num_classes=7, **options)

    return build


def _tv_vit() -> nn.Module:
    from torchvision.models import VisionTransformer

    return VisionTransformer(24, 8, 1, 2, 20, 40, num_classes=7)


def _timm(name: str, **options: Any) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        import timm

        return timm.create_model(name, num_classes=7, **options)

    return build


def _hf(kind: str, output: str = "last_hidden_state", **config: Any) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        import transformers

        made = getattr(transformers, f"{kind}Config")(**config)
        return Returns(getattr(transformers, f"{kind}Model")(made), output)

    return build


_HF: Any = {"hidden_size": 20, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 28}
_EARS = {
    **_HF, "conv_dim": (14, 18), "conv_stride": (5, 2), "conv_kernel": (10, 3), "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 2,
}  # fmt: skip
_EAR_LAYERS: Any = {
    "net.feature_extractor": (SOUND, 18), "net.feature_extractor.conv_layers.0.activation": (SOUND, 14),
    "net.feature_projection": (FRAMES, 20), "net.encoder.pos_conv_embed.conv": (SOUND, 20),
    "net.encoder.layers.0.feed_forward": (FRAMES, 20), "net.encoder.layers.0.attention.q_proj": (FRAMES, 20),
}  # fmt: skip

CASES: dict[str, Case] = {
    # torchvision
    "resnet18": Case(_tv("resnet18"), (3, 96, 160), {"conv1": (CHW, 64), "relu": (CHW, 64), "layer3": (CHW, 256),
        "avgpool": (CHW, 512), "fc": (FLAT, 7)}),
    "resnet18 of a channel count like its height": Case(_tv("resnet18"), (3, 256, 384),
        {"layer1": (CHW, 64), "layer1.0.relu@2": (CHW, 64)}),
    "alexnet": Case(_tv("alexnet"), (3, 96, 128), {"features": (CHW, 256), "features.4": (CHW, 192),
        "classifier": (FLAT, 7), "classifier.0": (FLAT, 9216)}),
    "vgg11": Case(_tv("vgg11"), (3, 64, 96), {"features.2": (CHW, 64), "features.20": (CHW, 512)}),
    "squeezenet": Case(_tv("squeezenet1_1"), (3, 64, 96), {"features.3": (CHW, 128), "classifier": (CHW, 7)}),
    "densenet": Case(_tv("densenet121"), (3, 64, 96), {"features.denseblock1": (CHW, 256),
        "features.denseblock2.denselayer3": (CHW, 32)}),
    "mobilenet": Case(_tv("mobilenet_v3_small"), (3, 64, 96), {"features.0.2": (CHW, 16), "features": (CHW, 576),
        "features.1.block.1.scale_activation": (CHW, 16)}),
    "shufflenet": Case(_tv("shufflenet_v2_x0_5"), (3, 64, 96), {"stage2": (CHW, 48), "stage2.1.branch2": (CHW, 24)}),
    "googlenet": Case(_tv("googlenet", init_weights=False, aux_logits=False), (3, 64, 96),
        {"inception3a": (CHW, 256), "inception4a.branch4": (CHW, 64)}),
    "efficientnet": Case(_tv("efficientnet_b0"), (3, 64, 96), {"features.0.2": (CHW, 32),
        "features.2.0.block.2.activation": (CHW, 4)}),
    "convnext": Case(_tv("convnext_tiny"), (3, 64, 96), {"features.1.0.block.0": (CHW, 96),
        "features.1.0.block.4": (HWC, 384), "features.1.0": (CHW, 96), "classifier.0": (CHW, 768)}),
    "swin": Case(_tv("swin_t"), (3, 64, 96), {"features.1": (HWC, 96), "features.1.0.attn": (HWC, 96),
        "features.3.0.mlp.1": (HWC, 768), "permute": (CHW, 768)}),
    "vit": Case(_tv_vit, (3, 24, 24), {"conv_proj": (CHW, 20), "encoder.layers.encoder_layer_0": (TOKENS, 20),
        "encoder.layers.encoder_layer_0.self_attention": (TOKENS, 20), "encoder.ln": (TOKENS, 20)}),
    "film, 3-D": Case(_tv("r3d_18"), (3, 4, 32, 48), {"layer1": (("channel", "frame", *CHW[1:]), 64),
        "layer2.0.relu@1": (("channel", "frame", *CHW[1:]), 128)}),
    # timm
    "timm vit": Case(_timm("vit_tiny_patch16_224", img_size=(32, 48), depth=1), (3, 32, 48), {
        "patch_embed": (TOKENS, 192), "blocks.0.attn.q_norm": (("group", "token", "channel"), 64),
        "blocks.0.mlp.act": (TOKENS, 768), "blocks.0": (TOKENS, 192)}, needs="timm"),
    "timm swin": Case(_timm("swin_tiny_patch4_window7_224", img_size=(56, 84), depths=(1, 2, 1, 1), embed_dim=12,
        num_heads=(1, 2, 2, 4)), (3, 56, 84), {"layers.0": (HWC, 12), "layers.0.blocks.0.attn": (WINDOWS, 12),
        "layers.1.blocks.1.attn.qkv": (WINDOWS, 72), "layers.1.blocks.0.mlp.fc1": (TOKENS, 96),
        "layers.1.blocks.0.attn.softmax": (("window", *WEIGHTS), None)}, needs="timm"),
    "timm mobilevit": Case(_timm("mobilevit_xxs"), (3, 64, 96), {"stages.2.1.transformer.0": (WINDOWS, 64),
        "stages.2.1.conv_kxk": (CHW, 48), "stages.2.1": (CHW, 48)}, needs="timm"),
    "timm tnt": Case(_timm("tnt_s_legacy_patch16_224", img_size=64), (3, 64, 64), {"pixel_embed": (WINDOWS, 24),
        "blocks.0.attn_in": (WINDOWS, 24), "blocks.0.attn_out": (TOKENS, 384)}, needs="timm"),
    "timm mixer": Case(_timm("mixer_s32_224", img_size=(64, 96)), (3, 64, 96), {"blocks.0": (TOKENS, 512),
        "blocks.0.mlp_tokens": (("channel", "token"), 512), "blocks.0.mlp_channels.act": (TOKENS, 2048)}, needs="timm"),
    "timm cait": Case(_timm("cait_xxs24_224", img_size=(32, 48)), (3, 32, 48), {"blocks.0": (TOKENS, 192),
        "blocks.0.attn.attn_drop": (WEIGHTS, None)}, needs="timm"),
    "timm xcit": Case(_timm("xcit_nano_12_p16_224", img_size=64), (3, 64, 64), {"blocks.0": (TOKENS, 128),
        "blocks.0.local_mp.act": (CHW, 128), "blocks.0.attn.attn_drop": (WEIGHTS, None)}, needs="timm"),
    "timm pvt": Case(_timm("pvt_v2_b0"), (3, 64, 96), {"stages.0": (CHW, 32), "stages.0.blocks.0": (TOKENS, 32),
        "stages.0.blocks.0.mlp.dwconv": (CHW, 256)}, needs="timm"),
    "timm maxvit": Case(_timm("maxvit_tiny_tf_224", img_size=64), (3, 64, 64), {
        "stages.0.blocks.0": (CHW, 64), "stages.0.blocks.0.attn_block": (HWC, 64),
        "stages.0.blocks.0.attn_grid.mlp.act": (HWC, 256)}, needs="timm"),
    "timm convnext": Case(_timm("convnext_atto"), (3, 64, 96), {"stages.0.blocks.0.conv_dw": (CHW, 40),
        "stages.0.blocks.0": (CHW, 40)}, needs="timm"),
    "timm mambaout": Case(_timm("mambaout_femto"), (3, 64, 96), {"stages.0.blocks.0": (HWC, 48),
        "stages.0.blocks.0.conv": (CHW, 48)}, needs="timm"),
    "timm sequencer": Case(_timm("sequencer2d_s", layers=(1, 1, 1, 1), img_size=(56, 84)),
        (3, 56, 84), {"stages.0.blocks.0": (HWC, 192),
        "stages.0.blocks.0.rnn_tokens": (HWC, 192)}, needs="timm"),
    "timm eca": Case(_timm("eca_resnext26ts"), (3, 64, 96), {"stages.0.0": (CHW, 256),
        "stages.0.0.attn": (CHW, 64)}, needs="timm"),
    "timm levit": Case(_timm("levit_128s"), (3, 224, 224), {"stem": (CHW, 128),
        "stages.0.blocks.0.attn": (TOKENS, 128)}, needs="timm"),
    # transformers
    "wav2vec2": Case(_hf("Wav2Vec2", **_EARS), (1600,), _EAR_LAYERS, rate=16_000, needs="transformers"),
    "hubert": Case(_hf("Hubert", **_EARS), (1600,), _EAR_LAYERS, rate=16_000, needs="transformers"),
    "hf convnext": Case(_hf("ConvNext", depths=[1, 1], hidden_sizes=[10, 14], num_stages=2), (3, 64, 96), {
        "net.encoder.stages.1.layers.0.pwconv1": (HWC, 56), "net.encoder.stages.1.layers.0": (CHW, 14)},
        needs="transformers"),
    "hf segformer": Case(_hf("Segformer", hidden_sizes=[8, 12], depths=[1, 1], num_encoder_blocks=2,
        num_attention_heads=[1, 2], patch_sizes=[7, 3], strides=[4, 2], sr_ratios=[8, 4], mlp_ratios=[2, 2]),
        (3, 64, 96), {"net.stages.0.blocks.0": (TOKENS, 8), "output": (CHW, 12)}, needs="transformers"),
    "hf dinov2": Case(_hf("Dinov2", image_size=28, patch_size=14, **_HF), (3, 28, 42), {"net.embeddings": (TOKENS, 20),
        "net.layernorm": (TOKENS, 20)}, needs="transformers"),
    "hf videomae": Case(_hf("VideoMAE", image_size=32, patch_size=16, num_frames=4, **_HF), (4, 3, 32, 32), {
        "net.embeddings": (TOKENS, 20), "output": (TOKENS, 20)}, needs="transformers"),
    "hf audio spectrogram": Case(_hf("AST", max_length=64, num_mel_bins=32, **_HF), (64, 32), {
        "net.embeddings": (TOKENS, 20), "net.layernorm": (TOKENS, 20)}, needs="transformers"),
    # written by hand
    "spectrogram of its own": Case(StftNet, (1600,), {"spectrum": (SOUND, 33), "bands": (SOUND, 20),
        "conv": (("channel", "frequency", "time"), 6), "head": (FLAT, 3)}, rate=16_000),
    "samples": Case(SoundNet, (1, 1600), {"features.0": (SOUND, 8), "features.2": (SOUND, 8),
        "features.3": (SOUND, 8), "features": (SOUND, 12), "flat": (FLAT, 1164), "features.0:in": (SOUND, 1)}),
    "recurrent": Case(lambda: Recurrent(True), (9, 12), {"lstm": (FRAMES, 20), "drop": (FRAMES, 20), "gru": (FRAMES, 8),
        "lstm:in": (FRAMES, 12), "lstm[1][0]": (("layer", "channel"), 10)}),
    "recurrent, time first": Case(lambda: Recurrent(False), (9, 12), {"lstm": (FRAMES, 20), "drop": (FRAMES, 20),
        "gru": (FRAMES, 8), "lstm:in": (FRAMES, 12)}),
    "frame by frame": Case(FrameByFrame, (5, 3, 16, 20), {"conv": (("frame", *CHW), 8), "act": (("frame", *CHW), 8),
        "time": (("channel", "frame"), 6)}),
    "sequence first": Case(SequenceFirst, (7, 16), {"encoder": (TOKENS, 16), "encoder.layers.0.linear1": (TOKENS, 32),
        "encoder.layers.0.self_attn:weights": (WEIGHTS, None)}),
    "shuffled": Case(Shuffled, (3, 12, 20), {"down": (CHW, 12), "shuffle": (CHW, 18), "gate": (FLAT, 18),
        "up": (CHW, 2)}),
    "patches": Case(Patches, (3, 8, 12), {"mix": (TOKENS, 32), "cut": (("channel", "token"), 48), "put": (CHW, 2)}),
}  # fmt: skip
