"""How large pictures are shown, and what is known of the screen that shows them."""

import contextlib
import json
import math
import sqlite3

import numpy as np
import pytest
from tests.browser.built_folders import FAST, draw_picture
from tests.browser.conftest import skip_in

from beholder.experiments import make_settings
from beholder.experiments.build._picture_sizes import find_room

pytestmark = pytest.mark.browser

NONE = {"practice.n_without": 0, "practice.n_with_feedback": 0, "practice.n_obvious": 0, "practice.n_required": 0,
        "break_fractions": [], "comment": False}  # fmt: skip
PICTURES = [kind for kind in FAST if kind != "words"]
BOXES = """() => [...document.querySelectorAll("img.picture")].map((each) => {
    const {left, top, width, height} = each.getBoundingClientRect();
    return [left, top, width, height];
})"""


def draw_mixed(k):
    """Pictures of 224 × 224, 224 × 150 and 112 × 112 pixels by turns."""
    picture = draw_picture(k, 224 if k % 3 else 112)
    return np.ascontiguousarray(picture[:150]) if k % 3 == 1 else picture


def read_boxes(person):
    """Left, top, width and height of every picture, in CSS pixels."""
    return np.array(person.page.evaluate(BOXES))


def find_overlaps(boxes):
    """Pairs of boxes that have more than an edge in common."""
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    inside = np.minimum(high[:, None], high[None]) - np.maximum(low[:, None], low[None]) > 0.01
    both = inside.all(-1) & ~np.eye(len(boxes), dtype=bool)
    return np.argwhere(np.triu(both))


def read_details(lab):
    """What the page noted with each answer to a main trial."""
    with sqlite3.connect(lab.database) as database:
        return [json.loads(row[0]) for row in database.execute("SELECT details FROM answers")]


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("kind", "n"),
    [
        ("2afc", 20),
        ("odd_one_out", 3),
        *(
            pytest.param(*each, marks=SLOW)
            for each in (("counterfactual", 12), ("similarity", 2), ("same_different", 2))
        ),
    ],
)
@pytest.mark.parametrize(
    ("width", "height", "density"),
    [
        (1280, 720, 1),
        (390, 844, 1),
        *(pytest.param(*each, marks=SLOW) for each in ((1280, 720, 2), (853, 480, 1.5), (800, 600, 1))),
    ],
)
def test_pictures_of_a_trial_are_equally_large_apart_and_within_the_window(lab, kind, n, width, height, density):
    """By default, whatever the files have: one longer side, nothing cut off, nothing to scroll.

    A window of 1280 × 720 has 853 × 480 CSS pixels at a zoom of 150 %.
    """
    if density == 1.5:
        skip_in(lab.browser, "webkit", why="the density of its window is a whole number")
    changes = {**NONE, "stimulus_ms": 0, "min_width": 0, "min_height": 0}
    url = lab.serve(kind, 1, changes, draw=draw_mixed)
    person = lab.invite(url, viewport={"width": width, "height": height}, device_scale_factor=density)
    person.go_to_trial()
    boxes = read_boxes(person)
    assert len(boxes) == n
    longer = boxes[:, 2:].max(1)
    assert np.ptp(longer) < 0.01 and (longer >= 48).all() and (longer <= 224).all()
    assert len(find_overlaps(boxes)) == 0
    assert (boxes[:, :2] >= 8).all() and (boxes[:, 0] + boxes[:, 2] <= width - 8).all()
    assert (boxes[:, 1] + boxes[:, 3] <= height - 8).all()
    page = person.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
    assert page == [width, height]
    for button in person.page.locator("[data-answer]").all():
        box = button.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width and box["y"] + box["height"] <= height
    assert person.take_part() == "done"
    (details,) = read_details(lab)
    noted = details["frames"]
    assert max(noted["picture_width"], noted["picture_height"]) == pytest.approx(longer[0], abs=0.02)
    assert noted["picture_pixels"] == pytest.approx(longer[0] * density, abs=0.02)
    assert noted["picture_least"] == pytest.approx(longer[0], abs=0.02)
    assert details["window"]["dpr"] == density


def test_a_choice_is_as_large_on_dense_screens_as_on_plain_ones(lab):
    url = lab.serve("2afc", 1, NONE, draw=lambda k: draw_picture(k, 224))
    widths = []
    for density in (1, 2):
        person = lab.invite(url, device_scale_factor=density)
        person.go_to_trial()
        widths.append(read_boxes(person)[:, 2].max())
    assert widths[0] == widths[1] >= 160


@pytest.mark.parametrize(
    ("size", "sides"),
    [
        ("pixels", (56, 112)),
        ("5deg", None),
        *(
            pytest.param(*each, marks=SLOW)
            for each in (("300px", (300,) * 2), ("points", (112, 224)), ("fit", (224,) * 2))
        ),
    ],
)
def test_size_is_what_the_study_asks_for(lab, size, sides):
    """Two pictures, of 112 and of 224 pixels, on a screen of double density."""
    changes = {**NONE, "size": size, "calibration": "card" if size == "5deg" else "none"}
    url = lab.serve("similarity", 1, changes, draw=lambda k: draw_picture(k, 112 * (1 + k % 2)))
    person = lab.invite(url, device_scale_factor=2)
    if sides is None:
        person.go_to("card")
        person.page.locator("#card-width").fill("428")
        person.click_next()
        sides = (2 * 600 * math.tan(math.radians(2.5)) * 5,) * 2
    person.go_to_trial()
    shown = sorted(read_boxes(person)[:, 2])
    assert shown == pytest.approx(sides, abs=0.02)
    assert person.take_part() == "done"
    (details,) = read_details(lab)
    noted = {name: value for name, value in details["frames"].items() if name.startswith("picture_")}
    assert noted["picture_width"] == noted["picture_height"] == pytest.approx(sides[1], abs=0.02)
    assert noted["picture_least"] == pytest.approx(sides[0], abs=0.02)
    assert noted["picture_pixels"] == pytest.approx(2 * sides[1], abs=0.02)
    assert noted.get("picture_degrees") == (pytest.approx(5, abs=1e-3) if size == "5deg" else None)
    assert details["window"]["device_px_per_mm"] == (pytest.approx(10) if size == "5deg" else None)


def test_what_has_no_room_is_made_smaller_by_one_factor(lab):
    """Of 500 and 1000 points in a window 1280 wide; a half of the size is noted."""
    url = lab.serve("similarity", 1, {**NONE, "size": "points"}, draw=lambda k: draw_picture(k, 500 * (1 + k % 2)))
    person = lab.invite(url)
    person.go_to_trial()
    small, large = sorted(read_boxes(person)[:, 2])
    assert large == pytest.approx(2 * small) and large < 600
    person.take_part()
    assert read_details(lab)[0]["frames"]["picture_share"] == pytest.approx(large / 1000, abs=1e-4)


def test_pictures_follow_the_window(lab):
    person = lab.invite(lab.serve("2afc", 1, NONE, draw=lambda k: draw_picture(k, 224)))
    person.go_to_trial()
    before = read_boxes(person)[:, 2].max()
    person.page.set_viewport_size({"width": 900, "height": 620})
    person.wait_until("document.documentElement.scrollHeight <= 620")
    assert 48 < read_boxes(person)[:, 2].max() < before


SEEN = [
    # engine, zoom and scale as set; what was read in Chromium 156, Firefox 153 and WebKitGTK 2.50; what follows
    ("chromium", 1.0, 1, {"ratio": 1, "innerWidth": 1281, "outerWidth": 1281, "screen": 800}, 1.0, 1, 1281),
    ("chromium", 1.5, 1, {"ratio": 1.5, "innerWidth": 854, "outerWidth": 1281, "screen": 800}, 1.5, 1.5, 1281),
    ("chromium", 0.8, 1, {"ratio": 0.8, "innerWidth": 1601, "outerWidth": 1281, "screen": 800}, 0.8, 0.8, 1281),
    ("chromium", 1.1, 1.5, {"ratio": 1.65, "innerWidth": 1165, "outerWidth": 1282, "screen": 534}, 1.1, 1.65, 1282),
    ("chromium", 1.5, 2, {"ratio": 3, "innerWidth": 854, "outerWidth": 1281, "screen": 400}, 1.5, 3, 1281),
    ("chromium", 1.0, 2, {"ratio": 2, "innerWidth": 1281, "outerWidth": 1297, "screen": 400}, 1.0, 2, 1281),
    # a bar at the side of a plain screen is no zoom
    ("chromium", 1.0, 1, {"ratio": 1, "innerWidth": 1000, "outerWidth": 1500, "screen": 1920}, 1.0, 1, 1000),
    ("webkit", 1.2, 1, {"ratio": 1, "innerWidth": 853, "outerWidth": 1024, "screen": 1600}, 1.2, 1.2, 1024),
    ("webkit", 1.728, 1, {"ratio": 1, "innerWidth": 592, "outerWidth": 1024, "screen": 1600}, 1.728, 1.728, 1024),
    ("webkit", 1.5, 2, {"ratio": 2, "innerWidth": 854, "outerWidth": 1281, "screen": 1440}, 1.5, 3, 1281),
    ("gecko", 1.0, 1, {"ratio": 1, "innerWidth": 1366, "outerWidth": 1366, "screen": 1366}, None, 1, 1366),
    ("gecko", 1.5, 1, {"ratio": 1.5, "innerWidth": 911, "outerWidth": 911, "screen": 911}, None, 1.5, 1366),
    ("gecko", 1.5, 2, {"ratio": 3, "innerWidth": 455, "outerWidth": 455, "screen": 455}, None, 3, 1365),
    ("gecko", 0.5, 1, {"ratio": 0.5, "innerWidth": 2732, "outerWidth": 2732, "screen": 2732}, None, 0.5, 1366),
    # a laptop of double density, 1440 points wide, unzoomed: no more than twice as large, rather less
    ("gecko", 1.0, 2, {"ratio": 2, "innerWidth": 700, "outerWidth": 700, "screen": 1440}, None, 2, 1244),
    ("gecko", 1.0, 1, {"ratio": 1, "innerWidth": 900, "outerWidth": 900, "screen": 3840}, None, 1, 900),
]


def test_zoom_density_and_window_follow_from_what_each_browser_tells(lab):
    person = lab.invite(lab.serve("similarity", 1, NONE))
    script = """async (facts) => {
        const {readZoom, readDensity, readPoints} = await import("/static/js/display.js");
        return [readZoom(facts), readDensity(facts), readPoints(facts).width];
    }"""
    for engine, zoom, scale, seen, read, density, width in SEEN:
        screen = {"width": seen["screen"], "height": 600, "availLeft": 0, "availTop": 0}
        facts = {**seen, "engine": engine, "framed": False, "innerHeight": 500, "screen": screen}
        found = person.page.evaluate(script, facts)
        assert found[0] == (None if read is None else pytest.approx(read)), (engine, zoom, scale)
        assert found[1] == pytest.approx(density, abs=1e-3), (engine, zoom, scale)
        assert found[2] == pytest.approx(width, rel=0.01), (engine, zoom, scale)
        assert person.page.evaluate(script, {**facts, "framed": True})[0] is None


def test_zoom_meets_no_wall_and_a_small_window_does(chromium_lab, start_chromium, tmp_path):
    """Chromium's own zoom of 150 % in a window that is large enough, and in one that is not."""
    url = chromium_lab.serve("2afc", 1, {**NONE, "min_width": 940, "min_height": 600})
    for size, screen in (("1280,807", "trial"), ("900,807", "window")):
        profile = tmp_path / f"profile_{screen}"
        (profile / "Default").mkdir(parents=True)
        level = {"partition": {"default_zoom_level": {"x": math.log(1.5) / math.log(1.2)}}}
        (profile / "Default" / "Preferences").write_text(json.dumps(level), encoding="utf-8")
        with contextlib.closing(start_chromium(f"--window-size={size}", profile=profile)) as context:
            person = chromium_lab.invite(url, context=context)
            person.go_to("trial", "window")
            assert person.page.evaluate("devicePixelRatio") == 1.5
            assert person.screen == screen


def test_the_card_is_kept_over_a_zoom_and_asked_for_on_another_screen(chromium_lab):
    """400 CSS pixels of a card on a plain screen are 600 pixels at 150 %; another screen has to be measured anew."""
    changes = {**NONE, "size": "5deg", "calibration": "card", "viewing_distance_cm": 50.0, "min_width": 0}
    url = chromium_lab.serve("similarity", 3, changes)
    person = chromium_lab.invite(url, screen={"width": 1920, "height": 1080})
    person.go_to("card")
    person.page.locator("#card-width").fill("400")
    person.click_next()
    person.go_to_trial()
    width = read_boxes(person)[0, 2]
    assert width == pytest.approx(2 * 500 * math.tan(math.radians(2.5)) * 400 / 85.6, abs=0.02)
    device = person.page.context.new_cdp_session(person.page)
    metrics = {"width": 853, "height": 480, "deviceScaleFactor": 1.5, "mobile": False}
    # zoomed to 150 %: the screen's own figures stay
    device.send("Emulation.setDeviceMetricsOverride", {**metrics, "screenWidth": 1280, "screenHeight": 720})
    person.page.evaluate("Object.defineProperty(window, 'outerWidth', {configurable: true, get: () => 1280})")
    person.page.evaluate("Object.defineProperty(window.screen, 'width', {configurable: true, get: () => 1920})")
    person.page.evaluate("Object.defineProperty(window.screen, 'height', {configurable: true, get: () => 1080})")
    person.answer()
    person.wait_for_answers()
    person.wait_until("(width) => Math.abs(document.querySelector('.picture').width - width) < 2", width / 1.5)
    assert read_boxes(person)[0, 2] == pytest.approx(width / 1.5, abs=0.02)
    person.page.evaluate("Object.defineProperty(window.screen, 'width', {configurable: true, get: () => 2560})")
    person.answer()
    person.wait_for("card")
    assert "another screen" in person.page.inner_text("main")
    person.page.locator("#card-width").fill("300")
    person.click_next()
    person.wait_for_answers()
    assert read_boxes(person)[0, 2] == pytest.approx(2 * 500 * math.tan(math.radians(2.5)) * 300 / 85.6, abs=0.02)
    assert person.take_part() == "done"
    noted = [details["window"]["device_px_per_mm"] for details in read_details(chromium_lab)]
    assert noted == pytest.approx([400 / 85.6, 400 / 85.6, 450 / 85.6], abs=1e-3)


def test_the_list_of_words_is_as_tall_as_its_words_and_moves_nothing(lab):
    """Also in a low window, where what does not fit is scrolled to within the list."""
    words = ["water", "watch", "wanted", *(f"was{letter}" for letter in "abcdefghijk"), "young"]
    url = lab.serve("words", 1, {**NONE, "choices": words, "level_calibration": False, "min_height": 0})
    person = lab.invite(url, viewport={"width": 853, "height": 480})
    person.go_to_trial()
    page = person.page
    shown = page.locator("[role=listbox]")
    assert not shown.is_visible()
    before = page.locator("#word-hint").bounding_box()
    for typed, n in (("wat", 2), ("wanted", 1), ("wa", 12), ("xyz", 0)):
        page.locator("[role=combobox]").fill(typed)
        assert page.locator("[role=option]").count() == n
        assert page.locator("#word-hint").bounding_box() == before
        if n == 0:
            assert not shown.is_visible()
            continue
        box, row = shown.bounding_box(), page.locator("[role=option]").first.bounding_box()
        assert box["y"] + box["height"] <= 480
        assert box["height"] == pytest.approx(n * row["height"] + 2, abs=1) or n == 12
    page.locator("[role=combobox]").fill("wa")
    page.keyboard.press("ArrowUp")  # the last one
    last, box = page.locator("[role=option]").last.bounding_box(), shown.bounding_box()
    assert last["y"] + last["height"] <= box["y"] + box["height"] + 1
    assert page.evaluate("document.documentElement.scrollHeight") == 480
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    assert person.take_part() == "done"


def test_symbols_fit_a_low_window_and_a_picture_that_stays_leaves_them_room(lab):
    """1280 × 720 at 150 %: sixteen symbols after a brief picture, and below one that stays."""
    for timed in (100, 0):
        changes = {**NONE, "stimulus_ms": timed, "min_height": 0, "min_width": 0}
        url = lab.serve("recognition", 1, changes, draw=lambda k: draw_picture(k, 224))
        density = 1 if lab.name == "webkit" else 1.5  # of WebKit's window a whole number
        person = lab.invite(url, viewport={"width": 853, "height": 480}, device_scale_factor=density)
        person.go_to_trial()
        assert person.page.evaluate("document.documentElement.scrollHeight") == 480
        icons = np.array(person.page.locator(".icon").evaluate_all(
            "(all) => all.map((each) => { const r = each.getBoundingClientRect();"
            " return [r.left, r.top, r.width, r.height]; })"))  # fmt: skip
        assert len(icons) == 16 and (icons[:, 1] + icons[:, 3] <= 480).all()
        everything = icons if timed else np.vstack([icons, read_boxes(person)])
        assert len(find_overlaps(everything)) == 0
        if not timed:
            assert read_boxes(person)[0, 2] >= 100
        assert person.take_part() == "done"


@pytest.mark.slow
def test_practice_and_main_trials_show_pictures_alike(lab):
    """The running score of the main trials takes no room from them, in a narrow window either."""
    url = lab.serve("2afc", 1, {"min_width": 0, "min_height": 0}, draw=lambda k: draw_picture(k, 224))
    person = lab.invite(url, viewport={"width": 853, "height": 480})
    sides = {}

    def visit(person, screen):
        if screen == "trial":
            sides.setdefault(person.page.inner_text("#heading").split()[0], read_boxes(person)[:, 2].max())

    assert person.take_part(visit=visit) == "done"
    assert sides["Practice,"] == sides["Trial"]


@pytest.mark.parametrize("kind", [pytest.param(each, marks=() if each == "2afc" else SLOW) for each in PICTURES])
def test_the_plan_knows_about_how_much_room_there_is(lab, kind):
    changes = {**NONE, "stimulus_ms": 0, "min_width": 0, "min_height": 0}
    person = lab.invite(lab.serve(kind, 1, changes, draw=lambda k: draw_picture(k, 1500)))
    person.go_to_trial()
    settings = make_settings(kind=kind, changes={**FAST[kind], **changes})
    for width, height in ((1280, 720), (940, 600), (1920, 1080), (900, 700)):
        person.page.set_viewport_size({"width": width, "height": height})
        person.page.wait_for_timeout(150)
        assert find_room(settings, width, height) == pytest.approx(read_boxes(person)[:, 2].max(), rel=0.04), width


@pytest.mark.slow
def test_zoom_in_firefox_and_webkit(other_lab):
    """Their own zoom: no wall, the size that was asked for, pixels of the screen kept."""
    changes = {**NONE, "min_width": 940, "min_height": 600, "size": "5deg", "calibration": "card"}
    person = other_lab.invite(other_lab.serve("similarity", 3, changes))
    person.go_to("card")
    person.page.locator("#card-width").fill("342.4")
    person.click_next()
    person.go_to_trial()
    density = person.page.evaluate("devicePixelRatio")
    width = 2 * 600 * math.tan(math.radians(2.5)) * 4
    assert read_boxes(person)[0, 2] == pytest.approx(width, abs=0.1)
    zoom = {"firefox": 1.5, "webkit": 1.2**2}[other_lab.name]
    person.page.set_zoom(zoom)
    person.answer()
    person.wait_for_answers()
    assert person.screen == "trial"
    person.wait_until(
        "(width) => Math.abs(document.querySelector('.picture').getBoundingClientRect().width - width) < 0.2",
        width / zoom,
    )
    assert person.take_part() == "done"
    noted = [details["window"] for details in read_details(other_lab)]
    assert [each["dpr"] / density for each in noted] == pytest.approx([zoom] * 3, rel=0.01)
    assert [each["device_px_per_mm"] for each in noted] == pytest.approx([4 * density] * 3, rel=0.01)
    known = other_lab.name == "webkit"
    assert [each["zoom"] for each in noted] == ([pytest.approx(zoom)] * 3 if known else [None] * 3)


@pytest.mark.slow
def test_a_window_that_is_too_small_is_so_at_any_zoom_in_firefox_and_webkit(other_lab):
    person = other_lab.invite(other_lab.serve("similarity", 1, {**NONE, "min_width": 1400}))
    person.go_to("window")
    zoom = {"firefox": 1.5, "webkit": 1.2**2}[other_lab.name]
    for factor in (1, zoom):
        person.page.set_zoom(factor)
        person.page.wait_for_timeout(500)
        assert person.screen == "window"
        now = person.page.inner_text(".cover").partition("Yours has ")[2].partition(" ")[0]
        assert int(now) == pytest.approx(1280, abs=3)
