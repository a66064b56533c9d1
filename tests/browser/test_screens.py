"""Every kind of page as it looks: wide and narrow, light, dark and on paper."""

from __future__ import annotations

import pytest
from tests.browser.built_folders import draw_picture
from tests.browser.page_folders import write_results
from tests.browser.screens import LOOKS, SIZES, check_screen, take_picture

from beholder.report import write_report

pytestmark = pytest.mark.browser
EVERY_FORMAT = True


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """A page with a section of every kind that people look at."""
    return write_report(write_results(tmp_path_factory.mktemp("results")))


def list_looks(name, fast):
    """Screens of one page; those that are not among the ``fast`` ones are slow."""
    for size, scheme in LOOKS:
        marks = () if (size, scheme) in fast else (pytest.mark.slow,)
        yield pytest.param(name, size, scheme, marks=marks, id=f"{name}-{size}-{scheme}")


@pytest.mark.parametrize(
    ("section", "size", "scheme"),
    [
        *list_looks("top", [("1280", "light"), ("390", "dark")]),
        *list_looks("units", [("1280", "dark")]),
        *list_looks("metamers", [("1280", "print")]),
        *list_looks("sounds", []),
        *list_looks("figure", []),
    ],
)
def test_a_report(chromium, report, tmp_path, section, size, scheme):
    look = {"color_scheme": "dark" if scheme == "dark" else "light", "reduced_motion": "reduce"}
    page = chromium.new_page(viewport=SIZES[size], **look)
    try:
        if scheme == "print":
            page.emulate_media(media="print")
        page.goto(report.as_uri())
        if section != "top":
            page.evaluate(SHOW, SECTIONS[section])
        check_screen(f"report-{section}-{size}-{scheme}", take_picture(page), tmp_path)
    finally:
        page.close()


SECTIONS = {"units": "single units", "metamers": "shapes@v1", "sounds": "syllables@v1", "figure": "alike"}
"""Words of their headings."""
SHOW = """async (words) => {
    const heading = [...document.querySelectorAll("h2")].find((each) => each.textContent.includes(words));
    for (let n = 0; n < 5; n++) {
        heading.scrollIntoView();
        await new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)));
    }
}"""

NO_PRACTICE = {"practice.n_with_feedback": 0, "practice.n_without": 0}
QUICK = {"practice.n_with_feedback": 1, "practice.n_without": 0, "min_width": 0, "min_height": 0}


@pytest.mark.parametrize("size", ["1280", pytest.param("390", marks=pytest.mark.slow)])
def test_an_experiment(chromium_lab, tmp_path, size):
    """From consent to end; on dark systems it looks the same."""
    lab = chromium_lab
    url = lab.serve("recognition", 1, QUICK | {"feedback_ms": 3000}, draw=lambda k: draw_picture(3, 224))
    person = lab.invite(url, viewport=SIZES[size], color_scheme="dark" if size == "1280" else "light")
    for screen in ("consent", "instructions"):
        person.go_to(screen)
        check_screen(f"experiment-{screen}-{size}", take_picture(person.page), tmp_path)
    person.go_to_trial()
    check_screen(f"experiment-trial-{size}", take_picture(person.page), tmp_path)
    person.page.locator("[data-answer]", has_text="dog").click()
    person.wait_for("feedback")
    check_screen(f"experiment-feedback-{size}", take_picture(person.page), tmp_path)
    person.go_to("end")
    check_screen(f"experiment-end-{size}", take_picture(person.page), tmp_path)


def test_two_alternatives(chromium_lab, tmp_path):
    """Where they have room; a telephone is told that it is too small."""
    url = chromium_lab.serve("2afc", 1, NO_PRACTICE, draw=lambda k: draw_picture(3, 224))
    person = chromium_lab.invite(url, viewport=SIZES["1280"])
    person.go_to_trial()
    check_screen("experiment-2afc-1280", take_picture(person.page), tmp_path)
    person = chromium_lab.invite(url, viewport=SIZES["390"])
    person.wait_until("Boolean(document.getElementById('heading')?.textContent)")
    check_screen("experiment-small-390", take_picture(person.page), tmp_path)
