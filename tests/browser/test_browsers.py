"""Every kind of experiment whole, in every browser, and the export holds what was clicked."""

import base64
import csv

import numpy as np
import pytest
from PIL import Image
from tests.browser.built_folders import FAST, build_folder
from tests.browser.conftest import open_lab
from tests.browser.firefox import open_firefox
from tests.browser.participant import ENABLED, Participant

from beholder.experiments import import_collected, read_experiment, write_static_pages
from beholder.responses import export_responses, read_responses

pytestmark = pytest.mark.browser

_SEE = """([selector, index]) => {
    const middle = (element) => {
        const {x, y, width, height} = element.getBoundingClientRect();
        return [x + width / 2, y + height / 2];
    };
    const button = document.querySelectorAll(selector)[index];
    const [x, y] = middle(button);
    const distance = (picture) => Math.hypot(middle(picture)[0] - x, middle(picture)[1] - y);
    const [nearest] = [...document.querySelectorAll("img.picture")].sort((a, b) => distance(a) - distance(b));
    if (!nearest) return {text: button.innerText, pixels: null};
    const {naturalWidth: width, naturalHeight: height} = nearest;
    const pen = Object.assign(document.createElement("canvas"), {width, height}).getContext("2d");
    pen.drawImage(nearest, 0, 0);
    const grey = pen.getImageData(0, 0, width, height).data.filter((value, k) => k % 4 === 0);
    return {text: button.innerText, pixels: btoa(String.fromCharCode(...grey))};
}"""
"""The text of a button and the pixels of the picture next to it, as they are seen."""


BY_KEYS = {
    "2afc": 4,
    "counterfactual": 5,
    "recognition": "dog",
    "same_different": 1,
    "odd_one_out": 1,
    "similarity": "5",
}
"""The button that the keys of :meth:`Participant.answer_by_keyboard` stand for: its place, or its text."""


class Onlooker(Participant):
    """Notes what is answered; with the mouse another button each time."""

    def __init__(self, context, url):
        self.seen = {}
        super().__init__(context, url)

    def answer(self, position=0):
        if self.page.locator("[role=combobox]").count():
            self.seen[self.trial] = {"text": "water", "pixels": None}
        else:
            position = len(self.seen) % self.page.locator(ENABLED).count()
            self.seen[self.trial] = self.page.evaluate(_SEE, [ENABLED, position])
        super().answer(position)

    def answer_by_keyboard(self):
        kind = self.page.evaluate("document.body.dataset.kind")
        if kind == "words":
            self.seen[self.trial] = {"text": "water", "pixels": None}
        else:
            place = BY_KEYS[kind]
            if isinstance(place, str):
                texts = self.page.locator(ENABLED).all_inner_texts()
                place = [text.strip() for text in texts].index(place)
            self.seen[self.trial] = self.page.evaluate(_SEE, [ENABLED, place])
        super().answer_by_keyboard()


def name_picture(folder, pixels):
    """The file of a trial that holds these pixels."""
    for path in sorted(folder.rglob("*.png")):
        if np.asarray(Image.open(path).convert("L")).tobytes() == pixels:
            return path.stem
    raise AssertionError(f"no picture of {folder} was shown there")


def check_export(lab, person, kind):
    """Each row of the export is what was answered in the trial of its number."""
    export_responses(lab.database, lab.folder / "export")
    with open(lab.folder / "export" / "responses.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    (built,) = lab.folder.glob("*/built")
    main = list(person.seen.values())[-len(rows) :]
    for row, seen in zip(rows, main, strict=True):
        text = seen["text"].split()[-1].lstrip("←→")
        if kind in ("2afc", "counterfactual", "odd_one_out"):
            folder = built / "task_1" / "trials" / f"trial_{row['n']}"
            name = name_picture(folder, base64.b64decode(seen["pixels"]))
            assert row["choice"] == (f"query_{name}" if kind == "2afc" else name)
            assert row["confidence"] == (text if kind != "odd_one_out" else "")
        else:
            assert row["choice"] == (text.lower() if kind == "same_different" else text)


def check_whole_experiment(lab, kind, keyboard):
    person = lab.invite(lab.serve(kind), person=Onlooker)
    assert person.take_part(keyboard=keyboard) == "done"
    assert {"consent", "instructions", "trial", "end"} <= set(person.screens)
    state = person.read_state()
    assert (state["step"], state["n_done"]) == ("done", 2)
    check_export(lab, person, kind)


BY_DEFAULT = {("2afc", False): [pytest.mark.everywhere], ("recognition", True): []}
WHOLE = [
    pytest.param(kind, keyboard, marks=BY_DEFAULT.get((kind, keyboard), [pytest.mark.slow]))
    for kind in FAST
    for keyboard in (False, True)
]


@pytest.mark.parametrize(("kind", "keyboard"), WHOLE)
def test_whole_experiment(lab, kind, keyboard):
    check_whole_experiment(lab, kind, keyboard)


@pytest.mark.slow
@pytest.mark.parametrize("kind", FAST)
def test_page_without_a_server(lab, kind):
    built = build_folder(lab.folder / "static" / "built", kind, 2)
    (page,) = write_static_pages(read_experiment(built))
    person = lab.invite(page.as_uri(), person=Onlooker)
    assert person.take_part() == "done"
    with person.page.expect_download() as download:
        person.page.click("a.main")
    download.value.save_as(lab.folder / "answers.json")
    lab.database = lab.folder / "answers.db"
    taken = import_collected(read_experiment(built), [lab.folder / "answers.json"], lab.database)
    assert taken.n_new == 1
    check_export(lab, person, kind)


@pytest.mark.slow
def test_reload_and_a_server_that_is_gone_for_a_while(lab):
    """In the middle of a trial; the answer is kept until it can be sent."""
    person = lab.invite(lab.serve("odd_one_out", 3, {"practice.n_without": 0}), person=Onlooker)
    person.go_to_trial()
    first = person.trial
    person.page.reload()
    person.wait_for("main-intro")
    person.click_next()
    person.wait_for_answers()
    assert person.trial == first
    lab.server.close()
    person.answer()
    notice = person.page.locator("#notice")
    notice.wait_for(state="visible")
    assert "Nothing is lost" in notice.inner_text()
    assert person.trial == first
    lab.serve_again()
    person.wait_for_another_trial(first)
    assert notice.is_hidden()
    assert person.read_state()["n_done"] == 1
    person.page.reload()
    person.wait_for("resume")
    assert person.take_part() == "done"
    check_export(lab, person, "odd_one_out")
    person.complaints.clear()  # that the connection was gone


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["2afc", "recognition"])
def test_zoomed_page(other_lab, kind):
    """Everything is in reach and clicked where it is seen; what is known of the zoom is noted."""
    person = other_lab.invite(other_lab.serve(kind), person=Onlooker)
    zooms = {"firefox": 1.5, "webkit": 1.2**2}
    zoom = zooms[other_lab.name]
    person.wait_for("consent")
    person.page.set_zoom(zoom)
    assert person.page.evaluate("innerWidth") == pytest.approx(1280 / zoom, abs=1)

    def visit(person, screen):
        assert person.page.evaluate("document.documentElement.scrollWidth <= innerWidth + 1"), screen

    assert person.take_part(visit=visit) == "done"
    check_export(other_lab, person, kind)
    table = read_responses(other_lab.database).trials
    assert table["device_pixel_ratio"].tolist() == pytest.approx([zoom] * 2)


@pytest.mark.slow
def test_storage_forbidden(tmp_path):
    """As ``dom.storage.enabled`` false makes it: the page's address alone knows who somebody is."""
    with open_firefox({"dom.storage.enabled": False}) as browser, open_lab(browser, tmp_path) as lab:
        person = lab.invite(lab.serve("similarity", 3, {"practice.n_without": 0}), person=Onlooker)
        person.go_to_trial()
        assert person.page.evaluate("window.localStorage") is None
        first = person.trial
        person.answer()
        person.wait_for_another_trial(first)
        second = person.trial
        person.page.reload()
        person.wait_for("resume")
        person.click_next()
        person.wait_for_answers()
        assert person.trial == second
        assert person.take_part() == "done"
        check_export(lab, person, "similarity")


@pytest.mark.slow
def test_firefox_without_a_sound_device(tmp_path):
    """Its sounds stand still: that is said, and no answer is asked for."""
    with open_firefox(sound=False) as browser, open_lab(browser, tmp_path) as lab:
        person = lab.invite(lab.serve("words", 1, {"practice.n_with_feedback": 0, "level_calibration": False}))
        person.go_to("sound")
        assert "Switch on or plug in" in person.page.inner_text("main")
        person.page.wait_for_timeout(1000)
        assert person.screen == "sound"


@pytest.mark.parametrize("other_browser", ["firefox", pytest.param("webkit", marks=pytest.mark.slow)], indirect=True)
def test_firefox_on_linux_is_not_asked_how_late_its_output_is(other_lab):
    """Asked while it fills a buffer it would stop for good, and the page with it; WebKit can be asked."""
    person = other_lab.invite(other_lab.serve("words", 1))
    person.wait_for("consent")
    script = """async () => {
        const {audioContext, describeAudio, findOnset} = await import("/static/js/audio.js");
        let asked = 0;
        const count = {get: () => (asked += 1)};
        Object.defineProperties(AudioContext.prototype, {outputLatency: count, getOutputTimestamp: count});
        try {
            findOnset(audioContext(), 0);
        } catch {} // a number is no function
        describeAudio();
        return asked;
    }"""
    asked = person.page.evaluate(script)
    assert asked == 0 if other_lab.name == "firefox" else asked > 0
