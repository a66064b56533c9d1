"""Firefox and WebKit: every kind of experiment whole, and the export holds what was clicked."""

import base64
import csv

import numpy as np
import pytest
from PIL import Image
from tests.browser.built_folders import FAST
from tests.browser.participant import ENABLED, Participant

from beholder.responses import export_responses

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
    for row, seen in zip(rows, list(person.seen.values())[-2:], strict=True):
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


@pytest.mark.parametrize("keyboard", [False, True])
@pytest.mark.parametrize(
    "kind", [kind if kind == "2afc" else pytest.param(kind, marks=pytest.mark.slow) for kind in FAST]
)
def test_whole_experiment(other_lab, kind, keyboard):
    check_whole_experiment(other_lab, kind, keyboard)
