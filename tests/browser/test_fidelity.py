"""What reaches the screen is what the files hold, for as long as it should."""

import contextlib
import io
import json
import sqlite3

import numpy as np
import pytest
from PIL import Image
from tests.browser.built_folders import draw_checkerboard

pytestmark = pytest.mark.browser


def count_intact(person, expected, density):
    """How many pictures on the screen are the expected pixels, one pixel of the screen for one of the file."""
    person.page.mouse.move(0, 0)
    values = np.asarray(Image.open(io.BytesIO(person.page.screenshot())).convert("L"))
    height, width = expected.shape
    found = []
    for picture in person.page.locator("img.picture").all():
        box = picture.bounding_box()
        left, top = round(box["x"] * density), round(box["y"] * density)
        found.append(np.array_equal(values[top : top + height, left : left + width], expected))
    assert all(found)
    return len(found)


def serve_checks(lab, kind, side, size="pixels"):
    """An experiment whose every picture is a checkerboard."""
    changes = {"practice.n_without": 0, "practice.n_with_feedback": 0, "size": size}
    return lab.serve(kind, 1, changes, draw=lambda k: draw_checkerboard(side))


@pytest.mark.parametrize("density", [1, 2])
@pytest.mark.parametrize(("kind", "n"), [("similarity", 2), ("2afc", 20)])
def test_checkerboard_arrives_intact(lab, kind, n, density):
    person = lab.invite(serve_checks(lab, kind, 64), device_scale_factor=density)
    person.go_to_trial()
    assert count_intact(person, draw_checkerboard(64), density) == n


@pytest.mark.parametrize("size", ["fit", "points", "64px"])
def test_pictures_are_as_large_on_dense_screens_and_sharp(lab, size):
    """Of double density: each pixel of a picture is two by two of the screen's, not blurred."""
    person = lab.invite(serve_checks(lab, "similarity", 64, size), device_scale_factor=2)
    person.go_to_trial()
    assert person.page.locator("img.picture").first.bounding_box()["width"] == 64
    assert count_intact(person, np.kron(draw_checkerboard(64), np.ones((2, 2), np.uint8)), 2) == 2


@pytest.mark.parametrize(
    "density",
    [1.5, *(pytest.param(density, marks=pytest.mark.slow) for density in (1, 1.25, 1.75, 2, 3))],
)
def test_checkerboard_of_odd_size_arrives_intact_on_such_a_screen(chromium_lab, start_chromium, density):
    """Chromium as on a screen of this density, an odd size that centring would put between two pixels."""
    flags = [f"--force-device-scale-factor={density}", "--window-size=1281,821"]
    with contextlib.closing(start_chromium(*flags)) as browser:
        context = browser.new_context(no_viewport=True)
        person = chromium_lab.invite(serve_checks(chromium_lab, "similarity", 65), context=context)
        person.go_to_trial()
        assert person.page.evaluate("devicePixelRatio") == density
        assert count_intact(person, draw_checkerboard(65), density) == 2


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
            assert frames[f"{name}_frames"] <= frames[f"{name}_ms"] / interval + 2
        assert frames["scale"] == 1
        assert details["window"]["dpr"] == 1
        assert (details["window"]["width"], details["window"]["height"]) == (1280, 720)


def test_sounds_note_the_rate_of_the_device(lab):
    url = lab.serve("words", 1, {"practice.n_with_feedback": 0, "level_calibration": False})
    person = lab.invite(url)
    assert person.take_part() == "done"
    (details,) = read_details(lab)
    assert details["audio"]["sample_rate"] == person.page.evaluate("new AudioContext().sampleRate")
    assert details["frames"]["sound_ms"] == pytest.approx(200, abs=0.1)  # some browsers resample to two samples less


def test_size_in_degrees_follows_the_card(lab):
    changes = {"size": "4deg", "calibration": "card", "viewing_distance_cm": 50.0, "practice.n_without": 0}
    url = lab.serve("similarity", 1, changes)
    person = lab.invite(url)
    person.go_to("card")
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
    power = np.abs(np.fft.fft2(picture - picture.mean())) ** 2
    cycles = np.hypot(*np.meshgrid(*[np.fft.fftfreq(128) * 128] * 2)).round()
    rings = np.arange(3, 50)
    mean = [power[cycles == ring].mean() for ring in rings]
    assert np.polyfit(np.log(rings), np.log(mean), 1)[0] == pytest.approx(-2, abs=0.1)


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


@pytest.mark.slow
def test_published_choice_task_has_its_times(lab):
    """Buttons after 1500 ms; a black frame at once; right or wrong after 350 ms; on after another 1150 ms."""
    published = {"disabled_ms": 1500, "feedback_delay_ms": 350, "feedback_ms": 1150, "practice.n_with_feedback": 0}
    person = lab.invite(lab.serve("2afc", 1, published))
    person.go_to("trial")
    times = person.page.evaluate(
        """async () => {
            const times = {};
            const seen = (name, selector) => {
                if (!(name in times) && document.querySelector(selector)) times[name] = performance.now();
            };
            const start = performance.now();
            while (!("next" in times) && performance.now() - start < 9000) {
                await new Promise(requestAnimationFrame);
                seen("open", "[data-answer]:not([disabled])");
                if ("open" in times && !("click" in times)) {
                    times.click = performance.now();
                    document.querySelector("[data-answer]").click();
                    seen("black", ".candidate.chosen");
                }
                seen("black", ".candidate.chosen");
                seen("verdict", ".candidate.right, .candidate.wrong");
                seen("next", "[data-action=next]");
            }
            times.start = start;
            return times;
        }"""
    )
    assert 1300 < times["open"] - times["start"] < 1700
    assert times["black"] - times["click"] < 100
    assert 330 < times["verdict"] - times["click"] < 550
    assert 1120 < times["next"] - times["verdict"] < 1400
    person.click_next()
    assert person.take_part() == "done"
    (details,) = read_details(lab)
    assert details["frames"]["interval_ms"] > 4
