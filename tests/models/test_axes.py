"""What the axes of layers count, against lists written by hand and against other numbers of places and stimuli."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import beholder as bh
from beholder._core.errors import ConfigurationChanged
from beholder.activations import capture, parse_layer, probe_layers
from beholder.activations.forward._fold import find_order
from beholder.activations.forward._probe import ProbedLayer
from beholder.models import describe_layers, wrap
from beholder.models.layers._axis_names import StimulusAxis

sys.path.insert(0, str(Path(__file__).parent))

from axis_networks import CASES, Case, FrameByFrame

pytestmark = pytest.mark.filterwarnings("ignore")
_LARGER = {
    "resnet18": (3, 128, 160), "vgg11": (3, 64, 128), "densenet": (3, 96, 96), "swin": (3, 96, 96),
    "film, 3-D": (3, 8, 32, 80), "timm pvt": (3, 96, 128), "timm mambaout": (3, 96, 128), "wav2vec2": (2400,),
    "spectrogram of its own": (2400,), "recurrent": (11, 12), "recurrent, time first": (11, 12),
    "sequence first": (9, 16), "shuffled": (3, 16, 24), "frame by frame": (7, 3, 20, 24), "hf dinov2": (3, 42, 42),
}  # fmt: skip


def probe(case: Case, device: str = "meta", shape: tuple[int, ...] | None = None) -> dict[str, ProbedLayer]:
    pytest.importorskip(case.needs)
    torch.manual_seed(0)
    with torch.device(device):
        net = wrap(case.build().eval(), input_shape=shape or case.shape, sample_rate=case.rate)
        example = torch.rand(1, *(shape or case.shape))
    refs = {name: parse_layer(name) for name in case.layers}
    run = lambda x: net.forward(net.module, net.normalize(x))  # noqa: E731
    return probe_layers(net.module, refs, run, example, modality=net.modality)


def test_there_are_forty() -> None:
    assert len(CASES) >= 40


@pytest.mark.parametrize("name", CASES)
def test_axes_are_those_written_by_hand(name: str) -> None:
    case = CASES[name]
    probed = probe(case)
    assert {layer: probed[layer].axes for layer in case.layers} == {k: axes for k, (axes, _) in case.layers.items()}
    for layer, (axes, n_channels) in case.layers.items():
        if n_channels is not None:
            assert probed[layer].shape[axes.index("channel")] == n_channels


@pytest.mark.parametrize("name", _LARGER)
def test_only_places_grow_with_the_stimulus(name: str) -> None:
    small, large = probe(CASES[name]), probe(CASES[name], shape=_LARGER[name])
    for layer, one in small.items():
        grown = [axis for axis, a, b in zip(one.axes, one.shape, large[layer].shape, strict=True) if a != b]
        assert "channel" not in grown and large[layer].axes == one.axes
        assert grown or one.axes == ("channel",) or layer in ("avgpool", "lstm[1][0]"), layer


@pytest.mark.parametrize(
    "name",
    [
        "timm swin",
        pytest.param("timm mobilevit", marks=pytest.mark.slow),
        pytest.param("timm tnt", marks=pytest.mark.slow),
        "frame by frame",
        "recurrent, time first",
    ],
)
def test_rows_are_those_of_each_stimulus_alone(name: str) -> None:
    case = CASES[name]
    probed = probe(case, "cpu")
    torch.manual_seed(0)
    net = case.build().eval()
    batch = torch.rand(3, *case.shape, generator=torch.Generator().manual_seed(1))
    _, together = capture(net, batch, list(case.layers))
    folded = 0
    for i in range(3):
        _, alone = capture(net, batch[i : i + 1], list(case.layers))
        for layer, one in probed.items():
            values = one.put_batch_first(together[layer], 3)
            assert tuple(values.shape) == (3, *one.shape)
            torch.testing.assert_close(values[i], one.put_batch_first(alone[layer], 1)[0], rtol=1e-4, atol=1e-5)
            folded += not one.place.is_plain
    assert folded or name == "recurrent, time first"


class Folded(nn.Module):
    """Puts places beside the stimuli on one axis, before or after them; or mixes the stimuli."""

    def __init__(self, order: str) -> None:
        super().__init__()
        self.order, self.inner = order, nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        n, n_places, n_channels = x.shape
        if self.order == "mixed":
            return self.inner(torch.cat([x, x.flip(0)], 1).flatten(0, 1)).reshape(n, -1)
        y = x if self.order == "after" else x.transpose(0, 1)
        y = self.inner(y.reshape(n * n_places, n_channels).cumsum(1))
        return (
            y.view(n, n_places, n_channels).sum(1) if self.order == "after" else y.view(n_places, n, n_channels).sum(0)
        )


@pytest.mark.parametrize("order", ["after", "before"])
def test_extract_gives_each_stimulus_its_rows(order: str, tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((7, 4, 5)).astype(np.float32)
    net = bh.wrap(Folded(order), input_shape=(4, 5), axes={"inner": ("place", "channel")})
    for pool, expected in (("none", values.cumsum(2)), ("mean", values.cumsum(2).mean(1))):
        acts = bh.extract(net, values, ["inner"], out_path=tmp_path, pool=pool, batch_size=3)
        np.testing.assert_allclose(acts["inner"].to_numpy(), expected, rtol=1e-5)


def test_rows_that_change_with_several_stimuli_are_refused(tmp_path: Path) -> None:
    net = bh.wrap(Folded("mixed"), input_shape=(4, 5))
    with pytest.raises(bh.InputError, match="no rows of each stimulus"):
        bh.extract(net, np.random.default_rng(0).random((3, 4, 5)).astype(np.float32), ["inner"], out_path=tmp_path)


def test_order_of_rows() -> None:
    assert find_order(np.array([0, 1, 2, 0, -1, 2]), 1) == StimulusAxis(1, 2, 1)
    assert find_order(np.array([0, 0, 1, 1, 2, 2, 0, 0, 1, -1, 2, 2]), 0) == StimulusAxis(0, 2, 2)
    assert find_order(np.array([0, 0, 1, 2, 1, 2]), 0) is None
    assert find_order(np.array([0, 0, 1, 1, -2, 2]), 0) is None
    assert find_order(np.array([0, 0, -1, -1, 2, 2]), 0) is None


@pytest.mark.parametrize(
    "place", [StimulusAxis(1), StimulusAxis(0, 1, 4), StimulusAxis(1, 3, 1), StimulusAxis(0, 2, 3)]
)
def test_rows_of_a_range_of_stimuli(place: StimulusAxis) -> None:
    n = place.before * 5 * place.after
    tensor = torch.arange(n * 2).view(n, 2) if place.axis == 0 else torch.arange(n * 2).view(2, n)
    index = (slice(None),) * place.axis + (place.find_rows(slice(1, 3), n),)
    torch.testing.assert_close(
        torch.sort(tensor[index].flatten()).values, torch.sort(place.to_front(tensor, 5)[1:3].flatten()).values
    )
    with pytest.raises(bh.InputError, match="values of 4 stimuli"):
        place.to_front(tensor, 4)


class Untold(nn.Module):
    """Takes arrays, and does nothing that says what their axes are."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x * 2).flatten(1)


def test_what_cannot_be_told_is_asked_for(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((6, 4, 3)).astype(np.float32)
    net = bh.wrap(Untold(), input_shape=(4, 3))
    plain = bh.extract(net, values, ["inner"], out_path=tmp_path)["inner"]
    assert plain.feature_dims == ("axis1", "axis2")
    with pytest.raises(bh.InputError, match=r"got 'inner', axis1 4 × axis2 3; try axes inner=channel,token"):
        bh.extract(net, values, ["inner"], out_path=tmp_path, pool="mean")
    told = bh.extract(net, values, ["inner"], out_path=tmp_path, pool="mean", axes={"inner": ("time", "channel")})
    np.testing.assert_allclose(told["inner"].to_numpy(), values.mean(1) * 2, rtol=1e-6)
    with pytest.raises(ConfigurationChanged, match="the axes that 'inner'"):
        bh.extract(net, values, ["inner"], out_path=tmp_path, pool="mean", axes={"inner": ("channel", "time")})
    with pytest.raises(bh.InputError, match=r"one name for each axis of 'inner' \(4 × 3\)"):
        bh.extract(net, values, ["inner"], out_path=tmp_path, axes={"inner": ("channel",)})
    with pytest.raises(bh.InputError, match="'iner'"):
        bh.extract(net, values, ["inner"], out_path=tmp_path, axes={"iner": ("channel", "time")})
    with pytest.raises(bh.InputError, match="'iner'"):
        net.with_axes({"iner": ("channel", "time")})


def test_the_list_of_layers_shows_axes() -> None:
    infos = {layer.path: layer for layer in describe_layers(wrap(FrameByFrame(), input_shape=(5, 3, 16, 20)))}
    assert infos["conv"].axes == ("frame", "channel", "height", "width") and infos["conv"].output_shape == (
        5,
        8,
        14,
        18,
    )
    assert infos["time"].input_axes == ("channel", "frame")
