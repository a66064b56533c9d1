import numpy as np
import pytest
import scipy.signal
import soundfile
from scipy.io import wavfile

from beholder._core.errors import InputError, StimulusError
from beholder.stimuli import load_sound, resample_sound, save_sound, set_rms


@pytest.fixture
def tone():
    return (0.5 * np.sin(2 * np.pi * 440 * np.arange(4000) / 8000)).astype(np.float32)


@pytest.mark.parametrize(
    ("suffix", "subtype"), [("wav", "PCM_16"), ("wav", "FLOAT"), ("flac", "PCM_16"), ("wav", "PCM_U8")]
)
def test_sounds_are_read_as_float32_of_full_scale_one(tmp_path, tone, suffix, subtype):
    soundfile.write(tmp_path / f"x.{suffix}", tone, 8000, subtype=subtype)
    sound, rate = load_sound(tmp_path / f"x.{suffix}")
    assert rate == 8000
    assert sound.dtype == np.float32
    assert sound.shape == (4000,)
    assert np.abs(sound - tone).max() <= {"PCM_16": 1 / 32767, "FLOAT": 0, "PCM_U8": 1 / 127}[subtype]
    again, _ = load_sound((tmp_path / f"x.{suffix}").read_bytes())
    assert np.array_equal(again, sound)


def test_channels_are_averaged(tmp_path, tone):
    soundfile.write(tmp_path / "x.wav", np.stack([tone, 0.5 * tone], axis=1), 8000, subtype="FLOAT")
    assert np.allclose(load_sound(tmp_path / "x.wav")[0], 0.75 * tone, atol=1e-7)


def test_a_real_recording_is_what_scipy_reads(shared_data):
    file = sorted((shared_data / "spoken_digits").glob("*.wav"))[0]
    rate, values = wavfile.read(file)
    sound, own_rate = load_sound(file)
    assert own_rate == rate == 8000
    assert np.array_equal(sound, (values / 32768).astype(np.float32))


@pytest.mark.parametrize(("old", "new"), [(8000, 16000), (44100, 16000), (16000, 8000), (20000, 44100)])
def test_resampling_keeps_a_tone_that_fits(old, new):
    def make(rate):
        t = np.arange(rate // 2) / rate
        return np.sin(2 * np.pi * 440 * t) * np.sin(np.pi * t / 0.5) ** 2

    resampled = resample_sound(make(old), old, new)
    assert resampled.dtype == np.float32
    assert len(resampled) == new // 2
    assert np.abs(resampled - make(new)).max() < 2e-3
    assert np.abs(resampled - scipy.signal.resample(make(old), new // 2)).max() < 2e-3


def test_resampling_removes_what_does_not_fit_and_works_on_many():
    high = np.sin(2 * np.pi * 6000 * np.arange(16000) / 16000)
    assert np.abs(resample_sound(high, 16000, 8000)[100:-100]).max() < 5e-3
    both = resample_sound(np.stack([high, high]), 16000, 8000)
    assert both.shape == (2, 8000)
    assert np.array_equal(both[0], resample_sound(high, 16000, 8000))
    assert np.array_equal(resample_sound(high, 16000, 16000), high.astype(np.float32))


@pytest.mark.parametrize("rate", [0, -1, 8000.5, float("nan")])
def test_rates_are_whole_and_positive(rate):
    with pytest.raises(InputError, match="sample rate"):
        resample_sound(np.zeros(5), 8000, rate)


def test_writing_is_exact_and_the_same_bytes_again(tmp_path, tone):
    loud = tone * 3
    save_sound(tmp_path / "a.wav", loud, 16000)
    save_sound(tmp_path / "b" / "b.wav", loud, 16000)
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b" / "b.wav").read_bytes()
    sound, rate = load_sound(tmp_path / "a.wav")
    assert rate == 16000
    assert np.array_equal(sound, loud)
    assert soundfile.info(tmp_path / "a.wav").subtype == "FLOAT"
    with pytest.raises(InputError, match=r"\.wav"):
        save_sound(tmp_path / "a.mp3", loud, 16000)
    with pytest.raises(InputError, match="n_samples"):
        save_sound(tmp_path / "a.wav", loud[None], 16000)


@pytest.mark.parametrize("suffix", ["wav", "flac"])
@pytest.mark.parametrize("keep", [0.01, 0.5, 0.95])
def test_truncated_sounds_are_named(tmp_path, tone, suffix, keep):
    file = tmp_path / f"cut.{suffix}"
    soundfile.write(file, tone, 8000)
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * keep)])
    for source in (file, data[: int(len(data) * keep)]):
        with pytest.raises(StimulusError) as caught:
            load_sound(source, name="cut one")
        assert "cut one" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_files_that_are_no_sounds_are_named(tmp_path):
    (tmp_path / "x.wav").write_text("hello")
    with pytest.raises(StimulusError, match=r"x\.wav"):
        load_sound(tmp_path / "x.wav")
    with pytest.raises(StimulusError, match="no file at"):
        load_sound(tmp_path / "none.wav")
    save_sound(tmp_path / "empty.wav", np.zeros(0), 8000)
    with pytest.raises(StimulusError, match="no samples"):
        load_sound(tmp_path / "empty.wav")
    save_sound(tmp_path / "nan.wav", np.array([0, np.nan]), 8000)
    with pytest.raises(StimulusError, match="not finite"):
        load_sound(tmp_path / "nan.wav")


def test_writing_at_a_stated_rms(tmp_path, tone):
    save_sound(tmp_path / "a.wav", 3 * tone + 0.2, 8000, rms=0.05)
    sound, _ = load_sound(tmp_path / "a.wav")
    assert np.sqrt(np.mean(sound.astype(np.float64) ** 2)) == pytest.approx(0.05, rel=1e-6)
    assert abs(sound.mean(dtype=np.float64)) < 1e-7
    assert np.allclose(sound / 0.05, tone / tone.std(), atol=1e-5)
    with pytest.raises(InputError, match="RMS above 0"):
        save_sound(tmp_path / "b.wav", tone, 8000, rms=0)
    assert not (tmp_path / "b.wav").exists()


def test_rms_of_many_and_of_silence(tone):
    many = np.stack([tone, 0.01 * tone + 1, np.zeros_like(tone), np.full_like(tone, 0.3)])
    scaled = set_rms(many, 0.2)
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(np.sqrt(np.mean(scaled**2, axis=1)), [0.2, 0.2, 0, 0], atol=1e-6)
    assert np.array_equal(set_rms(many[0], 0.2), scaled[0])
    peaks = np.zeros(1000)
    peaks[::500] = 1
    assert set_rms(peaks).max() > 1
    for rms in (0, -1, float("nan"), float("inf")):
        with pytest.raises(InputError, match="RMS above 0"):
            set_rms(tone, rms)
