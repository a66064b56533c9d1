"""What reaches the screen is what the files hold, for as long as it should."""

import io
import json
import sqlite3

import numpy as np
import pytest
from built_folders import draw_checkerboard
from PIL import Image

pytestmark = pytest.mark.browser


def find_picture(shot, background=0x74):
    """Pixels of a screenshot that are not the background, as an array."""
    values = np.asarray(shot.convert("L"))
    rows, columns = (np.flatnonzero((values != background).any(axis=axis)) for axis in (1, 0))
    return values[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def shoot(person, selector):
    """A screenshot of an element, in pixels of the screen."""
    return Image.open(io.BytesIO(person.page.locator(selector).first.screenshot()))


@pytest.mark.parametrize("density", [1, 2, 1.5])
def test_checkerboard_arrives_intact(lab, density):
    size = 65
    url = lab.serve(
        "similarity", 1, {"practice.n_without": 0}, draw=lambda k: draw_checkerboard(size)
    )  # odd, so that centring would put it between two pixels
    person = lab.invite(url, viewport={"width": 1281, "height": 721}, device_scale_factor=density)
    person.go_to_trial()
    person.page.mouse.move(0, 0)
    for k in range(2):
        box = person.page.locator("img.picture").nth(k).bounding_box()
        whole = Image.open(io.BytesIO(person.page.screenshot()))
        left, top = (round(box[name] * density) for name in ("x", "y"))
        seen = np.asarray(whole.convert("L").crop((left, top, left + size, top + size)))
        assert np.array_equal(seen, draw_checkerboard(size))


def test_checkerboard_of_choice_task_arrives_intact_at_double_density(lab):
    size = 96
    url = lab.serve("2afc", 1, {"practice.n_with_feedback": 0}, draw=lambda k: draw_checkerboard(size))
    person = lab.invite(url, device_scale_factor=2)
    person.go_to_trial()
    values = np.asarray(Image.open(io.BytesIO(person.page.screenshot())).convert("L"))
    for picture in person.page.locator("img.picture").all():
        box = picture.bounding_box()
        left, top = round(box["x"] * 2), round(box["y"] * 2)
        assert np.array_equal(values[top : top + size, left : left + size], draw_checkerboard(size))


def read_details(lab):
    """What the page noted with each answer to a main trial."""
    with sqlite3.connect(lab.database) as database:
        rows = database.execute("SELECT details FROM answers").fetchall()
    return [json.loads(row[0]) for row in rows]


def test_times_are_counted_in_frames(lab):
    changes = {"fixation_ms": 100, "stimulus_ms": 200, "mask_ms": 100, "practice.n_with_feedback": 0}
    url = lab.serve("recognition", 2, {**changes, "practice.n_without": 0})
    person = lab.invite(url)
    assert person.take_part() == "done"
    for details in read_details(lab):
        frames = details["frames"]
        interval = frames["interval_ms"]
        assert 4 < interval < 60
        for name, wanted in (("fixation", 100), ("stimulus", 200), ("mask", 100)):
            late = interval * (0.6 + frames["dropped"])
            assert abs(frames[f"{name}_ms"] - wanted) <= late
            assert frames[f"{name}_frames"] <= frames[f"{name}_ms"] / interval + 1
        assert frames["scale"] == 1
        assert details["window"]["dpr"] == 1
        assert (details["window"]["width"], details["window"]["height"]) == (1280, 720)


def test_sounds_note_the_rate_of_the_device(lab):
    url = lab.serve("words", 1, {"practice.n_with_feedback": 0, "level_calibration": False})
    person = lab.invite(url)
    assert person.take_part() == "done"
    (details,) = read_details(lab)
    assert details["audio"]["sample_rate"] == person.page.evaluate("new AudioContext().sampleRate")
    assert details["frames"]["sound_ms"] == 200


def test_size_in_degrees_follows_the_card(lab):
    changes = {"size_degrees": 4.0, "calibration": "card", "viewing_distance_cm": 50.0, "practice.n_without": 0}
    url = lab.serve("similarity", 1, changes)
    person = lab.invite(url)
    while person.screen != "card":
        person.wait_for("consent", "instructions", "card")
        if person.screen != "card":
            person.click_next()
        person.page.wait_for_timeout(30)
    person.page.locator("#card-width").fill("400")
    person.click_next()
    person.go_to_trial()
    width = person.page.locator("img.picture").first.bounding_box()["width"]
    assert width == pytest.approx(2 * 500 * np.tan(np.deg2rad(2)) * 400 / 85.6, abs=0.1)
    assert person.read_state()["checks"]["calibration"]["px_per_mm"] == pytest.approx(400 / 85.6)


def test_noise_is_one_over_f_and_the_same_for_the_same_seed(lab):
    person = lab.invite(lab.serve("similarity", 1))
    script = """async (seed) => {
        const {makeNoise} = await import("/static/js/noise.js");
        return [...makeNoise(128, seed, 0.15)];
    }"""
    one, again, other = (np.array(person.page.evaluate(script, seed), float) for seed in (3, 3, 4))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    picture = one.reshape(128, 128)
    assert picture.mean() == pytest.approx(127.5, abs=0.5)
    assert picture.std() == pytest.approx(127.5 * 0.15, rel=0.02)
    amplitude = np.abs(np.fft.fft2(picture - picture.mean()))
    frequency = np.hypot(*np.meshgrid(*[np.fft.fftfreq(128)] * 2))
    chosen = (frequency > 2 / 128) & (frequency < 0.25)
    slope = np.polyfit(np.log(frequency[chosen]), np.log(amplitude[chosen]), 1)[0]
    assert slope == pytest.approx(-1, abs=0.03)


def test_tones_differ_as_the_headphone_check_needs(lab):
    person = lab.invite(lab.serve("words", 1))
    script = """async () => {
        const {makeTones} = await import("/static/js/audio.js");
        const buffer = makeTones(1, 2);
        return [buffer.sampleRate, [...buffer.getChannelData(0)], [...buffer.getChannelData(1)]];
    }"""
    rate, left, right = person.page.evaluate(script)
    left, right = np.array(left), np.array(right)
    n, step = round(rate), round(1.5 * rate)
    tones = [(left[k * step : k * step + n], right[k * step : k * step + n]) for k in range(3)]
    levels = [np.sqrt((tone**2).mean()) for tone, _ in tones]
    assert 20 * np.log10(levels[1] / levels[0]) == pytest.approx(-6, abs=0.01)
    assert levels[2] == pytest.approx(levels[0], rel=1e-3)
    assert [bool(np.allclose(a, b)) for a, b in tones] == [True, True, False]
    assert np.allclose(tones[2][0], -tones[2][1])
    middle = tones[0][0][n // 4 : 3 * n // 4]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert np.fft.rfftfreq(len(middle), 1 / rate)[spectrum.argmax()] == pytest.approx(200, abs=3)
    assert np.allclose(left[n:step], 0)
