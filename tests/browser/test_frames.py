"""Times of presentations: what was asked for, what was shown, what was missed, told by the times of the frames."""

import contextlib

import pytest
from tests.browser.conftest import Lab

from beholder.responses import read_responses

pytestmark = pytest.mark.browser

PLAY = """async ([times, stages, rehearsal]) => {
    const kept = [window.requestAnimationFrame, performance.now];
    let k = 0;
    window.requestAnimationFrame = (call) => Promise.resolve().then(() => call(times[k++]));
    try {
        const frames = await import(new URL("static/js/frames.js", document.baseURI));
        if (rehearsal) await frames.measureFrames();
        const shown = [];
        const made = stages.map(([name, ms]) => ({ name, ms, show: () => shown.push([name, times[k - 1]]) }));
        const { onsets, log } = await frames.playStages(made);
        return { onsets, log, shown };
    } finally {
        [window.requestAnimationFrame, performance.now] = kept;
    }
}"""
STAGES = [["fixation", 100], ["stimulus", 50], ["mask", 100], ["answer", None]]


@pytest.fixture(scope="module")
def page(chromium, tmp_path_factory):
    """A page whose frames come at the times that a test says."""
    with contextlib.ExitStack() as stack:
        lab = Lab(chromium, tmp_path_factory.mktemp("frames"), stack)
        yield lab.invite(lab.serve("similarity", 1)).page


def make_frames(*gaps, n=13, interval=1000 / 60, digits=None):
    """Times of frames: those of the rehearsal, then after these gaps in intervals, then steadily on."""
    steps = [interval] * n + [interval * gap for gap in gaps] + [interval] * 60
    times, now = [], 5000.0
    for step in steps:
        times.append(now if digits is None else round(now, digits))
        now += step
    return times


def play(page, times, stages=STAGES, rehearsal=True):
    return page.evaluate(PLAY, [times, stages, rehearsal])


def test_whole_frames_that_come_nearest(page):
    log = play(page, make_frames())["log"]
    assert [log[f"{name}_frames"] for name in ("fixation", "stimulus", "mask")] == [6, 3, 6]
    assert [log[f"{name}_asked"] for name in ("fixation", "stimulus", "mask")] == [6, 3, 6]
    assert log["stimulus_ms"] == pytest.approx(50, abs=0.02)
    assert (log["dropped"], log["interval_ms"]) == (0, 16.67)
    assert log["interval_sd_ms"] < 0.01


@pytest.mark.parametrize(("where", "frames"), [(1, 3), (2, 4)])
def test_a_missed_frame_is_counted_where_it_was_missed(page, where, frames):
    """In the middle the stimulus is there all the same; at its end it stays one refresh too long."""
    gaps = [1] * (6 + where) + [2]
    log = play(page, make_frames(*gaps))["log"]
    assert (log["stimulus_asked"], log["stimulus_frames"], log["stimulus_missed"]) == (3, frames, 1)
    assert log["stimulus_ms"] == pytest.approx(frames * 1000 / 60, abs=0.02)
    assert (log["dropped"], log["mask_frames"], log["mask_missed"]) == (1, 6, 0)


def test_times_rounded_to_milliseconds_do_not_move_the_interval(page):
    log = play(page, make_frames(digits=0))["log"]
    assert log["interval_ms"] == pytest.approx(1000 / 60, abs=0.1)
    assert (log["stimulus_frames"], log["mask_frames"]) == (3, 6)
    assert 0.2 < log["interval_sd_ms"] < 0.6


@pytest.mark.parametrize(
    ("gaps", "interval"),
    [([16.7] * 8 + [33.4] * 4, 16.7), ([16, 17, 17] * 6, 50 / 3), ([8.3] * 20 + [900], 8.3),
     ([0] * 9 + [100], None), ([16.7] * 3, None), ([], None)],
)  # fmt: skip
def test_the_interval_is_the_mean_of_single_frames(page, gaps, interval):
    script = """async (gaps) => {
        const {estimateInterval} = await import(new URL("static/js/frames.js", document.baseURI));
        return estimateInterval(gaps);
    }"""
    found = page.evaluate(script, gaps)
    assert found == (interval if interval is None else pytest.approx(interval))


def test_short_stimuli_last_one_frame_at_least(page):
    log = play(page, make_frames(), [["stimulus", 4], ["answer", None]])["log"]
    assert (log["stimulus_asked"], log["stimulus_frames"]) == (1, 1)


def test_another_screen_has_another_interval(page):
    """The window was moved to a screen of 144 Hz after the frames were measured."""
    play(page, make_frames())
    for _ in range(6):
        play(page, make_frames(), rehearsal=False)
    fast = make_frames(interval=1000 / 144)
    log = play(page, fast, rehearsal=False)["log"]
    assert log["interval_ms"] == pytest.approx(1000 / 144, abs=0.01)
    assert log["stimulus_ms"] == pytest.approx(50, abs=1000 / 120)
    assert log["stimulus_frames"] == round(log["stimulus_ms"] / (1000 / 144))
    log = play(page, fast, rehearsal=False)["log"]
    assert log["stimulus_ms"] == pytest.approx(50, abs=1000 / 288)
    assert (log["stimulus_asked"], log["stimulus_frames"], log["dropped"]) == (7, 7, 0)


def test_a_clock_too_coarse_says_so_and_frames_are_counted(page):
    """A browser that resists fingerprinting tells the time in steps of 100 ms."""
    times = [time // 100 * 100 for time in make_frames()]
    made = play(page, times)
    log = made["log"]
    assert (log["interval_ms"], log["dropped"]) == (None, None)
    assert "stimulus_missed" not in log
    assert [log[f"{name}_frames"] for name in ("fixation", "stimulus", "mask")] == [6, 3, 6]


def test_stages_are_shown_in_the_frames_that_bound_them(page):
    made = play(page, make_frames())
    assert [name for name, _ in made["shown"]] == ["fixation", "stimulus", "mask", "answer"]
    assert dict(made["shown"]) == made["onsets"]


@pytest.mark.parametrize(
    ("kind", "names"), [("recognition", ["stimulus"]), ("same_different", ["first", "second"])]
)  # fmt: skip
def test_each_trial_carries_its_own_figures(lab, kind, names):
    changes = {"fixation_ms": 100, "stimulus_ms": 150, "practice.n_with_feedback": 0, "practice.n_without": 0}
    person = lab.invite(lab.serve(kind, 2, changes))
    assert person.take_part() == "done"
    for row in read_responses(lab.database).trials.to_dict("records"):
        interval = row["frame_interval_ms"]
        assert 4 < interval < 60
        assert row["frame_interval_sd_ms"] >= 0
        assert 0 < row["clock_step_ms"] <= 1.1
        assert row["asked_stimulus_ms"] == 150
        assert row["asked_stimulus_frames"] == max(1, round(150 / interval))
        for name in names:
            assert row[f"{name}_frames"] == pytest.approx(row[f"shown_{name}_ms"] / interval, abs=0.5)
            assert row[f"{name}_frames"] <= row["asked_stimulus_frames"] + 1 + row["missed_stimulus_frames"]
        assert row["dropped_frames"] >= row["missed_stimulus_frames"] >= 0
