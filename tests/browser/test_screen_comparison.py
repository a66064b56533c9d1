"""What counts as another screen, and what does not."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw
from tests.browser import screens


def draw_page(*, ground="white", ink="black", shift=0, breadth=1.0, picture=True):
    """Lines of words beside a picture, 1280 × 900."""
    page = Image.new("RGB", (1280, 900), ground)
    draw = ImageDraw.Draw(page)
    random = np.random.default_rng(0)
    for line in range(30):
        x = 40.0
        while x < 700:
            width = int(random.integers(10, 80)) * breadth
            draw.rectangle((x + shift, 40 + 28 * line, x + shift + width, 48 + 28 * line), fill=ink)
            x += width + 8
    if picture:
        draw.rectangle((800 + shift, 100, 1200 + shift, 400), fill="steelblue")
    return screens.shrink(page)


@pytest.mark.parametrize("change", [{"shift": 6}, {"breadth": 1.04}, {"ink": "#222222"}])
def test_letters_of_another_browser_are_the_same_screen(change):
    assert screens.measure_difference(draw_page(), draw_page(**change)) <= screens.SHARE


@pytest.mark.parametrize(
    "change", [{"picture": False}, {"ground": "black", "ink": "white"}, {"shift": 120}, {"ink": "white"}]
)
def test_a_picture_that_is_gone_and_dark_words_on_dark_ground_are_another_screen(change):
    assert screens.measure_difference(draw_page(), draw_page(**change)) > 2 * screens.SHARE


def test_another_size_is_another_screen():
    assert screens.measure_difference(draw_page(), draw_page().crop((0, 0, 300, 225))) == 1


def test_a_golden_picture_is_written_and_held(tmp_path, monkeypatch):
    monkeypatch.setattr(screens, "FOLDER", tmp_path / "golden")
    page = io.BytesIO()
    Image.new("RGB", (320, 200), "teal").save(page, "PNG")
    with pytest.raises(AssertionError, match="no golden picture"):
        screens.check_screen("page", page.getvalue(), tmp_path)
    monkeypatch.setenv(screens.RENEW, "1")
    screens.check_screen("page", page.getvalue(), tmp_path)
    monkeypatch.delenv(screens.RENEW)
    screens.check_screen("page", page.getvalue(), tmp_path)
    other = io.BytesIO()
    Image.new("RGB", (320, 200), "red").save(other, "PNG")
    with pytest.raises(AssertionError, match=r"100\.0% of the screen"):
        screens.check_screen("page", other.getvalue(), tmp_path)
    assert (tmp_path / "page.png").read_bytes() == other.getvalue()
