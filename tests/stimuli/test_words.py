import numpy as np
import pytest

from beholder._core.errors import InputError
from beholder.stimuli import NO_WORD, decide_word, load_words


def test_the_words_in_order():
    words = load_words()
    assert len(words) == len(set(words)) == 794
    assert (words[0], words[1], words[793]) == (NO_WORD, "ability", "young")
    assert list(words[1:]) == sorted(words[1:])


def test_the_words_are_the_published_ones(shared_data):
    assert load_words() == tuple((shared_data / "word_classes.txt").read_text().split())


def test_the_highest_output_decides():
    values = np.random.default_rng(0).standard_normal((5, 794))
    values[0, 17] = values[0, 400] = 10
    assert decide_word(values).tolist() == [load_words()[i] for i in values.argmax(axis=1)]
    assert decide_word(values)[0] == load_words()[17]


def test_other_shapes_and_nan_are_refused():
    with pytest.raises(InputError, match="794"):
        decide_word(np.zeros((2, 793)))
    with pytest.raises(InputError, match="NaN for stimulus 1"):
        decide_word(np.array([[0.0] * 794, [np.nan] * 794]))
