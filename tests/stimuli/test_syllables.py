import numpy as np
import pytest
import scipy.signal

from beholder._core.errors import InputError, UnknownNameError
from beholder.stimuli import SYLLABLE_CATEGORIES, SYLLABLE_RATE, draw_syllables_set, load_sound, make_syllable


def measure_spectrum(sound):
    """Power over time and frequency, in frames of 16 ms."""
    frequencies, times, power = scipy.signal.stft(sound, SYLLABLE_RATE, nperseg=256, noverlap=192)
    return frequencies, times, np.abs(power) ** 2


def find_syllable(sound):
    """First and last frame within 20 dB of the loudest."""
    _, _, power = measure_spectrum(sound)
    loud = np.flatnonzero(power.sum(axis=0) > 0.01 * power.sum(axis=0).max())
    return loud[0], loud[-1]


def test_there_are_sixteen_in_order():
    assert len(SYLLABLE_CATEGORIES) == 16
    assert list(SYLLABLE_CATEGORIES) == sorted(set(SYLLABLE_CATEGORIES))
    assert {"ba", "du", "se", "shi"} < set(SYLLABLE_CATEGORIES)


@pytest.mark.parametrize("category", SYLLABLE_CATEGORIES)
def test_a_seed_picks_a_sound(category):
    first, again, other = (make_syllable(category, seed) for seed in (3, 3, 4))
    assert first.shape == (16_000,) == (SYLLABLE_RATE,)
    assert first.dtype == np.float32
    assert np.array_equal(first, again)
    assert np.abs(first - other).max() > 0.01
    assert np.sqrt(np.mean(first.astype(np.float64) ** 2)) == pytest.approx(0.1, rel=1e-5)
    assert abs(first.mean(dtype=np.float64)) < 1e-6
    assert np.abs(first).max() < 1.5


def test_hisses_begin_high_and_stops_do_not():
    """Energy above 2.2 kHz in the first 30 ms that are loud, over many seeds."""
    share = {}
    for category in ("sa", "shu", "bi", "du"):
        found = []
        for seed in range(12):
            frequencies, _, power = measure_spectrum(make_syllable(category, seed))
            start, _ = find_syllable(make_syllable(category, seed))
            onset = power[:, start + 4 : start + 12].sum(axis=1)
            found.append(onset[frequencies > 2200].sum() / onset.sum())
        share[category] = np.median(found)
    assert min(share["sa"], share["shu"]) > 0.6
    assert max(share["bi"], share["du"]) < 0.4


def test_s_is_higher_than_sh_and_vowels_have_their_formants():
    def find_center(category, seed, low, high, late):
        sound = make_syllable(category, seed)
        frequencies, _, power = measure_spectrum(sound)
        start, end = find_syllable(sound)
        frames = slice(end - 16, end - 6) if late else slice(start + 4, start + 12)
        inside = (frequencies > low) & (frequencies < high)
        row = power[inside, frames].sum(axis=1)
        return (frequencies[inside] * row).sum() / row.sum()

    def take_median(category, *how):
        return np.median([find_center(category, seed, *how) for seed in range(10)])

    assert take_median("sa", 2000, 8000, False) > 1.3 * take_median("sha", 2000, 8000, False)
    assert take_median("bi", 700, 3500, True) > 1.3 * take_median("bu", 700, 3500, True)
    assert take_median("da", 100, 1300, True) > 1.3 * take_median("di", 100, 1300, True)


def test_where_the_syllable_lies_and_how_long_it_is_vary_in_all_categories():
    for category in ("ba", "shu"):
        spans = np.array([find_syllable(make_syllable(category, seed)) for seed in range(12)])
        assert np.ptp(spans[:, 0]) > 30
        assert np.ptp(spans[:, 1] - spans[:, 0]) > 10


def test_unknown_categories_suggest_near_ones():
    with pytest.raises(UnknownNameError, match="sha"):
        make_syllable("shaa", 0)


def test_the_set_on_disk(tmp_path):
    small = draw_syllables_set(tmp_path / "a", 1, seed=5)
    large = draw_syllables_set(tmp_path / "b", 2, seed=5)
    assert (small.kind, small.layout) == ("sound", "classes")
    assert len(small) == 16 and len(large) == 32
    assert small.labels == SYLLABLE_CATEGORIES
    assert small.targets.tolist() == list(range(16))
    assert small.ids[0] == "ba_0000"
    for i in (0, 7, 15):
        assert small.read_bytes(i) == large.read_bytes(2 * i)
    sound, rate = load_sound(small.path(3))
    assert (sound.shape, rate) == ((16_000,), 16_000)
    other = draw_syllables_set(tmp_path / "c", 1, seed=6)
    assert small.read_bytes(0) != other.read_bytes(0)
    with pytest.raises(InputError, match="at least 1 sound"):
        draw_syllables_set(tmp_path, 0)
