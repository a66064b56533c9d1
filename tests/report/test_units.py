"""The gallery of units: cards, verdicts, histograms, maps, and how it keeps within the page."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.unit_folders import write_unit, write_verdicts

from beholder._core.wording import format_number
from beholder.report import write_report
from beholder.report._embed import Budget
from beholder.report._kind_units import UnitKind
from beholder.report._section import Page
from beholder.report._unit_histogram import draw_histogram
from beholder.report._unit_overlay import find_scale, make_overlay
from beholder.report._unit_thumbnails import PLANS, Thumbnailer, plan_thumbnails
from beholder.report._unit_view import UnitGallery, format_verdict
from beholder.stimuli import encode_flac, read_model_stimuli, save_picture

HOSTILE = '<script>alert("x")</script>'


class Reader(HTMLParser):
    """Elements with their attributes, and the words."""

    def __init__(self, text):
        super().__init__()
        self.found, self.words, self._open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_endtag(self, tag):
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data):
        if not {"script", "style"} & set(self._open):
            self.words.append(data.strip())

    @property
    def text(self):
        return " ".join(filter(None, self.words))

    def select(self, tag, **attributes):
        return [attrs for name, attrs in self.found if name == tag and attributes.items() <= attrs.items()]

    def with_class(self, name):
        return [attrs for _, attrs in self.found if name in (attrs.get("class") or "").split()]


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """Two models, three units, everything of everything; and pictures that belong to no unit."""
    folder = tmp_path_factory.mktemp("results")
    one, two = folder / "stimuli" / "one", folder / "stimuli" / "two"
    write_unit(one, "conv1", 3, n_batches=2, n_optimized=3, maps=True)
    write_unit(one, "conv2:in", 12, n_optimized=2)
    write_unit(two, "conv1", 7)
    write_verdicts(
        one,
        [
            ("conv1", 3, "max", 50.0, 29.0, "yes", ""),
            ("conv1", 3, "min", -50.0, -10.0, "yes", ""),
            ("conv2:in", 12, "max", 35.0, 40.0, "no", "falls short of the best natural stimulus: 35 against 40"),
            ("conv2:in", 12, "min", 0.0, 0.0, "tie", f"tie at 0, the floor of a rectified unit; {HOSTILE}"),
        ],
    )
    save_picture(folder / "stimuli" / "others" / "cat.png", Image.new("RGB", (8, 8)))
    html = write_report(folder).read_text()
    return folder, html, Reader(html)


def test_one_card_a_unit(full):
    _, _, page = full
    cards = page.with_class("unit")
    assert [(card["data-model"], card["data-layer"], card["data-beats"]) for card in cards] == [
        ("one", "conv1", "yes"), ("one", "conv2:in", "no"), ("two", "conv1", ""),
    ]  # fmt: skip
    assert "What drives single units of one and two?" in page.text
    assert "3 units in 3 layers, each with those of 40 natural pictures that drive it least and most." in page.text
    assert "Visualisations drive 1 of 2 units higher and 1 of 2 units lower than any natural picture." in page.text


def test_filters_offer_what_there_is(full):
    _, _, page = full
    keys = [select["data-key"] for select in page.select("select") if "data-key" in select]
    assert keys == ["model", "layer", "beats"]
    for words in ("one (2)", "two (1)", "conv1 (2)", "conv2:in (1)", "beat the natural ones (1)"):
        assert words in page.text


def test_rows_are_most_extreme_first(full):
    _, _, page = full
    alts = [image["alt"] for image in page.select("img") if "activation" in image["alt"]]
    assert alts[0].startswith("reference, activation −10")
    references = [alt for alt in alts[:24] if alt.startswith("reference")]
    assert references[:9] == [f"reference, activation {format_number(v)}" for v in np.arange(-10.0, -1.0)]
    assert alts.index("visualisation, activation −50") < alts.index("visualisation, activation −20")
    assert "references −10 to −2" in page.text


def test_verdicts_are_told_once(full):
    _, html, page = full
    assert "The best visualisation reaches 50, the highest natural picture 29, 1.7 times as far." in page.text
    assert "No visualisation beats the natural pictures: the best reaches 35, the highest natural one 40." in page.text
    assert html.count("falls short of") == 1, "in the table"
    tie = "The best visualisation ties with the lowest natural picture at 0; the floor of a rectified unit; <script>"
    assert tie in page.text
    assert HOSTILE not in html


def test_pictures_of_units_are_not_shown_again(full):
    _, _, page = full
    assert "1 picture." in page.text
    assert "Which pictures are in stimuli?" in page.text


def test_everything_is_inside_the_page_or_beside_it(full):
    folder, html, page = full
    assert all(image["src"].startswith("data:image/webp") for image in page.select("img"))
    assert all(image["href"].startswith("data:image/png") for image in page.select("image"))
    links = [link["href"] for link in page.select("a", **{"class": "card"})]
    assert len(links) > 60
    assert all((folder / link).exists() for link in links)
    assert "style=" not in html, "the page's own policy would drop it"


def test_maps_are_a_switch_that_needs_no_script(full):
    _, html, page = full
    assert len(page.with_class("show-maps")) == 1
    assert len(page.select("image")) == 2 * (9 + 2 + 3)
    assert ".units:has(.show-maps:checked) .map" in html


def test_a_model_folder_alone_is_a_page(full, tmp_path):
    folder, _, _ = full
    page = Reader(write_report(folder / "stimuli" / "two", tmp_path / "page.html").read_text())
    assert "What drives single units of two?" in page.text
    assert not page.select("a", **{"class": "card"}), "the pictures are not beside this page"
    assert len(page.with_class("card")) == 2 * (9 + 1)


def test_broken_pictures_and_missing_distributions_cost_only_themselves(tmp_path):
    unit = write_unit(tmp_path / "net", "conv1", 0, has_distribution=False)
    (unit / "natural_images" / "batch_0" / "max_8.png").write_bytes(b"no")
    page = Reader(write_report(tmp_path).read_text())
    assert "Not readable: conv1/channel_0/natural_images/batch_0/max_8.png." in page.text
    assert len(page.with_class("card")) == 19
    assert len(page.with_class("histogram")) == 1
    assert not page.with_class("bars") or not page.select("rect")


def test_a_map_that_is_gone_costs_only_itself(tmp_path):
    unit = write_unit(tmp_path / "net", "conv1", 0, maps=True)
    (unit / "activation_maps" / "natural_images" / "batch_0" / "max_8.png").unlink()
    page = Reader(write_report(tmp_path).read_text())
    assert len(page.with_class("card")) == 20
    assert len(page.select("image")) == 19


def test_sounds_are_heard_and_seen(tmp_path):
    write_unit(tmp_path / "ear", "conv1", 0, suffix=".wav")
    page = Reader(write_report(tmp_path).read_text())
    players = page.select("audio")
    assert len(players) == 20
    assert all(player["src"].startswith("data:audio/flac;base64,") and "controls" in player for player in players)
    assert "40 natural sounds" in page.text
    assert len(page.with_class("sound")) == 20


def test_sounds_keep_their_samples():
    import soundfile

    rate, times = 48_000, np.arange(24_000) / 48_000
    heard = encode_flac(np.sin(2 * np.pi * 440 * times).astype(np.float32), rate)
    samples, found = soundfile.read(io.BytesIO(heard))
    assert (found, len(samples)) == (16_000, 8_000)
    expected = np.sin(2 * np.pi * 440 * np.arange(8_000) / 16_000)
    assert np.abs(samples[200:-200] - expected[200:-200]).max() < 0.01
    loud = encode_flac(np.array([0.0, 3.0, -3.0], np.float32), 8_000)
    samples, _ = soundfile.read(io.BytesIO(loud))
    assert np.abs(samples).max() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("has_sounds", [False, True])
@pytest.mark.parametrize("n_units", [1, 50, 200, 800, 5000])
def test_plans_shrink_with_the_number_of_units(n_units, has_sounds):
    plan = plan_thumbnails(n_units, 15_000_000, has_sounds=has_sounds, has_optimized=True)
    richer = plan_thumbnails(max(1, n_units // 4), 15_000_000, has_sounds=has_sounds, has_optimized=True)
    size, more = (one.count_shown(has_optimized=True) * one.side**2 for one in (plan, richer))
    assert more >= size
    if n_units == 1:
        assert plan == PLANS[0]
    if n_units == 50 and not has_sounds:
        assert plan.n_references == 9, "50 units keep whole rows"
        assert plan.count_references(has_optimized=False) == 12


def test_a_full_page_says_what_is_missing(tmp_path):
    for channel in range(4):
        write_unit(tmp_path / "net", "conv1", channel)
    page = Page(tmp_path, tmp_path / "report.html")
    page.budget = Budget(5_000)
    section = UnitKind().render(tmp_path, page)
    assert isinstance(section.view, UnitGallery)
    assert 0 < len(section.view.units) < 4
    assert section.warnings[0].endswith("of 4 units are shown: the page is full.")
    assert page.budget.left >= 0


def test_detailed_pictures_fit_into_what_was_planned_for_them(tmp_path):
    for channel in range(8):
        write_unit(tmp_path / "net", f"conv{channel % 3}", channel, n_optimized=9)
    generator = np.random.default_rng(0)
    spectrum = np.fft.rfft2(generator.standard_normal((3, 224, 224)))
    distances = np.hypot(np.fft.fftfreq(224)[:, None], np.fft.rfftfreq(224))
    noise = np.fft.irfft2(spectrum / np.maximum(distances, 1 / 224))
    pixels = 128 + 50 * noise / noise.std()
    save_picture(tmp_path.parent / "noise.png", pixels.clip(0, 255).astype(np.uint8).transpose(1, 2, 0))
    for path in tmp_path.rglob("*.png"):
        path.unlink()
        path.hardlink_to(tmp_path.parent / "noise.png")
    page = Page(tmp_path, tmp_path / "report.html")
    page.budget = Budget(3_000_000)
    section: Any = UnitKind().render(tmp_path, page)
    assert len(section.view.units) == 8
    assert section.warnings == ()
    assert page.budget.left > 0.1 * 3_000_000, "other sections have their share"


def test_transparent_visualisations_show_the_ground(tmp_path):
    unit = write_unit(tmp_path / "net", "conv1", 0, n_optimized=2)
    images = unit / "optimized_images"
    opacity = np.tile(np.linspace(0, 255, 48).astype(np.uint8), (24, 1))
    save_picture(images / "transparency" / "max_1.png", Image.fromarray(opacity))
    Image.open(images / "max_0.png").convert("RGBA").resize((48, 24)).save(images / "max_0.png")
    (found,) = read_model_stimuli(tmp_path / "net")
    made: Any = {one.path.name: Thumbnailer(Budget()).make(one, 48, None) for one in found.select("optimized", "max")}
    assert made["max_1.png"].has_alpha
    assert not made["max_0.png"].has_alpha, "opaque throughout"
    picture = Image.open(io.BytesIO(base64.b64decode(made["max_1.png"].source.partition(",")[2])))
    shown = np.asarray(picture.getchannel("A"))[12]
    assert shown[0] < 10
    assert shown[-1] > 245
    assert 'class="frame see-through"' in write_report(tmp_path).read_text()


def test_a_veil_lies_where_the_positions_lie(tmp_path):
    write_unit(tmp_path / "net", "conv1", 0, maps=True)
    (unit,) = read_model_stimuli(tmp_path / "net")
    strongest = unit.select("natural", "max", "reference")[-9:]
    overlay: Any = make_overlay(strongest[-1], find_scale(strongest))  # pyright: ignore[reportArgumentType]
    alpha = np.asarray(Image.open(io.BytesIO(base64.b64decode(overlay.source.partition(",")[2]))).getchannel("A"))
    assert alpha.shape == (2, 4), "cells of 12 pixels cover 48 x 24"
    assert alpha[0, 0] == 0, "clear where the unit is active"
    assert (np.delete(alpha.ravel(), 0) > 150).all()
    assert (overlay.x, overlay.y, overlay.width, overlay.height) == pytest.approx((0, 0, 100, 100))


def test_a_veil_is_continued_to_the_edge(tmp_path):
    write_unit(tmp_path / "net", "conv1", 0, maps=True)
    manifest = tmp_path / "net" / "conv1" / "channel_0" / "activation_maps" / "manifest.csv"
    manifest.write_text(manifest.read_text().replace("5.5,5.5,12.0,12.0,48,24", "0.0,5.5,9.0,12.0,48,24"))
    (unit,) = read_model_stimuli(tmp_path / "net")
    shown = unit.select("natural", "max")[-1:]
    overlay: Any = make_overlay(shown[0], find_scale(shown))  # pyright: ignore[reportArgumentType]
    alpha = np.asarray(Image.open(io.BytesIO(base64.b64decode(overlay.source.partition(",")[2]))).getchannel("A"))
    # Cells of 9 pixels: the first begins at -4, the fourth ends at 32; two more reach 50.
    assert alpha.shape == (2, 6)
    assert overlay.x == pytest.approx(100 * -4 / 48)
    assert overlay.width == pytest.approx(100 * 54 / 48)
    assert (alpha[:, 3] == alpha[:, 5]).all()


def test_the_veil_of_a_minimum_is_clear_where_activation_is_lowest(tmp_path):
    write_unit(tmp_path / "net", "conv1", 0, maps=True)
    (unit,) = read_model_stimuli(tmp_path / "net")
    shown = unit.select("natural", "min")
    overlay: Any = make_overlay(shown[0], find_scale(shown))  # pyright: ignore[reportArgumentType]
    alpha = np.asarray(Image.open(io.BytesIO(base64.b64decode(overlay.source.partition(",")[2]))).getchannel("A"))
    assert alpha[0, 0] > 150
    assert alpha[1, 3] == 0


def test_histogram_counts_and_marks(tmp_path):
    write_unit(tmp_path / "net", "conv1", 0, n_optimized=2)
    (unit,) = read_model_stimuli(tmp_path / "net")
    svg = Reader(str(draw_histogram(unit, "pictures")))
    plot = svg.select("svg", **{"class": "plot"})[0]
    assert plot["aria-label"].startswith(
        "Activations of 40 pictures; references from −10 to 29; queries from −1 to 20;"
    )
    bars = [float(bar["height"]) for bar in svg.select("rect")]
    assert len(bars) == 8
    assert max(bars) - min(bars) < 1e-6, "40 values evenly over 8 bins"
    circles = [float(circle["cx"].rstrip("%")) for circle in svg.select("circle")]
    assert len(circles) == 4
    # -35 and 35 are the ends of the axis; -20 and 20 lie between.
    assert circles == pytest.approx([1.5, 1.5 + 97 * 15 / 70, 1.5 + 97 * 55 / 70, 98.5], abs=0.13)
    assert svg.text.split()[:2] == ["40", "pictures"]
    assert {"−35", "35"} <= set(svg.text.split())


def test_a_bar_that_dwarfs_the_others_is_cut_and_counted(tmp_path):
    write_unit(tmp_path / "net", "conv1", 0)
    (unit,) = read_model_stimuli(tmp_path / "net")
    tall = unit.__class__(unit.layer, 0, unit.path, unit.stimuli, (0.0, 1.0, 2.0, 3.0), (600, 10, 20))
    svg = Reader(str(draw_histogram(tall, "pictures")))
    heights = [float(bar["height"]) for bar in svg.select("rect")]
    assert heights[0] == pytest.approx(1.3 * heights[2], rel=1e-2)
    assert "600 here" in svg.text


def test_marks_far_outside_become_arrows(tmp_path):
    write_unit(tmp_path / "net", "conv1", 0, n_optimized=20)
    (unit,) = read_model_stimuli(tmp_path / "net")
    svg = Reader(str(draw_histogram(unit, "pictures")))
    assert len(svg.select("path")) == 2, "one arrow a side"
    assert len(svg.select("circle")) < 40


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (-1.5, "−1.5"), (12345.6, "12,346"), (1e-9, "1e−09"), (-0.0, "0"), (0.12345, "0.123")],
)
def test_numbers_are_short(value, text):
    assert format_number(value) == text


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (("1.5", "", "unknown", "no recording to compare with"), "reaches 1.5; no recording to compare with."),
        (("0.5", "-1.0", "yes", ""), "reaches 0.5, the highest natural picture −1."),
        (("50", "0.1", "yes", ""), "reaches 50, the highest natural picture 0.1."),
        (("0", "0", "tie", ""), "ties with the highest natural picture at 0."),
        (("", "", "unknown", ""), ""),
    ],
)
def test_words_of_verdicts(tmp_path, row, words):
    names = ("activation_best", "natural_best", "beats", "note")
    write_unit(tmp_path / "net", "conv1", 0)
    (unit,) = read_model_stimuli(tmp_path / "net")
    verdicts: Any = {"max": dict(zip(names, row, strict=True))}
    judged = unit.__class__(unit.layer, 0, unit.path, unit.stimuli, verdicts=verdicts)
    told, beats = format_verdict(judged, "max")
    assert told.endswith(words)
    assert bool(told) == bool(words)
    assert beats == row[2]
    assert format_verdict(judged, "min") == ("", "")


def test_layers_keep_their_colour(tmp_path):
    for layer in ("conv1", "conv2", "conv10"):
        write_unit(tmp_path / "net", layer, 0)
    chips = re.findall(r'<circle cx="5" cy="5" r="4.4" fill="(#\w+)"', write_report(tmp_path).read_text())
    assert len(set(chips)) == 3
    assert chips[0] == "#440154", "the earliest is the darkest"
