"""When sounds are heard: scheduled by the audio clock, told on the clock of the page."""

import contextlib
import itertools

import pytest
from tests.browser.conftest import Lab

from beholder.responses import read_responses

pytestmark = pytest.mark.browser

NONE = {"practice.n_without": 0, "practice.n_with_feedback": 0, "practice.n_obvious": 0, "level_calibration": False}
NOTE_STARTS = """
    const {start} = AudioBufferSourceNode.prototype;
    window.starts = [];
    AudioBufferSourceNode.prototype.start = function (when) {
        window.starts.push([when, this.buffer.duration]);
        start.call(this, when);
    };
"""
ONSET = """async ([audio, time, now]) => {
    const {findOnset} = await import(new URL("static/js/audio.js", document.baseURI));
    if (audio.stamp) audio.getOutputTimestamp = () => audio.stamp;
    return findOnset(audio, time, now);
}"""


@pytest.fixture(scope="module")
def page(chromium, tmp_path_factory):
    with contextlib.ExitStack() as stack:
        lab = Lab(chromium, tmp_path_factory.mktemp("sounds"), stack)
        yield lab.invite(lab.serve("similarity", 1)).page


@pytest.mark.parametrize(
    ("audio", "onset", "latency", "clock"),
    [
        # the output plays 9.97 at 5010 ms of the page: 10.05 is heard 80 ms later, 40 ms after its schedule
        ({"stamp": {"contextTime": 9.97, "performanceTime": 5010}, "outputLatency": 0.02}, 5090, 40, True),
        ({"outputLatency": 0.02, "baseLatency": 0.01}, 5070, 20, False),
        ({"baseLatency": 0.01}, 5060, 10, False),
        ({}, 5050, 0, False),
        # a clock that has not begun, or tells nonsense, is not believed
        ({"stamp": {"contextTime": 0, "performanceTime": 0}, "outputLatency": 0.02}, 5070, 20, False),
        ({"stamp": {"contextTime": 9.97, "performanceTime": 5}, "outputLatency": 0.02}, 5070, 20, False),
        ({"stamp": {"contextTime": 9.97, "performanceTime": 5010000}, "baseLatency": 0.01}, 5060, 10, False),
    ],
)
def test_the_onset_is_when_it_leaves_the_device(page, audio, onset, latency, clock):
    found = page.evaluate(ONSET, [{"currentTime": 10.0, **audio}, 10.05, 5000])
    assert found["ms"] == pytest.approx(onset, abs=0.01)
    assert found["latency_ms"] == pytest.approx(latency, abs=0.01)
    assert found["clock"] is clock


@pytest.mark.parametrize(
    ("kind", "gap"), [("same_different", 0.05), pytest.param("odd_one_out", 0.4, marks=pytest.mark.slow)]
)
def test_pauses_between_sounds_are_those_of_the_audio_clock(lab, kind, gap):
    changes = {**NONE, "gap_ms": 50}
    person = lab.invite(lab.serve(kind, 1, changes, sounds=True))
    person.page.add_init_script(NOTE_STARTS)
    person.page.reload()
    assert person.take_part() == "done"
    starts = person.page.evaluate("window.starts")
    assert len(starts) == (2 if kind == "same_different" else 3)
    for (begin, duration), (then, _) in itertools.pairwise(starts):
        assert then - begin - duration == pytest.approx(gap, abs=1e-9)
    (row,) = read_responses(lab.database).trials.to_dict("records")
    assert row["sound_latency_ms"] >= 0
    assert isinstance(row["sound_clock"], bool)


def test_words_tell_how_long_they_last_and_how_late_they_are(lab):
    person = lab.invite(lab.serve("words", 1, NONE))
    assert person.take_part() == "done"
    (row,) = read_responses(lab.database).trials.to_dict("records")
    assert row["sound_ms"] == pytest.approx(200, abs=0.1)
    assert row["sound_latency_ms"] >= 0 and row["rt_ms"] >= 0
