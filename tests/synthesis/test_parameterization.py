"""Parameterisations against numpy and against the numbers that lucid's own produces."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from beholder import InputError
from beholder.synthesis import (
    Canvas,
    Fourier,
    PhaseOnly,
    Pixels,
    Raw,
    Waveform,
    compute_spectrum,
    draw_uniform,
    make_color_matrix,
)

RGB = Canvas((3, 32, 24), (0.0, 1.0))


def test_color_matrix() -> None:
    expected = [[0.5628, 0.1948, 0.0433], [0.5845, 0, -0.1082], [0.5845, -0.1948, 0.0649]]
    np.testing.assert_allclose(make_color_matrix().numpy(), expected, atol=5e-5)


def test_fourier_start_has_the_published_spread() -> None:
    canvas = Canvas((3, 224, 224), (0.0, 1.0))
    plain, maker = Fourier(decorrelate=False), Fourier()
    before_color = torch.logit(plain.to_images(plain.start(canvas, 3)[None], canvas))
    assert float(before_color.std()) == pytest.approx(0.020, abs=0.002)
    image = maker.to_images(maker.start(canvas, 3)[None], canvas)
    assert float(image.std()) == pytest.approx(0.003, abs=0.0003)
    assert float(image.mean()) == pytest.approx(0.5, abs=0.003)


def test_fourier_against_numpy() -> None:
    maker = Fourier(sd=1.0)
    params = maker.start(RGB, 5)
    _, height, width = RGB.shape
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    scale = 1 / np.maximum(frequency, 1 / height)
    z = params.numpy()[..., 0] + 1j * params.numpy()[..., 1]
    values = np.fft.irfft2(z * scale, s=(height, width), norm="ortho") / 4
    values = np.einsum("ij,jhw->ihw", make_color_matrix().numpy(), values)
    expected = 1 / (1 + np.exp(-values))
    np.testing.assert_allclose(maker.to_images(params[None], RGB)[0].numpy(), expected, atol=2e-6)


@pytest.mark.parametrize("maker", [Fourier(), Pixels(), Pixels(decorrelate=False), Raw()])
@pytest.mark.parametrize("canvas", [RGB, Canvas((1, 9, 7), (-2.0, 3.0)), Canvas((3, 8, 9), None)])
def test_encode_inverts(maker: Fourier | Pixels | Raw, canvas: Canvas) -> None:
    low, high = canvas.value_range or (-1.0, 1.0)
    images = low + (high - low) * (
        0.05 + 0.9 * torch.rand(2, *canvas.shape, generator=torch.Generator().manual_seed(1))
    )
    again = maker.to_images(maker.encode(images, canvas), canvas)
    assert float((again - images).abs().max()) < 1e-4


def test_phase_only_keeps_the_spectrum() -> None:
    spectrum = np.random.default_rng(0).random((32, 13)).astype(np.float32) + 0.1
    maker = PhaseOnly(spectrum, decorrelate=False)
    canvas = Canvas((3, 32, 24), None)
    image = maker.to_images(maker.start(canvas, 1)[None] * 3 + 1, canvas)[0].numpy()
    inner = np.s_[:, 1:16, 1:12]  # bins that are their own mirror image lose their imaginary part
    ratio = np.abs(np.fft.rfft2(image))[inner] / spectrum[1:16, 1:12]
    np.testing.assert_allclose(ratio, ratio.mean(), rtol=1e-4)
    assert float(image.mean()) == pytest.approx(0, abs=1e-5)
    assert float(image.std()) == pytest.approx(1, abs=1e-4)


def test_spectrum_of_a_stimulus_set() -> None:
    images = np.random.default_rng(0).random((4, 3, 8, 10)).astype(np.float32)
    expected = np.abs(np.fft.rfft2(images)).mean(0)
    np.testing.assert_allclose(compute_spectrum(iter(images), decorrelate=False), expected, rtol=1e-4)
    canvas = Canvas((3, 16, 16), (0.0, 1.0))
    maker = PhaseOnly(compute_spectrum(images))
    assert maker.to_images(maker.start(canvas, 0)[None], canvas).shape == (1, 3, 16, 16)
    with pytest.raises(InputError, match="one size"):
        compute_spectrum([images[0], images[0, :, :4]])


def test_waveform_starts_near_silence() -> None:
    sound = Waveform().start(Canvas((4000,), (-1.0, 1.0)), 2)
    assert float(sound.std()) == pytest.approx(1e-7, rel=0.1)


def test_fourier_refuses_sounds() -> None:
    with pytest.raises(InputError, match="pictures"):
        Fourier().start(Canvas((4000,), None), 0)


def test_draws_are_uniform_and_independent() -> None:
    draws = draw_uniform(np.arange(2000), 3, 1, 4)
    assert stats.kstest(draws.ravel(), "uniform").pvalue > 1e-3
    by_step = np.stack([draw_uniform([7], step, 0, 1)[0, 0] for step in range(3000)])
    assert stats.kstest(by_step, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(by_step[1:], by_step[:-1])[0, 1]) < 0.06
    assert abs(np.corrcoef(draws.T) - np.eye(4)).max() < 0.1
    assert draw_uniform([5], 3, 1, 2)[0, 0] != draw_uniform([5], 1, 3, 2)[0, 0]
