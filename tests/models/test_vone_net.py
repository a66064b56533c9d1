"""VOneAlexNet: filters against a formula written again, cells against plain arithmetic, noise, the checkpoint."""

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate
from scipy.stats import spearmanr

from beholder._core.errors import InputError
from beholder.models import load_model
from beholder.models.nets._vone import (
    CorticalNoise,
    VOneBlock,
    build_vone_alexnet,
    draw_gabor_parameters,
    make_gabor_kernels,
)

from .test_metamer_nets import add_biases, assert_loaded, make_constants, wrap_published


@pytest.fixture(scope="module")
def block() -> VOneBlock:
    return VOneBlock(noise="none").eval()


def gabor(frequency, sigma_x, sigma_y, theta, offset, half):
    """The real part of a Gaussian times a plane wave, by complex numbers and a rotation matrix."""
    rotation = np.array([[np.cos(theta), np.sin(theta)], [-np.sin(theta), np.cos(theta)]])
    kernel = np.empty((2 * half + 1, 2 * half + 1))
    for row in range(-half, half + 1):
        for column in range(-half, half + 1):
            u, v = rotation @ (row, column)
            wave = np.exp(1j * (2 * np.pi * frequency * u + offset))
            kernel[row + half, column + half] = (wave * np.exp(-((u / sigma_x) ** 2) / 2 - (v / sigma_y) ** 2 / 2)).real
    return kernel / (2 * np.pi * sigma_x * sigma_y)


def test_gabor_kernels():
    rng = np.random.default_rng(0)
    n = 5
    frequency, sigma_x, sigma_y = rng.uniform(0.02, 0.2, n), rng.uniform(1, 6, n), rng.uniform(1, 6, n)
    theta, phase = rng.uniform(0, np.pi, n), rng.uniform(0, 2 * np.pi, n)
    kernels = make_gabor_kernels(frequency, sigma_x, sigma_y, theta, phase, 25)
    for i in range(n):
        expected = gabor(frequency[i], sigma_x[i], sigma_y[i], theta[i], phase[i], 12)
        np.testing.assert_allclose(kernels[i], expected, atol=1e-14)


def test_parameters_follow_the_measured_distributions():
    drawn = draw_gabor_parameters(40_000, seed=3)
    share = np.histogram((drawn.orientation + 22.5) % 180, [0, 45, 90, 135, 180])[0] / 40_000
    np.testing.assert_allclose(share, np.array([66, 49, 77, 54]) / 246, atol=0.01)
    share = np.histogram(drawn.frequency, [0.5, 0.7, 1, 1.4, 2, 2.8, 4, 5.6])[0] / 40_000
    np.testing.assert_allclose(share, np.array([4, 4, 8, 25, 32, 26, 28]) / 127, atol=0.01)
    assert drawn.frequency.max() <= 5.6 and drawn.frequency.min() >= 0.5
    assert np.all(drawn.cycles_across <= 10**-0.04 + 1e-9)  # the histogram's widest row is empty
    edges = np.logspace(-1, 0.2, 6)
    middle = (drawn.cycles_across > edges[2]) & (drawn.cycles_across <= edges[3])
    share = np.histogram(drawn.cycles_along[middle], edges)[0] / middle.sum()
    np.testing.assert_allclose(share, np.array([1, 2, 19, 17, 3]) / 42, atol=0.01)
    rank = spearmanr(drawn.frequency, drawn.cycles_across).statistic
    assert rank == pytest.approx(6 / np.pi * np.arcsin(0.75 / 2), abs=0.01)
    assert abs(spearmanr(drawn.phase, drawn.orientation).statistic) < 0.02


def test_the_same_seed_draws_the_same_cells():
    first, again, other = draw_gabor_parameters(64), draw_gabor_parameters(64), draw_gabor_parameters(64, seed=1)
    assert np.array_equal(first.frequency, again.frequency) and not np.array_equal(first.frequency, other.frequency)
    # the first numbers of the generator of seed 0 are phases
    np.testing.assert_allclose(first.phase[:2] / 360, [0.5488135, 0.71518937], atol=1e-7)


def test_simple_and_complex_cells(block):
    torch.manual_seed(0)
    x = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        responses = block(x)[0].numpy()
    assert responses.shape == (512, 56, 56)
    picture = x[0].numpy().astype(float)
    for cell in (0, 100, 256, 511):
        pair = []
        for bank in (block.simple_conv_q0, block.simple_conv_q1):
            filters = bank.weight[cell].numpy().astype(float)
            (colour,) = np.flatnonzero(np.abs(filters).sum((1, 2)))
            whole = correlate(picture[colour], filters[colour], mode="constant")
            pair.append(whole[::4, ::4])
        even, odd = pair
        expected = np.maximum(even, 0) if cell < 256 else np.sqrt((even**2 + odd**2 + 1e-5) / 2)
        np.testing.assert_allclose(responses[cell], 25 * expected, atol=2e-3 * np.abs(expected).max() + 1e-4)


def test_the_two_filters_of_a_cell_are_a_quarter_cycle_apart(block):
    even, odd = (bank.weight.sum(1).flatten(1) for bank in (block.simple_conv_q0, block.simple_conv_q1))
    assert torch.count_nonzero(block.simple_conv_q0.weight.flatten(2).abs().sum(2), 1).eq(1).all()
    likeness = torch.nn.functional.cosine_similarity(even, odd)
    assert likeness.abs().median() < 0.1


def test_frozen_noise_is_the_same_for_every_picture_and_pass():
    noise = CorticalNoise((3, 40, 40), "gaussian", sd=4.0, seed=0)
    x = torch.ones(2, 3, 40, 40)
    added = noise(x) - x
    assert torch.equal(added[0], added[1]) and torch.equal(noise(x) - x, added)
    assert added.std() == pytest.approx(4, rel=0.05) and abs(float(added.mean())) < 0.2
    noise.freeze(1)
    assert not torch.equal(noise(x) - x, added)
    noise.freeze(None)
    assert not torch.equal(noise(x), noise(x))
    assert torch.equal(x, torch.ones_like(x))
    assert not list(noise.state_dict())


def test_neuronal_noise_grows_with_the_response():
    noise = CorticalNoise((1, 100, 100), "neuronal", seed=0)
    for level in (1.0, 25.0):
        x = torch.full((1, 1, 100, 100), level)
        variance = float((noise(x) - x).var())
        assert variance == pytest.approx((level * 0.35 + 0.07 + 1e-4) / 0.35**2, rel=0.05)
    assert torch.equal(CorticalNoise((1, 100, 100), "none")(x), x)
    with pytest.raises(InputError, match="gaussian, neuronal"):
        CorticalNoise((1, 1, 1), "loud")


def test_checkpoint(tmp_path):
    shapes = {
        "bottleneck.weight": (64, 512, 1, 1),
        **add_biases(
            {
                "model.features.0.weight": (192, 64, 5, 5),
                "model.features.3.weight": (384, 192, 3, 3),
                "model.features.5.weight": (256, 384, 3, 3),
                "model.features.7.weight": (256, 256, 3, 3),
                "model.classifier.1.weight": (4096, 12544),
                "model.classifier.4.weight": (4096, 4096),
                "model.classifier.6.weight": (1000, 4096),
            }
        ),
        "vone_block.simple_conv_q0.weight": (512, 3, 25, 25),
        "vone_block.simple_conv_q1.weight": (512, 3, 25, 25),
    }
    state = make_constants(shapes)
    torch.save({"model": wrap_published(state)}, tmp_path / "gvonealexnet_std4.pt")
    model = load_model("vonealexnet_gaussian_noise_std4_fixed", model_path=tmp_path, device="cpu")
    assert_loaded(model.module, state)
    assert set(model.module.state_dict()) == set(state)


def test_two_processes_build_the_same_front_end():
    with torch.device("meta"):
        assert build_vone_alexnet()(torch.zeros(2, 3, 224, 224)).shape == (2, 1000)
    first, second = VOneBlock(), VOneBlock()
    assert torch.equal(first.simple_conv_q1.weight, second.simple_conv_q1.weight)
    assert torch.equal(first.noise.get_buffer("frozen"), second.noise.get_buffer("frozen"))
