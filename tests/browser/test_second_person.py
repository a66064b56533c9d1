"""A module of one's own, what drives its units, and the experiment on colleagues' screens, by ``serve --lan``."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import time
from collections import OrderedDict
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image
from tests.browser.participant import Participant
from tests.browser.processes import find_port, run_program

import beholder as bh
from beholder.experiments import build_tasks, make_settings, plan_choice
from beholder.responses import export_responses

pytestmark = pytest.mark.browser

CHANGES = {
    "disabled_ms": 30, "feedback_delay_ms": 30, "feedback_ms": 30, "instructions": ["units", "queries"],
    "practice.n_with_feedback": 1, "practice.n_obvious": 1, "practice.n_required": 1, "practice.n_without": 0,
    "practice.max_blocks": 1, "fullscreen": False, "shuffle_trials": False, "exclusion.time_s_min": None,
    "exclusion.instructions_s_min": None, "exclusion.row_choices_min": None, "exclusion.automation": None,
    "phones": True, "min_width": 0, "min_height": 0,
}  # fmt: skip
PHONE = {"viewport": {"width": 390, "height": 844}, "screen": {"width": 390, "height": 844}, "has_touch": True}
PLACES = """() => {
    const list = (selector) => [...document.querySelectorAll(selector)].map((each) => {
        const {x, y, width, height} = each.getBoundingClientRect();
        return [Math.floor(x + width / 2), Math.floor(y + height / 2)];
    });
    return ["upper", "lower"].map((side) => list(`.candidate[data-side=${side}] img`)).concat(
        [...document.querySelectorAll(".examples")].map((group, k) => list(`.examples:nth-of-type(${k + 1}) img`)));
}"""


def make_network():
    """A module whose units want red, green, blue, and light."""
    import torch

    wants = torch.nn.Conv2d(3, 4, 1, bias=False)
    wanted = torch.tensor([[2.0, -1, -1], [-1, 2, -1], [-1, -1, 2], [1, 1, 1]])
    wants.weight.data = wanted[:, :, None, None]
    return torch.nn.Sequential(OrderedDict(wants=wants))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The experiment, from the module on."""
    place = tmp_path_factory.mktemp("first_day")
    (place / "pictures").mkdir()
    for k, colour in enumerate(np.random.default_rng(3).integers(0, 256, (80, 3))):
        Image.new("RGB", (24, 24), tuple(map(int, colour))).save(place / "pictures" / f"{k}.png")
    net = bh.wrap(make_network(), preprocess={"resize": 24, "crop": 24}, name="colours")
    units = [f"wants:{channel}" for channel in range(4)]
    with contextlib.chdir(place):
        acts = bh.record_units(net, "pictures", units)
        stimuli = bh.write_exemplars(bh.find_exemplars(acts, units, num_batches=2), "stimuli")
        plan = plan_choice(stimuli, n_trials=4, n_tasks=1, n_catch=0, settings=make_settings(changes=CHANGES))
        build_tasks(plan, "experiment")
    return place


@contextlib.contextmanager
def serve_colleagues(folder: Path, port: int):
    """``beholder tasks serve --lan`` in a process of its own; its link."""
    command = [sys.executable, "-c", "from beholder.cli import main; main()", "tasks", "serve", "experiment"]
    command += ["--db", "answers.sqlite", "--lan", "--port", str(port)]
    log = folder / "served.txt"
    with contextlib.chdir(folder), run_program(command, dict(os.environ), log):
        end = time.monotonic() + 60
        while not (found := re.search(r"^open (http\S+)$", log.read_text(), re.MULTILINE)):
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.05)
        yield found[1]


class Looker(Participant):
    """Somebody who sees colours, and answers wrongly in some trials."""

    wrong: frozenset[int] = frozenset()

    def find_side(self) -> str:
        """The picture in the middle that is more like the examples on the right than on the left."""
        pixels = np.asarray(Image.open(io.BytesIO(self.page.screenshot())).convert("RGB"), float)
        upper, lower, left, right = (
            np.mean([pixels[y, x] for x, y in places], axis=0) for places in self.page.evaluate(PLACES)
        )
        is_upper = (upper - lower) @ (right - left) > 0
        number = re.fullmatch(r"Trial (\d+) of 4", self.page.inner_text("#heading").strip())
        return "upper" if is_upper != (number is not None and int(number[1]) in self.wrong) else "lower"

    def answer(self, position=0):
        side = self.find_side()
        self.press(f".steps[data-side={side}] .step:nth-of-type(2)")

    def answer_by_keyboard(self):
        side = self.find_side()
        self.page.keyboard.press("ArrowUp" if side == "upper" else "ArrowDown")
        self.page.keyboard.press("2")

    def press(self, selector):
        self.page.click(selector)


class Toucher(Looker):
    """With a finger."""

    def press(self, selector):
        self.page.tap(selector)

    def click_next(self):
        self.page.tap("button.main:not([disabled])")


def test_colleagues_take_part_by_the_link_and_one_sees_who_agreed(chromium, firefox, folder, monkeypatch):
    with contextlib.ExitStack() as stack:
        link = stack.enter_context(serve_colleagues(folder, find_port()))
        assert re.fullmatch(r"/[0-9a-f]{32}/", urlsplit(link).path)

        def invite(browser, kind, wrong, **options):
            options.setdefault("viewport", {"width": 1280, "height": 800})
            context = stack.enter_context(contextlib.closing(browser.new_context(**options)))
            person = kind(context, link)
            person.wrong = frozenset(wrong)
            return person

        people = [
            (invite(chromium, Looker, {1}), True),
            (invite(firefox, Looker, {1, 2}), False),
            (invite(chromium, Toucher, {4}, is_mobile=True, **PHONE), False),
        ]
        own = people[1][0]  # plain http keeps the clipboard shut, the button copies all the same
        own.page.click("[data-action=copy-link]")
        own.wait_until("document.querySelector('[data-action=copy-link]').textContent === 'Copied'")
        for person, keyboard in people:
            assert person.take_part(keyboard=keyboard) == "done"
            assert person.complaints == [] and person.foreign == []
    monkeypatch.chdir(folder)
    found = export_responses("answers.sqlite", "answers").responses
    answers = found.included
    assert len(answers) == 12 and set(answers["confidence"]) == {2}
    right = {who: set(rows.loc[~rows["correct"].astype(bool), "n"]) for who, rows in answers.groupby("participant")}
    assert sorted(map(sorted, right.values())) == [[1], [1, 2], [4]]
    agreement = bh.analyze_agreement("answers")
    pairs = agreement.table.query("statistic == 'pair'")
    assert sorted(pairs["estimate"].round(3)) == pytest.approx([-0.5, -0.333, 0.5])
