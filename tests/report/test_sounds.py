"""Folders of sounds become galleries that play."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from beholder.report import write_report
from beholder.report._write import collect_sections
from beholder.stimuli import save_sound

PLAYING = "[...document.querySelectorAll('.sound')].map((c) => c.classList.contains('playing'))"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sounds")
    for group, pitch in (("low", 200), ("high", 2000)):
        for take in range(2):
            tone = 0.2 * np.sin(2 * np.pi * pitch * np.arange(4000 * (take + 1)) / 8000)
            save_sound(folder / "clips" / group / f"{group}_{take}.wav", tone.astype(np.float32), 8000)
    (folder / "clips" / "low" / "broken.wav").write_bytes(b"RIFF")
    save_sound(folder / "clips" / "low" / "long.wav", np.zeros(8 * 12_000, np.float32) + 0.01, 8000)
    return folder


def test_a_folder_of_sounds_is_a_gallery(folder: Path) -> None:
    (section,) = collect_sections(folder, folder / "report.html")
    assert section.title == "Which sounds are in clips?"
    assert section.answer == "6 sounds in 2 groups."
    assert section.warnings == ("Not readable as sounds: broken.wav.",)
    cards = {card.name: card for card in section.cards}
    assert sorted(cards) == ["high_0", "high_1", "long", "low_0", "low_1"]
    assert all(card.source.startswith("data:image/svg+xml") for card in section.cards)
    assert all(card.sound.startswith("data:audio/flac") for card in section.cards)
    assert dict(cards["low_1"].facts) == {"file": "low/low_1.wav", "length": "1 s", "rate": "8,000 Hz"}
    assert dict(cards["long"].facts)["length"] == "12 s, the first 10 s here"
    assert cards["low_0"].link == "clips/low/low_0.wav"


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_card_shows_that_it_plays(tab, folder: Path, scheme: str) -> None:
    page = write_report(folder)
    tab.show(page, 1280, scheme=scheme)
    assert tab.run("document.querySelectorAll('.sound[role=button]').length") == 5
    button = "getComputedStyle(document.querySelector('.sound .frame'), '::after')"
    assert tab.run(f"{button}.backgroundImage").startswith('url("data:image/svg+xml')
    assert tab.run(f"parseFloat({button}.width)") >= 24
    tab.call("Emulation.setFocusEmulationEnabled", enabled=True)
    tab.run("document.querySelectorAll('.sound audio').forEach((a) => { a.loop = true; })")
    tab.run("document.querySelectorAll('.sound')[1].focus()")
    tab.press("Enter")
    assert tab.run(f"new Promise((done) => setTimeout(() => done({PLAYING}), 100))") == [
        False,
        True,
        False,
        False,
        False,
    ]
    tab.run("document.querySelector('.gallery select').value = 'low'")
    tab.run("document.querySelector('.gallery select').dispatchEvent(new Event('change'))")
    assert tab.run("document.querySelectorAll('.group:not([hidden]) .sound').length") == 3
